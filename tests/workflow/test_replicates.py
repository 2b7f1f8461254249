"""Replicates: every image from both sides, and one more replicate trains one more network."""

import numpy as np
import pytest
import yaml

from depthlens import tables

from .conftest import Copy, tiny

pytestmark = pytest.mark.exhaustive

CARD = "results/tiny_shapes/resnet18/card.parquet"


@pytest.fixture(scope="module")
def replicated(tmp_path_factory) -> Copy:
    """The tiny study with two replicates, activations not kept."""
    copy = tiny(tmp_path_factory.mktemp("replicates"))
    config = copy.folder / "config.yaml"
    values = yaml.safe_load(config.read_text())
    values["study"]["replicates"] = 2
    values["activations"]["keep"] = False
    values["training"]["epochs"] = values["training"]["snapshots"] = 1
    config.write_text(yaml.safe_dump(values, sort_keys=False))
    copy.snakemake()
    return copy


def test_every_image_of_the_card_was_seen_from_both_sides(replicated):
    card = tables.read(replicated.folder / CARD)
    n_train, n_held_out = card["n_train"].to_numpy(), card["n_held_out"].to_numpy()
    assert card.num_rows == 90
    assert card["split"].to_pylist() == ["train"] * 60 + ["test"] * 30
    # The network of seed 1 saw the training images, and each of two halves saw every image once.
    assert n_train.tolist() == [2] * 60 + [1] * 30
    assert n_held_out.tolist() == [1] * 60 + [2] * 30
    for name in ("depth_train_mean", "depth_held_out_mean", "loss_train", "loss_held_out"):
        assert np.isfinite(card[name].to_numpy()).all()


def test_depth_on_the_card_is_the_mean_over_networks(replicated):
    card = tables.read(replicated.folder / CARD)
    values: dict[int, list[int]] = {}
    for folder in ("replicate1/resnet18/seed1", "replicate2/resnet18/seed2"):
        table = tables.read(replicated.folder / f"results/tiny_shapes/{folder}/depth/test.parquet")
        for pool_id, depth in zip(table["example_id"], table["depth"], strict=True):
            values.setdefault(pool_id.as_py(), []).append(depth.as_py())
    table = tables.read(replicated.folder / "results/tiny_shapes/resnet18/seed1/depth/test.parquet")
    for example_id, depth in zip(table["example_id"], table["depth"], strict=True):
        values[60 + example_id.as_py()].append(depth.as_py())
    expected = [np.mean(values[pool_id]) for pool_id in range(90)]
    np.testing.assert_allclose(card["depth_held_out_mean"], expected, rtol=1e-6)


def test_nothing_is_left_to_do_and_no_activations_are_left(replicated):
    assert replicated.planned() == set()
    assert not list(replicated.folder.rglob("activations/*/*.parquet"))


def test_one_replicate_more_trains_one_network_more(replicated):
    config = replicated.folder / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace("replicates: 2\n", "replicates: 3\n"))
    try:
        said = replicated.plan(CARD)
    finally:
        config.write_text(before)
    counts = dict(
        line.split() for line in said.splitlines() if len(line.split()) == 2 and line[-1].isdigit()
    )
    assert counts["train"] == counts["resample"] == counts["scores_test_resnet18"] == "1"
    assert counts["card_tiny_shapes_resnet18"] == "1"
    assert "replicate3" in said and "replicate1/resnet18/seed1/checkpoint" not in said
