"""Edges in new places: what is claimed, and what figures and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import domain_shift
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

LARGE, SMALL = ("large_kernels", 4), ("small_kernels", 8)
# Of ten images with an edge: said to be none, taken for the other one; of the two seeds.
WRONG = {
    (LARGE, "cnn"): ((4, 1), (3, 3)),
    (LARGE, "mlp"): ((1, 4), (0, 0)),
    (SMALL, "cnn"): ((0, 0), (0, 0)),
    (SMALL, "mlp"): ((1, 1), (2, 1)),
}
# Accuracy on validation images at the end, of the two seeds.
RIGHT = {
    (LARGE, "cnn"): (0.6, 0.5),
    (LARGE, "mlp"): (0.4, 0.3),
    (SMALL, "cnn"): (0.95, 0.93),
    (SMALL, "mlp"): (0.5, 0.6),
}


def made(*, wrong=WRONG, right=RIGHT, recipes=(LARGE, SMALL)):
    scores, answers = [], []
    for ((recipe, last), name), of_seeds in right.items():
        if (recipe, last) not in recipes:
            continue
        for seed, accuracy in enumerate(of_seeds, start=1):
            common = {"architecture": name, "recipe": recipe, "seeds": "1+2", "dataset": "edges",
                      "seed": seed}  # fmt: skip
            for epoch in (0, last):
                for split, n in (("train", 30), ("validation", 15)):
                    end = accuracy if split == "validation" else 1.0
                    scores.append(
                        {**common, "epoch": epoch, "split": split, "loss": 1.0,
                         "accuracy": end if epoch else 0.3, "examples": n}
                    )  # fmt: skip
            none, swapped = wrong[(recipe, last), name][seed - 1]
            said = ["none"] * none + ["vertical"] * swapped
            said += ["horizontal"] * (10 - len(said))
            for label, predictions in (("horizontal", said), ("none", ["none"] * 4 + ["vertical"])):
                answers += [
                    {**common, "epoch": last, "label": label, "prediction": prediction,
                     "confidence": 0.9}
                    for prediction in predictions
                ]  # fmt: skip
    tables = {"domain_shift": pd.DataFrame(scores), "domain_shift_answers": pd.DataFrame(answers)}
    # Nothing here is said of fewer images, nor of images without a shift.
    others = {"domain_shift": {"accuracy": 0.01}, "domain_shift_answers": {"prediction": "none"}}
    return {
        name: pd.concat(
            [
                table.assign(images=10),
                table.assign(images=5, **others[name]),
                table.assign(images=10, recipe="without_shift", **others[name]),
            ],
            ignore_index=True,
        )
        for name, table in tables.items()
    }


def found(tables):
    return {row.id: row for row in frame.findings(domain_shift.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(domain_shift.section, tables, **LEVEL))


@pytest.fixture(scope="module")
def drawings():
    """The figures of what `made` makes if nothing else is asked for."""
    return drawn(made())


def test_claims_are_about_the_recipes_and_ends_that_they_name():
    rows = found(made(wrong=WRONG | {(LARGE, "mlp"): ((1, 4), (4, 1))}))
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "cnn-misses-shifted-edges": (0.65, SUPPORTED),  # mean of 4 / 5 and 3 / 6
        "mlp-swaps-orientations": (0.5, SUPPORTED),  # mean of 4 / 5 and 1 / 5
        "small-kernels-carry-over": (0.94, SUPPORTED),
        "cnn-ahead-under-shift": (0.39, SUPPORTED),  # mean of 0.45 and 0.33
    }
    assert [row.model for row in rows.values()] == ["cnn", "mlp", "cnn", "cnn + mlp"]


def test_claims_fail_where_it_is_the_other_way_around():
    wrong = WRONG | {(LARGE, "cnn"): ((1, 4),) * 2, (LARGE, "mlp"): ((4, 1),) * 2}
    rows = found(made(wrong=wrong, right=RIGHT | {(SMALL, "cnn"): (0.4, 0.5)}))
    assert {row.verdict for row in rows.values()} == {NOT_SUPPORTED}


def test_a_seed_without_an_error_does_not_count():
    row = found(made())["mlp-swaps-orientations"]
    assert "fewer than two seeds" in row.verdict
    rows = found(made(wrong=WRONG | {(LARGE, "mlp"): ((0, 0), (0, 0))}))
    assert "no network is wrong" in rows["mlp-swaps-orientations"].verdict


def test_a_recipe_that_was_not_made_is_not_judged_and_not_missed():
    tables = made(recipes=(LARGE,))
    rows = found(tables)
    assert rows["small-kernels-carry-over"].kind == "not testable"
    assert rows["cnn-misses-shifted-edges"].verdict == SUPPORTED
    assert all("small" not in drawing.sentence for drawing in drawn(tables).values())


def test_figures_are_those_of_the_section_and_say_what_the_tables_hold(drawings, tmp_path):
    glue = "\u00a0"
    assert (
        f"the convolutional network with large kernels 55.0{glue}% (of the training images "
        f"100.0{glue}%), the MLP with large kernels 35.0{glue}%"
        in drawings["domain_shift"].sentence
    )
    said = drawings["domain_shift_confusion"].sentence
    assert "7 of 11 by the convolutional network with large kernels, 1 of 5 by the MLP with" in said
    assert "0 of 0 by the convolutional network with small kernels and 3 of 5 by the MLP" in said
    for drawing in drawings.values():
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_tables_hold_accuracies_and_errors():
    accuracies, errors = page_tables.report_tables(domain_shift.section, made(), **LEVEL)
    shown = [[cell.text for cell in row][2:5] for row in accuracies.rows]
    assert shown[::2] == [[epoch, "training images", "1.000"] for epoch in "4488"]
    assert [row[2] for row in shown[1::2]] == ["0.550", "0.350", "0.940", "0.550"]
    assert [cell.text for cell in errors.rows[0]] == [
        "large kernels", "convolutional network", "20", "11", "7", "4",
    ]  # fmt: skip
