"""Filters of the first convolution as small squares of weights, with a number above each."""

import numpy as np

from depthlens.chapters.inductive_bias import steps
from depthlens.chapters.roughness import roughness
from depthlens.prose import number

MOST_SEEDS = 4
"""whose filters are shown"""


def show(sheet, kernels, by, measure):
    """Draw a row of filters for each value of a column; returns how many seeds are shown.

    Parameters
    ----------
    sheet : Sheet
    kernels : DataFrame
        A row a weight: `seed`, `filter`, `row`, `column`, `weight` and `by`.
    by : str
    measure : callable
        Of filters, shape (n, size, size), a number each.
    """
    shown = list(dict.fromkeys(kernels["seed"]))[:MOST_SEEDS]
    weights = kernels[kernels["seed"].isin(shown)]
    n_filters, most = weights["filter"].nunique(), max(np.abs(weights["weight"]))
    values = sheet.levels(weights, by)
    axes = sheet.axes(len(values), rows=len(values), columns=n_filters * len(shown))
    for row, value in zip(axes, values, strict=True):
        of_seeds = weights[weights[by] == value].groupby("seed", sort=False)
        filters = np.concatenate([steps.filters_of(rows) for _, rows in of_seeds])
        for ax, filter, found in zip(row, filters, measure(filters), strict=True):
            ax.imshow(filter, cmap="RdBu_r", vmin=-most, vmax=most)
            ax.set(xticks=[], yticks=[])
            ax.set_title(number(found), fontsize=8, fontweight="normal")
        row[0].set_ylabel(sheet.column(by).write(value))
    for place, seed in enumerate(shown):
        axes[-1, place * n_filters].set_xlabel(f"seed {seed}")
    return len(shown)


def roughness_of_each(filters):
    """Roughness of every filter."""
    return [roughness(filter[None]) for filter in filters]
