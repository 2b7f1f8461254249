"""Deep images that come more often: which, how often, and what is claimed of it."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import oversampling as section
from depthlens.chapters.benchmarks_of_difficulty.experiments import oversampling

LEVEL = {"confidence_level": 0.95}


def test_the_last_of_an_order_come_so_many_times_and_all_others_once():
    found = oversampling.repeated(np.array([3, 1, 0, 2]), 1, 4)
    assert found.tolist() == [0, 1, 2, 2, 2, 2, 3]
    assert oversampling.repeated(np.array([3, 1, 0, 2]), 2, 1).tolist() == [0, 1, 2, 3]


def test_the_deepest_are_repeated_in_as_many_steps(toy_images, toy_settings, monkeypatch):
    seen = []

    def hard(score, train, test, **options):
        return np.arange(len(train.labels))  # the last rows are the deepest

    train_on = oversampling.choices.train_on

    def watch(batches, *args, **options):
        seen.append((np.bincount(np.concatenate(batches), minlength=24), options["seed"]))
        return train_on(batches, *args, **options)

    monkeypatch.setattr(oversampling.choices, "hardness", hard)
    monkeypatch.setattr(oversampling.choices, "train_on", watch)
    settings = toy_settings | {"share": 0.25, "times": [2, 4]}
    recipe = settings["recipe"] | {"epochs": 14}  # 42 steps of 8: whole passes of 24, 30 and 42
    found = oversampling.experiment(
        toy_images,
        cell={"dataset": "toy", "seed": 1},
        settings=settings | {"recipe": recipe},
        progress=lambda batches: batches,
    )
    which = list(zip(found["which"], found["times"], strict=True))
    lot = [("random", 2), ("random", 4)]
    assert which == [("plain", 1), ("deepest", 2), ("deepest", 4), *lot]
    assert set(found["n_steps"]) == {42} and found["n_images"].tolist() == [0, 6, 6, 6, 6]
    (plain, _), (twice, _), (four, _), *by_lot = seen
    assert set(plain) == {14}
    assert twice[18:].mean() / twice[:18].mean() == pytest.approx(2, rel=0.1)
    assert four[18:].mean() / four[:18].mean() == pytest.approx(4, rel=0.1)
    # By lot the last rows are not favoured, and six images are.
    assert all((np.sort(counts)[18:].min() > np.sort(counts)[:18].max()) for counts, _ in by_lot)
    assert len({seed for _, seed in seen}) == 1


def table(gains, *, datasets=("toy",)):
    """Accuracy of 0.5 and these gains, by seed, of the deepest and none of a lot."""
    rows = [
        {
            "dataset": dataset, "architecture": "net", "train_examples": 40, "seed": seed,
            "which": which, "times": times, "n_images": 10, "n_steps": 9, "accuracy": 0.5 + gain,
        }
        for dataset in datasets
        for seed, (twice, four) in enumerate(gains, 1)
        for which, times, gain in (
            ("plain", 1, 0), ("deepest", 2, twice), ("deepest", 4, four), ("random", 2, 0),
            ("random", 4, 0),
        )
    ]  # fmt: skip
    return {"oversampling": pd.DataFrame(rows)}


def test_claims_are_what_was_gained_over_the_plain_network_of_the_seed():
    found = {
        f.id: f for f in answers.findings(section.section, table([(0.1, 0), (0.2, -0.1)]), **LEVEL)
    }
    twice, four = found["deep-images-twice"], found["deep-images-four-times"]
    assert twice.value == pytest.approx(0.15) and twice.verdict == "supported"
    assert four.value == pytest.approx(-0.05) and four.verdict == "not supported"


def test_what_was_not_tried_is_not_judged():
    tables = table([(0.1, 0), (0.2, 0)])
    rows = tables["oversampling"]
    found = answers.findings(section.section, {"oversampling": rows[rows["times"] < 4]}, **LEVEL)
    assert found[1].verdict.endswith("no network saw the deep images 4 times a pass")


def test_figure_and_table_say_the_gains():
    tables = table([(0.1, 0), (0.2, -0.1)], datasets=("toy", "second"))
    drawn = dict(answers.drawings(section.section, tables, **LEVEL))["oversampling"]
    assert "on toy, from 50.0\u00a0%, 15.0 (the deepest, 2 times)" in drawn.sentence
    assert "−5.0 (the deepest, 4 times)" in drawn.sentence
    (shown,) = page_tables.report_tables(section.section, tables, **LEVEL)
    assert [cell.text for cell in shown.rows[0][:4]] == ["toy", "the deepest", "2", "15.00 points"]
