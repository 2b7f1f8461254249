"""What is measured of the depth of images of edges, network by network."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.ledger import NotTestableError

FACTORS = {
    "factor_contrast": "contrast",
    "factor_width": "width",
    "factor_background": "background",
    "random": "a random number",
}
"""what depth is held against, by its column"""
_RANDOM_SEED = 72


def with_random(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `random`: a number between 0 and 1, the same for both networks.

    Parameters
    ----------
    table : DataFrame
        With the columns `seed` and `example`, an image's position.
    """
    drawn = pd.Series(index=table.index, dtype=np.float64)
    for seed, rows in table.groupby("seed"):
        numbers = np.random.default_rng([seed, _RANDOM_SEED]).random(rows["example"].max() + 1)
        drawn[rows.index] = numbers[rows["example"]]
    return table.assign(random=drawn)


def with_edge(table: pd.DataFrame) -> pd.DataFrame:
    """The images that have an edge."""
    return table[table["factor_contrast"].notna()]


def rank_correlation(first: pd.Series, second: pd.Series) -> float:
    """Spearman's, of pairs in this order; NaN where one of both is the same throughout."""
    if first.nunique() < 2 or second.nunique() < 2:
        return np.nan
    return float(stats.spearmanr(first.to_numpy(), second.to_numpy()).statistic)


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of depth with each factor, images with an edge.

    Parameters
    ----------
    table : DataFrame
        As the experiment gives it.

    Returns
    -------
    DataFrame
        One row a network, factor and seed: `architecture`, `factor` (a key of `FACTORS`), `seed`,
        `correlation`.
    """
    rows = [
        {
            "architecture": architecture,
            "factor": factor,
            "seed": seed,
            "correlation": rank_correlation(own["depth"], own[factor]),
        }
        for (architecture, seed), own in with_edge(with_random(table)).groupby(
            ["architecture", "seed"], sort=False
        )
        for factor in FACTORS
    ]
    return pd.DataFrame(rows, columns=["architecture", "factor", "seed", "correlation"])


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """Depths of the same images: one row a seed and position, a column a network."""
    pairs = table.pivot(index=["seed", "example"], columns="architecture", values="depth")
    return pairs.reindex(columns=["cnn", "mlp"]).dropna()


def agreement(table: pd.DataFrame) -> pd.Series:
    """Rank correlation of the depths of both networks, by seed; NaN where it does not exist."""
    return pd.Series(
        {
            seed: rank_correlation(pairs["cnn"], pairs["mlp"])
            for seed, pairs in paired(table).groupby("seed")
        },
        dtype=np.float64,
    )


def halves(rows: pd.DataFrame) -> tuple[float, float]:
    """Error rate of the shallower and of the deeper half of a network's images.

    Of images of the same depth the earlier ones count as shallower. Where the number is odd, the
    image in the middle is in neither half.

    Parameters
    ----------
    rows : DataFrame
        Of one network: `example`, `depth`, `correct`.

    Raises
    ------
    NotTestableError
        If there are fewer than two images.
    """
    half = len(rows) // 2
    if not half:
        raise NotTestableError("there is only one image")
    wrong = ~rows.sort_values(["depth", "example"])["correct"].to_numpy(bool)
    return float(wrong[:half].mean()), float(wrong[-half:].mean())


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """How many of a network's images have each depth and are answered right or wrong.

    Returns
    -------
    DataFrame
        One row a network, seed, depth (every one up to the deepest possible) and `correct`:
        `share` of all of its images.
    """
    tables = []
    for (architecture, seed), own in table.groupby(["architecture", "seed"], sort=False):
        places = pd.MultiIndex.from_product(
            [range(int(own["n_probes"].iloc[0]) + 1), [True, False]], names=["depth", "correct"]
        )
        counts = own.groupby(["depth", "correct"]).size().reindex(places, fill_value=0)
        found = (counts / len(own)).rename("share").reset_index()
        tables.append(found.assign(architecture=architecture, seed=seed))
    return pd.concat(tables, ignore_index=True)


def defined(values: Sequence[float], reason: str) -> list[float]:
    """The values that exist.

    Raises
    ------
    NotTestableError
        If there is none; the reason completes "because …".
    """
    there = [value for value in values if not np.isnan(value)]
    if not there:
        raise NotTestableError(reason)
    return there
