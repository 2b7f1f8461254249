"""Neighbours against a linear classifier: do they read the same from a layer?"""

from depthlens.chapters import sources
from depthlens.chapters.benchmarks_of_difficulty.unconverged import by_epoch
from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, claims_of, sizes
from depthlens.chapters.section import Section
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent

CLASSIFIERS = {"knn": "nearest neighbours", "linear": "logistic regression"}
section = Section(
    __name__,
    title="Neighbours against a linear classifier",
    text="At each layer of the networks of the section before, a logistic regression on 128 "
    "principal components learns the labels of the training images, and gives test images a class "
    "as their nearest training images do. Depth by the one is held against depth by the other.",
    columns=COLUMNS
    | {
        "probe": Column("layer", lambda name: name.partition("-")[2] or name),
        "classifier": Column("read by", CLASSIFIERS.__getitem__),
        "likeness": Column("rank correlation of the two depths", bounds=(-1, 1)),
    },
)
claim = claims_of(
    section,
    f"{sources.WORKED_ANSWERS}, prediction depth: neighbours approximate what a linear classifier "
    "would predict; the threshold is ours",
)


def of_networks(linear):
    """The rank correlation of the two depths, by dataset and seed."""
    return linear.groupby(["dataset", "seed"], sort=False)["likeness"].first()


@claim(
    "Depth by neighbours is about what depth by a linear classifier is.",
    "Spearman correlation, over test images, of depth by k-NN and by logistic regression on each "
    "layer",
    at_least=0.5,
)
def linear_depth_is_alike(linear, along):
    by_epoch(along, "mean_depth")  # of networks that have learned
    found = of_networks(linear)
    if found.isna().any():
        raise NotTestableError("a network has one depth for all images")
    return found


@section.figure(
    "What a layer tells neighbours and a linear classifier",
    shows="Test images whose class is read off correctly at each layer",
    alt="Dots of accuracy by layer, one colour a classifier, panels a dataset.",
)
def linear_probes(sheet, linear):
    sheet.facts.append(sizes(linear))
    for ax, _, rows in sheet.panels(linear, "dataset", 4.2, sharex=True):
        sheet.points(ax, rows, "accuracy", "probe", hue="classifier")
    last = linear[linear["probe"] == linear["probe"].iloc[-1]]
    means = last.groupby(["dataset", "classifier"], sort=False)["accuracy"].mean()
    alike = of_networks(linear).groupby(level="dataset", sort=False).mean()
    said = [
        f"on {dataset} neighbours read {percent(means[dataset, 'knn'], 1)} and the regression "
        f"{percent(means[dataset, 'linear'], 1)} right at the last layer, and the rank correlation "
        f"of the two depths is {number(value)}"
        for dataset, value in alike.items()
    ]
    return f"Of the test images, {joined(said)}."


section.table(
    "linear",
    "Test images whose class is read off correctly at each layer, mean over seeds",
    lambda linear: linear,
    keys=["dataset", "probe", "classifier"],
    values=["accuracy"],
)
