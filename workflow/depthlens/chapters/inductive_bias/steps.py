"""How much filters of a convolution are like edge detectors, steps along rows or columns."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens.chapters.roughness import roughness


def steps(size: int) -> NDArray[np.float64]:
    """A step from row to row and one from column to column: −1 before the middle, 1 behind it.

    Parameters
    ----------
    size : int
        ≥ 2. The middle line of an odd size is 0.

    Returns
    -------
    float array, shape (2, size, size)
    """
    values = np.sign(np.arange(size) - (size - 1) / 2)
    along = np.repeat(values[:, None], size, axis=1)
    return np.stack([along, along.T])


def likeness(filters: NDArray[np.floating]) -> NDArray[np.float64]:
    """The larger absolute cosine of each filter, less its mean, with the two steps.

    Parameters
    ----------
    filters : float array, shape (n, size, size)

    Returns
    -------
    float array, shape (n,)
        From 0 to 1; 0 for a filter whose weights are all equal, which sees no edge.
    """
    templates = steps(filters.shape[-1]).reshape(2, -1)
    weights = np.asarray(filters, np.float64).reshape(len(filters), -1)
    weights = weights - weights.mean(axis=1, keepdims=True)
    products = np.abs(weights @ templates.T)
    lengths = np.linalg.norm(weights, axis=1)[:, None] * np.linalg.norm(templates, axis=1)
    cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths != 0)
    return cosines.max(axis=1)


def filters_of(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Filters of one network at one moment, of a row a weight: shape (n, size, size)."""
    ordered = rows.sort_values(["filter", "row", "column"])
    size = int(ordered["row"].max()) + 1
    return ordered["weight"].to_numpy(np.float64).reshape(-1, size, size)


def rough_by(kernels: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Roughness of the filters of each network, a row a value of some columns and seed."""
    keys = ["dataset", "architecture", *columns, "seed"]
    rows = [(*key, roughness(filters_of(own))) for key, own in kernels.groupby(keys, sort=False)]
    return pd.DataFrame(rows, columns=[*keys, "roughness"])


def by_seed(kernels: pd.DataFrame) -> pd.DataFrame:
    """Likeness of filters to steps, mean over the filters of each network at each moment."""
    keys = ["dataset", "architecture", "moment", "seed"]
    rows = [
        (*key, likeness(filters_of(own)).mean()) for key, own in kernels.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*keys, "likeness"])
