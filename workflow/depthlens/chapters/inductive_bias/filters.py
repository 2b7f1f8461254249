"""Filters by hand: claims and figure of the sweep `filters`."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import ndimage

from depthlens.chapters.inductive_bias.judging import exact_claim, exactly
from depthlens.figures import style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, judge
from depthlens.prose import count, joined, number, percent
from depthlens.report.page import Cell, Table

CLAIMS = (
    exact_claim(
        "averaging-divides-noise",
        "Averaging n×n divides the variance of noise by n².",
        "any textbook on image processing",
        "variance of the noise over n² times the variance of the averaged noise, largest n",
        at_least=0.8,
        at_most=1.25,
    ),
    exact_claim(
        "laplacian-is-blind-to-even-ground",
        "The Laplacian is zero where brightness is even.",
        "course material on inductive biases",
        "largest absolute Laplacian of the image without its noise, away from edges",
        at_most=1e-6,
    ),
)
_PICTURES = {"edges": "Edges with noise", "photograph": "Photograph"}
_BLOCK = 2
"""columns of panels that a picture has"""
_GAP = 0.06
"""between pictures, in widths of a square panel"""
_FULL_COLOUR = 0.99
"""share of the pixels that the colours of the Laplacian tell apart"""
_MOST_OBLONG = 2.0
"""a panorama gets a panel so many times as wide as high, and is shown smaller in it"""


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the image of edges, of which it is known what noise it has."""
    table = tables["filters"]
    measures: dict[str, Callable[[pd.DataFrame], Measurement]] = {
        "averaging-divides-noise": _division_by_averaging,
        "laplacian-is-blind-to-even-ground": _laplacian_of_even_ground,
    }
    return [_judged(claim, measures[claim.id], table) for claim in CLAIMS]


def _judged(
    claim: Claim, measure: Callable[[pd.DataFrame], Measurement], table: pd.DataFrame
) -> Finding:
    try:
        found = measure(table)
    except NotTestableError as reason:
        found = reason
    return judge(claim, found, dataset="edges", model="no network")


def size_of(name: str) -> int:
    """n of a filter `average n`; 0 of another."""
    word, _, size = name.partition(" ")
    return int(size) if word == "average" else 0


def as_image(table: pd.DataFrame, picture: str, name: str, column: str) -> NDArray[np.float64]:
    """A column of the table as an image, shape (height, width).

    Parameters
    ----------
    table : DataFrame
        As the experiment gives it.
    picture, name : str
        Which picture, and which filter it went through.
    column : str
        `value` or `noise`.

    Raises
    ------
    NotTestableError
        If the table has no such picture or filter.
    """
    rows = table[(table["picture"] == picture) & (table["filter"] == name)]
    if rows.empty:
        raise NotTestableError(f"there is no picture {picture} with the filter {name}")
    return rows.pivot(index="row", columns="column", values=column).to_numpy(np.float64)


def variance_left(table: pd.DataFrame, name: str, *, border: int) -> tuple[float, int]:
    """Variance of the filtered noise over that of the noise, and of how many pixels.

    Parameters
    ----------
    table : DataFrame
    name : str
        Of the filter.
    border : int
        Rows and columns at each border that do not count: what a filter sees there is reflected.

    Raises
    ------
    NotTestableError
        If fewer than two pixels are left, or there is no noise.
    """
    inside = slice(border, -border if border else None)
    before, after = (
        as_image(table, "edges", kind, "noise")[inside, inside] for kind in ("none", name)
    )
    if before.size < 2:
        raise NotTestableError(f"the image has no pixels farther than {border} from its borders")
    if not before.var():
        raise NotTestableError("the image has no noise")
    return float(after.var() / before.var()), before.size


def _division_by_averaging(table: pd.DataFrame) -> Measurement:
    size = max(map(size_of, table["filter"].unique()))
    if not size:
        raise NotTestableError("the sweep has no averaging filter")
    left, n = variance_left(table, f"average {size}", border=size)
    return exactly(1 / (size**2 * left), n)


