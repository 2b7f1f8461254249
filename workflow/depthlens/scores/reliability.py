"""How much of a score would come out again if the network were trained anew.

Measurements are of shape (n_networks, n_examples), NaN where a network has none of an example:
not every network is on the same side of every example.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depthlens import intervals

_MOST_DRAWN = 5000
_LEVELS = 1000


class Reliability(NamedTuple):
    """How reliable the score of one network is."""

    n_examples: int
    """with at least two measurements"""
    measurements: float
    """mean number of measurements of those examples"""
    reliability: float
    """of one network, -1 … 1; NaN where it is undefined"""
    low: float
    high: float
    """bootstrap interval over the examples"""
    networks_needed: float
    """for a mean with a reliability of 0.9"""


class Halves(NamedTuple):
    """Means of two random halves of each example's measurements."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    """shape (n_examples,)"""
    size: int
    """measurements in each half"""


def split_halves(measurements: NDArray[np.floating], *, generator: np.random.Generator) -> Halves:
    """Means of two halves of each example's measurements, equally large for all examples.

    The networks are put into one random order; an example's first half is the first m networks in
    it that measured the example, its second half the next m. So where every network measured
    every example, the halves are of networks.

    Parameters
    ----------
    measurements : float array, shape (n_networks, n_examples)
        At least two an example.
    generator : numpy.random.Generator
        Of the order.

    Returns
    -------
    Halves
        Of size m = ⌊(smallest number of measurements of an example) / 2⌋.

    Raises
    ------
    ValueError
        If an example has fewer than two measurements.
    """
    there = ~np.isnan(measurements)
    size = int(there.sum(axis=0).min(initial=len(measurements))) // 2
    if size < 1:
        raise ValueError("every example needs at least two measurements")
    order = generator.permutation(len(measurements))
    there, values = there[order], np.where(there, measurements, 0).astype(np.float64)[order]
    place = there.cumsum(axis=0)  # 1, 2, … for an example's measurements in this order
    first = there & (place <= size)
    second = there & (place > size) & (place <= 2 * size)
    # Not a product with the mask: an infinite measurement times 0 is not a number.
    means = [np.where(half, values, 0).sum(axis=0) / size for half in (first, second)]
    return Halves(means[0], means[1], size)


def spearman(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    times: NDArray[np.integer] | None = None,
) -> float:
    """Spearman rank correlation of pairs, each counted a number of times.

    Parameters
    ----------
    first, second : float arrays, shape (n,)
        Ties share their mean rank; infinities are ranked, NaN is not allowed.
    times : int array, shape (n,), optional
        How often each pair counts; once if it is not given.

    Returns
    -------
    float
        -1 … 1; NaN if either has no two different values.
    """
    weights = np.ones(len(first)) if times is None else np.asarray(times, np.float64)
    return _Ranks(first, second).correlation(np.arange(len(weights)), weights)


def step(reliability: ArrayLike, factor: float) -> NDArray[np.float64]:
    """Reliability of a mean of `factor` times as many measurements: f r / (1 + (f − 1) r).

    Parameters
    ----------
    reliability : number or array
        r, of the mean of so many measurements as there are.
    factor : float
        f; below 1 for fewer measurements.

    Returns
    -------
    float array of that shape
        NaN where r is so far below 0 that no mean has such a reliability.

    References
    ----------
    Spearman (1910), Brown (1910), British Journal of Psychology 3.
    """
    reliability = np.asarray(reliability, np.float64)
    divisor = 1 + (factor - 1) * reliability
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(divisor > 0, factor * reliability / divisor, np.nan)


