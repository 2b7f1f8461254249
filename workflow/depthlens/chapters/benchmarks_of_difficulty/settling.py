"""How early images settle, by the computation and by the layers that are behind them."""

from statistics import mean

import pandas as pd

from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import (
    first,
    networks,
    of_networks,
)
from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, SAID, claims_of, sizes
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import joined, percent

FIFTH, ALMOST_ALL = 0.2, 0.9
WAYS = {"computation": "multiply-accumulates", "layers": "layers"}
section = Section(
    __name__,
    title="How early images settle",
    text=(
        "An image is settled at the first probe from which the k-NN class is the network's, up to "
        "the last. How much of the network that takes is counted in multiply-accumulates by "
        "torch's counter, and in layers: the children of the network, the input before the first, "
        "as the course counts them. A child may hold several convolutions, so that an image may "
        "settle earlier than the probe that shows it.",
    ),
    columns=COLUMNS
    | {
        "way": Column("counted in", WAYS.__getitem__),
        "place": Column("share of the network that is behind", share=True),
        "settled": Column("images settled", share=True),
    },
)
section.derived(first)


def behind(rows, way):
    """Share of the network that is behind each image of a network when it is settled."""
    return rows["depth"] / (rows["n_probes"] - 1) if way == "layers" else rows["computation"]


def settled(rows, share, way="computation"):
    """Share of a network's images that are settled in a share of its computation or layers."""
    settles = rows["depth"] < rows["n_probes"]
    return float((settles & (behind(rows, way) <= share)).mean())


claim = claims_of(section, f"{SAID}: how early images settle")


@claim(
    "60 to 90 % of the images are settled in the first fifth of the network.",
    "share of the test images that settle at a probe which is reached with at most 20 % of the "
    "network's multiply-accumulates",
    printed="0.6 to 0.9",
    at_least=0.6,
    at_most=0.9,
)
def most_settle_in_the_first_fifth(first):
    return of_networks(first, settled, FIFTH)


@claim(
    "1 to 10 % of the images need almost all of the network.",
    "share of the test images that settle at a probe which is reached with more than 90 % of the "
    "network's multiply-accumulates, or at none",
    printed="0.01 to 0.1",
    at_least=0.01,
    at_most=0.1,
)
def few_need_almost_all(first):
    return [1 - share for share in of_networks(first, settled, ALMOST_ALL)]


@claim(
    "60 to 90 % of the images are settled in the first fifth of the layers.",
    "share of the test images that settle at a probe behind at most 20 % of the network's children",
    printed="0.6 to 0.9",
    at_least=0.6,
    at_most=0.9,
)
def most_settle_in_the_first_fifth_of_layers(first):
    return of_networks(first, settled, FIFTH, "layers")


@claim(
    "1 to 10 % of the images need almost all of the layers.",
    "share of the test images that settle at a probe behind more than 90 % of the network's "
    "children, or at none",
    printed="0.01 to 0.1",
    at_least=0.01,
    at_most=0.1,
)
def few_need_almost_all_layers(first):
    return [1 - share for share in of_networks(first, settled, ALMOST_ALL, "layers")]


@section.derived
def curves(first):
    """Share of the images that is settled, by dataset, seed, way to count and place."""
    rows = []
    for way in WAYS:
        places = behind(first, way).clip(upper=1).groupby(first["dataset"])
        places = places.agg(lambda values: {0.0, 1.0, *values})
        rows += [
            (dataset, seed, way, place, settled(own, place, way))
            for dataset, seed, own in networks(first)
            for place in sorted(places[dataset])
        ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "way", "place", "settled"])


@section.figure(
    "How much of the network images need",
    shows="Test images whose class no later probe changes, by the share of multiply-accumulates "
    "and of layers · dots: probes\nGrey: what is said, 60 to 90 % by the first fifth, 90 to 99 % "
    "by nine tenths",
    alt="Rising steps, one colour a dataset, with grey boxes where they are said to be, a panel "
    "for multiply-accumulates and one for layers.",
)
def settled_by_computation(sheet, first, curves):
    sheet.facts.append(sizes(first))
    for ax, _, own in sheet.panels(curves, "way", 3.4):
        for left, right, low, high in ((0, FIFTH, 0.6, 0.9), (ALMOST_ALL, 1, 0.9, 0.99)):
            ax.fill_between([left, right], low, high, color=style.FAINT, linewidth=0, zorder=0)
        sheet.lines(ax, own, "place", "settled", hue="dataset", drawstyle="steps-post")
        ax.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
    said = [
        f"on {dataset} "
        + joined(
            [
                f"{percent(mean(of_networks(rows, settled, FIFTH, way)), 1)} in the first fifth "
                f"and {percent(1 - mean(of_networks(rows, settled, ALMOST_ALL, way)), 1)} not "
                f"before nine tenths of the {what}"
                for way, what in WAYS.items()
            ]
        )
        for dataset, rows in first.groupby("dataset", sort=False)
    ]
    return f"Of the test images settle {'; '.join(said)}."


section.table(
    "settled",
    "Images that are settled, by the share of the network that is behind, mean over seeds",
    lambda curves: curves,
    keys=["dataset", "way", "place"],
    values=["settled"],
)
