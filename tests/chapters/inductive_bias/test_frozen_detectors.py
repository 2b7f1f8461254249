"""Detectors in both convolutions: what is claimed, and what figure and table say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import frozen_detectors
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}
# Accuracy in percent by number of images of the first seed; the second has a point more.
POINTS = {
    "cnn": (60, 95),
    "mlp": (1, 1),
    "cnn_frozen_2": (75, 90),
    "cnn_frozen_3": (50, 97),
    "cnn_frozen_7": (61, 94),
}


def of(points, *, images=(10, 50), seeds=(1, 2)):
    rows = pd.DataFrame(
        {
            "architecture": architecture, "images": n, "dataset": "edges", "seed": seed,
            "epoch": 100, "split": split, "loss": 0.5,
            "accuracy": (value + seed - 1) / 100 if split == "validation" else 1.0,
            "examples": 150 if split == "validation" else 3 * n,
        }
        for architecture, accuracy in points.items()
        for n, value in zip(images, accuracy, strict=False)
        for seed in seeds
        for split in ("train", "validation")
    )  # fmt: skip
    learned = rows["architecture"].isin(["cnn", "mlp"])
    return {"few_images": rows[learned], "frozen_detectors": rows[~learned]}


def found(tables):
    return {row.id: row for row in frame.findings(frozen_detectors.section, tables, **LEVEL)}


def test_claims_are_about_detectors_less_learned_filters():
    rows = found(of(POINTS))
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "frozen-2x2-help-with-few": (0.15, SUPPORTED),
        "frozen-2x2-hurt-with-many": (-0.05, SUPPORTED),
        "frozen-3x3-help-with-few": (-0.10, NOT_SUPPORTED),
        "frozen-3x3-hurt-with-many": (0.02, NOT_SUPPORTED),
        "frozen-7x7-help-with-few": (0.01, SUPPORTED),
        "frozen-7x7-hurt-with-many": (-0.01, SUPPORTED),
    }
    assert rows["frozen-2x2-help-with-few"].printed == "80.67 against 66.0 %: 0.147"


def test_one_number_of_images_is_few_and_not_many():
    rows = found(of(POINTS, images=(10,)))
    assert rows["frozen-2x2-help-with-few"].value == pytest.approx(0.15)
    assert "one number of images only" in rows["frozen-2x2-hurt-with-many"].verdict


@pytest.mark.parametrize("images", [(10, 50), (10,)])
def test_the_figure_says_who_is_ahead_and_can_be_written(tmp_path, images):
    ((_, drawing),) = frame.drawings(frozen_detectors.section, of(POINTS, images=images), **LEVEL)
    glue = "\u00a0"
    assert f"60.5{glue}% with learned filters, 75.5{glue}% with 2×2 detectors" in drawing.sentence
    if len(images) > 1:
        assert (
            "2×2 detectors are ahead with 1 of 2 numbers of images, 3×3 detectors are ahead with 1 "
            "of 2 numbers" in drawing.sentence
        )
    assert "nan" not in drawing.sentence and "mlp" not in drawing.sentence
    style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_the_table_has_every_way_and_number():
    (table,) = page_tables.report_tables(frozen_detectors.section, of(POINTS), **LEVEL)
    assert [[cell.text for cell in row][:3] for row in table.rows[:2]] == [
        ["10", "learned filters", "0.605"],
        ["10", "2×2 detectors", "0.755"],
    ]
    assert len(table.rows) == 8
