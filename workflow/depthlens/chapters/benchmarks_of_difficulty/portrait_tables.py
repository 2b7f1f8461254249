"""Reading the sweep `portraits`: which networks a claim is about, and how depth goes with more."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.ledger import NotTestableError
from depthlens.scores.catalogue import SCORES

NAMES = {
    "forgetting_events": "forgetting events",
    "output_margin": "output margin",
    "grand": "GraNd",
    "random": "a random number",
}
"""what depth is compared with"""
HARDER = {score.name: score.harder for score in SCORES} | {"random": 1}


def first(portraits: pd.DataFrame) -> pd.DataFrame:
    """The rows of the architecture that the table begins with, which claims are about."""
    return portraits[portraits["architecture"] == portraits["architecture"].iloc[0]]


def networks(table: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Dataset, seed and rows of every network of one architecture, in the order of the table."""
    for (dataset, seed), rows in table.groupby(["dataset", "seed"], sort=False):
        yield dataset, seed, rows


def of_networks(first: pd.DataFrame, measure: Callable[..., float], *options: Any) -> list[float]:
    """One value a seed: what a function makes of the rows of each network."""
    return [measure(rows, *options) for _, _, rows in networks(first)]


def correlation(rows: pd.DataFrame, name: str) -> float:
    """Spearman correlation of depth with another score, positive where the harder are deeper.

    Parameters
    ----------
    rows : DataFrame
        Of one network.
    name : str
        Of `NAMES`; the random number is drawn for every image.

    Raises
    ------
    NotTestableError
        If it does not exist.
    """
    if name == "random":
        drawn = np.random.default_rng([int(rows["seed"].iloc[0]), 72]).random(len(rows))
        rows = rows.assign(random=drawn)
    depth, other, called = rows["depth"], rows[name], NAMES[name]
    if other.isna().any():
        raise NotTestableError(f"{called} was not computed for every image")
    if len(depth) < 3 or depth.nunique() < 2 or other.nunique() < 2:
        raise NotTestableError(f"depth or {called} is the same for all images")
    return HARDER[name] * float(stats.spearmanr(depth, other).statistic)
