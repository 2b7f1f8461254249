"""Rank correlations of many columns at once, with bootstrap intervals over examples."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial import distance

RESAMPLES = 1000
_SEED = 0
_CHUNK = 100  # resamples at a time: of 60 000 images their counts take 48 MB
_FEWEST = 3  # examples below which a rank correlation says nothing


class Correlations(NamedTuple):
    """Spearman correlations of columns, each of shape (n_columns, n_columns)."""

    rho: NDArray[np.float64]
    """NaN where fewer than 3 examples have both, or one does not vary among those that do"""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]
    """examples that have both"""


def rank_correlations(
    values: NDArray[np.float64],
    *,
    confidence_level: float,
    pairs: Sequence[tuple[int, int]] | None = None,
    samples: int = RESAMPLES,
    seed: int = _SEED,
) -> Correlations:
    """Spearman correlations of columns with percentile bootstrap intervals over examples.

    Of two columns those examples count that have both. An example keeps its rank in every resample
    and counts as often as it was drawn: all resamples are then matrix products. Ranking each
    resample anew gives intervals of the same width where correlations are weak, and wider ones by
    up to a tenth where they are above 0.9.

    Parameters
    ----------
    values : float array, shape (n_examples, n_columns)
        NaN where an example lacks a value; infinities have ranks like any other.
    confidence_level : float
        Between 0 and 1.
    pairs : sequence of pairs of columns, optional
        What to correlate; by default every pair.
    samples, seed : int
        Resamples, and the seed that they are drawn from.

    Returns
    -------
    Correlations
        Symmetric; NaN (n: 0) where a pair was not asked for, 1 on the diagonal of each column that
        varies.
    """
    n_examples, n_columns = values.shape
    if pairs is None:
        pairs = list(itertools.combinations(range(n_columns), 2))
    rho, low, high = (np.full((n_columns, n_columns), np.nan) for _ in range(3))
    n = np.zeros((n_columns, n_columns), np.int64)
    present = ~np.isnan(values)
    for column in range(n_columns):
        own = values[present[:, column], column]
        n[column, column] = len(own)
        if len(own) >= _FEWEST and own.min() < own.max():
            rho[column, column] = low[column, column] = high[column, column] = 1.0

    # Pairs that the same examples have share their ranks, and one product.
    groups: dict[bytes, list[tuple[int, int]]] = {}
    for a, b in pairs:
        both = present[:, a] & present[:, b]
        groups.setdefault(both.tobytes(), []).append((a, b))
    kept, resampled = [], []
    for key, members in groups.items():
        rows = np.flatnonzero(np.frombuffer(key, np.bool_))
        for a, b in members:
            n[a, b] = n[b, a] = len(rows)
        ranks = _Ranks(values, rows, members)
        kept.append(ranks)
        resampled.append([])
        for (a, b), value in zip(members, ranks.correlate(np.ones((1, len(rows))))[0], strict=True):
            rho[a, b] = rho[b, a] = value

    random = np.random.default_rng(seed)
    for start in range(0, samples, _CHUNK):
        drawn = np.stack(
            [
                np.bincount(random.integers(0, n_examples, n_examples), minlength=n_examples)
                for _ in range(min(_CHUNK, samples - start))
            ]
        )
        for ranks, found in zip(kept, resampled, strict=True):
            found.append(ranks.correlate(drawn[:, ranks.rows].astype(np.float64)))
    tail = (1 - confidence_level) / 2
    for members, found in zip(groups.values(), resampled, strict=True):
        for (a, b), column in zip(members, np.concatenate(found).T, strict=True):
            column = column[~np.isnan(column)]
            if len(column) and np.isfinite(rho[a, b]):
                ends = np.quantile(column, [tail, 1 - tail], method="inverted_cdf")
                low[a, b] = low[b, a] = ends[0]
                high[a, b] = high[b, a] = ends[1]
    return Correlations(rho, low, high, n)


class _Ranks:
    """Ranks of the examples that some pairs of columns have in common, ready to be weighted."""

    def __init__(self, values: NDArray, rows: NDArray[np.intp], pairs: list[tuple[int, int]]):
        self.rows = rows
        columns = sorted({column for pair in pairs for column in pair})
        place = {column: index for index, column in enumerate(columns)}
        self._left = [place[a] for a, _ in pairs]
        self._right = [place[b] for _, b in pairs]
        ranks = np.empty((len(rows), len(columns)))
        for index, column in enumerate(columns):
            of_column = stats.rankdata(values[rows, column])
            # Centred and scaled, so that sums of products lose no digits.
            centred = of_column - of_column.mean() if len(rows) else of_column
            spread = np.sqrt((centred**2).mean()) if len(rows) else 0.0
            ranks[:, index] = centred / spread if spread > 0 else np.nan
        if len(rows) < _FEWEST:
            ranks[:] = np.nan
        self._moments = np.concatenate(
            [ranks, ranks**2, ranks[:, self._left] * ranks[:, self._right]], axis=1
        )
        self._n_columns = len(columns)

    def correlate(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted correlations: weights of shape (n_samples, n_rows) give (n_samples, n_pairs)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            means = weights @ self._moments / weights.sum(axis=1, keepdims=True)
            first, second, joint = np.split(means, [self._n_columns, 2 * self._n_columns], axis=1)
            spread = np.sqrt(np.maximum(second - first**2, 0))
            together = joint - first[:, self._left] * first[:, self._right]
            scale = spread[:, self._left] * spread[:, self._right]
            # A resample in which a column does not vary has no correlation.
            return np.clip(np.where(scale > 1e-12, together / scale, np.nan), -1, 1)


def clustered(rho: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """An order in which columns that correlate stand together.

    Average linkage on 1 - ρ; of all orders that its tree allows the one in which neighbours
    correlate most. Columns that no correlation is known of count as uncorrelated.

    Returns
    -------
    order : int array, shape (n_columns,)
    tree : float array, shape (n_columns - 1, 4)
        See `scipy.cluster.hierarchy.linkage`.
    """
    if len(rho) < 2:
        return np.arange(len(rho)), np.empty((0, 4))
    apart = 1 - np.where(np.isfinite(rho), rho, 0.0)
    np.fill_diagonal(apart, 0)
    tree = hierarchy.linkage(
        distance.squareform(apart, checks=False), "average", optimal_ordering=True
    )
    return hierarchy.leaves_list(tree), tree


def by_pair(columns: Sequence[str], found: Correlations) -> pd.DataFrame:
    """One row a pair, the strongest first: a, b, correlation, low, high, n."""
    rows = [
        (columns[a], columns[b], found.rho[a, b], found.low[a, b], found.high[a, b], found.n[a, b])
        for a, b in itertools.combinations(range(len(columns)), 2)
    ]
    table = pd.DataFrame(rows, columns=["a", "b", "correlation", "low", "high", "n"])
    order = np.argsort(-table["correlation"].abs().fillna(-1).to_numpy(np.float64), kind="stable")
    return table.iloc[order].reset_index(drop=True)
