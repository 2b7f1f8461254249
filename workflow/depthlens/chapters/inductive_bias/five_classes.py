"""Pooling, width and depth: which of them help, with two classes more?"""

import pandas as pd

from depthlens.chapters.inductive_bias.words import (
    COLUMNS,
    at_the_end,
    course,
    sizes_of,
    with_five_classes,
    with_most_images,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures.sheet import Column
from depthlens.prose import joined, percent

NAMES = {
    "cnn": "plain: maximum pooling",
    "cnn_average": "average pooling",
    "cnn_wider": "six filters",
    "cnn_deeper": "four convolutions",
    "cnn_deeper_3x3": "four convolutions of 3×3",
}
ENDS = "validation accuracy at the end"
section = Section(
    __name__,
    title="Pooling, width and depth",
    text="Two classes more: a slanted edge, and both an edge along a row and one along a column. "
    "Maximum pooling is compared with average pooling, and the network with one of six filters a "
    "convolution and two of four convolutions, of 7×7 and of 3×3; behind the first convolution "
    "alone there is a pooling.",
    columns=COLUMNS
    | {
        "architecture": COLUMNS["architecture"]._replace(write=NAMES.__getitem__),
        "difference": Column("more than plain"),
    },
)
course(
    section,
    "pooling",
    settings=lambda block: (
        with_five_classes(block)
        | {key: block["pooling"][key] for key in ("learning_rate", "epochs")}
    ),
    architecture=["cnn", "cnn_average"],
    images=lambda block: block["pooling"]["images"],
)
course(
    section,
    "width_and_depth",
    settings=lambda block: with_five_classes(block) | block["width_and_depth"],
    architecture=["cnn", "cnn_wider", "cnn_deeper", "cnn_deeper_3x3"],
)


@section.derived
def pooled(pooling):
    return with_most_images(pooling)


def by_network(table):
    """Validation accuracy at the end: a row a seed, a column a network."""
    ends = at_the_end(table, "validation")
    return ends.pivot(index="seed", columns="architecture", values="accuracy")


@section.claim(
    "Maximum pooling is better than average pooling for edges.",
    source=f"{OURS}, of what question 6 of the homework asks",
    measure=f"{ENDS}, maximum minus average pooling",
    networks=["cnn", "cnn_average"],
    above=0,
)
def maximum_beats_average(pooled):
    ends = by_network(pooled)
    return ends["cnn"] - ends["cnn_average"]


@section.claim(
    "More filters help.",
    source=f"{OURS}, of what question 6 of the homework asks",
    measure=f"{ENDS}, six filters minus the plain network",
    networks=["cnn", "cnn_wider"],
    above=0,
)
def wider_is_better(width_and_depth):
    ends = by_network(width_and_depth)
    return ends["cnn_wider"] - ends["cnn"]


@section.claim(
    "More convolutions help.",
    source=f"{OURS}, with larger kernels than question 6 of the homework has",
    measure=f"{ENDS}, four convolutions minus the plain network",
    networks=["cnn", "cnn_deeper"],
    above=0,
)
def deeper_is_better(width_and_depth):
    ends = by_network(width_and_depth)
    return ends["cnn_deeper"] - ends["cnn"]


@section.claim(
    "More convolutions, of smaller kernels, help.",
    source=f"{OURS}, of what question 6 of the homework asks",
    measure=f"{ENDS}, four convolutions of 3×3 minus the plain network",
    networks=["cnn", "cnn_deeper_3x3"],
    above=0,
)
def deeper_is_better_with_small_kernels(width_and_depth):
    ends = by_network(width_and_depth)
    return ends["cnn_deeper_3x3"] - ends["cnn"]


def draw(sheet, table):
    """Accuracy along the training, and at its end with a dot a seed."""
    sheet.facts.append(sizes_of(table))
    course, end = sheet.axes(3.6, columns=2, width_ratios=[2, 1])[0]
    rows, ends = table[table["split"] == "validation"], at_the_end(table, "validation")
    sheet.lines(course, rows, "epoch", "accuracy", hue="architecture", marker=None)
    sheet.points(end, ends, "architecture", "accuracy", hue="architecture", dodge=False)
    end.set(xticks=[], xlabel="at the end")
    means = by_network(table).mean()
    said = [f"{percent(mean, 1)} ({NAMES[name]})" for name, mean in means.items()]
    return f"At the end the validation accuracy is {joined(said)}, in the mean over seeds."


ALT = (
    "Lines of validation accuracy by passes over the training images, one a network; on the right "
    "dots with intervals for the end."
)


@section.figure(
    "Maximum against average pooling",
    shows="Accuracy on validation images, with the most training images",
    alt=ALT,
)
def pooling(sheet, pooled):
    return draw(sheet, pooled)


@section.figure(
    "Maximum against average pooling, by number of images",
    shows="Accuracy on validation images at the end of the training",
    alt="Two lines of validation accuracy by the number of training images, one a pooling.",
)
def pooling_by_images(sheet, pooling):
    sheet.facts.append(sizes_of(pooling))
    ends = at_the_end(pooling, "validation")
    sheet.lines(sheet.axes(3.3), ends, "images", "accuracy", hue="architecture", err_style="bars")
    means = ends.groupby("architecture")["accuracy"].mean()
    said = [f"{percent(mean, 1)} ({NAMES[name]})" for name, mean in means.items()]
    return f"Validation accuracy, mean over the numbers of images and over seeds: {joined(said)}."


@section.figure("More filters, more convolutions", shows="Accuracy on validation images", alt=ALT)
def width_and_depth(sheet, width_and_depth):
    return draw(sheet, width_and_depth)


def with_differences(table):
    """Accuracy at the end, and how much that is more than the plain network's in the same seed."""
    ends = by_network(table)
    difference = ends.sub(ends["cnn"], axis=0).melt(ignore_index=False, value_name="difference")
    return pd.merge(at_the_end(table, "validation"), difference.reset_index())


AT_THE_END = "validation accuracy at the end, mean over seeds"
section.table(
    "pooling",
    f"Maximum against average pooling: {AT_THE_END}",
    lambda pooled: with_differences(pooled),
    keys=["architecture"],
    values=["accuracy", "difference"],
)
section.table(
    "width-and-depth",
    f"More filters, more convolutions: {AT_THE_END}",
    lambda width_and_depth: with_differences(width_and_depth),
    keys=["architecture"],
    values=["accuracy", "difference"],
)
section.table(
    "pooling-by-images",
    "Maximum against average pooling by the number of training images, mean over seeds",
    lambda pooling: at_the_end(pooling, "validation").sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
