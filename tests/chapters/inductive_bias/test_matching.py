"""What an assumption is worth in images: what is claimed, and what figures and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import matching
from depthlens.chapters.inductive_bias.matching import chosen, needed
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

# Accuracy in points by number of images, of both seeds.
CNN = {10: (70, 72), 20: (90, 92), 30: (95, 95)}
FEW = {10: (40, 40), 20: (50, 50), 30: (60, 60)}
MORE = {100: (80, 85), 200: (90, 91), 400: (91, 91)}
# Validation and test accuracy by candidate, of both seeds.
CANDIDATES = {
    "cnn": {1: ((80, 80), (99, 99)), 2: ((90, 94), (91, 93)), 3: ((94, 90), (10, 10))},
    "mlp": {1: ((60, 60), (99, 99)), 2: ((60, 64), (61, 60)), 3: ((50, 50), (99, 99))},
}


def rows_of(cell, n, points, split="validation"):
    return [
        {**cell, "seeds": "1+2", "dataset": "edges", "seed": seed, "epoch": 9, "split": part,
         "loss": 0.5, "accuracy": (100 if part == "train" else right) / 100,
         "examples": 3 * n if part == "train" else 300}
        for seed, right in enumerate(points, start=1)
        for part in ("train", split)
    ]  # fmt: skip


def made(*, cnn=CNN, few=FEW, more=MORE, candidates=CANDIDATES, seeds=(1, 2)):
    def learned(name, accuracies):
        return [
            row
            for n, points in accuracies.items()
            for row in rows_of({"architecture": name, "images": n}, n, points)
        ]

    search = []
    for name, found in candidates.items():
        for candidate, of_splits in found.items():
            cell = {
                "architecture": name, "candidate": candidate, "learning_rate": candidate / 1000,
                "epochs": 100 * candidate, "kernel_size": 5 if name == "cnn" else 0,
            }  # fmt: skip
            for split, points in zip(("validation", "test"), of_splits, strict=True):
                search += rows_of(cell, 20, points, split)
    tables = {
        "few_images": learned("cnn", cnn) + learned("mlp", few),
        "matching": learned("mlp", more),
        "search": search,
    }
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return {name: table[table["seed"].isin(seeds)] for name, table in frames.items()}


def all_sizes(tables):
    return matching.all_sizes(tables["few_images"], tables["matching"])


def found(tables):
    return {row.id: row for row in frame.findings(matching.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(matching.section, tables, **LEVEL))


@pytest.fixture(scope="module")
def drawings():
    """The figures of what `made` makes if nothing else is asked for."""
    return drawn(made())


def test_needed_images_are_the_fewest_with_which_the_mlp_is_as_good():
    # The middle of 10, 20 and 30: 90 points are met with 200, 92 with none of up to 400.
    rows = needed(all_sizes(made()))
    assert rows["fewest"].tolist()[0] == 200 and rows["fewest"].isna().tolist() == [False, True]
    assert rows["times"].tolist() == [10, 40]
    row = found(made())["mlp-needs-ten-times"]
    assert (row.value, row.verdict, row.model, row.n) == (25, SUPPORTED, "cnn + mlp", 2)


def test_needed_images_are_looked_for_among_the_few_too():
    tables = made(few=FEW | {10: (90, 92)})
    assert needed(all_sizes(tables))["times"].tolist() == [0.5, 0.5]
    assert found(tables)["mlp-needs-ten-times"].verdict == NOT_SUPPORTED
    assert "needs 0.5 times as many" in drawn(tables)["matching"].sentence


def test_the_middle_of_two_numbers_is_the_larger():
    table = all_sizes(made(cnn={10: (40, 40), 20: (90, 92)}))
    assert set(needed(table)["middle"]) == {20}


def test_what_both_sweeps_made_counts_once():
    table = all_sizes(made(more=MORE | {30: (60, 60)}))
    assert len(table[(table["images"] == 30) & (table["architecture"] == "mlp")]) == 4


def test_the_first_of_the_best_candidates_by_validation_is_judged_on_test_images():
    tables = made()
    assert set(chosen(tables["search"], "cnn")["candidate"]) == {2}
    row = found(tables)["search-does-not-save-the-mlp"]
    # 91 less 61 and 93 less 60, though other candidates do better on test images.
    assert (round(row.value, 6), row.verdict) == (0.315, SUPPORTED)


def test_a_search_can_save_the_mlp():
    good = CANDIDATES | {"mlp": CANDIDATES["mlp"] | {3: ((70, 70), (95, 95))}}
    tables = made(candidates=good)
    row = found(tables)["search-does-not-save-the-mlp"]
    assert (round(row.value, 6), row.verdict) == (-0.03, NOT_SUPPORTED)
    assert "the best MLP by validation gets 95.0" in drawn(tables)["search"].sentence


@pytest.mark.parametrize(
    ("tables", "id", "reason"),
    [
        (made(seeds=(1,)), "mlp-needs-ten-times", "fewer than two seeds"),
        (made(cnn={}), "mlp-needs-ten-times", "no networks of cnn"),
        (
            made(candidates={"cnn": CANDIDATES["cnn"]}),
            "search-does-not-save-the-mlp",
            "no MLP",
        ),
    ],
)
def test_what_was_not_made_is_not_judged(tables, id, reason):
    row = found(tables)[id]
    assert row.kind == "not testable" and reason in row.verdict


def test_figures_are_those_of_the_section_and_say_what_the_tables_hold(drawings, tmp_path):
    said = drawings["matching"].sentence
    assert "With 20 training images a class the convolutional network gets 91.0" in said
    assert "The MLP needs 25.0 times as many" in said
    assert "in 1 seed no number was enough" in said
    assert "best convolutional network by validation gets 92.0" in drawings["search"].sentence
    for drawing in drawings.values():
        text = " ".join(text.get_text() for text in drawing.figure.texts)
        assert "2 seeds" in text
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_an_mlp_that_never_is_as_good_is_given_no_number():
    said = drawn(made(cnn=CNN | {20: (99, 99)}))["matching"].sentence
    assert said.endswith("The MLP does as well with none.")


def test_one_of_everything_is_drawn(tmp_path):
    one = {name: {2: found[2]} for name, found in CANDIDATES.items()}
    tables = made(cnn={10: (70, 72)}, few={10: (40, 40)}, more={10: (40, 40)}, candidates=one)
    for drawing in drawn(tables).values():
        assert "nan" not in drawing.sentence
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_tables_hold_accuracies_needed_images_and_candidates():
    accuracies, by_seed, candidates = page_tables.report_tables(matching.section, made(), **LEVEL)
    assert len(accuracies.rows) == 9
    assert [cell.text for cell in by_seed.rows[0]] == ["1", "20", "0.900", "200", "10.000"]
    assert [cell.text for cell in by_seed.rows[1]][3:] == ["more than tried", "40.000"]
    best = [[cell.text for cell in row] for row in candidates.rows if row[1].text == "2"]
    assert [(row[0], row[4], row[5], row[6]) for row in best] == [
        ("convolutional network", "5×5", "validation images", "0.920"),
        ("convolutional network", "5×5", "test images", "0.920"),
        ("MLP", "—", "validation images", "0.620"),
        ("MLP", "—", "test images", "0.605"),
    ]
