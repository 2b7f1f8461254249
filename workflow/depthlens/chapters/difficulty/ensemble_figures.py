"""Figures of all networks of one dataset and model together."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from depthlens.chapters.difficulty import ENSEMBLE_FIGURES, ensemble
from depthlens.chapters.difficulty.comparisons import is_depth, name_of, title_of
from depthlens.chapters.difficulty.ensemble import CORNERS, HELD_OUT, SIDES, TRAIN, Ensemble
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, shortened, some

CORNER_IMAGES = 12
"""images in the gallery of a corner"""

_TARGET = 0.9  # the reliability that `networks_needed` is about
# From a shade that white paper can be told from.
_SHADES = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.14, 1, 256)))
_COLOURS = {"held_out": style.WRONG, "train": style.INK}
_MARKERS = {"held_out": "o", "train": "s"}


@dataclass(frozen=True, kw_only=True)
class EnsembleMaterial:
    """All that the figures of one dataset and model are drawn from."""

    ensemble: Ensemble
    confidence_level: float = 0.95
    note: str | None = None
    """what a reader must know before believing a figure"""
    colours: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "colours", style.palette(self.ensemble.classes))


def draw(material: EnsembleMaterial) -> Iterator[tuple[str, Drawing]]:
    """Every figure of `ENSEMBLE_FIGURES`, by name, one after the other."""
    for name in ENSEMBLE_FIGURES:
        with style.styled():
            drawing = _FIGURES[name](material)
        yield name, drawing


def four_corners(material: EnsembleMaterial) -> Drawing:
    """Mean training depth by mean held-out depth."""
    made, n = material.ensemble, len(material.ensemble.both)
    title = "How deep where the label was given, how deep where it was not"
    if not n:
        return _nothing(material, title, "No image has a depth on both sides.")
    found = ensemble.histogram(made)
    size, top = made.n_probes + 1, made.n_probes
    figure, axes = style.canvas(5.4)
    ax = axes[0, 0]
    edges = np.arange(size + 1) - 0.5
    largest = max(int(found.max()), 2)
    picture = ax.pcolormesh(
        edges,
        edges,
        np.ma.masked_equal(found, 0),
        cmap=_SHADES,
        norm=LogNorm(1, largest),
        edgecolors="white",
        linewidth=0.5,
    )
    if size <= 16:
        for row, column in np.argwhere(found > 0):
            dark = np.log(found[row, column]) > 0.55 * np.log(largest)
            ax.text(
                column,
                row,
                count(found[row, column]),
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if dark else style.INK,
            )
    ax.plot([-0.5, size - 0.5], [-0.5, size - 0.5], color=style.MUTED, linewidth=0.8, linestyle=":")
    step = 1 if size <= 16 else 5
    ax.set_xticks(range(0, size, step))
    ax.set_yticks(range(0, size, step))
    ax.set(
        xlim=(-0.5, size - 0.5),
        ylim=(-0.5, size - 0.5),
        xlabel="mean held-out depth (networks that did not learn from the image)",
        ylabel="mean training depth (networks that did)",
    )
    ax.grid(False)
    for corner in CORNERS:
        ax.annotate(
            f"{'▲' if corner.train else '▼'} {corner.name}",
            (corner.held_out, corner.train),
            xycoords="axes fraction",
            xytext=(0, 6 if corner.train else -42),
            textcoords="offset points",
            ha="right" if corner.held_out else "left",
            va="bottom",
            fontsize=9,
            fontweight="bold",
        )
    bar = figure.colorbar(picture, ax=ax, fraction=0.05, pad=0.02, aspect=35)
    bar.set_label("images", fontsize=8.5)
    ticks = [t for t in (1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000) if t <= largest]
    bar.ax.yaxis.set_major_locator(FixedLocator(ticks))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    bar.outline.set_visible(False)
    _frame(
        figure,
        material,
        title,
        f"Prediction depth of n = {count(n)} images, mean over the networks of each side (of "
        f"{some(made.n_networks, 'network')}), to the nearest whole depth\nNumber of images in "
        f"each cell, shades on a logarithmic scale · 0: settled at the first probe, {top}: never · "
        "dotted: both the same",
    )
    both, parts = made.both, ensemble.quadrants(made)
    deeper = float((both[HELD_OUT] > both[TRAIN]).mean())
    ranked = sorted(CORNERS, key=parts.get, reverse=True)
    shares = [f"{percent(parts[corner] / n, 1)} {corner.verb}" for corner in ranked]
    return Drawing(
        figure,
        title,
        f"By the half of the scale that each mean depth lies in, of the images {joined(shares)}. "
        f"The mean depth is {number(both[TRAIN].mean())} where an image was learned from and "
        f"{number(both[HELD_OUT].mean())} where it was not; {percent(deeper, 1)} of the images are "
        "deeper unseen.",
        "A two-dimensional histogram of mean training depth by mean held-out depth; "
        f"quarters: {joined(shares)}.",
    )


def corner_galleries(material: EnsembleMaterial) -> Drawing:
    """The images nearest the four corners."""
    made, n = material.ensemble, len(material.ensemble.both)
    title = "What lies in the four corners"
    if not n:
        return _nothing(material, title, "No image has a depth on both sides.")
    shape = made.images["test"].images.shape[1:]
    columns, room = 4, 0.66
    tall = shape[1] / shape[2]
    chosen = [ensemble.nearest(made, corner, CORNER_IMAGES) for corner in CORNERS]
    lines = max(1, -(-max(map(len, chosen)) // columns))
    # Each image is as wide as in the other galleries of the page.
    inches = (style.WIDTH - 0.35) / (2 * columns * 1.16)
    figure, axes = style.canvas(
        2 * (inches * lines * (tall + room) + 0.35), rows=2, columns=2, gridspec_kw={"wspace": 0.03}
    )
    for ax, corner, rows in zip(axes.flat, CORNERS, chosen, strict=True):
        plots.image_grid(
            ax,
            made.pictures(rows),
            columns=columns,
            captions=[
                (
                    made.classes[row.label],
                    _consensus(made, row),
                    f"{number(row.depth_train_mean, 1)} / {number(row.depth_held_out_mean, 1)}",
                )
                for row in rows.itertuples()
            ],
            frames=[material.colours[row.label] for row in rows.itertuples()],
            caption_height=room,
        )
        ax.set_ylim(lines * (tall + room), -0.04)
        if rows.empty:
            middle = (columns * 1.16 / 2, (tall + room) / 2)
            ax.text(*middle, "no image", ha="center", va="center", color=style.MUTED)
        sides = [("deep" if deep else "shallow") for deep in (corner.train, corner.held_out)]
        ax.set_title(f"{corner.name[0].upper()}{corner.name[1:]}", fontsize=10.5, pad=22)
        ax.text(
            0,
            1.015,
            f"{sides[0]} where learned from, {sides[1]} where held out",
            transform=ax.transAxes,
            fontsize=8.5,
            color=style.MUTED,
            va="bottom",
        )
    _frame(
        figure,
        material,
        title,
        f"Up to {CORNER_IMAGES} images of each quarter of the plane of mean training depth and "
        f"mean held-out depth, nearest its corner first, of n = {count(n)}\nBelow each image: "
        "label, → class that most networks give it unseen (their share), training / held-out depth",
    )
    phrases = []
    for corner, rows in zip(CORNERS, chosen, strict=True):
        other = int((rows["consensus"] != rows["label"]).sum())
        if len(rows):
            phrases.append(f"{count(other)} of the {count(len(rows))} that {corner.verb}")
    return Drawing(
        figure,
        title,
        "Networks that did not learn from the image agree on another class than its label for "
        f"{joined(phrases)}.",
        f"Four grids of images, one for each corner: {joined([c.name for c in CORNERS])}.",
    )


def consensus_by_depth(material: EnsembleMaterial) -> Drawing:
    """Do networks agree on what is shallow for them?"""
    made = material.ensemble
    table = ensemble.by_depth(made, confidence_level=material.confidence_level)
    title = "How far networks agree on images that they did not see"
    if table.empty:
        return _nothing(material, title, "No image was held out from a network.")
    figure, axes = style.canvas(3.3)
    ax = axes[0, 0]
    for name, label, colour, line, marker in (
        ("consensus", "give the class that most of them give", style.RIGHT, "-", "o"),
        ("label", "give the true class", style.WRONG, "--", "s"),
    ):
        plots.error_bars(
            ax, table["depth"], table[name], table[f"{name}_low"], table[f"{name}_high"],
            ecolor=colour, capsize=3,
        )  # fmt: skip
        ax.plot(table["depth"], table[name], line, color=colour, marker=marker, label=label)
    for row in table.itertuples():
        ax.text(row.depth, 1.05, count(row.n), ha="center", va="bottom", fontsize=8)
    ax.text(
        0, 1.05, "n = ", ha="right", va="bottom", fontsize=8, color=style.MUTED,
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip
    ax.spines.left.set_bounds(0, 1)
    ax.set(
        ylim=(0, 1.13),
        xlim=(-0.6, made.n_probes + 0.6),
        xlabel="mean held-out depth, to the nearest whole depth",
        ylabel="share of the networks",
    )
    ax.set_yticks(np.linspace(0, 1, 6))
    plots.percent_axis(ax.yaxis)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(loc="lower left")
    seen = made.card["n_held_out"]
    each = count(seen.min()) if seen.min() == seen.max() else f"{seen.min()} to {seen.max()}"
    _frame(
        figure,
        material,
        title,
        f"Networks that did not learn from an image ({each} an image), mean over the images of "
        f"each depth\nn = {count(table['n'].sum())} images · bars: "
        f"{percent(material.confidence_level)} intervals of the mean",
    )
    first, last = table.iloc[0], table.iloc[-1]
    sentence = (
        f"On images with a mean held-out depth of about {first['depth']:g}, "
        f"{percent(first['consensus'], 1)} of the networks give the same class and "
        f"{percent(first['label'], 1)} the true one"
    )
    if len(table) > 1:
        sentence += (
            f"; at about {last['depth']:g} it is {percent(last['consensus'], 1)} and "
            f"{percent(last['label'], 1)}"
        )
    points = [f"{percent(row.consensus)} at depth {row.depth}" for row in table.itertuples()]
    return Drawing(
        figure,
        title,
        f"{sentence}.",
        f"Two line charts by mean held-out depth; networks that give the same class: "
        f"{joined(points)}.",
    )


def reliability(material: EnsembleMaterial) -> Drawing:
    """How far one network's scores can be trusted."""
    made = material.ensemble
    table = ensemble.ranked_reliability(made)
    title = "How much of a score is the image, and how much the one network"
    if table.empty:
        return _nothing(material, title, "No image was measured by two networks on the same side.")
    scores = list(dict.fromkeys(table["score"]))
    figure, axes = style.canvas(0.3 * len(scores) + 0.85)
    ax = axes[0, 0]
    sides = [side for side in ("held_out", "train") if side in set(table["side"])]
    for index, side in enumerate(sides):
        part = table[table["side"] == side]
        shift = 0.0 if len(sides) == 1 else 0.28 * (index - 0.5)
        positions = part["score"].map(scores.index).to_numpy() + shift
        plots.error_bars(
            ax, positions, part["reliability"], part["low"], part["high"], across=True,
            ecolor=_COLOURS[side], elinewidth=1.4, capsize=0,
        )  # fmt: skip
        ax.plot(
            part["reliability"],
            positions,
            _MARKERS[side],
            color=_COLOURS[side],
            markersize=5.5,
            label=SIDES[side],
        )
        for position, needed in zip(positions, part["networks_needed"], strict=True):
            ax.text(
                1.05 + 0.09 * index,
                position - shift,
                _networks(needed),
                transform=ax.get_yaxis_transform(),
                ha="center",
                va="center",
                fontsize=8.5,
                color=_COLOURS[side] if side == "train" else "#8a6414",
            )
    for index, side in enumerate(sides):
        ax.text(
            1.05 + 0.09 * index,
            1.0,
            "held\nout" if side == "held_out" else "train",
            transform=ax.transAxes,
            ha="center",
            va="bottom",
            fontsize=8,
            color=style.MUTED,
        )
    ax.text(
        1.05 + 0.045 * (len(sides) - 1),
        -0.02,
        f"networks\nneeded for {_TARGET:g}",
        transform=ax.transAxes,
        ha="center",
        va="top",
        fontsize=8.5,
    )
    ax.axvline(_TARGET, color=style.MUTED, linewidth=0.9, linestyle=":")
    ax.set_yticks(range(len(scores)), [shortened(title_of(score), 28) for score in scores])
    for score, label in zip(scores, ax.get_yticklabels(), strict=True):
        if is_depth(score):
            label.set_fontweight("bold")
    ax.set_ylim(len(scores) - 0.4, -0.6)
    bottom = float(np.nanmin(table[["low", "reliability"]].to_numpy()))
    ax.set_xlim(min(-0.02, bottom - 0.03), 1.02)
    ax.set_xlabel("reliability of one network")
    ax.grid(True, axis="x")
    ax.grid(True, axis="y", linestyle=":")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    n = table["n_examples"]
    images = count(n.max()) if n.min() == n.max() else f"{count(n.min())} to {count(n.max())}"
    measured = table["measurements"]
    each = number(measured.min(), 1)
    if measured.max() - measured.min() >= 0.05:
        each += f" to {number(measured.max(), 1)}"
    _frame(
        figure,
        material,
        title,
        f"Reliability of one network: rank correlation of two random halves of "
        f"{some(made.n_networks, 'network')}, stepped down to one by Spearman–Brown\nn = {images} "
        f"images with at least 2 measurements ({each} on average) · bars: "
        f"{percent(material.confidence_level)} intervals (bootstrap over images)",
    )
    phrases = []
    for side in sides:
        part = table[table["side"] == side].set_index("score")
        best = part["reliability"].idxmax()
        names = [best] if "depth" not in part.index or best == "depth" else ["depth", best]
        said = [
            f"{name_of(name)} has {_reliability(part.loc[name])} "
            f"({_enough(part.loc[name, 'networks_needed'])})"
            for name in names
        ]
        rest = f", the most of all {some(len(part), 'score')}" if len(part) > 1 else ""
        phrases.append(f"on the {SIDES[side]} {' and '.join(said)}{rest}")
    sentence = "The reliability of one network: " + "; ".join(phrases) + "."
    points = [
        f"{name_of(row.score)} {number(row.reliability)}"
        for row in table[table["side"] == sides[0]].itertuples()
    ]
    return Drawing(
        figure,
        title,
        sentence,
        f"A dot plot of the reliability of one network; {SIDES[sides[0]]}: {joined(points)}.",
    )


