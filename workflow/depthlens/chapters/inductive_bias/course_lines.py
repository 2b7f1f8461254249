"""Lines along a training: validation images in full colour with bands, training images pale."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import style

_PALE = {"linestyle": "--", "linewidth": 1.1, "alpha": 0.5}


def networks_of(table: pd.DataFrame) -> list[str]:
    """Architectures of a table, in the order of `words.NETWORKS`."""
    there = set(table["architecture"])
    return [name for name in NETWORKS if name in there]


def draw_course(
    axes: Axes,
    table: pd.DataFrame,
    column: str,
    *,
    confidence_level: float,
    most: float | None = None,
) -> None:
    """Means over seeds by epoch, of every network.

    Parameters
    ----------
    axes : Axes
    table : DataFrame
        With the columns `architecture`, `split`, `seed`, `epoch` and `column`.
    column : str
        Not negative.
    confidence_level : float
        Of the bands.
    most : float, optional
        The largest value there can be: bands end there.
    """
    found = over_seeds(
        table, ["architecture", "split", "epoch"], column, confidence_level=confidence_level
    ).sort_values("epoch")
    for name in networks_of(table):
        own = found[found["architecture"] == name]
        seen, new = (own[own["split"] == split] for split in ("train", "validation"))
        axes.plot(seen["epoch"], seen["mean"], color=COLOURS[name], **_PALE)
        axes.fill_between(
            new["epoch"], new["low"].clip(0, most), new["high"].clip(0, most),
            color=COLOURS[name], alpha=0.16, linewidth=0,
        )  # fmt: skip
        axes.plot(new["epoch"], new["mean"], color=COLOURS[name])
    axes.set_xlim(0, max(table["epoch"].max(), 1))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("passes over the training images")


def label_lines(figure: Figure, networks: Sequence[str]) -> None:
    """A legend below the figure: what colours are, and what pale lines are."""
    handles = [
        *(Line2D([], [], color=COLOURS[name], label=NETWORKS[name]) for name in networks),
        Line2D([], [], color=style.INK, label="validation images"),
        Line2D([], [], color=style.INK, label="training images", **_PALE),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
