"""Detectors by hand: what is claimed, and what figure and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import edge_detectors
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

GLUE = "\u00a0"
# Accuracy in percent by number of images of the first seed; the others have 1 and 2 points more.
POINTS = {"cnn": (60, 80, 95), "mlp": (1, 1, 1), "cnn_2x2": (75, 82, 90), "cnn_sobel": (50, 70, 97)}


def of(points, *, images=(10, 20, 50), seeds=(1, 2, 3)):
    rows = pd.DataFrame(
        {
            "architecture": architecture, "images": n, "seeds": "1+2+3", "dataset": "edges",
            "seed": seed, "epoch": 100, "split": split, "loss": 0.5,
            "accuracy": (value + seed - 1) / 100 if split == "validation" else 1.0,
            "examples": 150 if split == "validation" else 3 * n,
        }
        for architecture, accuracy in points.items()
        for n, value in zip(images, accuracy, strict=True)
        for seed in seeds
        for split in ("train", "validation")
    )  # fmt: skip
    learned = rows["architecture"].isin(["cnn", "mlp"])
    return {"few_images": rows[learned], "edge_detectors": rows[~learned]}


def found(tables):
    return {row.id: row for row in frame.findings(edge_detectors.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(edge_detectors.section, tables, **LEVEL))


def test_claims_are_about_detectors_less_learned_filters():
    rows = found(of(POINTS))
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "detectors-2x2-help-with-few": (0.15, SUPPORTED),
        "detectors-2x2-hurt-with-many": (-0.05, SUPPORTED),
        "detectors-sobel-help-with-few": (-0.10, NOT_SUPPORTED),
        "detectors-sobel-hurt-with-many": (0.02, NOT_SUPPORTED),
    }
    assert [row.model for row in rows.values()] == 2 * ["cnn + cnn_2x2"] + 2 * ["cnn + cnn_sobel"]
    assert {row.n for row in rows.values()} == {3}


def test_one_number_of_images_is_few_and_not_many():
    rows = found(of({name: points[:1] for name, points in POINTS.items()}, images=(10,)))
    assert rows["detectors-2x2-help-with-few"].value == pytest.approx(0.15)
    many = rows["detectors-2x2-hurt-with-many"]
    assert many.kind == "not testable" and "one number of images only" in many.verdict


def test_detectors_that_were_not_trained_are_not_judged():
    tables = of(POINTS)
    table = tables["edge_detectors"]
    tables["edge_detectors"] = table[table["architecture"] == "cnn_2x2"]
    rows = found(tables)
    assert rows["detectors-2x2-help-with-few"].verdict == SUPPORTED
    sobel = rows["detectors-sobel-help-with-few"]
    assert sobel.kind == "not testable" and "Sobel's detectors" in sobel.verdict


def test_one_seed_is_no_mean():
    verdicts = {row.verdict for row in found(of(POINTS, seeds=(1,))).values()}
    assert len(verdicts) == 1 and "fewer than two seeds" in verdicts.pop()


def test_the_sentence_says_which_is_ahead_and_how_often():
    (drawing,) = drawn(of(POINTS)).values()
    assert drawing.sentence == (
        "Of the validation images are right with 10 training images a class 61.0 % with learned "
        "filters, 76.0 % with 2×2 detectors and 51.0 % with Sobel's detectors; with 50 training "
        "images a class 96.0 % with learned filters, 91.0 % with 2×2 detectors and 98.0 % with "
        "Sobel's detectors. "
        "Compared with learned filters, 2×2 detectors are ahead with 2 of 3 numbers of images and "
        "Sobel's detectors are ahead with 1 of 3 numbers of images, in the mean over seeds."
    ).replace(" %", f"{GLUE}%")


@pytest.mark.parametrize(
    ("images", "seeds", "sizes"),
    [
        ((10, 20, 50), (1, 2, 3), "30 to 150 training images"),
        ((10,), (1,), "30 training images"),
    ],
)
def test_the_figure_states_its_size_and_can_be_written(tmp_path, images, seeds, sizes):
    points = {name: accuracy[: len(images)] for name, accuracy in POINTS.items()}
    figures = drawn(of(points, images=images, seeds=seeds))
    drawing = figures["edge_detectors"]
    text = " ".join(text.get_text() for text in drawing.figure.texts)
    assert sizes in text and f"95{GLUE}%" in text
    assert "nan" not in drawing.sentence and "mlp" not in drawing.sentence
    style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_tables_have_accuracies_and_the_lead_of_either_detectors():
    tables = page_tables.report_tables(edge_detectors.section, of(POINTS), **LEVEL)
    assert [table.id for table in tables] == [
        "table-edge-detectors",
        "table-edge-detectors-2x2",
        "table-edge-detectors-3x3",
    ]
    assert [[cell.text for cell in row][:3] for row in tables[0].rows[:3]] == [
        ["10", "learned filters", "0.610"],
        ["10", "2×2 detectors", "0.760"],
        ["10", "Sobel's detectors", "0.510"],
    ]
    assert len(tables[0].rows) == 9
    assert [cell.text for cell in tables[2].rows[0]] == [
        "10",
        "−0.100",
        "−0.100 … −0.100",
        f"0{GLUE}%",
        f"0{GLUE}% … 0{GLUE}%",
        "3",
    ]
