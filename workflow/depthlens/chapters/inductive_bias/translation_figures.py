"""Figures about shifted images."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, some

LAYERS = {
    "conv1": "first convolution",
    "pool1": "first pooling",
    "conv2": "second convolution",
    "pool2": "second pooling",
    "avgpool": "global average",
}
"""what features are read behind, by its name in the network"""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def error_text(value: float) -> str:
    """A relative error as a reader can compare it: "0.12", "3.1 · 10⁻⁷", "0"."""
    if math.isnan(value):
        return "—"
    if value == 0 or abs(value) >= 0.001:
        return number(value, 3) if value else "0"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.replace('-', '−')} · 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def accuracy(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy by shift, a line a network."""
    found = over_seeds(
        table, ["architecture", "shift"], "accuracy", confidence_level=confidence_level
    )
    architectures = list(dict.fromkeys(table["architecture"]))
    figure, axes = style.canvas(3.7)
    ax = axes[0, 0]
    for name in architectures:
        own = table[table["architecture"] == name]
        _dots(ax, own, "accuracy", COLOURS[name])
        comparing.line(
            ax,
            found[found["architecture"] == name],
            "shift",
            label=NETWORKS[name],
            colour=COLOURS[name],
        )
    _shift_axis(ax, table)
    plots.percent_axis(ax.yaxis)
    ax.set_ylim(max(0, min(0.9, table["accuracy"].min() - 0.05)), 1.02)
    ax.set_ylabel("accuracy")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    title = "Answers for shifted images"
    images = " or ".join(map(count, sorted(set(table["examples"]))))
    style.frame(
        figure,
        title=title,
        subtitle=f"{images} new images, drawn like those learned from, shifted right and down · "
        f"{_seeds(table)}\n{_bands(confidence_level)}",
    )
    alt = (
        f"Lines of accuracy over the shift in pixels, for "
        f"{joined([NETWORKS[name] for name in architectures])}."
    )
    return Drawing(figure, title, _changes(found, architectures), alt)


def _changes(found: pd.DataFrame, architectures: list[str]) -> str:
    """What the smallest and the largest shift do to the accuracy of each network."""
    means = found.set_index(["architecture", "shift"])["mean"]
    least, most = found["shift"].min(), found["shift"].max()
    before = f"after {some(least, 'pixel')}" if least else "without a shift"
    phrases = [
        f"{NETWORKS[name]} {percent(means[name, least], 1)} {before} and "
        f"{percent(means[name, most], 1)} after {some(most, 'pixel')}"
        for name in architectures
    ]
    return f"Right answers: {'; '.join(phrases)}."


def equivariance(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Error of the features by shift, a line a layer; without a shift there is none."""
    shifted = table[table["shift"] > 0]
    found = over_seeds(shifted, ["probe", "shift"], "error", confidence_level=confidence_level)
    probes = [name for name in LAYERS if name in set(found["probe"])]
    colours = dict(zip(probes, style.palette(probes), strict=True))
    # Magnitudes tell what is exact but for rounding, the plain scale how much the rest differs.
    figure, axes = style.canvas(3.8, columns=2)
    for ax in axes[0]:
        for name in probes:
            _dots(ax, shifted[shifted["probe"] == name], "error", colours[name])
            _error_line(ax, found[found["probe"] == name], name, colours[name])
        _shift_axis(ax, shifted)
    axes[0, 0].set_title("In orders of magnitude")
    axes[0, 0].set_ylabel("relative error")
    axes[0, 1].set_title("The same on a plain scale")
    most = float(shifted["error"].max()) or 1.0
    axes[0, 1].set_ylim(-0.03 * most, 1.05 * most)
    _magnitudes(axes[0, 0], found)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(LAYERS))
    title = "Features of shifted images"
    style.frame(
        figure,
        title=title,
        subtitle="Distance of the features of the shifted image from the shifted features of the "
        f"image, relative to their size · {_seeds(table)}\nAway from the borders, which "
        "features behind the second convolution see all the same\n"
        f"{_bands(confidence_level)}",
    )
    alt = (
        f"Lines of relative error over the shift in pixels, behind {joined(list(LAYERS.values()))}."
    )
    return Drawing(figure, title, _errors(shifted), alt)


def _error_line(ax: Axes, points: pd.DataFrame, name: str, colour: str) -> None:
    points = points.sort_values("shift")
    ax.fill_between(
        points["shift"],
        points["low"].clip(lower=0),
        points["high"],
        color=colour,
        alpha=0.13,
        linewidth=0,
    )
    ax.plot(
        points["shift"],
        points["mean"],
        "-" if name.startswith("conv") else "--",
        color=colour,
        label=LAYERS[name],
        marker="o",
        markersize=4,
    )


def _magnitudes(ax: Axes, found: pd.DataFrame) -> None:
    """Make the y axis logarithmic, with a place for 0, if there is any error but 0."""
    positive = found.loc[found["mean"] > 0, "mean"]
    if positive.empty:
        ax.set_ylim(-0.03, 1)
        return
    smallest = 10.0 ** math.floor(math.log10(positive.min()))
    largest = 10.0 ** math.ceil(math.log10(positive.max()))
    # Below the smallest error the axis is linear, down to 0.
    ax.set_yscale("symlog", linthresh=smallest, linscale=0.6)
    decades = round(math.log10(largest / smallest))
    step = max(1, math.ceil(decades / 6))
    ax.set_yticks([0.0, *(largest / 10.0**power for power in range(0, decades + 1, step))])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
    ax.set_ylim(-0.15 * smallest, largest)


def _power(value: float) -> str:
    """A tick of an axis of magnitudes: "0", "10⁻⁷", "0.1"."""
    if value < 0.0099:
        return f"10{str(round(math.log10(value))).translate(_SUPERSCRIPTS)}" if value else "0"
    return f"{value:g}"


def _errors(shifted: pd.DataFrame) -> str:
    """How far from equivariant the first two layers are."""
    of_convolution = shifted.loc[shifted["probe"] == "conv1", "error"].max()
    pooled = shifted[shifted["probe"] == "pool1"]
    by_parity = pooled.groupby(pooled["shift"] % 2)["error"].mean()
    phrases = [
        f"{error_text(by_parity[parity])} for {words} shifts"
        for parity, words in ((1, "odd"), (0, "even"))
        if parity in by_parity
    ]
    return (
        f"Behind the first convolution the relative error is at most {error_text(of_convolution)}; "
        f"behind the first pooling it is {joined(phrases)}, on average."
    )


def _dots(ax: Axes, rows: pd.DataFrame, column: str, colour: str) -> None:
    """Single seeds, faint."""
    ax.plot(rows["shift"], rows[column], ".", color=colour, alpha=0.25, markersize=4, zorder=1)


def _shift_axis(ax: Axes, table: pd.DataFrame) -> None:
    ax.set_xticks(sorted(set(table["shift"])))
    ax.set_xlabel("shift right and down, pixels")


def _seeds(table: pd.DataFrame) -> str:
    return some(table["seed"].nunique(), "seed")


def _bands(confidence_level: float) -> str:
    return f"Bands: {percent(confidence_level)} intervals of the mean over seeds · dots: seeds"
