"""The scores of a real run, each against another way to get it."""

import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.models import checkpoints
from depthlens.scores.catalogue import SCORES
from depthlens.stages import scores

SPLITS = ("train", "test")
SAMPLED = {"input_margin": 24, "variance_of_gradients": 24, "attack_margin": 3}


def column(path, name) -> np.ndarray:
    return tables.read(path)[name].to_numpy()


@pytest.fixture
def options(tiny_run, blocks, tmp_path) -> dict:
    """What the stage takes, for the test split and next to no gradients."""
    few = blocks["scores"] | {"gradient_examples": 1, "attack_examples": 0}
    probe = tiny_run.feature_probe
    return {
        "split": "test",
        "predictions": tiny_run.predictions("test"),
        "knn": tiny_run.knn("test", probe),
        "features": tiny_run.activations("test", probe),
        "reference_features": tiny_run.activations("train", probe),
        "labels": tiny_run.predictions("train"),
        "images": tiny_run.images("test"),
        "checkpoint": tiny_run.checkpoint,
        "output": tmp_path / "scores.parquet",
        "cfg": {"scores": few, "model": blocks["model"]},
    }


@pytest.fixture(scope="session")
def network(tiny_run) -> torch.nn.Module:
    return checkpoints.load_network(
        tiny_run.checkpoint, architecture="resnet18_narrow", n_classes=6
    )


@pytest.mark.parametrize("split", SPLITS)
def test_every_score_of_the_catalogue_is_a_column_in_its_range(tiny_run, split):
    table = tables.read(tiny_run.scores(split))
    assert {field.name: field.type for field in table.schema} == {
        "example_id": pa.int32(),
        **{score.name: pa.float32() for score in SCORES},
    }
    assert table["example_id"].equals(tables.read(tiny_run.predictions(split))["example_id"])
    for score in SCORES:
        values = table[score.name].to_numpy()
        there = ~np.isnan(values)
        assert there.sum() == SAMPLED.get(score.name, len(table)), score.name
        assert values[there].min() >= score.low - 1e-6
        assert values[there].max() <= score.high + 1e-6
        assert len(np.unique(values[there])) > 1, f"{score.name} is the same for all"


@pytest.mark.parametrize("split", SPLITS)
def test_scores_of_the_output_agree_with_what_the_network_says(tiny_run, network, split):
    images = tables.read_images(tiny_run.images(split))
    with torch.no_grad():
        seen = torch.tensor(images.images).float() / 255
        logits = network(seen.expand(-1, 3, -1, -1))
    labels = torch.tensor(images.labels).long()
    p = logits.softmax(1)
    best = logits.sort(1).values
    expected = {
        "loss": functional.cross_entropy(logits, labels, reduction="none"),
        "confidence": p.amax(1),
        "output_margin": best[:, -1] - best[:, -2],
        "entropy": torch.distributions.Categorical(logits=logits).entropy(),
    }
    for name, values in expected.items():
        found = column(tiny_run.scores(split), name)
        np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("split", SPLITS)
def test_scores_of_the_training_are_read_off_its_two_epochs(tiny_run, split):
    table = tables.read(tiny_run.dynamics(split)).to_pandas()
    first, last = (table[table["epoch"] == epoch].reset_index(drop=True) for epoch in (1, 2))
    answers = tables.read(tiny_run.predictions(split)).to_pandas()
    final, label = answers["prediction"], answers["label"]
    right = [first["prediction"] == label, last["prediction"] == label]
    expected = {
        "iteration_learned": np.where(
            last["prediction"] != final, 3, np.where(first["prediction"] != final, 2, 1)
        ),
        "first_learned": np.where(right[0], 1, np.where(right[1], 2, 3)),
        "forgetting_events": np.where(right[0], ~right[1], np.where(right[1], 0, 2)),
        "area_under_margin": (first["margin"] + last["margin"]) / 2,
        "datamap_confidence": (np.exp(-first["loss"]) + np.exp(-last["loss"])) / 2,
        "datamap_variability": np.abs(np.exp(-first["loss"]) - np.exp(-last["loss"])) / 2,
        "el2n": first["error_norm"],
        "grand": first["gradient_norm"],
    }
    for name, values in expected.items():
        found = column(tiny_run.scores(split), name)
        np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_number_of_threads_does_not_change_a_bit(tiny_run, options):
    few = options["cfg"]["scores"] | {"gradient_examples": 7, "attack_examples": 2}
    options |= {"cfg": options["cfg"] | {"scores": few}, "snapshots": tiny_run.snapshots}
    before = torch.get_num_threads()

    def written(threads: int) -> bytes:
        torch.set_num_threads(threads)
        try:
            scores.run(**options)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        return options["output"].read_bytes()

    assert written(1) == written(2) == written(4)


