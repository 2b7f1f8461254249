"""In memory, an experiment measures what the stages of a run measure through files."""

from typing import get_args

import numpy as np
import pytest
import torch

from depthlens import tables, trial
from depthlens.chapters.benchmarks_of_difficulty.settings import ScoreName
from depthlens.models import checkpoints
from depthlens.scores.catalogue import BY_NAME
from depthlens.training import loop

RECIPE = trial.Recipe(architecture="resnet18_narrow", epochs=2, batch_size=16, learning_rate=1e-3)


@pytest.fixture(scope="module")
def splits(tiny_run) -> dict[str, tables.Images]:
    return {split: tables.read_images(tiny_run.images(split)) for split in ("train", "test")}


@pytest.fixture(scope="module")
def trained(tiny_run) -> trial.Trained:
    """The network of the tiny run, with what its tables recorded of the training."""
    network = checkpoints.load_network(
        tiny_run.checkpoint, architecture="resnet18_narrow", n_classes=6, shape=(3, 32, 32)
    )
    tensors, about = checkpoints.load_tensors(tiny_run.snapshots)
    snapshots = [
        {k.removeprefix(f"{epoch}."): v for k, v in tensors.items() if k.startswith(f"{epoch}.")}
        for epoch in about["epochs"]
    ]
    outcomes = {}
    for split in ("train", "test"):
        table = tables.read(tiny_run.dynamics(split)).to_pandas()
        outcomes[split] = [
            loop.Outcomes(
                **{
                    name: rows[name].to_numpy()
                    for name in rows
                    if name not in ("epoch", "example_id")
                }
            )
            for _, rows in table.groupby("epoch")
        ]
    epochs = [
        loop.Epoch(
            epoch=number, train_loss=0, train_accuracy=0, test_loss=0, test_accuracy=0,
            learning_rate=0, seconds=0, train=train, test=test,
        )
        for number, (train, test) in enumerate(zip(*outcomes.values(), strict=True), start=1)
    ]  # fmt: skip
    return trial.Trained(network=network, epochs=epochs, snapshots=snapshots)


@pytest.fixture(scope="module")
def seen(trained, splits) -> list[trial.Seen]:
    return trial.see(
        trained.network, splits["train"], [splits["test"]], n_neighbors=7, dtype=torch.float32
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_seen_is_what_the_tables_of_a_run_say(tiny_run, seen, split):
    found = seen[split == "test"]
    assert found.probes == tiny_run.probe_names
    assert found.probes[found.feature_index] == tiny_run.feature_probe
    depth = tables.read(tiny_run.depth(split)).to_pandas()
    np.testing.assert_array_equal(found.prediction, depth["prediction"])
    np.testing.assert_array_equal(found.depth, depth["depth"])
    for index, probe in enumerate(found.probes):
        path = tiny_run.knn(split, probe)
        np.testing.assert_array_equal(
            found.votes[:, index], tables.Rows(path, "votes").read(0, 999)
        )
        table = tables.read(path).to_pandas()
        np.testing.assert_allclose(found.distance[:, index], table["distance"], rtol=1e-6)
        if split == "train":
            np.testing.assert_array_equal(found.self_voting[:, index], table["self_voting"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_scores_are_those_of_the_scores_table(tiny_run, trained, splits, seen, split):
    options = {"early_epoch": 1, "gradient_examples": 24}
    if split == "test":
        options |= {"queries": splits["test"], "seen": seen[1]}
    found = trial.scores(trained, splits["train"], seen[0], **options)
    table = tables.read(tiny_run.scores(split)).to_pandas()
    np.testing.assert_array_equal(found["example_id"], table["example_id"])
    for name in table.columns.drop(["example_id", "attack_margin"]):
        np.testing.assert_allclose(found[name], table[name], rtol=1e-4, atol=1e-6, err_msg=name)
    depth = tables.read(tiny_run.depth(split)).to_pandas()
    for name in ("depth", "depth_label", "correct"):
        np.testing.assert_array_equal(found[name], depth[name])
    if split == "train":
        np.testing.assert_array_equal(found["depth_self_voting"], depth["depth_self_voting"])
        # What the config lets one choose images by is computed, and has an orientation.
        for name in get_args(ScoreName):
            assert found[name].notna().all() and name in BY_NAME


def test_a_trial_is_the_same_again_and_another_with_another_seed(splits):
    def weights(seed: int) -> torch.Tensor:
        network = trial.fit(*splits.values(), recipe=RECIPE, seed=seed).network
        return network.fc.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_snapshots_are_states_along_the_way(splits):
    found = trial.fit(*splits.values(), recipe=RECIPE, seed=1, n_snapshots=2)
    assert len(found.snapshots) == 2
    final = found.network.state_dict()
    assert all(torch.equal(value, final[name]) for name, value in found.snapshots[1].items())
    assert not torch.equal(found.snapshots[0]["fc.weight"], final["fc.weight"])


def test_a_draw_has_the_classes_in_equal_shares_and_keeps_the_order(splits):
    drawn = trial.draw(splits["train"], 50, np.random.default_rng(1))
    assert sorted(np.bincount(drawn.labels)) == [8, 8, 8, 8, 9, 9]
    assert (np.diff(drawn.example_id) > 0).all()
    rows = np.searchsorted(splits["train"].example_id, drawn.example_id)
    np.testing.assert_array_equal(drawn.images, splits["train"].images[rows])
    np.testing.assert_array_equal(drawn.factors["size"], splits["train"].factors["size"][rows])
    other = trial.draw(splits["train"], 50, np.random.default_rng(2))
    assert not np.array_equal(drawn.example_id, other.example_id)


def test_a_draw_takes_what_there_is(splits):
    assert len(trial.draw(splits["test"], 1000, np.random.default_rng(1)).labels) == 42
    of_two = trial.take(splits["test"], np.flatnonzero(splits["test"].labels != 3)[:20])
    few = trial.take(splits["test"], np.flatnonzero(splits["test"].labels == 3)[:2])
    both = of_two._replace(
        example_id=np.concatenate([of_two.example_id, few.example_id]),
        images=np.concatenate([of_two.images, few.images]),
        labels=np.concatenate([of_two.labels, few.labels]),
        factors={},
    )
    drawn = trial.draw(both, 12, np.random.default_rng(1))
    assert np.bincount(drawn.labels)[3] == 2 and len(drawn.labels) == 12


def test_a_recipe_takes_its_own_of_a_block():
    block = {"architecture": "mlp7", "epochs": 3, "batch_size": 8, "learning_rate": 0.1, "other": 1}
    found = trial.Recipe.of(block, architecture="resnet18")
    assert (found.architecture, found.epochs, found.optimizer) == ("resnet18", 3, "adam")
