"""Filters by hand: what is claimed of noise and even ground, and what figure and table show."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import filters
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

SIZE = 12
CLEAN = np.full((SIZE, SIZE), 51 / 255)
CLEAN[4:6] = 1.0
KERNELS = {
    "average 2": np.full((2, 2), 1 / 4),
    "average 3": np.full((3, 3), 1 / 9),
    "laplacian": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float),
}


def noise_of(seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (SIZE, SIZE))


def of(*, names=("average 3", "laplacian"), pictures=("edges", "photograph", "noise"), noise=None):
    """A table of three pictures; the photograph has no noise."""
    noise = noise_of() if noise is None else noise
    tables = []
    for picture in pictures:
        added = np.zeros_like(noise) if picture == "photograph" else noise
        for name in ("none", *names):
            value, of_noise = (
                image if name == "none" else ndimage.convolve(image, KERNELS[name], mode="mirror")
                for image in (CLEAN + added, added)
            )
            rows, columns = (places.ravel() for places in np.indices(value.shape))
            tables.append(
                pd.DataFrame(
                    {
                        "picture": picture, "dataset": picture, "filter": name, "row": rows,
                        "column": columns, "value": value.ravel(), "noise": of_noise.ravel(),
                    }
                )
            )  # fmt: skip
    return {"filters": pd.concat(tables, ignore_index=True)}


def found(given):
    return {row.id: row for row in frame.findings(filters.section, given, **LEVEL)}


def test_variance_of_noise_is_taken_away_from_the_borders():
    row = found(of())["averaging-divides-noise"]
    noise = noise_of()
    averaged = np.array(
        [[noise[r - 1 : r + 2, c - 1 : c + 2].mean() for c in range(3, 9)] for r in range(3, 9)]
    )
    expected = noise[3:9, 3:9].var() / 9 / averaged.var()
    assert row.value == row.low == row.high == pytest.approx(expected)
    assert row.n == 36 and (row.dataset, row.model) == ("edges", "no network")


def test_a_large_image_of_noise_is_judged_on_its_own():
    given = of()
    table = given["filters"]
    of_noise = (table["picture"] == "noise") & (table["filter"] == "average 3")
    table.loc[of_noise, "noise"] *= 0.5
    rows = found(given)
    large, small = (
        rows[f"averaging-divides-noise{name}"] for name in ("-of-a-large-image", "")
    )  # fmt: skip
    assert large.value == pytest.approx(4 * small.value)
    assert (large.dataset, small.dataset) == ("noise", "edges")


def test_the_claim_is_about_the_largest_average():
    both = found(of(names=("average 3", "average 2")))["averaging-divides-noise"]
    alone = found(of(names=("average 3",)))["averaging-divides-noise"]
    assert both.value == alone.value


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.9, SUPPORTED), (1.2, SUPPORTED), (0.7, NOT_SUPPORTED),
                            (1.3, NOT_SUPPORTED)]
)  # fmt: skip
def test_averaging_must_divide_by_about_the_square(factor, verdict):
    given = of()
    table = given["filters"]
    value = found(given)["averaging-divides-noise"].value
    # Variances go with the square of what noise is multiplied with.
    table.loc[table["filter"] == "average 3", "noise"] *= (value / factor) ** 0.5
    row = found(given)["averaging-divides-noise"]
    assert row.value == pytest.approx(factor) and row.verdict == verdict


def test_the_laplacian_of_even_ground_is_looked_at_without_noise():
    row = found(of())["laplacian-is-blind-to-even-ground"]
    assert row.value < 1e-12 and row.verdict == SUPPORTED
    # Rows 4 and 5 are bright: of twelve rows those two and their neighbours are not even.
    assert row.n == (SIZE - 4) * SIZE
    given = of()
    table = given["filters"]
    for place, value in ((4, 5.0), (9, 0.25)):
        at = (table["filter"] == "laplacian") & (table["row"] == place) & (table["column"] == 0)
        table.loc[at, "value"] += value
    row = found(given)["laplacian-is-blind-to-even-ground"]
    assert row.value == pytest.approx(0.25) and row.verdict == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("given", "id", "reason"),
    [
        (of(names=("laplacian",)), "averaging-divides-noise", "no averaging filter"),
        (of(names=("average 3",)), "laplacian-is-blind-to-even-ground", "no picture with"),
    ],
)
def test_what_was_not_made_is_not_judged(given, id, reason):
    row = found(given)[id]
    assert row.kind == "not testable" and reason in row.verdict


def test_a_filter_that_leaves_no_pixels_is_not_judged():
    given = of()
    given["filters"]["filter"] = given["filters"]["filter"].replace("average 3", "average 6")
    row = found(given)["averaging-divides-noise"]
    assert row.kind == "not testable" and "farther than 6" in row.verdict
    assert "cannot be said" in drawing(given).sentence


def drawing(given):
    return dict(frame.drawings(filters.section, given, **LEVEL))["filters"]


def test_a_sentence_says_what_is_left_of_the_noise():
    left = 1 / (9 * found(of())["averaging-divides-noise"].value)
    sentence = drawing(of()).sentence
    assert f"an average of 3×3 leaves {100 * left:.1f}\u00a0% (1/n² is 11.1\u00a0%)" in sentence
    assert sentence.startswith("Of the variance of the noise, an average")


@pytest.mark.parametrize("names", [("average 3",), ("laplacian",), ()])
def test_a_figure_is_made_of_whatever_filters_there_are(names):
    assert len([ax for ax in drawing(of(names=names)).figure.axes if ax.images]) == 2 + 2 * len(
        names
    )


def test_a_picture_that_is_even_has_a_laplacian_too():
    given = of(noise=np.zeros((SIZE, SIZE)))
    given["filters"].loc[given["filters"]["filter"] == "laplacian", "value"] = 0.0
    assert drawing(given).sentence.startswith("What averages leave of the noise cannot be said")
    assert "no noise" in found(given)["averaging-divides-noise"].verdict


def test_a_table_has_a_row_for_every_picture_and_filter():
    (table,) = page_tables.report_tables(filters.section, of(), **LEVEL)
    assert table.id == "table-filters"
    assert [(row[0].text, row[1].text) for row in table.rows] == [
        ("Edges with noise", "no filter"), ("Edges with noise", "average of 3×3"),
        ("Edges with noise", "Laplacian"), ("Photograph", "no filter"),
        ("Photograph", "average of 3×3"), ("Photograph", "Laplacian"),
        ("Noise alone", "no filter"), ("Noise alone", "average of 3×3"),
        ("Noise alone", "Laplacian"),
    ]  # fmt: skip
    photograph = table.rows[3]
    assert photograph[2].sort == pytest.approx(CLEAN.mean())
    assert photograph[3].sort == pytest.approx(CLEAN.std())
    assert (photograph[4].sort, photograph[5].sort) == (pytest.approx(0.2), 1.0)
    assert photograph[6].text == "—" and photograph[7].sort == SIZE**2
