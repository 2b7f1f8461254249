"""Through the lens of difficulty: which images of edges are deep, and for which network?"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from depthlens.chapters.inductive_bias import depths
from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    seeds,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
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


@section.derived
def correlations(edges):
    """Rank correlation of depth with each factor, a row a network, factor and seed."""
    keys = ["dataset", "architecture", "seed"]
    rows = [
        (*key, factor, depths.rank_correlation(own["depth"], own[factor]))
        for key, own in edges.groupby(keys, sort=False)
        for factor in FACTORS
    ]
    return pd.DataFrame(rows, columns=[*keys, "factor", "correlation"])


@section.derived
def error_rates(depth_of_edges):
    """Of the shallower and the deeper half of the images, a row a network and seed."""
    keys = ["dataset", "architecture", "seed"]
    rows = [(*key, *depths.halves(own)) for key, own in depth_of_edges.groupby(keys, sort=False)]
    return pd.DataFrame(rows, columns=[*keys, "shallow", "deep"])


def defined(values, reason):
    """One value a seed, where there is any."""
    if values.isna().all():
        raise NotTestableError(reason)
    return values


@section.claim(
    "The same images are deep for both networks.",
    source=OURS,
    measure="rank correlation of depth between convolutional network and MLP, same seed, "
    "validation images with equal position",
    networks=BOTH,
    at_least=0.5,
)
def same_images_deep(depth_of_edges):
    reason = "in every seed all images are equally deep for one of the networks"
    return defined(depths.agreement(depth_of_edges), reason)


def with_factor(correlations, factor):
    rows = correlations[correlations["factor"] == f"factor_{factor}"].set_index("seed")
    reason = f"in every seed depth or {factor} is the same for all images with an edge"
    return defined(rows["correlation"], reason)


def deep(kind, factor, network):
    return section.claim(
        f"{kind} edges are deep.",
        source=OURS,
        measure=f"rank correlation of depth with {factor}, images with an edge, "
        f"{NETWORKS[network]}",
        networks=[network],
        at_most=-0.3,
    )


@deep("Faint", "contrast", "cnn")
def faint_edges_deep_for_cnn(correlations):
    return with_factor(correlations, "contrast")


@deep("Faint", "contrast", "mlp")
def faint_edges_deep_for_mlp(correlations):
    return with_factor(correlations, "contrast")


@deep("Thin", "width", "cnn")
def thin_edges_deep_for_cnn(correlations):
    return with_factor(correlations, "width")


@deep("Thin", "width", "mlp")
def thin_edges_deep_for_mlp(correlations):
    return with_factor(correlations, "width")


@section.claim(
    "Deep images are more often wrong.",
    source="Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647",
    measure="error rate of the deeper half minus that of the shallower half (by rank of depth, "
    "ties by position), convolutional network",
    networks=["cnn"],
    above=0,
)
def deep_edges_wrong(error_rates):
    return error_rates["deep"] - error_rates["shallow"]


section.derived(depths.by_depth)


@section.figure(
    "How deep images of edges are",
    shows="Prediction depth of the validation images · right: the same images in both networks, "
    "all seeds together",
    alt="Bars of the share of images by depth, a panel a network; a map of depth in both networks.",
)
def depth_of_edges(sheet, depth_of_edges, by_depth, error_rates):
    sheet.facts.append(sizes(depth_of_edges))
    networks = sheet.levels(by_depth, "architecture")
    axes = sheet.axes(3.8, columns=len(networks) + 1)[0]
    for ax in axes[1:-1]:
        ax.sharey(axes[0])
    for ax, network in zip(axes, networks, strict=False):
        own = by_depth[by_depth["architecture"] == network]
        right = own.assign(share=own["share"] * (1 - own["wrong"].fillna(0)))
        look = {"native_scale": True, "width": 0.9}
        sheet.bars(ax, own, "depth", "share", color=style.WRONG, **look)
        sheet.bars(ax, right, "depth", "share", color=style.RIGHT, err_kws={"alpha": 0}, **look)
        ax.set_title(NETWORKS[network])
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    answers = {"right": style.RIGHT, "wrong": style.WRONG}
    sheet.legend(handles=[Patch(color=colour, label=name) for name, colour in answers.items()])
    counts = pd.crosstab(*(depth for _, depth in depths.paired(depth_of_edges).items()))
    if counts.size:
        look = {"annot_kws": {"size": 6.5}, "cmap": "Blues", "cbar": False, "mask": counts == 0}
        sns.heatmap(np.sqrt(counts), ax=axes[-1], annot=counts, fmt="d", **look)
    axes[-1].invert_yaxis()
    axes[-1].tick_params("y", rotation=0)
    axes[-1].set(title="The same images", xlabel="depth, MLP", ylabel=f"depth, {NETWORKS['cnn']}")
    rates = error_rates.groupby("architecture")[["shallow", "deep"]].mean()
    said = [
        f"{NETWORKS[network]} {percent(shallow, 1)} of the shallower half and "
        f"{percent(deep, 1)} of the deeper half"
        for network, shallow, deep in rates.itertuples()
    ]
    return (
        f"Wrong answers: {'; '.join(said)}. Depths of the same image in both networks have a rank "
        f"correlation of {number(depths.agreement(depth_of_edges).mean())}."
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
        parts = values = edges[factor]
        if values.nunique() > MOST_VALUES:
            parts = pd.qcut(values, MOST_VALUES, labels=False, duplicates="drop")
        keys = ["architecture", "seed", values.groupby(parts).transform("mean").rename("place")]
        means = edges.groupby(keys)["relative"].mean().reset_index()
        sheet.lines(ax, means, "place", "relative", hue="architecture", err_style="bars")
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.set_xlabel(title)
    means = correlations.groupby(["architecture", "factor"], sort=False)["correlation"].mean()
    said = [
        f"{NETWORKS[network]} "
        + joined([f"{number(value)} with {FACTORS[factor]}" for factor, value in row.items()])
        for network, row in means.unstack()[list(FACTORS)].iterrows()
    ]
    return f"Rank correlation of the depth of edges: {'; '.join(said)}."


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
