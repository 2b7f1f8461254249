"""Sections that judge by number of images: same size, five classes, longer training, new places."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import (
    longer_by_images,
    more_classes,
    new_places,
    same_size,
)
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}
GLUE = "\u00a0"


def rows(points, *, images=(10, 50), seeds=(1, 2), epoch=100, **cell):
    """Accuracy in percent by number of images of the first seed; the second has a point more."""
    return pd.DataFrame(
        {
            **cell, "architecture": name, "images": n, "dataset": "edges", "seed": seed,
            "epoch": epoch, "split": split, "loss": 0.5,
            "accuracy": (value + seed - 1) / 100 if split == "validation" else 1.0,
            "examples": 150 if split == "validation" else 3 * n,
        }
        for name, accuracy in points.items()
        for n, value in zip(images, accuracy, strict=False)
        for seed in seeds
        for split in ("train", "validation")
    )  # fmt: skip


def judged(section, tables):
    found = frame.findings(section, tables, **LEVEL)
    return {row.id: (round(row.value, 6), row.verdict) for row in found}


def said(section, tables, folder):
    """Sentences of the figures, which must have been possible to write."""
    sentences = {}
    for name, drawing in frame.drawings(section, tables, **LEVEL):
        style.save(drawing.figure, folder / name, dpi=40)
        assert "nan" not in drawing.sentence
        sentences[name] = drawing.sentence.replace(GLUE, " ")
    return sentences


# ── as many parameters ──────────────────────────────────────────────────────────────────────────

LEARNED = {"cnn": (60, 90), "mlp": (50, 80)}
SMALL = {"mlp_means": (50, 70), "mlp_narrow": (70, 90)}


def of_same_size():
    return {"few_images": rows(LEARNED), "same_size": rows(SMALL)}


def test_small_mlps_are_compared_over_all_numbers_of_images(tmp_path):
    assert judged(same_size.section, of_same_size()) == {
        "cnn-ahead-of-mlp-of-means": (0.15, SUPPORTED),
        "cnn-ahead-of-narrow-mlp": (-0.05, NOT_SUPPORTED),
    }
    sentence = said(same_size.section, of_same_size(), tmp_path)["same_size"]
    assert "75.5 % (convolutional network), 65.5 % (MLP), 60.5 % (MLP of 586 par" in sentence
    (table,) = page_tables.report_tables(same_size.section, of_same_size(), **LEVEL)
    assert len(table.rows) == 8


# ── five classes ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cnn", "found"), [((60, 90), (0.1, SUPPORTED)), ((60, 79), (-0.01, NOT_SUPPORTED))]
)
def test_with_five_classes_the_smallest_lead_counts(tmp_path, cnn, found):
    tables = {"five_classes": rows({"cnn": cnn, "mlp": (50, 80)})}
    assert judged(more_classes.section, tables) == {"cnn-ahead-with-five-classes": found}
    sentence = said(more_classes.section, tables, tmp_path)["five_classes"]
    assert "MLP 65.5 %. The convolutional network is ahead with" in sentence


# ── longer training ─────────────────────────────────────────────────────────────────────────────

# By passes: accuracy of both networks with 10 and with 50 images.
COURSE = {10: ((40, 70), (30, 50)), 20: ((60, 92), (40, 85)), 30: ((95, 96), (50, 91))}


def of_longer(course=COURSE, **options):
    return {
        "longer": pd.concat(
            rows({"cnn": cnn, "mlp": mlp}, epoch=epoch, **options)
            for epoch, (cnn, mlp) in course.items()
        )
    }


def test_thresholds_are_of_the_end_and_passes_are_the_first_at_which_it_is_right():
    assert judged(longer_by_images.section, of_longer()) == {
        "cnn-right-with-many": (0.965, SUPPORTED),
        "cnn-right-with-few": (0.955, SUPPORTED),
        "cnn-needs-fewer-passes": (-10.0, SUPPORTED),  # 20 and 30
    }


def test_who_never_gets_there_counts_twice_its_passes(tmp_path):
    tables = of_longer({epoch: (cnn, (10, 10)) for epoch, (cnn, _) in COURSE.items()})
    assert judged(longer_by_images.section, tables)["cnn-needs-fewer-passes"][0] == 20 - 60
    sentence = said(longer_by_images.section, tables, tmp_path)["longer_by_images"]
    assert sentence == (
        "With 50 training images a class, the convolutional network needs 20 passes (never in 0 "
        "seeds) and the MLP needs 60 passes (never in 2 seeds), in the mean."
    )
    accuracy, passes = page_tables.report_tables(longer_by_images.section, tables, **LEVEL)
    assert [row[2].text for row in passes.rows] == ["30.000", "60.000", "20.000", "60.000"]
    assert len(accuracy.rows) == 4


def test_where_no_network_gets_there_or_there_is_one_number_nothing_is_said():
    tables = of_longer({10: ((10, 10), (10, 10))})
    assert "no network got 90" in judged(longer_by_images.section, tables)[
        "cnn-needs-fewer-passes"
    ][1].replace(GLUE, " ")
    one = judged(longer_by_images.section, of_longer(images=(10,)))
    assert "one number of images only" in one["cnn-right-with-many"][1]


# ── new places ──────────────────────────────────────────────────────────────────────────────────

PLACES = {
    ("large_kernels", 300): {"cnn": (50, 70), "mlp": (30, 40)},
    ("small_kernels", 1000): {"cnn": (85, 95), "mlp": (35, 45)},
    ("without_shift", 300): {"cnn": (80, 90), "mlp": (30, 50)},
}


def of_places(places=PLACES):
    # Before the end of each recipe all was right.
    early = {"cnn": (98, 98), "mlp": (98, 98)}
    tables = [rows(points, recipe=name, epoch=last) for (name, last), points in places.items()]
    tables += [rows(early, recipe=name, epoch=1) for name, _ in places]
    return {"domain_shift": pd.concat(tables, ignore_index=True)}


def test_new_places_are_judged_at_the_end_with_and_without_shift(tmp_path):
    assert judged(new_places.section, of_places()) == {
        "small-kernels-carry-over-from-few": (0.855, SUPPORTED),
        "new-places-cost-the-cnn": (-0.25, SUPPORTED),  # −30 and −20 points
        "new-places-cost-the-mlp": (-0.05, SUPPORTED),  # 0 and −10
        "mlp-does-not-carry-over": (0.455, SUPPORTED),
    }
    sentence = said(new_places.section, of_places(), tmp_path)["new_places"]
    assert "convolutional network 60.5 % (large kernels)" in sentence
    (table,) = page_tables.report_tables(new_places.section, of_places(), **LEVEL)
    assert len(table.rows) == 12


def test_new_places_fail_where_it_is_the_other_way_around():
    turned = {
        ("large_kernels", 300): {"cnn": (80, 90), "mlp": (30, 50)},
        ("small_kernels", 1000): {"cnn": (79, 95), "mlp": (51, 20)},
        ("without_shift", 300): {"cnn": (50, 70), "mlp": (30, 40)},
    }
    found = judged(new_places.section, of_places(turned))
    assert {verdict for _, verdict in found.values()} == {NOT_SUPPORTED}
