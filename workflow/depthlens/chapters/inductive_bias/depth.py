"""Through the lens of difficulty: which images of edges are deep, and for which network?"""

import numpy as np
import pandas as pd
import seaborn as sns
from scipy import stats

from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    COURSE,
    NETWORKS,
    seeds,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent, some
from depthlens.sweep import grid

FACTORS = {
    "factor_contrast": "contrast",
    "factor_width": "width",
    "factor_background": "background",
    "random": "a random number",
}
"""what depth is held against, by its column"""
RANDOM_SEED = 72
MOST_VALUES = 6
"""a factor of more different values is cut into so many parts of equally many images"""
section = Section(
    __name__,
    title="Through the lens of difficulty",
    text="Prediction depth of the validation images: the first layer from which the nearest "
    "training images, k-NN, agree with the network's answer up to the last. A random number an "
    "image stands beside what depth is held against.",
    columns=COLUMNS
    | {
        "factor": Column("factor", FACTORS.__getitem__),
        "correlation": Column("correlation", number),
        "correct": Column("", {True: "right", False: "wrong"}.__getitem__, style.ANSWERS),
        "share": Column("share of the images", lambda share: percent(share, 1), share=True),
        "wrong": Column("of these wrong", lambda share: percent(share, 1)),
        "relative": Column("mean depth, of the deepest possible", share=True),
    },
)
section.sweep(
    "depth_of_edges",
    "depths",
    cells=lambda block: grid(architecture=BOTH, seeds=seeds(block)),
    settings=lambda block: with_three_classes(block) | block["depth"],
)


@section.derived
def edges(depth_of_edges):
    """Images with an edge; `random` is a number that an image has in both networks."""
    table = depth_of_edges.assign(random=np.nan)
    for seed, rows in table.groupby("seed"):
        drawn = np.random.default_rng([seed, RANDOM_SEED]).random(rows["example"].max() + 1)
        table.loc[rows.index, "random"] = drawn[rows["example"]]
    table["relative"] = table["depth"] / table["n_probes"]
    return table[table["factor_contrast"].notna()]


def rank_correlation(first, second):
    """Spearman's, of pairs in this order; NaN where one of both is the same throughout."""
    if first.nunique() < 2 or second.nunique() < 2:
        return np.nan
    return float(stats.spearmanr(first.to_numpy(), second.to_numpy()).statistic)


@section.derived
def correlations(edges):
    """Rank correlation of depth with each factor, a row a network, factor and seed."""
    keys = ["dataset", "architecture", "seed"]
    rows = [
        (*key, factor, rank_correlation(own["depth"], own[factor]))
        for key, own in edges.groupby(keys, sort=False)
        for factor in FACTORS
    ]
    return pd.DataFrame(rows, columns=[*keys, "factor", "correlation"])


@section.derived
def paired(depth_of_edges):
    """Depths of the same images, a column a network."""
    keys = ["dataset", "seed", "example"]
    pairs = depth_of_edges.pivot(index=keys, columns="architecture", values="depth")
    pairs = pairs.reindex(columns=list(BOTH)).dropna().reset_index()
    return pairs.assign(architecture="cnn + mlp")


def agreement(paired):
    """Rank correlation of the depths of both networks, by seed; NaN where it does not exist."""
    of_seeds = paired.groupby("seed")
    return pd.Series(
        {seed: rank_correlation(rows["cnn"], rows["mlp"]) for seed, rows in of_seeds}, dtype=float
    )


def halves(rows):
    """Error rate of the shallower and of the deeper half of a network's images.

    Of images of the same depth the earlier ones count as shallower; of an odd number the image in
    the middle is in neither half.
    """
    half = len(rows) // 2
    if not half:
        raise NotTestableError("there is only one image")
    wrong = ~rows.sort_values(["depth", "example"])["correct"].to_numpy(bool)
    return float(wrong[:half].mean()), float(wrong[-half:].mean())


def defined(values, reason):
    """One value a seed, where there is any."""
    if values.isna().all():
        raise NotTestableError(reason)
    return values


@section.claim(
    "The same images are deep for both networks.",
    source=COURSE,
    measure="rank correlation of depth between convolutional network and MLP, same seed, "
    "validation images with equal position",
    at_least=0.5,
)
def same_images_deep(paired):
    reason = "in every seed all images are equally deep for one of the networks"
    return defined(agreement(paired), reason)


def with_factor(correlations, factor):
    rows = correlations[correlations["factor"] == factor].set_index("seed")
    reason = f"in every seed depth or {FACTORS[factor]} is the same for all images with an edge"
    return defined(rows["correlation"], reason)


def deep_for(network, statement, factor):
    name = {"cnn": "convolutional network", "mlp": "MLP"}[network]
    return section.claim(
        statement,
        source=COURSE,
        measure=f"rank correlation of depth with {factor}, images with an edge, {name}",
        networks=[network],
        at_most=-0.3,
    )


@deep_for("cnn", "Faint edges are deep.", "contrast")
def faint_edges_deep_for_cnn(correlations):
    return with_factor(correlations, "factor_contrast")


@deep_for("mlp", "Faint edges are deep.", "contrast")
def faint_edges_deep_for_mlp(correlations):
    return with_factor(correlations, "factor_contrast")


@deep_for("cnn", "Thin edges are deep.", "width")
def thin_edges_deep_for_cnn(correlations):
    return with_factor(correlations, "factor_width")


@deep_for("mlp", "Thin edges are deep.", "width")
def thin_edges_deep_for_mlp(correlations):
    return with_factor(correlations, "factor_width")


