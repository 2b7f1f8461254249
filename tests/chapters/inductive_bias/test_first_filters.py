"""Filters of the first convolution: likeness, roughness, and what figures and tables say."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import first_filters, permuted_filters, steps
from depthlens.chapters.roughness import roughness
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}
STEP = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], float)
# As much of a step as of what is at right angles to both.
HALF = STEP + np.array([[1, -2, 1], [0, 0, 0], [-1, 2, -1]]) / np.sqrt(2)
CORNERS = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], float)


def weights(filters, *, seeds=(1, 2), **cell):
    """A row a weight; what all weights of a filter have more changes nothing."""
    return pd.DataFrame(
        {
            **cell, "architecture": "cnn", "dataset": "edges", "seed": seed, "filter": i,
            "row": row, "column": column, "weight": weight + 7,
        }
        for seed in seeds
        for i, own in enumerate(filters)
        for (row, column), weight in np.ndenumerate(own)
    )  # fmt: skip


def scores(seeds=(1, 2), **cells):
    return pd.DataFrame(
        {**cells, "architecture": "cnn", "dataset": "edges", "seed": seed, "epoch": 1,
         "split": "train", "accuracy": 1.0, "loss": 0.1, "examples": 3 * cells.get("images", 10)}
        for seed in seeds
    )  # fmt: skip


def made(*, many=(STEP, HALF), few=(CORNERS, CORNERS), seeds=(1, 2)):
    before, learned = (CORNERS, CORNERS), {10: few, 50: many}
    kernels = [
        weights(filters, moment=moment, images=n, seeds=seeds)
        for n, after in learned.items()
        for moment, filters in (("before", before), ("after", after))
    ]
    return {
        "longer_kernels": pd.concat(kernels, ignore_index=True),
        "longer": pd.concat(scores(seeds, images=n) for n in learned),
        "overfit_kernels": pd.concat(
            weights((own, own), moment=moment, seeds=seeds)
            for moment, own in (("before", CORNERS), ("after", STEP))
        ),
        "overfit": scores(seeds),
    }


def found(section, tables):
    rows = frame.findings(section, tables, **LEVEL)
    return {row.id: (round(row.value, 6), row.verdict) for row in rows}


def test_likeness_is_the_cosine_with_the_nearer_step():
    turned = -3 * STEP.T + 5
    assert steps.likeness(np.stack([STEP, turned, CORNERS, 0 * STEP + 4])) == pytest.approx(
        [1, 1, 0, 0]
    )
    # (−1, −1; 1, 1) has no middle line; a single corner is as near to either step.
    assert steps.likeness(np.array([[[1.0, 0], [0, 0]]])) == pytest.approx([1 / np.sqrt(3)])
    assert steps.steps(2).tolist() == [[[-1, -1], [1, 1]], [[-1, 1], [-1, 1]]]


def test_roughness_is_as_computed_by_hand():
    # Of a step along rows: 6 differences of 1 and 6 of 0; variance 6 / 8.
    assert roughness(STEP[None]) == pytest.approx((6 / 12) / (2 * 6 / 8))
    # Of corners: 8 of 1 and 4 of 0; variance 4 / 8.
    assert roughness(CORNERS[None]) == pytest.approx((8 / 12) / (2 * 4 / 8))
    assert roughness(np.stack([STEP, CORNERS])) == pytest.approx((1 / 3 + 2 / 3) / 2)
    drawn = np.random.default_rng(0).normal(size=(2000, 7, 7))
    assert roughness(drawn) == pytest.approx(1, abs=0.02)


def test_filters_are_judged_after_the_training_and_against_before():
    assert found(first_filters.section, made(many=(STEP, STEP))) == {
        "kernels-become-edge-detectors": (1.0, SUPPORTED),
        "kernels-rougher-with-few": (round(2 / 3 - 1 / 3, 6), SUPPORTED),
    }
    # The mean of 1 and √½; corners have nothing of a step.
    likeness, _ = found(first_filters.section, made())["kernels-become-edge-detectors"]
    assert likeness == round((1 + np.sqrt(0.5)) / 2, 6)
    turned = found(first_filters.section, made(many=(CORNERS,) * 2, few=(STEP,) * 2))
    assert {verdict for _, verdict in turned.values()} == {NOT_SUPPORTED}


def test_figures_show_each_filter_with_its_number(tmp_path):
    drawings = dict(frame.drawings(first_filters.section, made(), **LEVEL))
    assert "is 0.00 before the training and 0.85 after it" in drawings["kernels"].sentence
    assert "roughness is 0.67 with 10 images" in drawings["kernels_by_images"].sentence
    assert "goes from 0.00 to 1.00" in drawings["kernels_by_heart"].sentence
    for name, drawing in drawings.items():
        text = " ".join(text.get_text() for text in drawing.figure.texts)
        assert "2 seeds" in text and ("30 to 150" in text) == (name == "kernels_by_images")
        assert ("150" in text) == (name != "kernels_by_heart")
        style.save(drawing.figure, tmp_path / "figure", dpi=40)
    titles = [ax.get_title("left") for ax in drawings["kernels_by_images"].figure.axes]
    assert titles[:4] == ["0.67"] * 4 and titles[4] == "0.33"


def test_at_most_four_seeds_show_their_filters():
    drawings = dict(frame.drawings(first_filters.section, made(seeds=range(1, 7)), **LEVEL))
    shown = [image for ax in drawings["kernels"].figure.axes for image in ax.images]
    assert len(shown) == 4 * 2 * 2
    assert {image.get_clim() for image in shown} == {(-8 - np.sqrt(2), 8 + np.sqrt(2))}


def test_tables_hold_likeness_and_roughness():
    likeness, rough = page_tables.report_tables(first_filters.section, made(), **LEVEL)
    assert [row[1].text for row in likeness.rows] == ["0.000", "0.854"]
    assert [row[0].text for row in rough.rows] == ["10", "50"]


def of_permuted(moved, in_place):
    kernels = [
        weights((own,), permuted=way, images=n, moment=moment)
        for way, after in ((True, moved), (False, in_place))
        for n in (30, 70)
        for moment, own in (("before", HALF), ("after", after))
    ]
    table = pd.concat(scores(images=n) for n in (30, 70))
    return {"permuted_kernels": pd.concat(kernels, ignore_index=True), "permuted": table}


def test_filters_of_moved_pixels_are_compared_after_the_training(tmp_path):
    tables = of_permuted(CORNERS, STEP)
    name = "kernels-rougher-when-permuted"
    assert found(permuted_filters.section, tables) == {name: (round(1 / 3, 6), SUPPORTED)}
    turned = found(permuted_filters.section, of_permuted(STEP, CORNERS))
    assert turned == {name: (round(-1 / 3, 6), NOT_SUPPORTED)}
    ((_, drawing),) = frame.drawings(permuted_filters.section, tables, **LEVEL)
    assert drawing.sentence == (
        "Their roughness is 0.33 with pixels in place and 0.67 with pixels moved, mean over "
        "numbers of images and seeds."
    )
    text = " ".join(text.get_text() for text in drawing.figure.texts)
    assert "210 training images, 2 seeds, 2 shown" in text
    style.save(drawing.figure, tmp_path / "figure", dpi=40)
    (table,) = page_tables.report_tables(permuted_filters.section, tables, **LEVEL)
    assert [[cell.text for cell in row][:3] for row in table.rows[:2]] == [
        ["30", "in place", "0.333"], ["30", "moved", "0.667"],
    ]  # fmt: skip