def _networks(needed: float) -> str:
    return "∞" if not np.isfinite(needed) else count(np.ceil(needed))


def _enough(needed: float) -> str:
    if not np.isfinite(needed):
        return f"no number of networks gives {_TARGET:g}"
    n = int(np.ceil(needed))
    return f"{_TARGET:g} with {some(n, 'network')}"


def _reliability(row: pd.Series) -> str:
    return f"{number(row['reliability'])} [{number(row['low'])}, {number(row['high'])}]"


def _consensus(made: Ensemble, row: object) -> str:
    if row.consensus < 0:
        return "→ none"
    return f"→ {shortened(made.classes[row.consensus], 12)} {percent(row.consensus_consistency)}"


def _frame(figure: Figure, material: EnsembleMaterial, title: str, subtitle: str) -> None:
    style.frame(figure, title=title, subtitle=subtitle, note=material.note)


def _nothing(material: EnsembleMaterial, title: str, reason: str) -> Drawing:
    """A figure that says why there is nothing to draw."""
    figure, axes = style.canvas(1.2)
    ax: Axes = axes[0, 0]
    ax.set_axis_off()
    ax.text(0.5, 0.5, reason, ha="center", va="center", color=style.MUTED)
    _frame(figure, material, title, f"n = {count(len(material.ensemble.card))} images")
    return Drawing(figure, title, reason, reason)


_FIGURES = {
    "four_corners": four_corners,
    "corner_galleries": corner_galleries,
    "consensus_by_depth": consensus_by_depth,
    "reliability": reliability,
}
