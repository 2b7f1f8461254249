"""What is said about difficulty: how early do images settle, and what goes with depth?"""

import numpy as np
import pandas as pd

from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import (
    NAMES,
    correlation,
    first,
    networks,
)
from depthlens.chapters.benchmarks_of_difficulty.words import (
    COLUMNS,
    SAID,
    claims_of,
    common,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent
from depthlens.sweep import grid

FIFTH, ALMOST_ALL, BOUND = 0.2, 0.9, 0.7
section = Section(
    __name__,
    title="What is said about difficulty",
    text=(
        "Networks of the first architecture are trained on the same images with several seeds. An "
        "image is settled at the first probe from which the k-NN class is the network's, up to the "
        "last. How much of the network that takes is counted in multiply-accumulates by torch's "
        "counter; probes are the children of the network, so that an image may settle earlier than "
        "the probe that shows it.",
        "Rank correlations are signed so that they are positive where images that another measure "
        "calls harder are deeper. Beside them stands a random number an image.",
    ),
    columns=COLUMNS
    | {
        "measure": Column("depth with", NAMES.__getitem__),
        "correlation": Column("rank correlation with depth", bounds=(-1, 1)),
        "place": Column("share of the network's multiply-accumulates that are made", share=True),
        "settled": Column("images settled", share=True),
        "statement": Column("what is said"),
        "threshold": Column("claimed"),
    },
)
section.sweep(
    "portraits",
    "portraits",
    cells=lambda block: grid(
        dataset=block["datasets"],
        architecture=block["portraits"]["architectures"],
        seed=block["seeds"],
    ),
    settings=lambda block: common(block) | {"recipe": block["portraits"]["recipe"]},
)


section.derived(first)


def of_networks(first, measure, *options):
    """One value a seed: what a function makes of the rows of each network."""
    return [measure(rows, *options) for _, _, rows in networks(first)]


def settled(rows, share):
    """Share of a network's images that are settled in a share of its computation."""
    settles = rows["depth"] < rows["n_probes"]
    return float((settles & (rows["computation"] <= share)).mean())


def error_ratio(rows, depths):
    """Error rate of a network's images of the last two depths over that of the first two.

    `depths` ascend: all that occur in the networks compared.
    """
    if len(depths) < 4:
        raise NotTestableError("too few depths occur to tell deep from shallow")
    wrong = ~rows["correct"].astype(bool)
    shallow, deep = (wrong[rows["depth"].isin(of)] for of in (depths[:2], depths[-2:]))
    if not len(deep):
        raise NotTestableError("a network has no image of the last two depths")
    if not shallow.any():
        raise NotTestableError("a network misclassifies no image of the first two depths")
    return float(deep.mean() / shallow.mean())


def known(measure, *options):
    """What a function finds; NaN where there is nothing to be found."""
    try:
        return measure(*options)
    except NotTestableError:
        return np.nan


claim = claims_of(section, SAID)


def follows(name, what):
    return claim(
        f"Depth follows {what}.",
        f"Spearman correlation of depth with {name}, over test images, signed so that it is "
        "positive where the harder are deeper",
        above=BOUND,
    )


@claim(
    "60 to 90 % of the images are settled in the first fifth of the network.",
    "share of the test images that settle at a probe which is reached with at most 20 % of the "
    "network's multiply-accumulates",
    at_least=0.6,
    at_most=0.9,
)
def most_settle_in_the_first_fifth(first):
    return of_networks(first, settled, FIFTH)


@claim(
    "1 to 10 % of the images need almost all of the network.",
    "share of the test images that settle at a probe which is reached with more than 90 % of the "
    "network's multiply-accumulates, or at none",
    at_least=0.01,
    at_most=0.1,
)
def few_need_almost_all(first):
    return [1 - share for share in of_networks(first, settled, ALMOST_ALL)]


@follows("forgetting events", "how often an image is forgotten")
def depth_follows_forgetting(first):
    return of_networks(first, correlation, "forgetting_events")


@follows("output margin", "the smallness of the output margin")
def depth_follows_margin(first):
    return of_networks(first, correlation, "output_margin")


@follows("GraNd", "the length of the gradient early in training")
def depth_follows_gradients(first):
    return of_networks(first, correlation, "grand")


@claim(
    "Deep images are 5 to 20 times as likely to be misclassified as shallow ones.",
    "error rate on test images of the last two depths that occur in any of the networks, divided "
    "by that on images of the first two",
    at_least=5,
    at_most=20,
)
def deep_are_often_wrong(first):
    return of_networks(first, error_ratio, sorted(set(first["depth"])))


@section.derived
def curves(first):
    """Share of the images that is settled, by dataset, seed and place in the network."""
    places = first.groupby("dataset")["computation"].agg(lambda values: {0.0, 1.0, *values})
    rows = [
        (dataset, seed, place, settled(own, place))
        for dataset, seed, own in networks(first)
        for place in sorted(places[dataset])
    ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "place", "settled"])