def test_the_early_epoch_is_the_one_that_is_asked_for(tiny_run, options):
    cfg = options["cfg"] | {"scores": options["cfg"]["scores"] | {"early_epoch": 2}}
    scores.run(**options | {"dynamics": tiny_run.dynamics("test"), "cfg": cfg})
    second = column(tiny_run.dynamics("test"), "error_norm")[42:]
    np.testing.assert_array_equal(column(options["output"], "el2n"), second)


@pytest.mark.parametrize("split", SPLITS)
def test_neighbours_and_prototypes_by_brute_force(tiny_run, split):
    probe = tiny_run.feature_probe
    references = tables.matrix(tables.read(tiny_run.activations("train", probe))["activation"])
    queries = tables.matrix(tables.read(tiny_run.activations(split, probe))["activation"])
    of_references = column(tiny_run.predictions("train"), "label")
    labels = column(tiny_run.predictions(split), "label")
    disagreement, distance = (
        column(tiny_run.scores(split), name) for name in ("knn_disagreement", "prototype_distance")
    )
    for row, (query, label) in enumerate(zip(queries.astype(np.float64), labels, strict=True)):
        away = np.linalg.norm(references - query, axis=1)
        among = of_references == label
        if split == "train":
            away[row], among[row] = np.inf, False
        nearest = np.argsort(away, kind="stable")[:7]
        assert disagreement[row] == pytest.approx((of_references[nearest] != label).mean())
        prototype = references[among].astype(np.float64).mean(axis=0)
        assert distance[row] == pytest.approx(np.linalg.norm(query - prototype), rel=1e-5)


@pytest.mark.parametrize("split", SPLITS)
def test_first_order_margins_are_those_of_autograd(tiny_run, network, split):
    images = tables.read_images(tiny_run.images(split))
    found = column(tiny_run.scores(split), "input_margin")
    for row in np.flatnonzero(~np.isnan(found))[:3]:
        image = torch.tensor(images.images[row]).float() / 255

        def answer(x):
            return network(x.expand(3, -1, -1)[None])[0]

        logits = answer(image)
        slopes = torch.autograd.functional.jacobian(answer, image).flatten(1)
        a = int(logits.argmax())
        expected = min(
            ((logits[a] - logits[b]) / (slopes[a] - slopes[b]).norm()).item()
            for b in range(6)
            if b != a
        )
        assert found[row] == pytest.approx(expected, rel=1e-3)


def test_attacks_are_of_images_that_have_a_first_order_margin_and_find_something(tiny_run):
    for split in SPLITS:
        attacked = column(tiny_run.scores(split), "attack_margin")
        rows = ~np.isnan(attacked)
        first_order = column(tiny_run.scores(split), "input_margin")[rows]
        assert np.isfinite(first_order).all()
        assert np.isfinite(attacked[rows]).all()
        assert (attacked[rows] < 5 * first_order + 0.1).all()