def _laplacian_of_even_ground(table: pd.DataFrame) -> Measurement:
    noisy, noise, filtered, of_noise = (
        as_image(table, "edges", name, column)
        for name in ("none", "laplacian")
        for column in ("value", "noise")
    )
    # The clean image has 256 levels; the difference has them but for rounding.
    levels = np.round((noisy - noise) * 255)
    even = ndimage.maximum_filter(levels, 3, mode="mirror") == ndimage.minimum_filter(
        levels, 3, mode="mirror"
    )
    if not even.any():
        raise NotTestableError("the image is nowhere even")
    return exactly(np.abs(filtered - of_noise)[even].max(), int(even.sum()))


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Each picture, without a filter and with every one."""
    table = tables["filters"]
    names = list(dict.fromkeys(table["filter"]))
    pictures = [name for name in _PICTURES if name in set(table["picture"])]
    plain = {name: as_image(table, name, "none", "value") for name in pictures}
    n_rows = -(-len(names) // _BLOCK)
    ratios = [
        float(np.clip(image.shape[1] / image.shape[0], 1 / _MOST_OBLONG, _MOST_OBLONG))
        for image in plain.values()
    ]
    # An empty column stands between two pictures.
    widths = [width for ratio in ratios for width in (*[ratio] * _BLOCK, _GAP)][:-1]
    # Panels are as high as it takes for the columns to share the width of the figure.
    height = n_rows * ((style.WIDTH - 0.5) / sum(widths) + 0.3) + 0.3
    figure, axes = style.canvas(height, rows=n_rows, columns=len(widths), width_ratios=widths)
    for ax in axes.flat:
        ax.set_axis_off()
    for place, picture in enumerate(pictures):
        first = place * (_BLOCK + 1)
        block = axes[:, first : first + _BLOCK]
        block[0, 0].set_title(_PICTURES[picture], fontsize=11, pad=8)
        for ax, name in zip(block.flat, names, strict=False):
            _show(ax, as_image(table, picture, name, "value"), name)
    title = "What filters by hand make of a picture"
    sizes = joined([f"{'×'.join(map(str, image.shape[::-1]))} pixels" for image in plain.values()])
    style.frame(
        figure,
        title=title,
        subtitle=f"Pictures of {sizes} · in grey: from black (0 or less) to white (1 or more)\n"
        "Laplacian: blue below 0, white 0, red above; the strongest "
        f"{percent(1 - _FULL_COLOUR)} lie beyond the scale",
    )
    sentence = _sentence(table, names)
    alt = (
        f"{joined([_PICTURES[name] for name in pictures])}, each {joined(list(map(_named, names)))}"
        ": averages blur it, the Laplacian leaves its outlines and its noise."
    )
    return {"filters": Drawing(figure, title, sentence, alt)}


def _show(ax: Axes, image: NDArray[np.float64], name: str) -> None:
    caption = _named(name)
    if name == "laplacian":
        most = float(np.quantile(np.abs(image), _FULL_COLOUR)) or 1.0
        ax.imshow(image, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        caption += f", {number(-most, 1)} … {number(most, 1)}"
    else:
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.text(0, -0.03, caption, transform=ax.transAxes, va="top", fontsize=8.5, color=style.INK)


def _named(name: str) -> str:
    if size := size_of(name):
        return f"average of {size}×{size}"
    return {"none": "no filter", "laplacian": "Laplacian"}[name]


def _sentence(table: pd.DataFrame, names: list[str]) -> str:
    """What is left of the noise, where that can be said."""
    averages, others = [], []
    for name in names:
        left = _left(table, name)
        if np.isnan(left):
            continue
        if size := size_of(name):
            averages.append(
                f"an average of {size}×{size} leaves {percent(left, 1)} (1/n² is "
                f"{percent(1 / size**2, 1)})"
            )
        elif name == "laplacian":
            others.append(f"the Laplacian makes it {number(left, 1)} times as large")
    if not averages + others:
        return "What filters leave of the noise cannot be said of this image."
    return f"Of the variance of the noise, {'; '.join([joined(averages), *others]).strip('; ')}."


def _left(table: pd.DataFrame, name: str) -> float:
    """Share of the variance of the noise that a filter leaves; NaN where that is not known."""
    try:
        # One pixel is as far as the Laplacian looks.
        return variance_left(table, name, border=size_of(name) or 1)[0]
    except NotTestableError:
        return np.nan


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Brightness of every filtered picture, and what is left of the noise."""
    table = tables["filters"]
    rows = []
    for (picture, name), part in table.groupby(["picture", "filter"], sort=False):
        left = _left(table, name) if picture == "edges" else np.nan
        values = part["value"].to_numpy(np.float64)
        rows.append(
            [
                Cell(_PICTURES[picture]),
                Cell(_named(name)),
                *(
                    Cell(number(value, 3), float(value))
                    for value in (values.mean(), values.std(), values.min(), values.max())
                ),
                Cell(number(left, 4), float(left)),
                Cell(count(len(part)), len(part)),
            ]
        )
    columns = [
        "picture",
        "filter",
        "mean",
        "standard deviation",
        "smallest",
        "largest",
        "variance of the noise, over that without filter",
        "pixels",
    ]
    caption = "Brightness of filtered pictures (1 is white), and what is left of the noise"
    return [Table(id="table-filters", caption=caption, columns=columns, rows=rows)]
