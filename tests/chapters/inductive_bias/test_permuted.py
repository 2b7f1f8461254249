"""Pixels moved around: what is claimed, and what figures and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import permuted
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

IMAGES, KERNELS = (2, 4), (3, 5, 7)
# Accuracy in points by number of images, of the first seed; of the second it is a point less.
BY_IMAGES = {
    ("cnn", False): (90, 96),
    ("cnn", True): (50, 54),
    ("mlp", False): (70, 80),
    ("mlp", True): (71, 80),
}
BY_KERNEL = {False: (95, 95, 93), True: (50, 58, 56)}


def made(*, by_images=BY_IMAGES, by_kernel=BY_KERNEL, images=IMAGES, kernels=KERNELS, seeds=(1, 2)):
    def rows(cell, n, points):
        return [
            {**cell, "seeds": "1+2", "dataset": "edges", "seed": seed, "epoch": 9, "split": split,
             "loss": 0.5, "accuracy": 1.0 if split == "train" else (points + 1 - seed) / 100,
             "examples": 3 * n if split == "train" else 15}
            for seed in seeds for split in ("train", "validation")
        ]  # fmt: skip

    of_images, of_kernels = [], []
    for (name, moved), accuracies in by_images.items():
        for n, points in zip(IMAGES, accuracies, strict=True):
            if n in images:
                of_images += rows({"architecture": name, "images": n, "permuted": moved}, n, points)
    for moved, accuracies in by_kernel.items():
        for size, points in zip(KERNELS, accuracies, strict=True):
            if size in kernels:
                cell = {"architecture": "cnn", "kernel_size": size, "permuted": moved}
                of_kernels += rows(cell, 4, points)
    tables = {"permuted": of_images, "permuted_kernel_size": of_kernels}
    return {name: pd.DataFrame(found) for name, found in tables.items()}


def found(tables):
    return {row.id: row for row in frame.findings(permuted.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(permuted.section, tables, **LEVEL))


@pytest.fixture(scope="module")
def drawings():
    """The figures of what `made` makes if nothing else is asked for."""
    return drawn(made())


def test_claims_are_differences_of_means_over_the_numbers_of_images():
    rows = found(made())
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "mlp-ahead-when-permuted": (0.235, SUPPORTED),  # 75.5 less 52
        "mlp-does-not-notice": (0.005, SUPPORTED),  # 75.5 and 75
        "cnn-loses-by-permutation": (0.41, SUPPORTED),  # 93 less 52
        "larger-kernels-help-when-permuted": (0.06, SUPPORTED),  # 56 less 50
    }
    assert [row.model for row in rows.values()] == ["cnn + mlp", "mlp", "cnn", "cnn"]


def test_claims_fail_where_it_is_the_other_way_around():
    turned = {("cnn", False): (40, 40), ("cnn", True): (90, 90), ("mlp", True): (60, 70)}
    rows = found(made(by_images=BY_IMAGES | turned, by_kernel={True: (58, 58, 50)}))
    assert {row.verdict for row in rows.values()} == {NOT_SUPPORTED}


def test_a_difference_of_the_mlp_counts_in_either_direction():
    tables = made()
    table = tables["permuted"]
    mine = (table["architecture"] == "mlp") & table["permuted"] & (table["split"] == "validation")
    # +0.5 points in the first seed; in the second −3.5 instead of +0.5.
    table.loc[mine & (table["seed"] == 2), "accuracy"] -= 0.04
    row = found(tables)["mlp-does-not-notice"]
    assert round(row.value, 6) == 0.02


def test_a_seed_that_lacks_a_number_of_images_does_not_count():
    tables = made(seeds=(1, 2, 3))
    table = tables["permuted"]
    lost = (table["seed"] == 3) & (table["architecture"] == "mlp") & (table["images"] == 2)
    tables["permuted"] = table[~(lost & table["permuted"])]
    rows = found(tables)
    assert rows["mlp-ahead-when-permuted"].n == 2
    assert rows["cnn-loses-by-permutation"].n == 3


def test_what_was_not_made_is_not_judged():
    only = {key: points for key, points in BY_IMAGES.items() if not key[1]}
    rows = found(made(by_images=only, kernels=(3,)))
    assert {row.kind for row in rows.values()} == {"not testable"}
    assert "what it compares was not made" in rows["mlp-does-not-notice"].verdict
    assert "fewer than two sizes" in rows["larger-kernels-help-when-permuted"].verdict


def test_figures_are_those_of_the_section_and_say_what_the_tables_hold(drawings, tmp_path):
    glue = "\u00a0"
    assert drawings["permuted"].sentence.replace(glue, " ") == (
        "Of the validation images, convolutional network and MLP get 92.5 % and 74.5 % right with "
        "pixels in place, 51.5 % and 75.0 % with pixels moved, in the mean over the numbers of "
        "images."
    )
    said = drawings["permuted_kernel_size"].sentence
    assert (
        f"network gets 49.5{glue}% of the images with moved pixels right, with kernels of" in said
    )
    assert f"7×7 55.5{glue}%; with pixels in place 94.5{glue}% and 92.5{glue}%." in said
    for drawing in drawings.values():
        text = " ".join(text.get_text() for text in drawing.figure.texts)
        assert "2 seeds" in text
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_the_mlp_beside_kernels_learned_from_as_many_images(drawings):
    (axes,) = drawings["permuted_kernel_size"].figure.axes
    lines = [[round(float(y), 6) for y in line.get_ydata()] for line in axes.lines]
    # Four images a class: 80 and 79 points in both cases.
    assert lines.count([0.795, 0.795]) == 2
    assert [0.495, 0.575, 0.555] in lines


def test_one_seed_one_number_of_images_and_one_kernel_are_drawn(tmp_path):
    drawings = drawn(made(seeds=(1,), images=(2,), kernels=(5,)))
    assert "kernels of 5×5" in drawings["permuted_kernel_size"].sentence
    for drawing in drawings.values():
        assert "nan" not in drawing.sentence
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_tables_have_a_row_for_every_choice():
    by_images, by_kernel = page_tables.report_tables(permuted.section, made(), **LEVEL)
    assert (len(by_images.rows), len(by_kernel.rows)) == (8, 6)
    assert [cell.text for cell in by_kernel.rows[-1]][:3] == ["7×7", "pixels moved", "0.555"]
