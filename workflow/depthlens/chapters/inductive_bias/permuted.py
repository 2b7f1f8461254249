"""Pixels moved around: what is an assumption worth where it is false?"""

import pandas as pd

from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    at_the_end,
    course,
    learning,
    sizes_of,
    validated,
    with_three_classes,
)  # fmt: skip
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.ledger import NotTestableError
from depthlens.prose import percent

section = Section(
    __name__,
    title="Pixels moved around",
    text="All images have their pixels moved by the same permutation. An MLP cannot notice; a "
    "convolution finds no neighbours any more that have to do with each other. How much weights "
    "decay in the homework cannot be read any more; the value here is ours.",
    columns=COLUMNS,
)


def recipe(block):
    """What networks of both sweeps have in common."""
    own = block["permuted"]
    training = {key: own[key] for key in ("learning_rate", "epochs", "weight_decay")}
    return with_three_classes(block) | training


course(
    section,
    "permuted",
    settings=lambda block: (
        recipe(block) | {"kernel_size": block["permuted"]["kernel_sizes"][0], "moments": 1}
    ),
    tables=["kernels"],
    architecture=BOTH,
    permuted=[True, False],
    images=lambda block: block["permuted"]["images"],
)
learning(
    section,
    "permuted_kernel_size",
    settings=lambda block: recipe(block) | {"images": middle(block["permuted"]["images"])},
    architecture=["cnn"],
    permuted=[True, False],
    kernel_size=lambda block: block["permuted"]["kernel_sizes"],
)


def middle(values):
    """The number of images at which kernels are compared."""
    return values[len(values) // 2]


@section.derived
def ends(permuted):
    return at_the_end(permuted, "validation")


def over_images(ends):
    """Mean accuracy over the numbers of images: a row a seed, a column a network and way.

    A seed that lacks a number of images that other networks were trained on has none.
    """
    by_images = ends.pivot(
        index="seed", columns=["architecture", "permuted", "images"], values="accuracy"
    )
    return by_images.T.groupby(level=["architecture", "permuted"]).mean(skipna=False).T


@section.claim(
    "With pixels moved around, the MLP is ahead.",
    source=f"{INDUCTIVE_BIAS}, question 5",
    measure="validation accuracy on permuted images, mean over the numbers of images, MLP minus "
    "convolutional network",
    networks=("cnn", "mlp"),
    above=0,
)
def mlp_ahead_when_permuted(ends):
    means = over_images(ends)
    return means["mlp", True] - means["cnn", True]


@section.claim(
    "The MLP does not notice that pixels were moved.",
    source=f"{INDUCTIVE_BIAS}, question 5; the threshold is ours",
    measure="absolute difference of the MLP's mean validation accuracy with and without",
    networks=("mlp",),
    at_most=0.02,
)
def mlp_does_not_notice(ends):
    means = over_images(ends)["mlp"]
    return (means[False] - means[True]).abs()


@section.claim(
    "The convolutional network loses by it.",
    source=f"{INDUCTIVE_BIAS}, question 5",
    measure="mean validation accuracy without minus with permutation, convolutional network",
    networks=("cnn",),
    above=0,
)
def cnn_loses_by_permutation(ends):
    means = over_images(ends)["cnn"]
    return means[False] - means[True]


@section.claim(
    "Larger kernels help where neighbours mean nothing.",
    source=f"{OURS}, of what question 5 of the homework asks",
    measure="validation accuracy on permuted images, largest kernels minus smallest",
    networks=("cnn",),
    above=0,
)
def larger_kernels_help_when_permuted(permuted_kernel_size):
    rows = validated(permuted_kernel_size).query("permuted")
    moved = rows.pivot(index="seed", columns="kernel_size", values="accuracy")
    if len(moved.columns) < 2:
        raise NotTestableError("fewer than two sizes of kernels learned from permuted images")
    return moved[max(moved)] - moved[min(moved)]


@section.figure(
    "Pixels moved around",
    shows="Accuracy on validation images by number of training images; pixels of all images are in "
    "place, or moved by one permutation",
    alt="Lines of validation accuracy by the number of training images, one colour a network, full "
    "where pixels are in place and dashed where they were moved.",
)
def permuted(sheet, permuted, ends):
    sheet.facts.append(sizes_of(permuted))
    sheet.lines(sheet.axes(3.7), ends, "images", "accuracy", hue="architecture", style="permuted")
    right = (
        ends.groupby(["permuted", "architecture"])["accuracy"]
        .mean()
        .map(lambda mean: percent(mean, 1))
    )
    return (
        f"Of the validation images, {NETWORKS['cnn']} and MLP get {right[False, 'cnn']} and "
        f"{right[False, 'mlp']} right with pixels in place, {right[True, 'cnn']} and "
        f"{right[True, 'mlp']} with pixels moved, in the mean over the numbers of images."
    )


@section.figure(
    "Kernels where neighbours mean nothing",
    shows="Accuracy on validation images by kernel size, with pixels of all images in place or "
    "moved",
    alt="Two lines of validation accuracy by kernel size, full where pixels are in place and "
    "dashed where they were moved; level lines of the MLP, which has no kernels.",
)
def permuted_kernel_size(sheet, permuted_kernel_size, ends):
    rows = validated(permuted_kernel_size)
    small, large = min(rows["kernel_size"]), max(rows["kernel_size"])
    # The MLP has no kernels: as many images teach it the same at either end.
    mlp = ends.query("architecture == 'mlp'")
    mlp = mlp[mlp["images"] == middle(sorted(set(mlp["images"])))]
    level = [mlp.assign(kernel_size=size) for size in (small, large)]
    sheet.facts.append(sizes_of(permuted_kernel_size))
    roles = {"hue": "architecture", "style": "permuted"}
    sheet.lines(sheet.axes(3.5), pd.concat([rows, *level]), "kernel_size", "accuracy", **roles)
    right = (
        rows.groupby(["permuted", "kernel_size"])["accuracy"]
        .mean()
        .map(lambda mean: percent(mean, 1))
    )
    return (
        f"With kernels of {small}×{small} the {NETWORKS['cnn']} gets {right[True, small]} of the "
        f"images with moved pixels right, with kernels of {large}×{large} {right[True, large]}; "
        f"with pixels in place {right[False, small]} and {right[False, large]}."
    )


section.table(
    "permuted",
    "Validation accuracy by number of training images, mean over seeds",
    lambda ends: ends,
    keys=("architecture", "images", "permuted"),
    values=("accuracy",),
)
section.table(
    "permuted-kernel-size",
    "Validation accuracy of the convolutional network by the size of its kernels, mean over seeds",
    lambda permuted_kernel_size: validated(permuted_kernel_size),
    keys=("kernel_size", "permuted"),
    values=("accuracy",),
)
