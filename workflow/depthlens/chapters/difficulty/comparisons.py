"""Depth next to other measures: its variants, other numbers of neighbours, and every score."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial import distance

from depthlens import intervals
from depthlens.chapters.difficulty.tables import Run, Split
from depthlens.scores.catalogue import BY_NAME, DEPTHS, DIFFICULTY

REFERENCES = {
    "depth": "network",
    "depth_last_probe": "last probe",
    "depth_label": "true label",
}
"""what the probes are to agree with, by column"""

_DEPTHS = tuple(score.name for score in DEPTHS)

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


def is_depth(column: str) -> bool:
    """Whether a measure is a prediction depth, whatever the probes are to agree with."""
    return column in _DEPTHS or column == "depth_consensus"


def title_of(column: str) -> str:
    """What a figure or a table calls a measure of difficulty."""
    return BY_NAME[column].title


def name_of(column: str) -> str:
    """What a sentence calls it: like its title, small where it is no name, without a comma."""
    title = title_of(column)
    name, comma, kind = title.partition(", ")
    name = name[0].lower() + name[1:] if name.split()[0][1:].islower() else name
    return f"{name} ({kind})" if comma else name


def oriented(split: Split) -> pd.DataFrame:
    """Depths and scores of a split, turned so that larger means harder.

    Returns
    -------
    DataFrame
        One column each of the catalogue's `DIFFICULTY` that at least 3 examples have and that
        varies; NaN where an example lacks it.
    """
    columns = {}
    for score in DIFFICULTY:
        table = split.depths if score.name in _DEPTHS else split.scores
        if score.name in table:
            columns[score.name] = score.harder * table[score.name].to_numpy(np.float64)
    table = pd.DataFrame(columns)
    telling = (table.notna().sum() >= _FEWEST) & (table.nunique() > 1)
    return table.loc[:, telling]


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
        {
            "a": columns[a],
            "b": columns[b],
            "correlation": found.rho[a, b],
            "low": found.low[a, b],
            "high": found.high[a, b],
            "n": int(found.n[a, b]),
        }
        for a, b in itertools.combinations(range(len(columns)), 2)
    ]
    table = pd.DataFrame(rows, columns=["a", "b", "correlation", "low", "high", "n"])
    order = np.argsort(-table["correlation"].abs().fillna(-1).to_numpy(np.float64), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def with_depth(run: Run, *, confidence_level: float) -> pd.DataFrame:
    """Rank correlation of every score with prediction depth, on each split that is studied.

    Returns
    -------
    DataFrame
        score, split ("test" or "train"), correlation, low, high, n: scores with the strongest
        correlation on the test set first. Scores are turned so that larger means harder.
    """
    rows = []
    for name, split in run.splits.items():
        values = oriented(split)
        scores = [column for column in values if not is_depth(column)]
        if "depth" not in values or not scores:
            continue
        values = values[["depth", *scores]]
        found = rank_correlations(
            values.to_numpy(),
            confidence_level=confidence_level,
            pairs=[(0, index) for index in range(1, len(scores) + 1)],
        )
        rows += [
            {
                "score": score,
                "split": name,
                "correlation": found.rho[0, index],
                "low": found.low[0, index],
                "high": found.high[0, index],
                "n": int(found.n[0, index]),
            }
            for index, score in enumerate(scores, start=1)
        ]
    columns = ["score", "split", "correlation", "low", "high", "n"]
    table = pd.DataFrame(rows, columns=columns).dropna(subset="correlation")
    first = table.drop_duplicates("score").set_index("score")["correlation"].sort_values()
    turn = {score: index for index, score in enumerate(first.index[::-1])}
    return table.sort_values(
        ["score", "split"],
        key=lambda column: column.map(turn) if column.name == "score" else column,
        kind="stable",
        ignore_index=True,
    )


def by_k(split: Split, *, confidence_level: float) -> pd.DataFrame:
    """How depth depends on the number of neighbours: one row a number k.

    Returns
    -------
    DataFrame
        k, mean_depth, low, high; correlation (Spearman, of depth at k with depth at the study's
        k; NaN where one does not vary), correlation_low, correlation_high; changed (share of
        examples that have another depth than at the study's k), changed_low, changed_high.
    """
    depth = split.depths["depth"].to_numpy()
    rows = []
    for index in np.argsort(split.ks, kind="stable"):
        at_k = split.depth_by_k[:, index]
        low, high = intervals.mean(at_k, confidence_level=confidence_level)
        varies = len(depth) >= _FEWEST and np.ptp(at_k) > 0 and np.ptp(depth) > 0
        correlation = float(stats.spearmanr(at_k, depth).statistic) if varies else np.nan
        between = intervals.spearman(correlation, len(depth), confidence_level=confidence_level)
        changed = int((at_k != depth).sum())
        share = intervals.wilson(changed, len(depth), confidence_level=confidence_level)
        rows.append(
            {
                "k": split.ks[index],
                "mean_depth": at_k.mean(),
                "low": low,
                "high": high,
                "correlation": correlation,
                "correlation_low": between[0],
                "correlation_high": between[1],
                "changed": changed / len(depth),
                "changed_low": float(share[0]),
                "changed_high": float(share[1]),
            }
        )
    measures = ("correlation", "changed")
    columns = ["k", "mean_depth", "low", "high"]
    columns += [f"{name}{end}" for name in measures for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=columns)


def by_reference(run: Run, *, confidence_level: float) -> pd.DataFrame:
    """Depth of the test images by what the probes are to agree with.

    Returns
    -------
    DataFrame
        column (of the table of depths), reference, mean_depth, low, high, same (share of images
        with the depth that agreement with the network gives).
    """
    rows = []
    for column, reference in REFERENCES.items():
        depth = run.test.depths[column].to_numpy()
        low, high = intervals.mean(depth, confidence_level=confidence_level)
        same = float((depth == run.test.depths["depth"].to_numpy()).mean())
        rows.append(
            {
                "column": column,
                "reference": reference,
                "mean_depth": float(depth.mean()),
                "low": low,
                "high": high,
                "same": same,
            }
        )
    return pd.DataFrame(rows)


class SelfVoting(NamedTuple):
    """What letting training images vote for themselves does to their depth."""

    leave_one_out: float
    """mean depth where no image is its own neighbour"""
    self_voting: float
    """mean depth where each is"""
    low: float
    """interval of the mean difference, leave-one-out less self-voting"""
    high: float
    shallower: float
    """share of images that self-voting makes shallower"""
    deeper: float
    first_leave_one_out: float
    """share of depth 0"""
    first_self_voting: float


def self_voting(split: Split, *, confidence_level: float) -> SelfVoting:
    """Compare leave-one-out depth of the training images with depth by self-voting."""
    honest = split.depths["depth"].to_numpy(np.float64)
    fooled = split.depths["depth_self_voting"].to_numpy(np.float64)
    low, high = intervals.mean(honest - fooled, confidence_level=confidence_level)
    return SelfVoting(
        leave_one_out=float(honest.mean()),
        self_voting=float(fooled.mean()),
        low=low,
        high=high,
        shallower=float((fooled < honest).mean()),
        deeper=float((fooled > honest).mean()),
        first_leave_one_out=float((honest == 0).mean()),
        first_self_voting=float((fooled == 0).mean()),
    )
