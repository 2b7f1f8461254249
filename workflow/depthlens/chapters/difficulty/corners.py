"""How deep are images where their label was given, and how deep where it was not?

Four corners of the plane of both depths (Baldock, Maennel, Neyshabur 2021, arXiv 2106.09647): easy,
hard, and the two in which it matters whether the label was given.
"""

from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.ticker import FuncFormatter, NullLocator

from depthlens.chapters.difficulty import words
from depthlens.chapters.difficulty.card import HELD_OUT, TRAIN
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.prose import count, joined, number, percent, shortened, some


class Corner(NamedTuple):
    """A corner of the plane of depths: 0 is shallow, 1 deep."""

    train: int
    held_out: int
    name: str
    verb: str
    """what is to be said of its images"""


_MISLABELLED = "looks like another class, or mislabelled"
CORNERS = (
    Corner(1, 0, _MISLABELLED, "look like another class or mislabelled"),
    Corner(1, 1, "hard", "are hard"),
    Corner(0, 0, "easy", "are easy"),
    Corner(0, 1, "ambiguous unless the label is given", "are ambiguous unless the label is given"),
)
"""in reading order: training depth from top to bottom, held-out depth from left to right"""

CORNER_IMAGES = 12
"""images in the gallery of a corner"""
# From a shade that white paper can be told from.
_SHADES = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.14, 1, 256)))
_NO_BOTH = "No image has a depth on both sides."

section = Section(
    __name__,
    title="Four corners",
    text="Each image was learned from by some networks and held out from others.",
)


@section.derived
def corners(ensemble):
    """Images with a depth on both sides, nearest the corner of their quarter of the plane first.

    `train` and `held_out` are the coordinates of that corner; the middle of a scale counts as deep.
    Nearest by the Euclidean distance in depths; ties by example_id.
    """
    both, top = ensemble.both, ensemble.n_probes
    deep = both[[TRAIN, HELD_OUT]].to_numpy() >= top / 2
    away = np.hypot(*(both[[TRAIN, HELD_OUT]].to_numpy() - top * deep).T)
    both = both.assign(train=deep[:, 0], held_out=deep[:, 1])
    return both.iloc[np.lexsort((both["example_id"], away))]


def quarter(corners, corner):
    """The images in the quarter of the plane that belongs to a corner."""
    return corners[(corners["train"] == corner.train) & (corners["held_out"] == corner.held_out)]


@section.figure(
    "How deep where the label was given, how deep where it was not",
    shows="Images by prediction depth, mean over the networks of each side, to the nearest whole "
    "depth\n0: settled at the first probe, the last depth: never · dotted: both the same",
    alt="A two-dimensional histogram of mean training depth by mean held-out depth.",
)
def four_corners(sheet, ensemble, corners):
    n, size = len(corners), ensemble.n_probes + 1
    sheet.facts.append(f"n = {count(n)} images, {some(ensemble.n_networks, 'network')}")
    if not n:
        return words.nothing(sheet, _NO_BOTH)
    found, ax, few = histogram(corners, size), sheet.axes(5.4), size <= 16
    largest = max(int(found.max()), 2)
    sns.heatmap(
        found, mask=found == 0, cmap=_SHADES, norm=LogNorm(1, largest), linewidth=0.5,
        annot=np.vectorize(count)(found) if few else None, fmt="", annot_kws={"size": 7.5},
        cbar_kws={"label": "images", "fraction": 0.05, "pad": 0.02, "aspect": 35}, ax=ax,
    )  # fmt: skip
    ax.invert_yaxis()
    ax.grid(False)
    ax.plot([0, size], [0, size], color=style.MUTED, linewidth=0.8, linestyle=":")
    ticks = np.arange(0, size, 1 if few else 5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks + 0.5, [str(depth) for depth in ticks], rotation=0)
    ax.set_xlabel("mean held-out depth (networks that did not learn from the image)")
    ax.set_ylabel("mean training depth (networks that did)")
    for corner in CORNERS:
        above = {"va": "bottom", "ha": "right" if corner.held_out else "left"}
        ax.annotate(
            f"{'▲' if corner.train else '▼'} {corner.name}", (corner.held_out, corner.train),
            xycoords="axes fraction", xytext=(0, 6 if corner.train else -42),
            textcoords="offset points", fontweight="bold", fontsize=9, **above,
        )  # fmt: skip
    bar = ax.collections[0].colorbar.ax.yaxis
    bar.set_ticks([t for power in 10 ** np.arange(5) for t in (power, 3 * power) if t <= largest])
    bar.set_minor_locator(NullLocator())
    bar.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    parts = sorted(((len(quarter(corners, c)), c.verb) for c in CORNERS), key=lambda p: -p[0])
    shares = [f"{percent(part / n, 1)} {verb}" for part, verb in parts]
    return (
        f"By the half of the scale that each mean depth lies in, of the images {joined(shares)}. "
        f"The mean depth is {number(corners[TRAIN].mean())} where an image was learned from and "
        f"{number(corners[HELD_OUT].mean())} where it was not."
    )


