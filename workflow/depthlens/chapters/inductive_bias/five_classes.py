"""Pooling, width and depth: which of them help, with two classes more?"""

from functools import partial

import pandas as pd

from depthlens.chapters.inductive_bias.words import (
    COLUMNS,
    COURSE,
    at_the_end,
    course,
    sizes_of,
    with_five_classes,
)
from depthlens.chapters.section import Section
from depthlens.figures.sheet import Column
from depthlens.prose import joined, percent

NAMES = {
    "cnn": "plain: maximum pooling",
    "cnn_average": "average pooling",
    "cnn_wider": "six filters",
    "cnn_deeper": "four convolutions",
}
ENDS = "validation accuracy at the end"
section = Section(
    __name__,
    title="Pooling, width and depth",
    text="Two classes more: a slanted edge, and both an edge along a row and one along a column. "
    "Maximum pooling is compared with average pooling, and the network with one of six filters a "
    "convolution and one of four convolutions (the further two without pooling).",
    columns=COLUMNS
    | {
        "architecture": COLUMNS["architecture"]._replace(write=NAMES.__getitem__),
        "difference": Column("more than plain"),
    },
)


def settings(block, sweep):
    return with_five_classes(block) | block[sweep]


for name, networks in {
    "pooling": ["cnn", "cnn_average"],
    "width_and_depth": ["cnn", "cnn_wider", "cnn_deeper"],
}.items():
    course(
        section,
        name,
        settings=partial(settings, sweep=name),
        architecture=networks,
    )


def by_network(table):
    """Validation accuracy at the end: a row a seed, a column a network."""
    ends = at_the_end(table, "validation")
    return ends.pivot(index="seed", columns="architecture", values="accuracy")


@section.claim(
    "Maximum pooling is better than average pooling for edges.",
    source=COURSE,
    measure=f"{ENDS}, maximum minus average pooling",
    networks=["cnn", "cnn_average"],
    above=0,
)
def maximum_beats_average(pooling):
    ends = by_network(pooling)
    return ends["cnn"] - ends["cnn_average"]


@section.claim(
    "More filters help.",
    source=COURSE,
    measure=f"{ENDS}, six filters minus the plain network",
    networks=["cnn", "cnn_wider"],
    above=0,
)
def wider_is_better(width_and_depth):
    ends = by_network(width_and_depth)
    return ends["cnn_wider"] - ends["cnn"]


@section.claim(
    "More convolutions help.",
    source=COURSE,
    measure=f"{ENDS}, four convolutions minus the plain network",
    networks=["cnn", "cnn_deeper"],
    above=0,
)
def deeper_is_better(width_and_depth):
    ends = by_network(width_and_depth)
    return ends["cnn_deeper"] - ends["cnn"]


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


@section.figure("Maximum against average pooling", shows="Accuracy on validation images", alt=ALT)
def pooling(sheet, pooling):
    return draw(sheet, pooling)


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
    lambda pooling: with_differences(pooling),
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
