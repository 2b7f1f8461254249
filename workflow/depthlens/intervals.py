"""Intervals around what is measured on a sample of images."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]


def wilson(successes: ArrayLike, n: ArrayLike, *, confidence_level: float) -> Interval:
    """Wilson score interval of a proportion.

    Parameters
    ----------
    successes, n : number or array of the same shape
        Counts, 0 ≤ successes ≤ n. They need not be whole: where the same images were seen several
        times, dividing both by that number keeps the interval from being too narrow.
    confidence_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : float arrays of that shape
        NaN where n is 0.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22.
    """
    successes, n = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    z = _z(confidence_level)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = successes / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding may leave -1e-17 where the interval begins at 0, and likewise at 1.
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def mean(values: ArrayLike, *, confidence_level: float) -> tuple[float, float]:
    """Student's t interval of a mean; (NaN, NaN) for fewer than two values."""
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return np.nan, np.nan
    half = stats.sem(values) * stats.t.ppf((1 + confidence_level) / 2, len(values) - 1)
    return float(values.mean() - half), float(values.mean() + half)


def spearman(correlation: float, n: int, *, confidence_level: float) -> tuple[float, float]:
    """Interval of a Spearman rank correlation over n pairs; (NaN, NaN) for n ≤ 3.

    References
    ----------
    Bonett, Wright (2000), Psychometrika 65: Fisher's z with variance (1 + ρ²/2) / (n - 3).
    """
    if n <= 3 or not np.isfinite(correlation):
        return np.nan, np.nan
    half = _z(confidence_level) * np.sqrt((1 + correlation**2 / 2) / (n - 3))
    centre = np.arctanh(np.clip(correlation, -1 + 1e-15, 1 - 1e-15))
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    n: int,
    *,
    confidence_level: float,
    samples: int,
    seed: int,
    size: int | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap over n examples drawn with replacement.

    Parameters
    ----------
    statistic : callable
        Takes how often each example was drawn, int array of shape (n,); NaN where the statistic is
        undefined on a sample, which leaves that sample out.
    n : int
        Number of examples.
    confidence_level : float
        Between 0 and 1.
    samples : int
        Number of samples drawn.
    seed : int
        Seed of the draws: equal seeds give equal intervals.
    size : int, optional
        Draw so many instead of n, which is quicker, and multiply deviations from the statistic of
        all examples by √(size / n): for a statistic that is a smooth function of means.

    Returns
    -------
    low, high : float
        May be infinite; NaN where the statistic is defined on no sample.

    References
    ----------
    Efron, Tibshirani (1993), chapter 13; with `size`, Bickel, Götze, van Zwet (1997), Statistica
    Sinica 7.
    """
    random = np.random.default_rng(seed)
    size = min(size or n, n)
    values = np.array(
        [
            statistic(np.bincount(random.integers(0, n, size), minlength=n))
            for _ in range(samples if n else 0)
        ]
    )
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    if size < n:
        centre = statistic(np.ones(n, np.int64))
        values = centre + (values - centre) * np.sqrt(size / n)
    # A quantile that is one of the values: interpolating next to an infinity would give NaN.
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _z(confidence_level: float) -> float:
    return float(stats.norm.ppf((1 + confidence_level) / 2))
