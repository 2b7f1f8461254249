"""What to label first: the deepest images, those of smallest margin, or some by lot?"""

import numpy as np
import pandas as pd

from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, SAID, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import joined, percent
from depthlens.sweep import grid

STRATEGIES = {"depth": "Deepest first", "margin": "Smallest margin first", "random": "By lot"}
COLOURS = dict(zip(STRATEGIES, (*style.palette("ab"), style.MUTED), strict=True))
AREA = "mean test accuracy over the numbers of labels (area under the learning curve)"
section = Section(
    __name__,
    title="What to label first",
    text=(
        "Of the training images 5 % are labelled at the start, the classes in equal shares, and "
        "5 % more in each of five rounds. Each round trains a new network, with as many steps as a "
        "training on all images takes, and labels what it finds deepest, or what has the smallest "
        "output margin; drawing lots is the comparison. The depth of an image without a label is "
        "that of a query: the labelled images nearest to it vote.",
        "As few images are labelled, fewer neighbours vote than elsewhere: at most half as many as "
        "a class has labelled images.",
    ),
    columns=COLUMNS
    | {
        "strategy": Column("labelled first", STRATEGIES.__getitem__, COLOURS),
        "ahead": Column("accuracy ahead of drawing lots", share=True, bounds=(-1, 1)),
    },
)
section.sweep(
    "labelling",
    "labelling",
    cells=lambda block: grid(
        dataset=block["datasets"], strategy=["random", "margin", "depth"], seed=block["seeds"]
    ),
    settings=lambda block: {key: block[key] for key in ("recipe", "n_neighbors")},
)


def area(n_labelled, accuracy):
    """Area under a learning curve as a share of what it would be at an accuracy of 1.

    By the trapezoid rule; of one point its accuracy. `n_labelled` ascends.
    """
    if len(n_labelled) == 1:
        return float(accuracy[0])
    return float(np.trapezoid(accuracy, n_labelled) / (n_labelled[-1] - n_labelled[0]))


def areas(labelling):
    """Areas of the curves: a row a seed, a column a strategy."""
    curves = labelling.sort_values("n_labelled").groupby(["seed", "strategy"])
    return pd.Series(
        {
            key: area(curve["n_labelled"].to_numpy(), curve["accuracy"].to_numpy())
            for key, curve in curves
        }
    ).unstack()


@section.claim(
    "The deep images are the ones to label first.",
    source=f"{SAID}: label the deepest first",
    measure=f"{AREA}, deepest first minus by lot",
    above=0,
)
def deep_images_first(labelling):
    found = areas(labelling)
    return found["depth"] - found["random"]


@section.claim(
    "To label the deepest images is at least as good as to label those of smallest margin.",
    source=OURS,
    measure=f"{AREA}, deepest first minus smallest margin first",
    at_least=0,
)
def depth_labels_as_well_as_margin(labelling):
    found = areas(labelling)
    return found["depth"] - found["margin"]


@section.claim(
    "To label the images of smallest margin is better than to draw lots.",
    source="Scheffer, Decomain, Wrobel (2001), Active hidden Markov models; Settles (2009), Active "
    "learning literature survey",
    measure=f"{AREA}, smallest margin first minus by lot",
    above=0,
)
def small_margins_first(labelling):
    found = areas(labelling)
    return found["margin"] - found["random"]


@section.derived
def ahead(labelling):
    """Accuracy of each strategy less that of drawing lots in the same seed and round."""
    keys = ["dataset", "seed", "n_labelled"]
    by_lot = labelling[labelling["strategy"] == "random"][[*keys, "accuracy"]]
    others = labelling[labelling["strategy"] != "random"]
    found = others.merge(by_lot, on=keys, suffixes=("", "_by_lot"))
    return found.assign(ahead=found["accuracy"] - found["accuracy_by_lot"])


@section.figure(
    "Which images to label first",
    shows="Accuracy on test images by the number of labels · below: ahead of drawing lots, seed by "
    "seed",
    alt="Lines of test accuracy by the number of labelled images, one a strategy; below them the "
    "difference to drawing lots.",
)
def labelling(sheet, labelling, ahead):
    sheet.facts.append(sizes(labelling).replace("training images", "images to choose from"))
    datasets = sheet.levels(labelling, "dataset")
    axes = sheet.axes(5.4, rows=2, columns=len(datasets), sharex="col")
    said = []
    for (above, below), dataset in zip(axes.T, datasets, strict=True):
        rows, leads = (table[table["dataset"] == dataset] for table in (labelling, ahead))
        sheet.lines(above, rows, "n_labelled", "accuracy", hue="strategy")
        sheet.fit(above, rows, ["strategy", "n_labelled"], "accuracy")
        sheet.lines(below, leads, "n_labelled", "ahead", hue="strategy")
        below.axhline(0, color=style.MUTED, linestyle="--", linewidth=1)
        above.set_title(dataset)
        means = areas(rows).mean()[list(STRATEGIES)]
        each = [f"{percent(mean, 1)} {STRATEGIES[name].lower()}" for name, mean in means.items()]
        said.append(f"on {dataset} {joined(each)}")
    return f"The mean accuracy along the curve is {'; '.join(said)}."


section.table(
    "labelling",
    "Test accuracy by the number of labelled images, mean over seeds",
    lambda labelling: labelling,
    keys=["dataset", "n_labelled", "strategy"],
    values=["accuracy"],
)
