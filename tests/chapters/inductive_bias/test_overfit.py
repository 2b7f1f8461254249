"""Learning by heart: what is claimed, and what figure and table say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import overfit
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

GLUE = "\u00a0"
# Right images of 30 in training and of 150 in validation at the end, by seed.
ENDS = {"cnn": [(30, 120), (30, 126), (30, 123)], "mlp": [(30, 90), (27, 84), (30, 96)]}


def of(ends, *, epochs=(0, 5, 10)):
    """Accuracies that are at a third until the last epoch, losses of 1 and then of 0.25."""
    rows = [
        {
            "architecture": architecture, "seeds": "1+2+3", "dataset": "edges", "seed": seed,
            "epoch": epoch, "split": split, "examples": examples,
            "loss": 0.25 if epoch == epochs[-1] else 1.0,
            "accuracy": right / examples if epoch == epochs[-1] else 1 / 3,
        }
        for architecture, seeds in ends.items()
        for seed, own in enumerate(seeds, start=1)
        for epoch in epochs
        for split, examples, right in zip(("train", "validation"), (30, 150), own, strict=True)
    ]  # fmt: skip
    return {"overfit": pd.DataFrame(rows)}


def found(tables):
    return {row.id: row for row in frame.findings(overfit.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(overfit.section, tables, **LEVEL))


def test_by_heart_means_every_training_image_of_every_seed():
    rows = found(of(ENDS))
    assert rows["cnn-learns-by-heart"].value == 1
    assert rows["cnn-learns-by-heart"].verdict == SUPPORTED
    # One seed misses three of thirty.
    assert rows["mlp-learns-by-heart"].value == pytest.approx((1 + 0.9 + 1) / 3)
    assert rows["mlp-learns-by-heart"].verdict == NOT_SUPPORTED
    assert [(row.model, row.n) for row in rows.values()] == [("cnn", 3), ("mlp", 3)]


def test_only_the_last_epoch_counts():
    tables = of(ENDS)
    early = tables["overfit"]["epoch"] < 10
    tables["overfit"].loc[early, "accuracy"] = 0.0
    assert found(tables)["cnn-learns-by-heart"].value == 1


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ({name: seeds[:1] for name, seeds in ENDS.items()}, "fewer than two seeds"),
        ({"cnn": ENDS["cnn"]}, "the sweep has no MLP"),
    ],
)
def test_what_was_not_trained_is_not_judged(ends, reason):
    row = found(of(ends))["mlp-learns-by-heart"]
    assert row.kind == "not testable" and reason in row.verdict


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_figure_states_its_size_and_can_be_written(tmp_path, seeds):
    figures = drawn(of({name: ends[:seeds] for name, ends in ENDS.items()}, epochs=(0, 1)))
    drawing = figures["overfit"]
    text = " ".join(text.get_text() for text in drawing.figure.texts)
    assert "30 training images" in text
    assert f"{seeds} seed" in text and f"95{GLUE}%" in text
    heart = 100 if seeds == 1 else 67
    assert drawing.sentence == (
        f"After 1 pass, 100{GLUE}% of the convolutional networks and {heart}{GLUE}% of the MLPs "
        "have every training image right."
    )
    style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_the_table_has_accuracy_and_loss_of_both_splits():
    (table,) = page_tables.report_tables(overfit.section, of(ENDS), **LEVEL)
    shown = [[cell.text for cell in row] for row in table.rows]
    assert shown[2][:4] == ["MLP", "training images", "30", "0.967"]
    assert shown[3] == [
        "MLP", "validation images", "150", "0.600", "0.501 … 0.699", "0.250", "0.250 … 0.250", "3",
    ]  # fmt: skip
    assert len(shown) == 4