def networks_needed(reliability: ArrayLike, *, target: float = 0.9) -> NDArray[np.float64]:
    """How many networks' mean has the target reliability: t (1 − r) / (r (1 − t)).

    Parameters
    ----------
    reliability : number or array
        r, of one network.
    target : float
        t, between 0 and 1.

    Returns
    -------
    float array of that shape
        1 or more, not rounded; ∞ where r ≤ 0, NaN where r is.

    References
    ----------
    Spearman (1910), Brown (1910), solved for the factor.
    """
    r = np.asarray(reliability, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = np.maximum(target * (1 - r) / (r * (1 - target)), 1)
    return np.where(r <= 0, np.inf, needed)


def measure(
    measurements: NDArray[np.floating],
    *,
    n_splits: int,
    confidence_level: float,
    bootstrap_samples: int,
    seed: int,
) -> Reliability:
    """Split-half reliability of one network's score.

    The Spearman correlation of two random halves of an example's measurements, averaged over
    several divisions, is the reliability of a mean of m; Spearman-Brown steps it down to m = 1.

    Parameters
    ----------
    measurements : float array, shape (n_networks, n_examples)
        NaN where there is none; examples with fewer than two are left out.
    n_splits : int
        How many divisions into halves.
    confidence_level, bootstrap_samples, seed
        Of the interval: examples are drawn with replacement, the divisions stay; of more than 5,000
        so many are drawn, and the interval is scaled. The seed is also that of the divisions.

    Returns
    -------
    Reliability
        With n_examples 0, and NaN, where no example has two measurements.
    """
    measurements = np.asarray(measurements)
    there = ~np.isnan(measurements)
    measured = there.sum(axis=0) >= 2
    n_examples = int(measured.sum())
    if not n_examples:
        return Reliability(0, np.nan, np.nan, np.nan, np.nan, np.nan)
    kept = measurements[:, measured]
    generator = np.random.default_rng(seed)
    pairs, size = [], 1
    for _ in range(n_splits):
        first, second, size = split_halves(kept, generator=generator)
        pairs.append(_Ranks(first, second))
    value = _OfOne(pairs, size)(np.ones(n_examples, np.int64))
    if n_examples > _MOST_DRAWN:
        pairs = [pair.coarse() for pair in pairs]
    low, high = intervals.bootstrap(
        _OfOne(pairs, size),
        n_examples,
        confidence_level=confidence_level,
        samples=bootstrap_samples,
        seed=seed,
        size=_MOST_DRAWN,
    )
    return Reliability(
        n_examples,
        float(there[:, measured].sum(axis=0).mean()),
        value,
        low,
        high,
        float(networks_needed(value)),
    )


class _Ranks:
    """Two columns of values, prepared so that ranks among any resample of the rows are quick."""

    def __init__(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        self._codes = [np.unique(values, return_inverse=True)[1] for values in (first, second)]

    def coarse(self) -> "_Ranks":
        """The same to a thousandth of the range of ranks, which is quicker still."""
        alike = copy.copy(self)
        alike._codes = []
        for codes in self._codes:
            counts = np.bincount(codes)
            levels = (np.cumsum(counts) - counts / 2) * (_LEVELS / len(codes))
            alike._codes.append(levels.astype(np.int64)[codes])
        return alike

    def correlation(self, rows: NDArray[np.integer], weights: NDArray[np.float64]) -> float:
        """Spearman correlation of some rows, each with a weight."""
        centred = []
        for codes in self._codes:
            codes = codes[rows]
            counts = np.bincount(codes, weights)
            # Mean rank of equal values: those below, and half of their own.
            ranks = (np.cumsum(counts) - counts / 2)[codes]
            centred.append(ranks - weights @ ranks / weights.sum())
        first, second = centred
        weighted = weights * first
        spread = (weighted @ first) * (weights @ (second * second))
        # Ranks are multiples of 1/2 about a mean: below this is rounding.
        return float(weighted @ second / np.sqrt(spread)) if spread > 1e-9 else np.nan


class _OfOne:
    """Reliability of one measurement, of examples that count a number of times each."""

    def __init__(self, pairs: Sequence[_Ranks], size: int) -> None:
        self._pairs, self._size = pairs, size

    def __call__(self, times: NDArray[np.integer]) -> float:
        rows = np.flatnonzero(times)
        weights = times[rows].astype(np.float64)
        halves = float(np.mean([pair.correlation(rows, weights) for pair in self._pairs]))
        return float(step(halves, 1 / self._size))