def test_variance_of_gradients_from_the_snapshots(tiny_run):
    images = tables.read_images(tiny_run.images("test"))
    found = column(tiny_run.scores("test"), "variance_of_gradients")
    rows = np.flatnonzero(~np.isnan(found))
    tensors, about = checkpoints.load_tensors(tiny_run.snapshots)
    assert about["epochs"] == [1, 2]
    slopes = []
    for epoch in about["epochs"]:
        network = checkpoints.load_network(
            tiny_run.checkpoint, architecture="resnet18_narrow", n_classes=6
        )
        network.load_state_dict(
            {k.split(".", 1)[1]: v for k, v in tensors.items() if k.startswith(f"{epoch}.")}
        )
        seen = (torch.tensor(images.images[rows]).float() / 255).requires_grad_()
        logits = network(seen.expand(-1, 3, -1, -1))
        logits[range(len(rows)), images.labels[rows].astype(int)].sum().backward()
        slopes.append(seen.grad.flatten(1).double())
    # Of two snapshots: each half their difference from the mean; 2 · (d/2)² / √2.
    raw = ((slopes[0] - slopes[1]) ** 2 / (2 * math.sqrt(2))).mean(1).numpy()
    for label in np.unique(images.labels[rows]):
        group = raw[images.labels[rows] == label]
        np.testing.assert_allclose(
            found[rows][images.labels[rows] == label],
            (group - group.mean()) / group.std(),
            atol=1e-2,
        )


def test_without_a_recorded_training_its_scores_are_absent(options):
    scores.run(**options)
    table = tables.read(options["output"])
    for name in ("iteration_learned", "el2n", "variance_of_gradients", "attack_margin"):
        assert np.isnan(table[name]).all()
    assert not np.isnan(table["loss"]).any()
    assert (~np.isnan(table["input_margin"])).sum() == 1


def test_all_images_where_that_is_asked(tiny_run, options):
    cfg = options["cfg"] | {"scores": options["cfg"]["scores"] | {"gradient_examples": None}}
    scores.run(**options | {"cfg": cfg})
    found = column(options["output"], "input_margin")
    assert not np.isnan(found).any()
    sampled = column(tiny_run.scores("test"), "input_margin")
    there = ~np.isnan(sampled)
    np.testing.assert_allclose(found[there], sampled[there], rtol=1e-3)


def test_equal_runs_give_equal_bytes(options):
    scores.run(**options)
    first = options["output"].read_bytes()
    scores.run(**options)
    assert options["output"].read_bytes() == first


def test_an_early_epoch_that_was_not_trained_is_named(tiny_run, options):
    cfg = options["cfg"] | {"scores": options["cfg"]["scores"] | {"early_epoch": 3}}
    with pytest.raises(StudyError, match=r"scores\.early_epoch: 3 is beyond the 2 epochs"):
        scores.run(**options | {"dynamics": tiny_run.dynamics("test"), "cfg": cfg})
    assert not options["output"].exists()


@pytest.mark.parametrize("given", ["knn", "features", "images"])
def test_tables_of_other_examples_are_refused(tiny_run, options, given):
    other = {
        "knn": tiny_run.knn("train", tiny_run.feature_probe),
        "features": tiny_run.activations("train", tiny_run.feature_probe),
        "images": tiny_run.images("train"),
    }[given]
    with pytest.raises(ArtifactError, match=r"not about the examples that the other tables"):
        scores.run(**options | {given: other})


def test_the_dynamics_of_another_split_are_refused(tiny_run, options):
    with pytest.raises(ArtifactError, match=r"dynamics\.parquet: not about the examples"):
        scores.run(**options | {"dynamics": tiny_run.dynamics("train")})


def test_features_of_another_probe_are_refused(tiny_run, options):
    with pytest.raises(ArtifactError, match=r"numbers an example"):
        scores.run(**options | {"features": tiny_run.activations("test", "10-fc")})


def test_snapshots_of_another_network_are_refused(options, tmp_path):
    path = tmp_path / "snapshots.safetensors"
    checkpoints.save_tensors(path, {"1.fc.weight": torch.ones(2)}, {"epochs": [1]})
    with pytest.raises(ArtifactError, match=r"state of epoch 1 is not one of this network"):
        scores.run(**options | {"snapshots": path})


def test_no_snapshots_no_variance(options, tmp_path):
    path = tmp_path / "snapshots.safetensors"
    checkpoints.save_tensors(path, {}, {"epochs": []})
    scores.run(**options | {"snapshots": path})
    assert np.isnan(column(options["output"], "variance_of_gradients")).all()