@section.claim(
    "Deep images are more often wrong.",
    source=COURSE,
    measure="error rate of the deeper half minus that of the shallower half (by rank of depth, "
    "ties by position), convolutional network",
    networks=["cnn"],
    above=0,
)
def deep_edges_wrong(depth_of_edges):
    of_seeds = [halves(rows) for _, rows in depth_of_edges.groupby("seed")]
    return [deep - shallow for shallow, deep in of_seeds]


@section.derived
def shares(depth_of_edges):
    """Share of a network's images that have each depth and are right or wrong, a row a seed."""
    tables = []
    keys = ["architecture", "seed"]
    for (network, seed), rows in depth_of_edges.groupby(keys, sort=False):
        depths = range(int(rows["n_probes"].iloc[0]) + 1)
        places = pd.MultiIndex.from_product([depths, [True, False]], names=["depth", "correct"])
        counts = rows.groupby(["depth", "correct"]).size().reindex(places, fill_value=0)
        found = (counts / len(rows)).rename("share").reset_index()
        tables.append(found.assign(architecture=network, seed=seed))
    return pd.concat(tables, ignore_index=True)


@section.figure(
    "How deep images of edges are",
    shows="Prediction depth of the validation images, mean over seeds · on the right the same "
    "images in both networks, all seeds together; colours count images, by their roots",
    alt="Bars of the share of images by depth, right and wrong answers, for each network; a map of "
    "the depth in one network against that in the other.",
)
def depth_of_edges(sheet, depth_of_edges, shares, paired):
    sheet.facts.append(sizes(depth_of_edges))
    networks = sheet.levels(shares, "architecture")
    axes = sheet.axes(3.8, columns=len(networks) + 1)[0]
    for ax, network in zip(axes, networks, strict=False):
        means = shares[shares["architecture"] == network].groupby(["depth", "correct"])["share"]
        sns.histplot(
            means.mean().reset_index(), x="depth", weights="share", hue="correct", discrete=True,
            multiple="stack", palette=style.ANSWERS, alpha=1, legend=False, ax=ax,
        )  # fmt: skip
        ax.set(title=NETWORKS[network], xlabel="depth", ylabel="share of the images")
        plots.percent_axis(ax.yaxis)
    counts = pd.crosstab(paired["cnn"], paired["mlp"])
    sns.heatmap(np.sqrt(counts), ax=axes[-1], cmap="Blues", cbar=False, annot=counts, fmt="d",
                annot_kws={"size": 6.5}, square=True)  # fmt: skip
    axes[-1].invert_yaxis()
    axes[-1].set(title="The same images", xlabel="depth, MLP", ylabel="depth, CNN")
    said = []
    for network in networks:
        own = depth_of_edges[depth_of_edges["architecture"] == network]
        shallow, deep = np.mean([halves(rows) for _, rows in own.groupby("seed")], axis=0)
        said.append(
            f"{NETWORKS[network]} {percent(shallow, 1)} of the shallower half and "
            f"{percent(deep, 1)} of the deeper half"
        )
    return (
        f"Wrong answers: {'; '.join(said)}. Depths of the same image in both networks have a rank "
        f"correlation of {number(agreement(paired).mean())}."
    )


def sizes(table):
    n = table.groupby(["architecture", "seed"]).size().max()
    return f"{some(n, 'validation image')}, {some(table['seed'].nunique(), 'seed')}"


@section.figure(
    "What deep edges are like",
    shows=f"Prediction depth of images with an edge · up to {MOST_VALUES} parts of equally many "
    "images",
    alt="Lines of mean depth over each factor and a random number, one a network.",
)
def depth_by_factor(sheet, edges, correlations):
    sheet.facts.append(sizes(edges))
    axes = sheet.axes(3.4, columns=len(FACTORS), sharey=True)[0]
    for ax, (factor, title) in zip(axes, FACTORS.items(), strict=True):
        values = edges[factor]
        parts = values
        if values.nunique() > MOST_VALUES:
            parts = pd.qcut(values, MOST_VALUES, labels=False, duplicates="drop")
        place = values.groupby(parts).transform("mean").round(3)
        keys = ["architecture", "seed", "place"]
        means = edges.assign(place=place).groupby(keys)["relative"].mean().reset_index()
        sheet.lines(ax, means, "place", "relative", hue="architecture", err_style="bars")
        ax.set_xticks(ax.get_xticks()[:: max(1, len(ax.get_xticks()) // 3)])
        ax.set_xlabel(title)
    means = correlations.groupby(["architecture", "factor"], sort=False)["correlation"].mean()
    said = [
        f"{NETWORKS[network]} "
        + joined([f"{number(value)} with {FACTORS[factor]}" for factor, value in row.items()])
        for network, row in means.unstack()[list(FACTORS)].iterrows()
    ]
    return f"Rank correlation of the depth of edges: {'; '.join(said)}."


@section.derived
def by_depth(shares):
    """Share of the images, and of these that are wrong, by network, depth and seed."""
    keys = ["architecture", "depth", "seed"]
    found = shares.pivot_table(index=keys, columns="correct", values="share", sort=False)
    total = found.sum(axis=1)
    return pd.DataFrame({"share": total, "wrong": found[False] / total}).reset_index()


section.table(
    "depth-of-edges",
    "Images by prediction depth, mean over seeds",
    lambda by_depth: by_depth,
    keys=["architecture", "depth"],
    values=["share", "wrong"],
)
section.table(
    "depth-by-factor",
    "Rank correlation of depth with factors, images with an edge, mean over seeds",
    lambda correlations: correlations,
    keys=["architecture", "factor"],
    values=["correlation"],
)