def histogram(corners, size):
    """Images by mean training depth and mean held-out depth, to the nearest whole (halves up)."""
    edges = np.arange(size + 1) - 0.5
    found, _, _ = np.histogram2d(corners[TRAIN], corners[HELD_OUT], bins=(edges, edges))
    return found.astype(int)


@section.figure(
    "What lies in the four corners",
    shows=f"Up to {CORNER_IMAGES} images of each quarter of the plane of mean depths, nearest its "
    "corner first\nBelow each image: label, → class that most "
    "networks give it unseen (their share), training / held-out depth",
    alt="Four grids of images, one for each corner of the plane of depths.",
)
def corner_galleries(sheet, ensemble, corners):
    sheet.facts.append(f"n = {count(len(corners))}")
    if corners.empty:
        return words.nothing(sheet, _NO_BOTH)
    colours, columns, room = style.palette(ensemble.classes), 4, 0.66
    tall = ensemble.images["test"].images.shape[2] / ensemble.images["test"].images.shape[3]
    chosen = [quarter(corners, corner).head(CORNER_IMAGES) for corner in CORNERS]
    lines = max(1, -(-max(map(len, chosen)) // columns))
    # Each image is as wide as in the other galleries of the page.
    inches = (style.WIDTH - 0.35) / (2 * columns * 1.16)
    height = 2 * (inches * lines * (tall + room) + 0.35)
    axes = sheet.axes(height, rows=2, columns=2, gridspec_kw={"wspace": 0.03})
    said = []
    for ax, corner, rows in zip(axes.flat, CORNERS, chosen, strict=True):
        captions = [
            (
                ensemble.classes[row.label],
                f"→ {shortened(ensemble.class_name(row.consensus), 12)} "
                f"{percent(row.consensus_consistency)}",
                f"{number(row.depth_train_mean, 1)} / {number(row.depth_held_out_mean, 1)}",
            )
            for row in rows.itertuples()
        ]
        frames = [colours[label] for label in rows["label"]]
        plots.image_grid(
            ax, ensemble.pictures(rows),
            columns=columns, captions=captions, frames=frames, caption_height=room,
        )  # fmt: skip
        ax.set_ylim(lines * (tall + room), -0.04)
        title = corner.name[0].upper() + corner.name[1:] + " (no image)" * rows.empty
        ax.set_title(title, fontsize=10.5, pad=20)
        sides = [("deep" if deep else "shallow") for deep in (corner.train, corner.held_out)]
        below = f"{sides[0]} where learned from, {sides[1]} where held out"
        ax.text(0, 1.015, below, transform=ax.transAxes, fontsize=8.5, color=style.MUTED)
        if len(rows):
            other = (rows["consensus"] != rows["label"]).sum()
            said.append(f"{count(other)} of the {count(len(rows))} that {corner.verb}")
    return (
        "Networks that did not learn from the image agree on another class than its label for "
        f"{joined(said)}."
    )
