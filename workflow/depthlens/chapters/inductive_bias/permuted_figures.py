"""Figures about images whose pixels were moved: by number of images and by kernel size."""

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias.course_lines import networks_of
from depthlens.chapters.inductive_bias.permuted_measures import (
    WAYS,
    mlp_of_as_many,
    over_images,
    validated,
)
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, percent

_MARKERS = {False: "o", True: "s"}
_MOST_TICKS = 12


def written_kernel(size: int) -> str:
    """ "3×3" for 3."""
    return f"{size}×{size}"


def by_images(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy by number of images, with and without permutation.

    Parameters
    ----------
    table : DataFrame
        `permuted`.
    confidence_level : float
    """
    rows, networks = validated(table), networks_of(table)
    figure, axes = style.canvas(3.7)
    ax = axes[0, 0]
    found = over_seeds(
        rows,
        ["architecture", "permuted", "images"],
        "accuracy",
        confidence_level=confidence_level,
    )
    for name in networks:
        for permuted in _ways_of(table):
            own = (found["architecture"] == name) & (found["permuted"] == permuted)
            comparing.line(
                ax, found[own], "images", label=f"{NETWORKS[name]}, {WAYS[permuted]}",
                colour=COLOURS[name], dashed=permuted, marker=_MARKERS[permuted],
            )  # fmt: skip
    _label_sizes(ax, sorted(set(table["images"])), count)
    ax.set_xlabel("training images a class")
    _label_accuracy(ax)
    figure.legend(loc="outside lower center", ncols=2)
    title = "Pixels moved around"
    style.frame(
        figure,
        title=title,
        subtitle="Accuracy on validation images by number of training images, with pixels of all "
        "images in place, or moved by\none permutation · "
        f"{sizes_of(table)} · {sizes_of(table, 'validation').split(',')[0]}\n"
        f"Bands: {percent(confidence_level)} intervals of the mean over seeds",
    )
    alt = (
        "Lines of validation accuracy by the number of training images, one colour a network, full "
        "where pixels are in place and dashed where they were moved."
    )
    return Drawing(figure, title, _sentence_of_images(rows), alt)


def _sentence_of_images(rows: pd.DataFrame) -> str:
    means = over_images(rows).mean()
    networks, said = networks_of(rows), []
    for permuted in _ways_of(rows):
        of_each = [
            f"the {NETWORKS[name]} gets {percent(means[name, permuted], 1)}" for name in networks
        ]
        # Equal as far as the digits show is not ahead.
        ahead = sorted(networks, key=lambda name: -means[name, permuted])[0]
        shown = {percent(means[name, permuted], 1) for name in networks}
        lead = f": the {NETWORKS[ahead]} is ahead" if len(shown) > 1 else ""
        said.append(f"With {WAYS[permuted]}, {joined(of_each)} right{lead}.")
    return f"Validation images, mean over the numbers of training images. {' '.join(said)}"


def by_kernel_size(
    table: pd.DataFrame, of_images: pd.DataFrame, *, confidence_level: float
) -> Drawing:
    """Accuracy of the convolutional network by kernel size, with and without permutation.

    Parameters
    ----------
    table : DataFrame
        `permuted_kernel_size`.
    of_images : DataFrame
        `permuted`, for what the MLP does with as many images.
    confidence_level : float
    """
    figure, axes = style.canvas(3.5)
    ax = axes[0, 0]
    level = {"confidence_level": confidence_level}
    rows = validated(table)
    found = over_seeds(rows, ["permuted", "kernel_size"], "accuracy", **level)
    for permuted in _ways_of(table):
        comparing.line(
            ax, found[found["permuted"] == permuted], "kernel_size",
            label=f"{NETWORKS['cnn']}, {WAYS[permuted]}", colour=COLOURS["cnn"], dashed=permuted,
            marker=_MARKERS[permuted],
        )  # fmt: skip
    mlp = over_seeds(mlp_of_as_many(table, of_images), ["permuted"], "accuracy", **level)
    for _, row in mlp.sort_values("permuted").iterrows():
        ax.axhline(
            row["mean"], color=COLOURS["mlp"], linestyle="--" if row["permuted"] else "-",
            linewidth=1.2, label=f"{NETWORKS['mlp']}, {WAYS[row['permuted']]}",
        )  # fmt: skip
        if row["n"] > 1:
            low, high = max(row["low"], 0), min(row["high"], 1)
            ax.axhspan(low, high, color=COLOURS["mlp"], alpha=0.08, linewidth=0)
    _label_sizes(ax, sorted(set(table["kernel_size"])), written_kernel)
    ax.set_xlabel("kernels, pixels")
    _label_accuracy(ax)
    figure.legend(loc="outside lower center", ncols=2)
    title = "Kernels where neighbours mean nothing"
    style.frame(
        figure,
        title=title,
        subtitle="Accuracy on validation images by kernel size, with pixels of all images in "
        f"place or moved\n{sizes_of(table)} · {sizes_of(table, 'validation').split(',')[0]} · "
        f"bands: {percent(confidence_level)} intervals of the mean over seeds",
    )
    alt = (
        "Two lines of validation accuracy by kernel size, full where pixels are in place and "
        "dashed where they were moved; level lines of the MLP, which has no kernels."
    )
    return Drawing(figure, title, _sentence_of_kernels(rows), alt)


def _sentence_of_kernels(rows: pd.DataFrame) -> str:
    means = rows.groupby(["permuted", "kernel_size"])["accuracy"].mean()
    sizes = sorted(set(rows["kernel_size"]))
    shown = [sizes[0], sizes[-1]] if len(sizes) > 1 else sizes
    said = [
        f"with {WAYS[permuted]} "
        + joined(
            [f"{percent(means[permuted, size], 1)} by {written_kernel(size)}" for size in shown]
        )
        for permuted in _ways_of(rows)
    ]
    return (
        f"Validation images answered right by the {NETWORKS['cnn']}, by the size of its kernels: "
        f"{'; '.join(said)}."
    )


def _ways_of(table: pd.DataFrame) -> list[bool]:
    return [permuted for permuted in WAYS if permuted in set(table["permuted"])]


def _label_sizes(ax: Axes, sizes: list[int], written: Callable[[int], str]) -> None:
    if len(sizes) <= _MOST_TICKS:
        ax.set_xticks(sizes, [written(size) for size in sizes])


def _label_accuracy(ax: Axes) -> None:
    ax.set_ylabel("validation images answered right")
    plots.percent_axis(ax.yaxis)
