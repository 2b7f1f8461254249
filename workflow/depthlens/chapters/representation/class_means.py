"""Which classes lie close to one another in feature space?"""

import seaborn as sns

from depthlens.chapters.representation.embedding import before_relu
from depthlens.chapters.representation.networks import COLUMNS, both, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import MNIST
from depthlens.ledger import NotTestableError

section = Section(
    __name__,
    title="Classes that lie close",
    text="On a map by t-SNE distances between groups mean nothing. Here the means of the features "
    "of two classes are compared in feature space itself, for every pair of classes.",
    columns=COLUMNS,
    per="network",
)


@section.derived
def apart(convnet_distances, resnet_distances):
    """Distance of the means of two classes, and its place among all pairs of a network."""
    table = both(convnet_distances, resnet_distances)
    of_networks = table.groupby(["network", "seed", "features"])["distance"]
    return table.assign(place=of_networks.rank(method="min"))


def near(first, second):
    """A claim that two digits lie close."""
    return section.claim(
        f"Among the digits that lie closest are {first} and {second}.",
        source=f"{MNIST}, t-SNE; the threshold is ours",
        measure="place of the pair among all pairs of classes, by the distance of the means of "
        "their test images, features before the ReLU",
        at_most=5,
    )


def place_of(apart, *pair):
    """Place of a pair of digits by distance, of every seed."""
    rows = before_relu(apart)
    # MNIST's classes are called "4 - four".
    digits = rows["label"].str.split().str[0], rows["other"].str.split().str[0]
    rows = rows[digits[0].eq(pair[0]) & digits[1].eq(pair[1])]
    if rows.empty:
        raise NotTestableError("the classes are not digits")
    return rows.set_index("seed")["place"]


@near(4, 9)
def four_and_nine_lie_close(apart):
    return place_of(apart, "4", "9")


@near(3, 5)
def three_and_five_lie_close(apart):
    return place_of(apart, "3", "5")


@section.derived
def means(apart):
    """Distance and place of each pair, mean over seeds."""
    keys = ["network", "features", "label", "other"]
    return apart.groupby(keys, sort=False)[["distance", "place"]].mean().reset_index()


@section.figure(
    "Classes that lie close",
    shows="Distance between the means of the features of two classes, mean over seeds · dark: near",
    alt="A triangle of squares for each network, a row and a column a class, dark where two "
    "classes lie close.",
)
def class_means(sheet, apart, means):
    sheet.facts.append(sizes(apart))
    said = []
    of_first = means["features"] == means.groupby("network")["features"].transform("first")
    for ax, network, rows in sheet.panels(means[of_first], "network", 4.6, sharey=False):
        square = rows.pivot(index="other", columns="label", values="distance")
        sns.heatmap(square, ax=ax, cmap="mako", square=True, cbar_kws={"shrink": 0.6})
        ax.set(xlabel="", ylabel="")
        ax.grid(visible=False)
        near = rows.loc[rows["distance"].idxmin()]
        said.append(f"{near['label']} and {near['other']} with {network}")
    return f"Closest lie {'; '.join(said)}."


section.table(
    "distances",
    "The ten pairs of classes that lie closest, mean over seeds",
    lambda means: (
        means.sort_values("distance", kind="stable")
        .groupby(["network", "features"], sort=False)
        .head(10)
        .sort_values(["network", "features"], kind="stable")
    ),
    keys=["network", "features", "label", "other"],
    values=["distance", "place"],
)
