"""Filters of the first convolution, before and after training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.representation.networks import Tables, each, judged, seeds_and_images
from depthlens.figures import style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding
from depthlens.prose import number
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("representation")
CLAIMS = (
    claim_of(
        "filters-become-smooth",
        "Learned filters of the first layer are smooth: they answer to edges and blobs.",
        "course material on representation learning",
        "roughness of the filters after training minus before",
        below=0,
    ),
)
_MOST = 16


def roughness(filters: np.ndarray) -> float:
    """How unlike neighbouring weights are, as a share of what drawn weights would have.

    Parameters
    ----------
    filters : float array, shape (n, rows, columns)

    Returns
    -------
    float
        Mean squared difference of neighbours, along rows and columns, over twice the variance of
        the weights of a filter; mean over filters. 1 for weights drawn at random, less where
        neighbours are alike.
    """
    steps = [np.diff(filters, axis=axis).reshape(len(filters), -1) ** 2 for axis in (1, 2)]
    squared = np.concatenate(steps, axis=1).mean(axis=1)
    return float(np.mean(squared / (2 * filters.var(axis=(1, 2), ddof=1))))


def filters_of(table: pd.DataFrame, seed: int, moment: str) -> np.ndarray:
    """Filters of a seed, the channels added up: shape (n, rows, columns)."""
    rows = table[(table["seed"] == seed) & (table["moment"] == moment)]
    keys = ["filter", "row", "column"]
    weights = rows.groupby(keys)["weight"].sum()
    shape = [rows[key].max() + 1 for key in keys]
    return weights.to_numpy().reshape(shape)


def _measure(_claim: Claim, table: pd.DataFrame) -> list[float]:
    return [
        roughness(filters_of(table, seed, "after")) - roughness(filters_of(table, seed, "before"))
        for seed in sorted(set(table["seed"]))
    ]


def evaluate(tables: Tables, *, confidence_level: float) -> list[Finding]:
    """Hold the claim against both networks."""
    return judged(CLAIMS, _measure, tables, "kernels", confidence_level=confidence_level)


def draw(tables: Tables, *, confidence_level: float) -> dict[str, Drawing]:
    """Filters of one seed, before and after."""
    found = each(tables, "kernels")
    figure, axes = style.canvas(0.9 * 2 * len(found), rows=2 * len(found))
    phrases = []
    for place, (title, table) in enumerate(found.items()):
        seed = min(table["seed"])
        for row, moment in enumerate(("before", "after")):
            filters = filters_of(table, seed, moment)
            ax = axes[2 * place + row, 0]
            _grid(ax, filters[:_MOST])
            shown = min(_MOST, len(filters))
            ax.set_title(
                f"{title}: {moment} training · {shown} of {len(filters)} filters, seed {seed} · "
                f"roughness {number(roughness(filters))}"
            )
        before, after = (
            np.mean([roughness(filters_of(table, seed, m)) for seed in set(table["seed"])])
            for m in ("before", "after")
        )
        phrases.append(f"with {title} it goes from {number(before)} to {number(after)}")
    title = "Filters of the first convolution"
    sizes = "; ".join(f"{name}: {seeds_and_images(table)}" for name, table in found.items())
    style.frame(
        figure,
        title=title,
        subtitle="Each scaled by its largest weight; blue is negative, red positive · "
        f"roughness 1: weights drawn at random\n{sizes}",
    )
    sentence = f"Roughness, mean over seeds: {'; '.join(phrases)}."
    alt = "Rows of small squares, each a filter, before and after training, for both networks."
    return {"kernels": Drawing(figure, title, sentence, alt)}


def _grid(ax: Axes, filters: np.ndarray) -> None:
    """Filters side by side, on their own scales."""
    rows, columns = filters.shape[1:]
    gap = 1
    board = np.full((rows, _MOST * (columns + gap) - gap), np.nan)
    for place, weights in enumerate(filters):
        start = place * (columns + gap)
        board[:, start : start + columns] = weights / max(np.abs(weights).max(), 1e-12)
    ax.imshow(board, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest", aspect="equal")
    ax.set_axis_off()


def report_tables(tables: Tables, *, confidence_level: float) -> list[Table]:
    """Roughness before and after, seed by seed."""
    rows = []
    for title, table in each(tables, "kernels").items():
        for seed in sorted(set(table["seed"])):
            values = [roughness(filters_of(table, seed, m)) for m in ("before", "after")]
            rows.append(
                [
                    Cell(title),
                    Cell(str(seed), int(seed)),
                    *(Cell(number(value, 3), value) for value in values),
                ]
            )
    columns = ["network", "seed", "before training", "after training"]
    caption = "Roughness of the filters of the first convolution (1: drawn at random)"
    return [Table(id="table-kernels", caption=caption, columns=columns, rows=rows)]
