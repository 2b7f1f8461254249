"""How far a network's confidence is from how often it is right."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

N_BINS = 10
"""of equal width, between 0 and 1"""


class Bins(NamedTuple):
    """Answers by their confidence: bin i holds those above i / `N_BINS`, up to (i + 1) / `N_BINS`.

    Each array has the shape (`N_BINS`,).
    """

    n: NDArray[np.int64]
    """answers"""
    confidence: NDArray[np.float64]
    """their mean confidence, NaN where there is no answer"""
    accuracy: NDArray[np.float64]
    """the share of them that is right, NaN where there is no answer"""


def bins(confidence: ArrayLike, correct: ArrayLike) -> Bins:
    """Sort answers by their confidence.

    Parameters
    ----------
    confidence : float array, shape (n,)
        Probability that the network gives its answer, between 0 and 1.
    correct : bool array, shape (n,)
        Whether the answer is right.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), arXiv 1706.04599, section 2.
    """
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, bool)
    upper = np.arange(1, N_BINS) / N_BINS
    place = np.searchsorted(upper, confidence, side="left")
    n = np.bincount(place, minlength=N_BINS)
    with np.errstate(invalid="ignore"):
        return Bins(
            n,
            np.bincount(place, confidence, minlength=N_BINS) / n,
            np.bincount(place, correct, minlength=N_BINS) / n,
        )


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Mean distance of confidence and accuracy over the bins, each weighted by its answers.

    From 0, calibrated, to 1; NaN if a confidence is NaN. For the arguments see `bins`; without an
    answer it is a ValueError.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), arXiv 1706.04599, equation 3.
    """
    found = bins(confidence, correct)
    if not found.n.sum():
        raise ValueError("no answer, hence no calibration error")
    there = found.n > 0
    distance = np.abs(found.accuracy - found.confidence)[there]
    return float(distance @ found.n[there] / found.n.sum())


def by_network(answers: pd.DataFrame) -> pd.DataFrame:
    """Mean confidence and calibration error of every network at every epoch."""
    keys = ["dataset", "architecture", "seed", "epoch"]
    rows = [
        (
            *key,
            own["confidence"].mean(),
            expected_calibration_error(own["confidence"], own["label"] == own["prediction"]),
        )
        for key, own in answers.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*keys, "confidence", "calibration_error"])


def bins_by_seed(answers: pd.DataFrame) -> pd.DataFrame:
    """The bins of every seed of one network at one epoch: a row a seed and bin."""
    tables = []
    for seed, own in answers.groupby("seed"):
        found = bins(own["confidence"], own["label"] == own["prediction"])
        tables.append(pd.DataFrame({"seed": seed, "bin": range(N_BINS), **found._asdict()}))
    return pd.concat(tables, ignore_index=True)
