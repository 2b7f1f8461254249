"""Is it the assumption, or that the convolutional network has fewer parameters?"""

import pandas as pd

from depthlens.chapters.inductive_bias.leads import lead
from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    learning,
    of_few_images,
    sizes_of,
    validated,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS
from depthlens.prose import joined, percent

SMALL = ("mlp_means", "mlp_narrow")
section = Section(
    __name__,
    title="With as many parameters",
    text="The convolutional network has 606 parameters, the MLP of the other sections 39,793. Two "
    "MLPs of about as many as the convolutional network learn the same few images: one sees the "
    "49 means of 4×4 pixels (49 – 11 – 3), one all pixels through a single hidden unit "
    "(784 – 1 – 3).",
    columns=COLUMNS,
)
learning(
    section,
    "same_size",
    settings=of_few_images,
    architecture=SMALL,
    images=lambda block: block["few_images"]["images"],
)


@section.derived
def all_sizes(few_images, same_size):
    return pd.concat([few_images, same_size])


def better(name):
    return section.claim(
        "The convolutional network is better than an MLP of as many parameters.",
        source=f"{INDUCTIVE_BIAS}, introduction",
        measure="validation accuracy, mean over the numbers of images, convolutional network minus "
        f"{NETWORKS[name]}",
        networks=["cnn", name],
        above=0,
    )


@better("mlp_means")
def cnn_ahead_of_mlp_of_means(all_sizes):
    return lead(all_sizes, "cnn", "mlp_means").mean(axis=1, skipna=False)


@better("mlp_narrow")
def cnn_ahead_of_narrow_mlp(all_sizes):
    return lead(all_sizes, "cnn", "mlp_narrow").mean(axis=1, skipna=False)


@section.figure(
    "With as many parameters",
    shows="Accuracy on validation images by number of training images",
    alt="Lines of validation accuracy by the number of training images: the convolutional network, "
    "the large MLP and two small ones.",
)
def same_size(sheet, all_sizes):
    sheet.facts.append(sizes_of(all_sizes))
    rows = validated(all_sizes)
    sheet.lines(sheet.axes(3.6), rows, "images", "accuracy", hue="architecture", err_style="bars")
    means = rows.groupby("architecture")["accuracy"].mean()
    said = [f"{percent(means[name], 1)} ({NETWORKS[name]})" for name in (*BOTH, *SMALL)]
    return f"Validation accuracy, mean over the numbers of images and over seeds: {joined(said)}."


section.table(
    "same-size",
    "Validation accuracy by the number of training images, mean over seeds",
    lambda all_sizes: validated(all_sizes).sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
