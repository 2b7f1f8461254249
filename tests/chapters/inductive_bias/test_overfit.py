"""Learning by heart: what is claimed, and what figure and table say of it."""

import pandas as pd
import pytest

from depthlens.chapters.inductive_bias import contents, overfit
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

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
    return {row.id: row for row in overfit.evaluate(tables, confidence_level=0.95)}


def drawn(tables):
    with style.styled():
        return overfit.draw(tables, confidence_level=0.95)


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


def test_the_sentence_counts_the_networks_that_learned_all():
    (drawing,) = drawn(of(ENDS)).values()
    assert drawing.sentence == (
        "After 10 passes over the training images, 3 of 3 convolutional networks and 2 of 3 MLPs "
        "have every one of them right; of the validation images, the convolutional network gets "
        f"82.0{GLUE}% and the MLP gets 60.0{GLUE}% right, in the mean over seeds."
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_figure_states_its_size_and_can_be_written(tmp_path, seeds):
    figures = drawn(of({name: ends[:seeds] for name, ends in ENDS.items()}, epochs=(0, 1)))
    (section,) = [part for part in contents.SECTIONS if part.name == "overfit"]
    assert tuple(figures) == section.figures
    drawing = figures["overfit"]
    text = " ".join(text.get_text() for text in drawing.figure.texts)
    assert "30 training images" in text and "150 validation images" in text
    assert f"{seeds} seed" in text and f"95{GLUE}%" in text
    assert "nan" not in drawing.sentence
    style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_lines_are_means_of_the_split_that_the_panel_names():
    (drawing,) = drawn(of(ENDS)).values()
    training, validation = drawing.figure.axes[:2]
    ends = [[line.get_ydata()[-1] for line in axes.lines] for axes in (training, validation)]
    assert ends == [pytest.approx([1, 29 / 30]), pytest.approx([0.82, 0.6])]
    assert training.get_title(loc="left") == "training images"


def test_the_table_has_accuracy_and_loss_of_both_splits():
    (table,) = overfit.report_tables(of(ENDS), confidence_level=0.95)
    shown = [[cell.text for cell in row] for row in table.rows]
    assert shown[2][:4] == ["MLP", "training images", "30", "0.967"]
    assert shown[3] == [
        "MLP", "validation images", "150", "0.600", "0.501 … 0.699", "0.250", "0.250 … 0.250", "3",
    ]  # fmt: skip
    assert len(shown) == 4
