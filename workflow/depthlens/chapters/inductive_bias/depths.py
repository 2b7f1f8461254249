"""What is measured on tables with a depth an image: correlations, error rates, shares."""

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.chapters.inductive_bias.words import BOTH
from depthlens.ledger import NotTestableError


def rank_correlation(first, second):
    """Spearman's, of pairs in this order; NaN where one of both is the same throughout."""
    if first.nunique() < 2 or second.nunique() < 2:
        return np.nan
    return float(stats.spearmanr(first.to_numpy(), second.to_numpy()).statistic)


def paired(table):
    """Depths of the same images, a column a network."""
    pairs = table.pivot(index=["seed", "example"], columns="architecture", values="depth")
    return pairs.reindex(columns=BOTH).dropna()


def agreement(table):
    """Rank correlation of the depths of both networks, a value a seed."""
    of_seeds = paired(table).groupby("seed")
    return pd.Series([rank_correlation(own["cnn"], own["mlp"]) for _, own in of_seeds], dtype=float)


def halves(rows):
    """Error rates of the shallower and of the deeper half of a network's images in a seed.

    Of images of the same depth the earlier ones count as shallower; of an odd number the image in
    the middle is in neither half.
    """
    half = len(rows) // 2
    if not half:
        raise NotTestableError("there is only one image")
    wrong = ~rows.sort_values(["depth", "example"])["correct"].to_numpy(bool)
    return wrong[:half].mean(), wrong[-half:].mean()


def by_depth(depth_of_edges):
    """Share of a network's images that has each depth, and of these that are wrong, by seed."""
    tables = []
    for network, rows in depth_of_edges.groupby("architecture", sort=False):
        depths = range(int(rows["n_probes"].iloc[0]) + 1)
        places = pd.MultiIndex.from_product(
            [depths, rows["seed"].unique()], names=["depth", "seed"]
        )
        found = rows.groupby(["depth", "seed"])["correct"].agg(["size", "mean"]).reindex(places)
        n = found["size"].fillna(0)
        found = {"share": n / n.groupby("seed").transform("sum"), "wrong": 1 - found["mean"]}
        tables.append(pd.DataFrame(found).reset_index().assign(architecture=network))
    return pd.concat(tables, ignore_index=True)
