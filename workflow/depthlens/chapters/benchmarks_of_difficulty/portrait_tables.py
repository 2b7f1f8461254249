"""Reading the sweep `portraits`: which networks a claim is about, and how depth goes with more."""

from collections.abc import Iterator

import pandas as pd
from scipy import stats

from depthlens.ledger import NotTestableError


def first(portraits: pd.DataFrame) -> pd.DataFrame:
    """The rows of the architecture that the table begins with, which claims are about."""
    return portraits[portraits["architecture"] == portraits["architecture"].iloc[0]]


def networks(table: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Dataset, seed and rows of every network of one architecture, in the order of the table."""
    for (dataset, seed), rows in table.groupby(["dataset", "seed"], sort=False):
        yield dataset, seed, rows


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