@section.figure(
    "How much of the network images need",
    shows="Test images whose class no later probe changes · dots: probes\nGrey: what is said, 60 "
    "to 90 % by the first fifth, 90 to 99 % by nine tenths",
    alt="Rising steps, one colour a dataset, with grey boxes where they are said to be.",
)
def settled_by_computation(sheet, first, curves):
    sheet.facts.append(sizes(first))
    ax = sheet.axes(3.6)
    for left, right, low, high in ((0, FIFTH, 0.6, 0.9), (ALMOST_ALL, 1, 0.9, 0.99)):
        ax.fill_between([left, right], low, high, color=style.FAINT, linewidth=0, zorder=0)
    sheet.lines(ax, curves, "place", "settled", hue="dataset", drawstyle="steps-post")
    ax.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
    said = [
        f"on {dataset} {percent(np.mean(most_settle_in_the_first_fifth(rows)), 1)} are settled in "
        f"the first fifth and {percent(np.mean(few_need_almost_all(rows)), 1)} need more than nine "
        "tenths"
        for dataset, rows in first.groupby("dataset", sort=False)
    ]
    return f"Of the test images, {'; '.join(said)}."


@section.derived
def correlations(first):
    """Rank correlation of depth with each measure, where it exists, by dataset and seed."""
    rows = [
        (dataset, seed, name, known(correlation, own, name))
        for dataset, seed, own in networks(first)
        for name in NAMES
    ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "measure", "correlation"])


@section.figure(
    "What depth goes with",
    shows="Spearman correlation with other measures of test images, positive where the harder are "
    "deeper\nDotted: what is said, more than 0.7",
    alt="Dots for each measure, one colour a dataset.",
)
def what_depth_follows(sheet, first, correlations):
    sheet.facts.append(sizes(first))
    ax = sheet.axes(2.8)
    ax.axvline(BOUND, color=style.ALERT, linestyle=":", linewidth=1.2)
    sheet.points(ax, correlations, "correlation", "measure", hue="dataset")
    ax.set_xlim(min(-0.2, ax.get_xlim()[0]), 1)
    means = correlations.groupby(["dataset", "measure"], sort=False)["correlation"].mean()
    said = [
        f"on {dataset} "
        + joined([f"{NAMES[name]} {number(value)}" for (_, name), value in own.dropna().items()])
        for dataset, own in means.drop("random", level=1).groupby(level=0, sort=False)
    ]
    return f"Rank correlation with depth: {'; '.join(said)}."


@section.derived
def found(first):
    """What every claim is about, a row a network; one without a value where there is none."""
    rows = [
        (dataset, declared.claim.statement, str(declared.claim.threshold), seed, value)
        for dataset, own in first.groupby("dataset", sort=False)
        for declared in section.claims.values()
        for seed, value in pd.Series(known(declared.measure, own), own["seed"].unique()).items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "statement", "threshold", "seed", "found"])


section.table(
    "sayings",
    "What is said about difficulty, and what was found",
    lambda found: found,
    keys=["dataset", "statement", "threshold"],
    values=["found"],
)
