"""How this chapter calls what its tables hold, and what its figures have in common."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent, shortened
from depthlens.scores.catalogue import BY_NAME, DEPTHS

PAPER = "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647"
COURSE = "course material on prediction depth with six shapes"

DEPTH = "prediction depth: the probe from which all later ones agree with the network"
FEW = 30
"""images below which a share says little"""
MOST_PANELS = 20
"""classes that small multiples have room for: of more, the hardest are shown"""
_PALE = "#f3f5f8"

two_digits = partial(number, digits=2)
to_a_tenth = partial(percent, digits=1)
LOW_SHARE, HIGH_SHARE = Column("low", to_a_tenth), Column("high", to_a_tenth)

SPLITS = {"test": "test images", "train": "training images"}
COLUMNS = {
    "n": Column("n", count),
    "k": Column("neighbours k", count),
    "depth": Column(DEPTH),
    "mean_depth": Column("mean depth", two_digits),
    "depth_low": Column("low", two_digits),
    "depth_high": Column("high", two_digits),
    "correlation": Column("Spearman ρ"),
    "share": Column("share of the images", to_a_tenth, share=True),
    "accuracy": Column("accuracy of the network", to_a_tenth, share=True),
    "split": Column("images", SPLITS.__getitem__, {"test": style.WRONG, "train": style.INK}),
}


def add_share(table, name, part, whole, level, ends=None):
    """Add a column of shares, and where their Wilson intervals end: `_low` and `_high` of it."""
    low, high = ends or (f"{name}_low", f"{name}_high")
    table[name] = part / whole
    table[low], table[high] = intervals.wilson(part, whole, confidence_level=level)


def mean_of(values, level, name, ends=None):
    """A mean by its name, and where its interval ends; see `add_share`."""
    low, high = intervals.mean(values, confidence_level=level)
    names = ends or (f"{name}_low", f"{name}_high")
    return {name: float(np.mean(values)), names[0]: low, names[1]: high}


def stacked(table, keys, kinds, value):
    """Shares of several kinds, and their intervals, below one another: `of` says the kind."""
    return pd.concat(
        [
            table[[*keys, of, f"{of}_low", f"{of}_high"]]
            .set_axis([*keys, value, "low", "high"], axis=1)
            .assign(of=of)
            for of in kinds
        ],
        ignore_index=True,
    )


def is_depth(measure: str) -> bool:
    """Whether a measure is a prediction depth, whatever the probes are to agree with."""
    return measure == "depth_consensus" or measure in {score.name for score in DEPTHS}


def title_of(measure: str) -> str:
    """What a figure or a table calls a measure of difficulty."""
    return BY_NAME[measure].title


def name_of(measure: str) -> str:
    """What a sentence calls it: like its title, small where it is no name, without a comma."""
    name, comma, kind = title_of(measure).partition(", ")
    name = name[0].lower() + name[1:] if name.split()[0][1:].islower() else name
    return f"{name} ({kind})" if comma else name


def or_dash(value: object) -> str:
    """A text, or a dash where there is none."""
    return value if isinstance(value, str) else "—"


def with_interval(row: Mapping[str, Any], value: str, low: str = "low", high: str = "high") -> str:
    """Like "7.31 [7.12, 7.50]"; without an interval where there is none."""
    ends = f" [{number(row[low])}, {number(row[high])}]" if np.isfinite(row[low]) else ""
    return f"{number(row[value])}{ends}"


def class_colours(classes):
    """The colour of each class, the same in every figure."""
    return dict(zip(classes, style.palette(classes), strict=True))


def sizes(run):
    """How many images were studied."""
    return f"n = {joined([f'{count(len(of))} {SPLITS[name]}' for name, of in run.splits.items()])}"


def name_measures(axis, measures, **look):
    """Name the places of an axis after measures, prediction depths in bold."""
    names = [shortened(title_of(measure), 28) for measure in measures]
    axis.set_ticks(axis.get_ticklocs(), names, **look)
    for label, measure in zip(axis.get_ticklabels(), measures, strict=True):
        label.set_fontweight("bold" if is_depth(measure) else "normal")


def depth_axis(figure, ax, run):
    """Label the x axis by depths and the probes where they settle."""
    ax.set_xlabel(DEPTH)
    plots.category_axis(figure, ax, [str(depth) for depth in range(run.n_depths)], run.depth_names)
    mark_impossible(ax, run)
    for depth in np.flatnonzero(~run.possible):
        ax.text(
            depth, 0.03, f"impossible (= {shortened(run.probe_names[depth - 1], 12)})",
            transform=ax.get_xaxis_transform(), rotation=90, ha="center", va="bottom",
            fontsize=8.5 if run.n_depths <= 24 else 7, color=style.MUTED, zorder=3,
            bbox={"facecolor": _PALE, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def mark_impossible(ax, run):
    """Hatch the depths that cannot occur."""
    look = {"facecolor": _PALE, "edgecolor": style.FAINT, "hatch": "///", "linewidth": 0}
    for depth in np.flatnonzero(~run.possible):
        ax.axvspan(depth - 0.5, depth + 0.5, zorder=0.5, **look)


def in_corner(ax, text):
    """Write beside the title of a panel."""
    ax.text(1, 1.02, text, transform=ax.transAxes, ha="right", fontsize=8, color=style.MUTED)


def mark_mean(ax, mean, height, n_depths):
    """Point at the mean depth from above the bars of a small panel, and write it."""
    ax.plot(mean, height, marker="v", color=style.INK, markersize=5)
    near_end = mean > 0.5 * n_depths
    ax.annotate(
        f"mean {number(mean)}", (mean, height), xytext=(-6 if near_end else 6, 0),
        textcoords="offset points", ha="right" if near_end else "left", va="center", fontsize=8,
    )  # fmt: skip


def thin_ticks(ax, n_depths, most):
    """Depths on the x axis of a small panel: the first and the last, and as many as have room."""
    last, step = n_depths - 1, 1 if n_depths <= most else 5
    ticks = [*range(0, last - step // 2, step), last]
    ax.set_xticks(ticks, [str(depth) for depth in ticks])
    ax.set_xlim(-0.7, n_depths - 0.3)


def numbers_above(ax, depths, n, *, size=8.5):
    """Write the number of images above an axis of shares, whose scale ends at 1."""
    look = {"va": "bottom", "fontsize": size}
    for depth, images in zip(depths, n, strict=True):
        ax.text(depth, 1.06, count(images), ha="center", **look)
    beside = ax.get_yaxis_transform()
    ax.text(0, 1.06, "n = ", transform=beside, ha="right", color=style.MUTED, **look)
    ax.spines.left.set_bounds(0, 1)
    ax.set_ylim(0, 1.14)
    ax.set_yticks(np.linspace(0, 1, 6))


def nothing(sheet, reason):
    """A figure that says why there is nothing to draw."""
    ax = sheet.axes(1.2)
    ax.set_axis_off()
    ax.text(0.5, 0.5, reason, ha="center", va="center", color=style.MUTED)
    return reason
