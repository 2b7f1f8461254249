"""Foreign images: detectors and verdicts against values computed by hand."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import foreign
from depthlens.chapters.benchmarks_of_difficulty.contents import CHAPTER
from depthlens.chapters.benchmarks_of_difficulty.experiments import foreign as experiments
from depthlens.errors import StudyError
from depthlens.tables import Images

LEVEL = {"confidence_level": 0.95}
RECIPE = {
    "architecture": "resnet18_narrow",
    "train_examples": 40,
    "test_examples": 16,
    "epochs": 1,
    "batch_size": 20,
    "learning_rate": 1e-3,
}
SETTINGS = {"recipe": RECIPE, "n_neighbors": 3, "held_out_classes": 2}


def split(n, size, seed):
    random = np.random.default_rng(seed)
    labels = (np.arange(n) % 4).astype(np.int16)
    images = random.integers(0, 40, (n, 1, size, size)) + 50 * labels[:, None, None, None]
    return Images(
        np.arange(n, dtype=np.int32), images.astype(np.uint8), labels, ["a", "b", "c", "d"], {}
    )


IMAGES = {
    "one": (split(120, 16, 0), split(60, 16, 1)),
    "two": (split(120, 12, 2), split(60, 12, 3)),
}


def run(**cell):
    cell = {"dataset": "one", "seed": 1, **cell}
    made = experiments.experiment(IMAGES, cell=cell, settings=SETTINGS, progress=lambda each: each)
    return made.assign(**cell, architecture="net", train_examples=40)


@pytest.fixture(scope="module")
def made():
    return {"foreign": pd.concat([run(other="two"), run(other="two", seed=2)])}


def test_every_detector_meets_every_set(made):
    rows = made["foreign"].query("measure == 'auroc' and seed == 1")
    sets = [("held_out", 0), ("other", 0)]
    sets += list(itertools.product(("noise", "blur", "contrast"), experiments.SEVERITIES))
    expected = [(*each, name) for each in sets for name in foreign.DETECTORS if name]
    assert list(rows[["images", "severity", "detector"]].itertuples(index=False)) == expected
    assert rows["value"].between(0, 1).all() and (rows["n"] == 16).all()


def test_experiment_is_the_same_twice(made):
    again = run(other="two")
    pd.testing.assert_frame_equal(again, made["foreign"].query("seed == 1"))


def test_without_another_dataset_nothing_is_compared_with_one():
    made = {"foreign": run()}
    assert "other" not in set(made["foreign"]["images"])
    found = {each.id: each for each in answers.findings(foreign.section, made, **LEVEL)}
    assert "no other dataset" in found["another-dataset-is-deep"].verdict
    assert "fewer than two seeds were measured" in found["held-out-classes-are-deep"].verdict
    drawn = dict(answers.drawings(foreign.section, made, **LEVEL))
    assert "no other dataset" in drawn["foreign_detectors"].sentence


def test_classes_that_are_held_out_are_in_no_known_image():
    train = IMAGES["one"][0]
    known, unknown = experiments.split_classes(train, [1, 3])
    assert known.classes == ["a", "c"] and set(train.labels[unknown.example_id]) == {1, 3}
    names = [known.classes[label] for label in known.labels]
    assert names == [train.classes[train.labels[row]] for row in known.example_id]
    assert len(known.labels) + len(unknown.labels) == len(train.labels)


def test_seed_chooses_the_classes_that_are_held_out():
    chosen = {tuple(experiments.held_out_classes(list("abcdef"), 2, seed=s)) for s in range(20)}
    assert len(chosen) > 5 and all(len(set(each)) == 2 for each in chosen)
    with pytest.raises(StudyError, match="no two left"):
        experiments.held_out_classes(list("abc"), 2, seed=1)


def test_auroc_counts_pairs_and_half_of_the_ties():
    known, strange = np.array([0.0, 1, 1, 3]), np.array([1.0, 2, 0])
    pairs = [(s > k) + (s == k) / 2 for s in strange for k in known]
    assert experiments.auroc(known, strange) == pytest.approx(np.mean(pairs))


def test_ranks_are_shares_of_the_references_that_are_not_larger():
    references = np.array([[1.0, 5], [2, 6], [2, 7], [4, 8]])
    ranks = experiments.ranks_among(references, np.array([[2.0, 4], [3, 8], [0, 6.5]]))
    assert ranks.tolist() == [[0.75, 0], [0.75, 1], [0, 0.5]]


@pytest.mark.parametrize(
    ("datasets", "others"), [(["a"], [None]), (["a", "b"], ["b", "a"]), (list("abc"), list("bca"))]
)
def test_each_dataset_meets_the_next_one(datasets, others):
    text = (Path(__file__).parents[3] / "config.yaml").read_text()
    block = YAML(typ="safe").load(text)["chapters"]["benchmarks_of_difficulty"]
    block |= {"datasets": datasets, "seeds": [1, 2]}
    sweep = next(each for each in CHAPTER.sweeps(block) if each.name == "foreign")
    found = [(cell["dataset"], cell.get("other"), cell["seed"]) for cell in sweep.cells]
    pairs = zip(datasets, others, strict=True)
    assert found == [(*pair, seed) for pair in pairs for seed in (1, 2)]


def table(values):
    """A table of two seeds, from values by (images, severity, measure, detector)."""
    rows = [
        {
            "dataset": "d", "seed": seed, "images": key[0], "severity": key[1], "measure": key[2],
            "detector": key[3], "value": each[seed - 1], "n": 10, "n_known": 10,
            "train_examples": 50, "architecture": "net", "held_out": "a",
        }
        for key, each in values.items()
        for seed in (1, 2)
    ]  # fmt: skip
    return {"foreign": pd.DataFrame(rows)}


def test_claims_are_judged_by_hand_computed_values():
    values = {
        ("held_out", 0, "auroc", "depth"): (0.6, 0.7),
        ("other", 0, "auroc", "depth"): (0.4, 0.5),
        ("other", 0, "auroc", "feature_distance"): (0.9, 0.8),
        ("other", 0, "auroc", "confidence"): (0.8, 0.8),
        ("known", 0, "accuracy", ""): (0.9, 0.9),
        ("known", 0, "mean_depth", ""): (3.0, 3.0),
    }
    for corruption in ("noise", "blur", "contrast"):
        for severity, accuracy, depth in ((1, 0.8, 4.0), (3, 0.7, 3.5), (5, 0.6, 5.0)):
            values[corruption, severity, "accuracy", ""] = (accuracy, accuracy)
            values[corruption, severity, "mean_depth", ""] = (depth, depth)
    found = {each.id: each for each in answers.findings(foreign.section, table(values), **LEVEL)}
    expected = {
        "held-out-classes-are-deep": (0.65, "supported"),
        "another-dataset-is-deep": (0.45, "not supported"),
        "depth-knows-another-dataset-as-well-as-distance": (-0.4, "not supported"),
        "distance-beats-confidence": (0.05, "supported"),
        "corruption-lowers-accuracy": (-1.0, "supported"),
        "corruption-makes-images-deep": (0.8, "supported"),  # one pair of four out of order
    }
    assert set(found) == set(expected) == set(foreign.section.claims)
    for name, (value, verdict) in expected.items():
        assert found[name].value == pytest.approx(value), name
        assert found[name].verdict == verdict, name
        assert found[name].n == 2 and found[name].model == "net"
    half = 0.05 * 12.706204736  # Student's t of one degree of freedom, standard error 0.05
    assert found["held-out-classes-are-deep"].high == pytest.approx(0.65 + half)


def test_measure_that_never_changes_cannot_be_correlated(made):
    changed = made["foreign"].copy()
    changed.loc[changed["measure"] == "accuracy", "value"] = 0.5
    findings = answers.findings(foreign.section, {"foreign": changed}, **LEVEL)
    found = {each.id: each for each in findings}
    assert "the accuracy is the same" in found["corruption-lowers-accuracy"].verdict


@pytest.mark.filterwarnings("error")
def test_figures_and_tables_are_made(made):
    for _, drawing in answers.drawings(foreign.section, made, **LEVEL):
        drawing.figure.draw_without_rendering()
        assert drawing.title and drawing.alt and drawing.sentence.endswith(".")
    (shown,) = page_tables.report_tables(foreign.section, made, **LEVEL)
    assert len(shown.rows) == len(made["foreign"]) / 2
