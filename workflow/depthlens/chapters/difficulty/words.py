"""How this chapter calls what its tables hold, and what its figures have in common."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from depthlens.chapters.difficulty.run import Run
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column, Sheet
from depthlens.prose import count, joined, number, percent, shortened
from depthlens.scores.catalogue import BY_NAME, DEPTHS

PAPER = "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647"
COURSE = "course material on prediction depth with six shapes"

DEPTH = "prediction depth: the probe from which all later ones agree with the network"
FEW = 30
"""images below which a share says little"""
MOST_PANELS = 20
"""classes that small multiples have room for: of more, the hardest are shown"""

two_digits = partial(number, digits=2)
to_a_tenth = partial(percent, digits=1)
SHARE = Column("share of the images", to_a_tenth, share=True)
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
    "share": SHARE,
    "accuracy": Column("accuracy of the network", to_a_tenth, share=True),
    "split": Column("images", SPLITS.__getitem__, {"test": style.WRONG, "train": style.INK}),
}


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


def rho_of(row: object) -> str:
    """Like "ρ = 0.31 [0.12, 0.50]"; without an interval where there is none."""
    interval = f" [{number(row['low'])}, {number(row['high'])}]" if np.isfinite(row["low"]) else ""
    return f"ρ = {number(row['correlation'])}{interval}"


def short_titles(measures: Sequence[str]) -> list[str]:
    """What an axis calls measures."""
    return [shortened(title_of(measure), 28) for measure in measures]


def embolden_depths(labels: Sequence[Text], measures: Sequence[str]) -> None:
    """Make the labels of those measures bold that are prediction depths."""
    for label, measure in zip(labels, measures, strict=True):
        label.set_fontweight("bold" if is_depth(measure) else "normal")


def or_dash(value: object) -> str:
    """A text, or a dash where there is none."""
    return value if isinstance(value, str) else "—"


def class_colours(classes: list[str]) -> dict[str, str]:
    """The colour of each class, the same in every figure."""
    return dict(zip(classes, style.palette(classes), strict=True))


def with_interval(row: object, value: str, low: str, high: str) -> str:
    """Like "7.31 [7.12, 7.50]"."""
    return f"{number(row[value])} [{number(row[low])}, {number(row[high])}]"


def sizes(run: Run) -> str:
    """How many images were studied."""
    sizes = [f"{count(len(split))} {SPLITS[name]}" for name, split in run.splits.items()]
    return f"n = {joined(sizes)}"


def depth_axis(figure: Figure, ax: Axes, run: Run) -> None:
    """Label the x axis by depths and the probes where they settle."""
    ax.set_xlabel(DEPTH)
    plots.category_axis(figure, ax, [str(depth) for depth in range(run.n_depths)], run.depth_names)
    mark_impossible(ax, run)
    for depth in np.flatnonzero(~run.possible):
        ax.text(
            depth, 0.03, f"impossible (= {shortened(run.probe_names[depth - 1], 12)})",
            transform=ax.get_xaxis_transform(), rotation=90, ha="center", va="bottom",
            fontsize=8.5 if run.n_depths <= 24 else 7, color=style.MUTED, zorder=3,
            bbox={"facecolor": "#f3f5f8", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def mark_impossible(ax: Axes, run: Run) -> None:
    """Hatch the depths that cannot occur."""
    for depth in np.flatnonzero(~run.possible):
        ax.axvspan(
            depth - 0.5, depth + 0.5,
            facecolor="#f3f5f8", edgecolor=style.FAINT, hatch="///", linewidth=0, zorder=0.5,
        )  # fmt: skip


def in_corner(ax: Axes, text: str) -> None:
    """Write beside the title of a panel."""
    ax.text(1, 1.02, text, transform=ax.transAxes, ha="right", fontsize=8, color=style.MUTED)


def mark_mean(ax: Axes, mean: float, height: float, n_depths: int) -> None:
    """Point at the mean depth from above the bars of a small panel, and write it."""
    ax.plot(mean, height, marker="v", color=style.INK, markersize=5)
    near_end = mean > 0.5 * n_depths
    ax.annotate(
        f"mean {number(mean)}", (mean, height), xytext=(-6 if near_end else 6, 0),
        textcoords="offset points", ha="right" if near_end else "left", va="center", fontsize=8,
    )  # fmt: skip


def thin_ticks(ax: Axes, n_depths: int, most: int) -> None:
    """Depths on the x axis of a small panel: the first and the last, and as many as have room."""
    last, step = n_depths - 1, 1 if n_depths <= most else 5
    ticks = [d for d in range(0, n_depths, step) if d <= last - (step > 1) * step / 2]
    ticks = ticks if last in ticks else [*ticks, last]
    ax.set_xticks(ticks, [str(depth) for depth in ticks])
    ax.set_xlim(-0.7, n_depths - 0.3)


def numbers_above(ax: Axes, depths: object, n: object, *, size: float = 8.5) -> None:
    """Write the number of images above an axis of shares, whose scale ends at 1."""
    for depth, images in zip(depths, n, strict=True):
        ax.text(depth, 1.06, count(images), ha="center", va="bottom", fontsize=size)
    ax.text(
        0, 1.06, "n = ", transform=ax.get_yaxis_transform(),
        ha="right", va="bottom", fontsize=size, color=style.MUTED,
    )  # fmt: skip
    ax.spines.left.set_bounds(0, 1)
    ax.set_ylim(0, 1.14)
    ax.set_yticks(np.linspace(0, 1, 6))


def nothing(sheet: Sheet, reason: str) -> str:
    """A figure that says why there is nothing to draw."""
    ax = sheet.axes(1.2)
    ax.set_axis_off()
    ax.text(0.5, 0.5, reason, ha="center", va="center", color=style.MUTED)
    return reason
