"""Reading the sweep `portraits`: which networks a claim is about, and means over them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from depthlens import intervals
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, judge


def of_first_architecture(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the architecture that the table begins with, which claims are about."""
    return table[table["architecture"] == table["architecture"].iloc[0]]


def networks(table: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Dataset, seed and rows of every network of one architecture, in the order of the table."""
    for (dataset, seed), rows in table.groupby(["dataset", "seed"], sort=False):
        yield dataset, seed, rows


def mean_over_seeds(values: Sequence[float], *, confidence_level: float) -> Measurement:
    """Mean and Student's t interval of one value a seed.

    Raises
    ------
    NotTestableError
        If there are fewer than two.
    """
    if len(values) < 2:
        raise NotTestableError("fewer than two seeds were measured")
    low, high = intervals.mean(values, confidence_level=confidence_level)
    return Measurement(value=float(np.mean(values)), low=low, high=high, n=len(values))


def judge_each(
    claims: Sequence[Claim],
    measure: Callable[[Claim, pd.DataFrame], Sequence[float]],
    table: pd.DataFrame,
    *,
    confidence_level: float,
) -> list[Finding]:
    """Hold claims against every dataset of a table.

    Parameters
    ----------
    claims : sequence of Claim
    measure : callable
        Of a claim and the rows of a dataset: one value a seed; or raises NotTestableError.
    table : DataFrame
        Of one architecture, or of several that the claims are about together.
    confidence_level : float
    """
    findings = []
    for dataset, rows in table.groupby("dataset", sort=False):
        model = " + ".join(dict.fromkeys(rows["architecture"]))
        for claim in claims:
            try:
                found = mean_over_seeds(measure(claim, rows), confidence_level=confidence_level)
            except NotTestableError as reason:
                found = reason
            n = rows["seed"].nunique()
            findings.append(judge(claim, found, dataset=dataset, model=model, n=n))
    return findings


def rank_correlation(depth: pd.Series, other: pd.Series, name: str) -> float:
    """Spearman correlation of depth with another number of the same images.

    Raises
    ------
    NotTestableError
        If it does not exist.
    """
    if other.isna().any():
        raise NotTestableError(f"{name} was not computed for every image")
    if len(depth) < 3 or depth.nunique() < 2 or other.nunique() < 2:
        raise NotTestableError(f"depth or {name} is the same for all images")
    return float(stats.spearmanr(depth, other).statistic)
