"""How unlike neighbouring weights of filters are."""

import numpy as np
from numpy.typing import NDArray


def roughness(filters: NDArray[np.floating]) -> float:
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
