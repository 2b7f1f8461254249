"""Filters of the first convolution, before and after training."""

import numpy as np
import pandas as pd

from depthlens.chapters.representation.networks import COLUMNS, both, sizes
from depthlens.chapters.roughness import roughness
from depthlens.chapters.section import Section
from depthlens.chapters.sources import MNIST, OURS
from depthlens.prose import number

section = Section(
    __name__,
    title="Filters of the first layer",
    text="Weights of the first convolution before the first step and after the last. Where "
    "neighbouring weights are alike, a filter answers to edges and blobs; drawn weights are not "
    "alike. CS 148 supposes that larger kernels would be clearer; these are of 5×5, as its own, "
    "and larger ones are not tried.",
    columns=COLUMNS,
    per="network",
)
MOMENTS = ["before", "after"]
MOST = 16
"""filters that are shown"""


def filters_of(weights):
    """Filters of one network at one moment, the channels added up: shape (n, rows, columns)."""
    keys = ["filter", "row", "column"]
    summed = weights.groupby(keys)["weight"].sum()
    return summed.to_numpy().reshape([weights[key].max() + 1 for key in keys])


@section.derived
def weights(convnet_kernels, resnet_kernels):
    return both(convnet_kernels, resnet_kernels)


@section.derived
def rough(weights):
    """Roughness before and after training, a row a network and seed."""
    keys = ["network", "dataset", "architecture", "seed"]
    return pd.DataFrame(
        [
            (*key, *(roughness(filters_of(rows[rows["moment"] == moment])) for moment in MOMENTS))
            for key, rows in weights.groupby(keys, sort=False)
        ],
        columns=[*keys, *MOMENTS],
    )


@section.claim(
    "Learned filters of the first layer are smooth: they answer to edges and blobs.",
    source=f"{OURS}: {MNIST}, finds filters less clearly edge detectors than AlexNet's",
    measure="roughness of the filters after training minus before",
    below=0,
)
def filters_become_smooth(rough):
    return rough["after"] - rough["before"]


@section.figure(
    "Filters of the first convolution",
    shows="Each scaled by its largest weight; blue is negative, red positive · roughness 1: "
    "weights drawn at random",
    alt="Rows of small squares, each a filter, before and after training, for both networks.",
)
def kernels(sheet, weights, rough):
    sheet.facts.append(sizes(weights))
    first = weights[weights["seed"] == weights.groupby("network")["seed"].transform("min")]
    shown = first.groupby(["network", "seed", "moment"], sort=False)
    axes = sheet.axes(0.9 * len(shown), rows=len(shown))
    for ax, ((network, seed, moment), rows) in zip(axes.flat, shown, strict=True):
        filters = filters_of(rows)
        side_by_side(ax, filters[:MOST])
        ax.set_title(
            f"{network}: {moment} training · {min(MOST, len(filters))} of {len(filters)} filters, "
            f"seed {seed} · roughness {number(roughness(filters))}"
        )
    means = rough.groupby("network", sort=False)[MOMENTS].mean()
    said = [
        f"with {network} it goes from {number(mean.before)} to {number(mean.after)}"
        for network, mean in means.iterrows()
    ]
    return f"Roughness, mean over seeds: {'; '.join(said)}."


def side_by_side(ax, filters):
    """Filters in a row, each on its own scale."""
    rows, columns = filters.shape[1:]
    board = np.full((rows, MOST * (columns + 1) - 1), np.nan)
    for place, weights in enumerate(filters):
        start = place * (columns + 1)
        board[:, start : start + columns] = weights / max(np.abs(weights).max(), 1e-12)
    ax.imshow(board, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest", aspect="equal")
    ax.set_axis_off()


section.table(
    "kernels",
    "Roughness of the filters of the first convolution (1: drawn at random)",
    lambda rough: rough,
    keys=["network", "seed"],
    values=MOMENTS,
)
