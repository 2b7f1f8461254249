"""What sections do alike with tidy tables: means and verdicts over seeds, and saying the size."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, judge
from depthlens.prose import count, some


def over_seeds(
    table: pd.DataFrame, keys: Sequence[str], column: str, *, confidence_level: float
) -> pd.DataFrame:
    """Mean of a column over the seeds, with Student's t interval.

    Parameters
    ----------
    table : DataFrame
        One row a seed and combination of keys; rows where the column is NaN do not count.
    keys : sequence of str
    column : str
    confidence_level : float

    Returns
    -------
    DataFrame
        The keys in the order of their first rows, `mean`, `low`, `high` (NaN for one seed), `n`.
    """
    rows = []
    for key, group in table.dropna(subset=[column]).groupby(list(keys), sort=False):
        values = group[column].to_numpy(float)
        low, high = intervals.mean(values, confidence_level=confidence_level)
        rows.append((*key, values.mean(), low, high, len(values)))
    return pd.DataFrame(rows, columns=[*keys, "mean", "low", "high", "n"])


def by_dataset(table: pd.DataFrame) -> list[str]:
    """Datasets in the order of the table."""
    return list(dict.fromkeys(table["dataset"]))


def sizes(table: pd.DataFrame) -> str:
    """What was trained, on how much and how often: every figure has it below its title.

    Parameters
    ----------
    table : DataFrame
        With the columns `architecture`, `train_examples` and `seed` that the stage adds.
    """
    architectures = ", ".join(dict.fromkeys(table["architecture"]))
    examples = sorted(set(table["train_examples"]))
    return (
        f"{architectures}, {' or '.join(map(count, examples))} training images, "
        f"{some(table['seed'].nunique(), 'seed')}"
    )


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
    # What rounding leaves of differences that cancel is not above 0.
    value = float(np.round(np.mean(values), 12))
    return Measurement(value=value, low=low, high=high, n=len(values))


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
