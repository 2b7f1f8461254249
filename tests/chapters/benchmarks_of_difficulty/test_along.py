"""Depth along a training, and by linear classifiers."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from depthlens import trial
from depthlens.chapters import answers
from depthlens.chapters.benchmarks_of_difficulty import linear_probes, unconverged
from depthlens.chapters.benchmarks_of_difficulty.experiments import along

LEVEL = {"confidence_level": 0.95}
CELL = {"dataset": "toy", "seed": 1}
ABOUT = {"dataset": "toy", "architecture": "net", "train_examples": 40}


@pytest.fixture(scope="module")
def settings(toy_settings):
    return {**toy_settings, "epochs": [1, 2], "components": 4}


@pytest.fixture(scope="module")
def made(toy_images, settings):
    return along.experiment(toy_images, cell=CELL, settings=settings, progress=lambda of: of)


def test_depth_at_the_end_is_that_of_the_trained_network(made, toy_images, settings):
    splits = zip(("train", "test"), toy_images["toy"], strict=True)
    train, test = (
        trial.draw(split, settings["recipe"][f"{name}_examples"], np.random.default_rng([1, place]))
        for place, (name, split) in enumerate(splits)
    )
    trained = trial.fit(train, test, recipe=trial.Recipe.of(settings["recipe"]), seed=1)
    _, seen = trial.see(trained.network, train, [test], n_neighbors=settings["n_neighbors"])
    assert made["along"]["epoch"].tolist() == [1, 2]
    first, last = made["along"].to_dict("records")
    assert last["mean_depth"] == seen.depth.mean() and last["likeness"] == pytest.approx(1)
    assert first["likeness"] < 1
    knn = made["linear"].query("classifier == 'knn'")
    assert knn["probe"].tolist() == seen.probes
    right = (seen.knn == test.labels[:, None]).mean(axis=0)
    assert knn["accuracy"].tolist() == right.tolist()


def test_a_linear_classifier_learns_the_labels_from_each_layer(toy_images):
    train, test = (trial.take(split, np.arange(30)) for split in toy_images["toy"])
    # A layer on which classes lie apart, one axis each, and one that is the pixels.
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))
    # As many components as there are: the decomposition turns the pixels and leaves nothing out.
    found = along.linear_classes(network, train, test, n_components=29, seed=0)
    pixels = [split.images.repeat(3, axis=1).reshape(30, -1) / 255 for split in (train, test)]
    centred = pixels[0] - pixels[0].mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    scores = [(of - pixels[0].mean(axis=0)) @ axes[:29].T / sizes[:29] * 30**0.5 for of in pixels]
    expected = LogisticRegression(max_iter=1000).fit(scores[0], train.labels).predict(scores[1])
    assert found.shape == (30, 3)
    assert (found[:, 0] == expected).mean() > 0.9
    assert (found[:, 0] == found[:, 1]).all(), "to flatten changes nothing"


def test_accuracy_by_depth_counts_depths_with_images_enough():
    depth = np.repeat([0, 1, 2, 3], [30, 40, 50, 29])
    right = np.concatenate([np.arange(n) < r for n, r in ((30, 30), (40, 20), (50, 30), (29, 0))])
    # 1, 0.5 and 0.6; the depth with 29 images is left out.
    expected = stats.spearmanr([0, 1, 2], [1, 0.5, 0.6]).statistic
    assert along.accuracy_by_depth(depth, right) == pytest.approx(expected) == pytest.approx(-0.5)
    assert np.isnan(along.accuracy_by_depth(depth[:70], right[:70]))


def epochs(likeness, falls, seed):
    n = len(likeness)
    rows = {"epoch": [1, 2, 5, 10][:n], "likeness": likeness, "falls": falls, "seed": seed}
    share = [0.4, 0.6, 0.9, 1][-n:]
    same = {"train_accuracy": share, "test_accuracy": 0.5, "mean_depth": 3.0}
    return pd.DataFrame(rows | same | ABOUT)


ALONG = pd.concat(
    [
        epochs([0.1, 0.3, 0.6, 1], [0.2, -0.4, -0.8, -1], seed=1),
        epochs([0.2, 0.1, 0.6, 1], [0.2, -0.6, -0.8, -0.9], seed=2),
    ],
    ignore_index=True,
)


def found(section, tables):
    return {row.id: row for row in answers.findings(section, tables, **LEVEL)}


def test_claims_about_the_training_are_means_over_seeds():
    claims = found(unconverged.section, {"along": ALONG})
    # Of the second seed the ranks over three epochs are 2, 1, 3: a correlation of a half.
    assert claims["depth-approaches-its-end"].value == pytest.approx(0.75)
    assert claims["early-depth-is-another"].value == pytest.approx(0.2)
    assert claims["accuracy-does-not-fall-early"].value == pytest.approx(-0.5)
    assert claims["accuracy-falls-at-the-end"].value == pytest.approx(-0.95)
    verdicts = [claim.verdict for claim in claims.values()]
    assert verdicts == ["not supported", "supported", "supported", "supported"]


def test_claims_about_early_epochs_need_them():
    short = pd.concat([epochs([0.1], [-0.2], seed) for seed in (1, 2)], ignore_index=True)
    claims = found(unconverged.section, {"along": short})
    assert "fewer than two epochs" in claims["depth-approaches-its-end"].verdict
    assert "no depth was measured after 2" in claims["early-depth-is-another"].verdict
    learning = ALONG.replace({"train_accuracy": {1: 0.98}})
    claims = found(unconverged.section, {"along": learning})
    assert {claim.verdict for claim in claims.values()} == {
        "not testable here, because a network had not converged at the end"
    }
    flat = ALONG.assign(falls=np.nan)
    claims = found(unconverged.section, {"along": flat})
    assert "too few depths" in claims["accuracy-falls-at-the-end"].verdict


def linear(likeness, seed):
    probes = [f"{place:02d}-{name}" for place, name in enumerate(("input", "layer1", "fc"))]
    rows = [
        {"probe": probe, "classifier": kind, "accuracy": 0.3 * (place + 1)}
        for kind in ("knn", "linear")
        for place, probe in enumerate(probes)
    ]
    return pd.DataFrame(rows).assign(likeness=likeness, seed=seed, **ABOUT)


def test_depth_by_a_linear_classifier_is_held_against_depth():
    table = pd.concat([linear(0.4, 1), linear(0.8, 2)], ignore_index=True)
    claims = found(linear_probes.section, {"linear": table, "along": ALONG})
    assert claims["linear-depth-is-alike"].value == pytest.approx(0.6)
    claims = found(linear_probes.section, {"linear": table.assign(likeness=np.nan), "along": ALONG})
    assert "one depth for all" in claims["linear-depth-is-alike"].verdict


@pytest.mark.parametrize(
    ("section", "table", "sentence"),
    [
        (unconverged.section, {"along": ALONG}, "on toy 0.15 after 1 pass, with 40 % of"),
        (
            linear_probes.section,
            {"linear": pd.concat([linear(0.4, 1), linear(0.8, 2)]), "along": ALONG},
            "the rank correlation of the two depths is 0.60",
        ),
    ],
    ids=["unconverged", "linear_probes"],
)
def test_figures_say_what_was_found(section, table, sentence, tmp_path):
    for name, drawing in answers.drawings(section, table, **LEVEL):
        drawing.figure.savefig(tmp_path / f"{name}.png")
        assert sentence in drawing.sentence.replace("\u00a0", " ")
