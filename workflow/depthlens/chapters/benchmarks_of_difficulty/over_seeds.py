"""What sections do alike with tidy tables: means over seeds, and saying the size."""

from collections.abc import Sequence

import pandas as pd

from depthlens import intervals
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
