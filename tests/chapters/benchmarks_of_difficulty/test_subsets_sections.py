"""Pruning, curricula and labelling: what is claimed, and what figures and tables say of it."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import labelling, orders, pruning
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

SHARES = (0.1, 0.3, 0.5, 0.9)
# Accuracy by share, ascending, in points, of the first seed; the others have 1 and 2 points more.
PRUNING = {
    ("el2n", "easiest", False): (50, 60, 65, 79),
    ("el2n", "hardest", False): (30, 55, 70, 80),
    ("el2n", "easiest", True): (None, None, 66, None),
    ("el2n", "hardest", True): (None, None, 74, None),
    ("depth", "easiest", False): (40, 50, 60, 70),
    ("depth", "hardest", False): (20, 57, 71, 79),
    ("depth", "easiest", True): (None, None, 62, None),
    ("depth", "hardest", True): (None, None, 73, None),
    ("random", "random", False): (48, 60, 72, 81),
}
COMMON = {"architecture": "resnet18_narrow", "train_examples": 4000}


def of_pruning(*, seeds=(1, 2, 3), datasets=("shapes",), shares=SHARES, without=()):
    rows = [
        {
            "dataset": dataset, "score": score, "seed": seed, **COMMON, "share": share,
            "direction": direction, "balanced": balanced, "n_images": round(4000 * share),
            "fewest_of_a_class": 7 if dataset == "shapes" else 9, "n_steps": 900,
            "accuracy": (points + seed - 1) / 100,
        }
        for dataset in datasets
        for seed in seeds
        for (score, direction, balanced), accuracy in (
            *PRUNING.items(), (("random", "all", False), (75,))
        )
        for share, points in zip((1.0,) if direction == "all" else SHARES, accuracy, strict=True)
        if points is not None and score not in without and share in (*shares, 1.0)
    ]  # fmt: skip
    return {"pruning": pd.DataFrame(rows)}


def of_orders(ends, *, seeds=(1, 2, 3), datasets=("shapes",)):
    """Curves that rise to these accuracies, by (length, order)."""
    rows = [
        {
            "dataset": dataset, "order": order, "seed": seed, **COMMON, "length": length,
            "step": step, "n_steps": n_steps,
            "accuracy": (end + seed / 100) * step / n_steps,
        }
        for dataset in datasets
        for seed in seeds
        for (length, order), end in ends.items()
        for n_steps in [100 if length == 1 else 20]
        for step in (n_steps // 2, n_steps)
    ]  # fmt: skip
    return {"orders": pd.DataFrame(rows)}


ENDS = {
    (1.0, "standard"): 0.80, (1.0, "random"): 0.79, (1.0, "easy_to_hard"): 0.805,
    (1.0, "hard_to_easy"): 0.70, (0.2, "standard"): 0.50, (0.2, "random"): 0.45,
    (0.2, "easy_to_hard"): 0.60, (0.2, "hard_to_easy"): 0.52,
}  # fmt: skip


def of_labelling(curves, *, seeds=(1, 2, 3), datasets=("shapes",)):
    rows = [
        {
            "dataset": dataset, "strategy": strategy, "seed": seed, **COMMON, "round": number,
            "n_labelled": n_labelled, "n_steps": 900, "accuracy": accuracy + seed / 100,
        }
        for dataset in datasets
        for seed in seeds
        for strategy, curve in curves.items()
        for number, (n_labelled, accuracy) in enumerate(zip((100, 200, 400), curve, strict=True))
    ]  # fmt: skip
    return {"labelling": pd.DataFrame(rows)}


CURVES = {"random": (0.3, 0.5, 0.6), "margin": (0.3, 0.6, 0.7), "depth": (0.3, 0.55, 0.68)}


def found(module, tables):
    return {row.id: row for row in answers.findings(module.section, tables, **LEVEL)}


def test_claims_of_pruning_are_the_differences_that_they_name():
    rows = found(pruning, of_pruning())
    values = {id: round(row.value, 6) for id, row in rows.items()}
    assert values == {
        "few-images-keep-easy": 0.20,
        "many-images-keep-hard": -0.01,
        "half-the-images-are-enough": -0.05,
        "lots-beat-scores-on-few-images": 0.04,  # at 30 %: 60 less the mean of 55 and 57
        "balanced-classes-help-pruning": 0.03,  # mean of 4 and 2
        "depth-chooses-as-well-as-el2n": -0.02,  # mean of -10, 2, 1 and -1
    }
    verdicts = {id: row.verdict for id, row in rows.items()}
    assert verdicts["few-images-keep-easy"] == SUPPORTED
    assert verdicts["many-images-keep-hard"] == NOT_SUPPORTED
    # All seeds differ by the same amount: there is nothing for an interval to be about.
    assert rows["few-images-keep-easy"].low == pytest.approx(0.20)
    assert all(row.n == 3 and row.model == "resnet18_narrow" for row in rows.values())


def test_an_interval_is_over_seeds():
    tables = of_pruning()
    table = tables["pruning"]
    rows = (table["score"] == "el2n") & (table["direction"] == "easiest") & (table["share"] == 0.1)
    table.loc[rows & (table["seed"] == 3), "accuracy"] += 0.03
    row = found(pruning, tables)["few-images-keep-easy"]
    # Of 0.20, 0.20 and 0.23: mean 0.21, standard error 0.01, t of two degrees of freedom 4.3027.
    assert row.value == pytest.approx(0.21)
    assert (row.low, row.high) == pytest.approx((0.21 - 0.043027, 0.21 + 0.043027), abs=1e-6)


@pytest.mark.parametrize(
    ("tables", "id", "reason"),
    [
        (of_pruning(seeds=(1,)), "few-images-keep-easy", "fewer than two seeds"),
        (of_pruning(shares=(0.5,)), "few-images-keep-easy", "only one share"),
        (of_pruning(shares=(0.5,)), "lots-beat-scores-on-few-images", "no share up to 0.3"),
        (of_pruning(without=("el2n",)), "many-images-keep-hard", "no networks of el2n hardest 0.9"),
        (of_pruning(shares=(0.1, 0.9)), "half-the-images-are-enough", "el2n hardest 0.5"),
        (of_pruning(shares=(0.1, 0.9)), "balanced-classes-help-pruning", "classes in balance"),
    ],
)
def test_what_was_not_made_is_not_judged(tables, id, reason):
    row = found(pruning, tables)[id]
    assert row.kind == "not testable" and reason in row.verdict


def test_claims_of_orders_are_about_the_end_of_their_training():
    rows = found(orders, of_orders(ENDS))
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "curricula-do-not-help": (0.005, SUPPORTED),
        "curricula-help-short-trainings": (0.10, SUPPORTED),
        "hard-to-easy-does-not-help-short-trainings": (0.02, NOT_SUPPORTED),
        "easy-to-hard-beats-random": (0.015, SUPPORTED),
        "easy-to-hard-beats-hard-to-easy": (0.105, SUPPORTED),
    }


@pytest.mark.parametrize("end", [0.78, 0.82])
def test_a_curriculum_that_changes_much_in_either_way_is_not_none(end):
    rows = found(orders, of_orders(ENDS | {(1.0, "easy_to_hard"): end}))
    assert rows["curricula-do-not-help"].verdict == NOT_SUPPORTED


def test_the_area_is_the_mean_height_of_the_curve():
    # (0.4 · 100 + 0.55 · 200) / 300
    assert labelling.area(np.array([100, 200, 400]), np.array([0.3, 0.5, 0.6])) == 0.5
    assert labelling.area(np.array([100]), np.array([0.3])) == 0.3


def test_claims_of_labelling_are_differences_of_areas():
    rows = found(labelling, of_labelling(CURVES))
    # 0.5; (0.45 · 100 + 0.65 · 200) / 300; (0.425 · 100 + 0.615 · 200) / 300
    depth, margin = 0.165500 / 0.3, 0.175 / 0.3
    assert {id: (row.value, row.verdict) for id, row in rows.items()} == {
        "deep-images-first": (pytest.approx(depth - 0.5), SUPPORTED),
        "depth-labels-as-well-as-margin": (pytest.approx(depth - margin), NOT_SUPPORTED),
        "small-margins-first": (pytest.approx(margin - 0.5), SUPPORTED),
    }


TWO = ("shapes", "fashion_mnist")
MADE = {
    "pruning": (pruning, of_pruning(datasets=TWO)),
    "orders": (orders, of_orders(ENDS, datasets=TWO)),
    "labelling": (labelling, of_labelling(CURVES, datasets=TWO)),
    "of one seed": (pruning, of_pruning(seeds=(1,), shares=(0.5,))),
    "of one round": (labelling, {"labelling": of_labelling(CURVES)["labelling"].query("round==0")}),
}


@pytest.mark.parametrize("name", MADE)
def test_figures_state_the_size_and_can_be_written(tmp_path, name):
    module, tables = MADE[name]
    drawn = dict(answers.drawings(module.section, tables, **LEVEL))
    assert list(drawn) == list(module.section.figures)
    for drawing in drawn.values():
        text = " ".join(text.get_text() for text in drawing.figure.texts)
        assert "4\u202f000" in text and "seed" in text and "95" in text
        assert drawing.sentence.endswith(".") and "nan" not in drawing.sentence
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_sentences_say_what_the_table_holds():
    said = {}
    for name in ("pruning", "orders", "labelling"):
        module, tables = MADE[name]
        said |= dict(answers.drawings(module.section, tables, **LEVEL))
    glue = "\u00a0"
    # At 10 %, over seeds and scores: (30 + 20) / 2 + 1, (50 + 40) / 2 + 1, 48 + 1.
    expected = f"46.0{glue}% (the easiest), 26.0{glue}% (the hardest) and 49.0{glue}% (by lot)"
    assert expected in said["pruning"].sentence
    assert f"82.5{glue}% (easy to hard)" in said["orders"].sentence
    assert f"52.0{glue}% by lot" in said["labelling"].sentence


@pytest.mark.parametrize(
    ("name", "n"), [("pruning", 2 * (9 * 4 - 4 * 3 + 1)), ("orders", 16), ("labelling", 18)]
)
def test_tables_have_a_row_for_every_choice(name, n):
    module, tables = MADE[name]
    (table,) = page_tables.report_tables(module.section, tables, **LEVEL)
    assert len(table.rows) == n
    assert {row[-1].text for row in table.rows} == {"3"}


def test_fewest_of_a_class_is_that_of_the_dataset():
    (table,) = page_tables.report_tables(pruning.section, of_pruning(datasets=TWO), **LEVEL)
    place = table.columns.index("fewest of a class")
    fewest = {(row[0].text, row[place].sort) for row in table.rows}
    assert fewest == {("shapes", 7.0), ("fashion_mnist", 9.0)}
