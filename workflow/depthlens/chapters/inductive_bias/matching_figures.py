"""Figures about what an assumption is worth in images, and about the search over settings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from depthlens.chapters.inductive_bias.course_lines import networks_of
from depthlens.chapters.inductive_bias.matching_measures import chosen, needed
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, some

_MARKERS = "os^DvPX<>h"
_STAR = {
    "linestyle": "",
    "marker": "*",
    "markersize": 13,
    "markeredgecolor": "white",
    "markeredgewidth": 0.8,
}


def by_images(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy of the MLP by number of images, with marks of the convolutional network.

    Parameters
    ----------
    table : DataFrame
        See `matching_measures.all_sizes`.
    confidence_level : float
    """
    validated, found = table[table["split"] == "validation"], needed(table)
    middle = int(found["middle"].iloc[0])
    figure, axes = style.canvas(4.2)
    ax = axes[0, 0]
    means = over_seeds(
        validated, ["architecture", "images"], "accuracy", confidence_level=confidence_level
    ).sort_values("images")
    mlp, cnn = (means[means["architecture"] == name] for name in ("mlp", "cnn"))
    own = validated[validated["architecture"] == "mlp"]
    ax.plot(
        own["images"], own["accuracy"], "o", color=COLOURS["mlp"], alpha=0.25, markersize=3.5,
        markeredgewidth=0,
    )  # fmt: skip
    _bars(ax, mlp, COLOURS["mlp"])
    ax.plot(mlp["images"], mlp["mean"], "-o", color=COLOURS["mlp"], markersize=5)
    right = float(means["images"].max())
    for _, row in cnn.iterrows():
        bold = row["images"] == middle
        ax.plot(
            [row["images"], right], [row["mean"]] * 2, color=COLOURS["cnn"],
            linestyle="-" if bold else ":", linewidth=1.4 if bold else 0.9,
        )  # fmt: skip
    _bars(ax, cnn, COLOURS["cnn"])
    ax.plot(
        cnn["images"], cnn["mean"], "_", color=COLOURS["cnn"], markersize=15, markeredgewidth=2.6
    )
    ax.set_xscale("log")
    ticks = _spread(sorted(set(means["images"])))
    ax.set_xticks(ticks, [count(tick) for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("training images a class (logarithmic)")
    ax.set_ylabel("validation images answered right")
    plots.percent_axis(ax.yaxis)
    figure.legend(
        handles=[
            Line2D([], [], color=COLOURS["mlp"], marker="o", markersize=5, label=NETWORKS["mlp"]),
            Line2D(
                [], [], color=COLOURS["cnn"], linestyle=":", linewidth=0.9, marker="_",
                markersize=12, markeredgewidth=2.6, label=NETWORKS["cnn"],
            ),
            Line2D(
                [], [], color=COLOURS["cnn"], linewidth=1.4, label=f"with {count(middle)} a class"
            ),
        ],
        loc="outside lower center",
        ncols=3,
    )  # fmt: skip
    title = "How many images an assumption is worth"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy by number of training images · {sizes_of(table)} · "
        f"{sizes_of(table, 'validation').split(',')[0]}\nBars: {percent(confidence_level)} "
        "intervals of the mean over seeds · faint dots: single seeds · level lines: where the MLP "
        "would be as good",
    )
    alt = (
        "A line of the MLP's validation accuracy by the number of training images; marks of the "
        "convolutional network at its numbers, each with a level line to the right."
    )
    return Drawing(figure, title, _needed_said(found, int(max(mlp["images"]))), alt)


def _needed_said(found: pd.DataFrame, most: int) -> str:
    middle, never = int(found["middle"].iloc[0]), int(found["fewest"].isna().sum())
    said = (
        f"With {some(middle, 'training image')} a class the {NETWORKS['cnn']} gets "
        f"{percent(found['accuracy'].mean(), 1)} of the validation images right. "
    )
    if never == len(found):
        return f"{said}The {NETWORKS['mlp']} does as well in no seed, even with {count(most)}."
    said += (
        f"The {NETWORKS['mlp']} needs {number(found['times'].mean(), 1)} times as many to do as "
        "well, in the mean over seeds"
    )
    if never:
        said += (
            f"; in {count(never)} of {some(len(found), 'seed')} even {count(most)} are not enough, "
            "which counts as twice that"
        )
    return f"{said}."


def candidates(search: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Validation accuracy of every candidate by its learning rate; test accuracy of the chosen.

    Parameters
    ----------
    search : DataFrame
    confidence_level : float
    """
    level = {"confidence_level": confidence_level}
    keys = ["architecture", "candidate", "learning_rate", "epochs", "kernel_size"]
    validated = over_seeds(search[search["split"] == "validation"], keys, "accuracy", **level)
    networks, lengths = networks_of(search), sorted(set(search["epochs"]))
    marker_of = {epochs: _MARKERS[i % len(_MARKERS)] for i, epochs in enumerate(lengths)}
    figure, axes = style.canvas(4.2)
    ax = axes[0, 0]
    said, handles = [], []
    for place, name in enumerate(networks):
        # Both networks have the same learning rates: side by side, neither hides the other.
        aside = 1.012 ** (2 * place - len(networks) + 1)
        own = validated[validated["architecture"] == name]
        _bars(ax, own, COLOURS[name], x="learning_rate", aside=aside)
        for epochs, part in own.groupby("epochs"):
            ax.plot(
                part["learning_rate"] * aside, part["mean"], marker_of[epochs], markersize=6,
                color=COLOURS[name], alpha=0.75,
            )  # fmt: skip
        best = chosen(search, name)
        tested = over_seeds(best[best["split"] == "test"], keys, "accuracy", **level)
        _draw_chosen(ax, own, tested, COLOURS[name], aside)
        accuracy = percent(tested["mean"].iloc[0], 1)
        handles.append(
            Line2D([], [], color=COLOURS[name], label=f"{NETWORKS[name]}, test {accuracy}", **_STAR)
        )
        said.append(_chosen_said(name, tested.iloc[0]))
    ax.set_xscale("log")
    ticks = _ticks(search["learning_rate"])
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("learning rate (logarithmic)")
    ax.set_ylabel("images answered right")
    plots.percent_axis(ax.yaxis)
    handles += [
        Line2D(
            [], [], color=style.MUTED, linestyle="", marker=marker_of[epochs], markersize=6,
            label=some(epochs, "pass", "passes"),
        )
        for epochs in lengths
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    title = "A search over settings"
    n = search["candidate"].nunique()
    style.frame(
        figure,
        title=title,
        subtitle=f"Validation accuracy of {some(n, 'candidate')} of each network · ring: the best "
        f"of them · star: its accuracy on test images\n{sizes_of(search)} · "
        f"{sizes_of(search, 'validation').split(',')[0]} · "
        f"{sizes_of(search, 'test').split(',')[0]} · bars: {percent(confidence_level)} intervals "
        "of the mean over seeds",
    )
    alt = (
        "Points of validation accuracy by learning rate, one colour a network and one shape a "
        "number of passes; a ring around the best of each, and a star at its test accuracy."
    )
    sentence = f"Of the test images, {joined(said)}."
    return Drawing(figure, title, sentence, alt)


def _draw_chosen(
    ax: Axes, validated: pd.DataFrame, tested: pd.DataFrame, colour: str, aside: float
) -> None:
    """A ring around the chosen candidate, and its test accuracy beside it."""
    best = validated[validated["candidate"] == tested["candidate"].iloc[0]]
    ax.plot(
        best["learning_rate"] * aside, best["mean"], "o", color=style.INK, markersize=13,
        markerfacecolor="none", markeredgewidth=1.4,
    )  # fmt: skip
    beside = 1.07 if aside >= 1 else 1 / 1.07
    x = tested["learning_rate"] * aside * beside
    _bars(ax, tested, colour, x="learning_rate", aside=aside * beside)
    ax.plot(x, tested["mean"], color=colour, zorder=4, **_STAR)


def _chosen_said(name: str, best: pd.Series) -> str:
    settings = [f"learning rate {best['learning_rate']:g}", some(best["epochs"], "pass", "passes")]
    # An MLP has no kernels.
    if best["kernel_size"]:
        settings.append(f"kernels of {best['kernel_size']}×{best['kernel_size']}")
    return (
        f"the best {NETWORKS[name]} by validation accuracy ({', '.join(settings)}) gets "
        f"{percent(best['mean'], 1)} right"
    )


def _bars(
    ax: Axes, points: pd.DataFrame, colour: str, *, x: str = "images", aside: float = 1.0
) -> None:
    plots.error_bars(
        ax, points[x] * aside, points["mean"], points["low"].clip(0, 1), points["high"].clip(0, 1),
        ecolor=colour, elinewidth=1.2, capsize=2.5,
    )  # fmt: skip


def _spread(values: Sequence[int], *, apart: float = 0.03) -> list[int]:
    """Of ascending values those whose labels do not run into each other on a logarithmic axis."""
    whole = np.log(values[-1] / values[0])
    kept: list[int] = []
    for value in values:
        if not kept or np.log(value / kept[-1]) >= apart * whole:
            kept.append(value)
    return kept


def _ticks(rates: pd.Series) -> list[float]:
    """1, 2 and 5 times powers of ten within some learning rates, and next to them."""
    low, high = rates.min(), rates.max()
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [round(step * 10.0**power, 12) for power in powers for step in (1, 2, 5)]
    return [tick for tick in ticks if low / 1.2 <= tick <= high * 1.2] or [low]
