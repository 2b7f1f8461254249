"""Pooling, width and depth: what is claimed, and what figures and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import five_classes
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

GLUE = "\u00a0"
# Validation accuracy in percent at the end, by seed.
POOLING = {"cnn": (80, 90, 85), "cnn_average": (70, 80, 75)}
SIZES = {
    "cnn": (80, 90, 85),
    "cnn_wider": (85, 95, 90),
    "cnn_deeper": (70, 88, 82),
    "cnn_deeper_3x3": (83, 91, 86),
}


def course(ends, *, epochs=(0, 5, 10), seeds=3):
    return pd.DataFrame(
        {
            "architecture": architecture, "seeds": "1+2+3", "dataset": "edges", "seed": seed,
            "epoch": epoch, "split": split, "loss": 0.5,
            "accuracy": (points / 100 if epoch == epochs[-1] else 0.2)
            if split == "validation" else 1.0,
            "examples": 200 if split == "validation" else 50,
        }
        for architecture, accuracy in ends.items()
        for seed, points in enumerate(accuracy[:seeds], start=1)
        for epoch in epochs
        for split in ("train", "validation")
    )  # fmt: skip


def of(pooling=POOLING, sizes=SIZES, **options):
    most = course(pooling, **options).assign(images=10)
    # With fewer images average pooling is better by five points.
    fewer = course({"cnn": (40, 50, 45), "cnn_average": (45, 55, 50)}, **options)
    fewer = fewer.assign(images=5, examples=fewer["examples"].replace(50, 25))
    table = pd.concat([fewer, most], ignore_index=True)
    return {"pooling": table, "width_and_depth": course(sizes, **options)}


def found(tables):
    return {row.id: row for row in frame.findings(five_classes.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(five_classes.section, tables, **LEVEL))


def test_claims_are_about_the_end_of_the_training():
    rows = found(of())
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "maximum-beats-average": (0.10, SUPPORTED),
        "wider-is-better": (0.05, SUPPORTED),
        "deeper-is-better": (-0.05, NOT_SUPPORTED),  # mean of -10, -2 and -3 points
        "deeper-is-better-with-small-kernels": (0.016667, SUPPORTED),  # of 3, 1 and 1
    }
    models = [row.model for row in rows.values()]
    others = ["average", "wider", "deeper", "deeper_3x3"]
    assert models == [f"cnn + cnn_{name}" for name in others]
    assert {row.n for row in rows.values()} == {3}


def test_claims_fail_and_hold_with_the_sign():
    swapped = {"cnn": SIZES["cnn"], "cnn_wider": (70, 80, 75), "cnn_deeper": (81, 91, 86)}
    swapped["cnn_deeper_3x3"] = (79, 89, 84)
    rows = found(of({"cnn": POOLING["cnn_average"], "cnn_average": POOLING["cnn"]}, swapped))
    assert [row.verdict for row in rows.values()] == [
        NOT_SUPPORTED, NOT_SUPPORTED, SUPPORTED, NOT_SUPPORTED,
    ]  # fmt: skip


def test_an_interval_is_of_differences_within_a_seed():
    row = found(of())["deeper-is-better"]
    # Standard deviation of -10, -2 and -3 points: 4.3589; t of two degrees of freedom 4.3027.
    assert row.high - row.value == pytest.approx(4.3027 * 0.043589 / 3**0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        (of(seeds=1), "fewer than two seeds"),
        (of(sizes={"cnn": SIZES["cnn"]}), "the sweep has no six filters"),
    ],
)
def test_what_was_not_trained_is_not_judged(tables, reason):
    row = found(tables)["wider-is-better"]
    assert row.kind == "not testable" and reason in row.verdict


@pytest.mark.parametrize("options", [{}, {"seeds": 1, "epochs": (1,)}])
def test_figures_state_their_size_and_can_be_written(tmp_path, options):
    figures = drawn(of(**options))
    for name, drawing in figures.items():
        text = " ".join(text.get_text() for text in drawing.figure.texts)
        assert ("25 to 50" if name == "pooling_by_images" else "50") + " training images" in text
        assert f"{options.get('seeds', 3)} seed" in text and f"95{GLUE}%" in text
        assert "nan" not in drawing.sentence and "—" not in drawing.sentence
        style.save(drawing.figure, tmp_path / "figure", dpi=40)
    if not options:
        assert f"85.0{GLUE}% (plain: maximum pooling) and 75.0{GLUE}% (average pooling)" in (
            figures["pooling"].sentence
        )
        assert f"65.0{GLUE}% (plain: maximum pooling) and 62.5{GLUE}% (average pooling)" in (
            figures["pooling_by_images"].sentence
        )


def test_tables_have_accuracy_and_difference_at_the_end():
    pooling, sizes, by_images = page_tables.report_tables(five_classes.section, of(), **LEVEL)
    assert (pooling.id, sizes.id) == ("table-pooling", "table-width-and-depth")
    shown = [[cell.text for cell in row] for row in sizes.rows]
    assert shown[0][1:] == ["0.850", "0.726 … 0.974", "0.000", "0.000 … 0.000", "3"]
    assert shown[1] == ["six filters", "0.900", "0.776 … 1.000", "0.050", "0.050 … 0.050", "3"]
    assert shown[2][3] == "−0.050"
    assert len(pooling.rows) == 2
    means = [[cell.text for cell in row][:3] for row in by_images.rows]
    assert means[0] == ["5", "plain: maximum pooling", "0.450"]
    assert means[3] == ["10", "average pooling", "0.750"]
