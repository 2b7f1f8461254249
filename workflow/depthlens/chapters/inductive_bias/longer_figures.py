"""Figures about longer training: its course, calibration, and filters before and after."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from depthlens import intervals
from depthlens.chapters.inductive_bias import calibration, steps
from depthlens.chapters.inductive_bias.course_lines import draw_course, label_lines, networks_of
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, some

_MOST_SEEDS = 4
"""whose filters are shown"""


def course(table: pd.DataFrame, scores: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Loss and accuracy by epoch.

    Parameters
    ----------
    table : DataFrame
        `longer`.
    scores : DataFrame
        What `longer.at_answers` makes of it.
    confidence_level : float
    """
    figure, axes = style.canvas(3.5, columns=2)
    for ax, column, most in zip(axes[0], ("loss", "accuracy"), (None, 1), strict=True):
        draw_course(ax, table, column, confidence_level=confidence_level, most=most)
        for epoch in _between(scores):
            ax.axvline(epoch, color=style.MUTED, linestyle=":", linewidth=1.1)
    axes[0, 0].set(title="Loss", ylabel="cross-entropy, nats")
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 1].set(title="Accuracy", ylabel="images answered right")
    axes[0, 1].set_ylim(top=1.02)
    plots.percent_axis(axes[0, 1].yaxis)
    label_lines(figure, networks_of(table))
    title = "Training goes on"
    dotted = " · dotted line: where the section on few images ends" if _between(scores) else ""
    style.frame(
        figure,
        title=title,
        subtitle=f"Loss and accuracy along the training · {sizes_of(table)} · "
        f"{sizes_of(table, 'validation').split(',')[0]}\n"
        f"Bands: {percent(confidence_level)} intervals of the mean over seeds{dotted}",
    )
    said = [
        f"the validation loss of the {NETWORKS[name]} "
        f"{_moved(scores, name, 'loss', lambda value: f'{number(value)} nats')} and its accuracy "
        f"{_moved(scores, name, 'accuracy', lambda value: percent(value, 1))}"
        for name in networks_of(scores)
    ]
    alt = (
        "Two panels of lines by passes over the training images, loss on the left and accuracy on "
        "the right: for each network one of validation images and a pale one of training images."
    )
    return Drawing(figure, title, f"{_period(scores)} {'; '.join(said)}.", alt)


def reliability(answers: pd.DataFrame, scores: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Reliability diagrams of both networks at the epochs whose answers were kept.

    Parameters
    ----------
    answers : DataFrame
        `longer_answers`.
    scores : DataFrame
        What `longer.at_answers` makes of them.
    confidence_level : float
    """
    networks, epochs = networks_of(answers), sorted(set(answers["epoch"]))
    figure, axes = style.canvas(
        3.5 * len(networks), rows=2 * len(networks), columns=len(epochs),
        height_ratios=[3, 1] * len(networks), sharex=True, sharey="row",
    )  # fmt: skip
    figure.get_layout_engine().set(wspace=0.06)
    for row, name in enumerate(networks):
        for column, epoch in enumerate(epochs):
            own = answers[(answers["architecture"] == name) & (answers["epoch"] == epoch)]
            above, below = axes[2 * row : 2 * row + 2, column]
            binned = calibration.bins_by_seed(own)
            _draw_bins(above, binned, COLOURS[name], confidence_level)
            _draw_numbers(below, binned, COLOURS[name])
            shown = f"{NETWORKS[name][0].upper()}{NETWORKS[name][1:]}"
            above.set_title(f"{shown}, {some(epoch, 'pass', 'passes')}")
            errors = scores[(scores["architecture"] == name) & (scores["epoch"] == epoch)]
            # Of three classes the likeliest has more than a third: here there is no bar.
            above.text(
                0.02, 0.97, _written_error(errors["calibration_error"], confidence_level),
                transform=above.transAxes, va="top", fontsize=8.5, linespacing=1.4,
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
            )  # fmt: skip
        axes[2 * row, 0].set_ylabel("answers right")
        axes[2 * row + 1, 0].set_ylabel("answers")
    for ax in axes[-1]:
        ax.set_xlabel("confidence")
    figure.legend(
        handles=[
            Line2D([], [], color=style.MUTED, linestyle="--", label="calibrated"),
            Line2D([], [], color=style.INK, linewidth=2.2, label="mean confidence in the bin"),
        ],
        loc="outside lower center",
        ncols=2,
    )
    title = "Confidence and how often it is right"
    n = answers.groupby(["architecture", "seed", "epoch"]).size().max()
    style.frame(
        figure,
        title=title,
        subtitle="Share of right answers by confidence, and the number of answers of all seeds in "
        f"each bin\n{count(n)} validation images, {some(answers['seed'].nunique(), 'seed')} · "
        f"error bars and brackets: {percent(confidence_level)} intervals of the mean over seeds",
    )
    ends = scores[scores["epoch"] == scores["epoch"].max()]
    errors, confident = [], []
    for name in networks_of(scores):
        own = ends[ends["architecture"] == name]
        errors.append(f"that of the {NETWORKS[name]} {_moved(scores, name, 'calibration_error')}")
        confident.append(
            f"{percent(own['confidence'].mean(), 1)} with {percent(own['accuracy'].mean(), 1)} of "
            f"the answers right ({NETWORKS[name]})"
        )
    sentence = (
        f"The expected calibration error, {_period(scores, 'from')}: {joined(errors)}. The mean "
        f"confidence at the end is {joined(confident)}."
    )
    alt = (
        "Bars of the share of right answers by confidence, against a diagonal, one panel for each "
        "network and time; below each, bars of the number of answers."
    )
    return Drawing(figure, title, sentence, alt)


def kernels(table: pd.DataFrame, trained_on: str) -> Drawing:
    """Filters of the first convolution of some seeds, before the first step and after the last.

    Parameters
    ----------
    table : DataFrame
        `longer_kernels`.
    trained_on : str
        How many images and seeds there were.
    """
    seeds = list(dict.fromkeys(table["seed"]))
    shown = seeds[:_MOST_SEEDS]
    filters = {
        (moment, seed): steps.filters_of(own)
        for (moment, seed), own in table[table["seed"].isin(shown)].groupby(["moment", "seed"])
    }
    most = max(np.abs(own).max() for own in filters.values())
    n_filters = len(next(iter(filters.values())))
    # In widths of a filter.
    step, down, group = 1.12, 1.5, 1.12 * n_filters + 0.3
    width, height = len(shown) * group + 0.85, 2 * down + 0.3
    figure, axes = style.canvas(min(3.4, 8.0 * height / width) + 0.1)
    ax = axes[0, 0]
    for row, moment in enumerate(("before", "after")):
        ax.text(-0.2, down * row + 0.5, moment, ha="right", va="center")
        for column, seed in enumerate(shown):
            own = filters[moment, seed]
            for place, (weights, cosine) in enumerate(zip(own, steps.likeness(own), strict=True)):
                x, y = column * group + step * place, down * row
                picture = ax.imshow(
                    weights, extent=(x, x + 1, y + 1, y), cmap="RdBu_r", vmin=-most, vmax=most,
                    interpolation="nearest",
                )  # fmt: skip
                ax.text(x + 0.5, y + 1.07, number(cosine), ha="center", va="top", fontsize=8)
    for column, seed in enumerate(shown):
        ax.text(column * group, -0.1, f"seed {seed}", va="bottom", fontsize=9, fontweight="bold")
    ax.set(xlim=(-1.25, width - 1.25), ylim=(height - 0.5, -0.5))
    ax.set_axis_off()
    figure.colorbar(picture, ax=ax, shrink=0.8, aspect=14, pad=0.02, label="weight")
    title = "Filters of the first convolution"
    style.frame(
        figure,
        title=title,
        subtitle="Weights before and after the training of the "
        f"{NETWORKS['cnn']} · {trained_on}, {some(len(shown), 'seed')} shown\n"
        "Below each: its larger absolute cosine with a step along rows or columns; 1 is an edge "
        "detector",
    )
    found = steps.by_seed(table).groupby("moment")["likeness"].mean()
    sentence = (
        "Over the training, the absolute cosine of a filter with the nearer of two edge detectors "
        f"{_change(found['before'], found['after'], number)}, in the mean over filters and "
        f"{some(len(seeds), 'seed')}."
    )
    alt = (
        "Small squares of weights, red where positive and blue where negative: filters before the "
        "training above, after it below, in groups of one network each."
    )
    return Drawing(figure, title, sentence, alt)


def _draw_bins(ax: Axes, binned: pd.DataFrame, colour: str, confidence_level: float) -> None:
    """Bars of the accuracy in each bin, mean over the seeds that have answers there."""
    level = {"confidence_level": confidence_level}
    right = over_seeds(binned, ["bin"], "accuracy", **level)
    sure = over_seeds(binned, ["bin"], "confidence", **level)
    width = 1 / calibration.N_BINS
    places = (right["bin"] + 0.5) * width
    ax.plot([0, 1], [0, 1], "--", color=style.MUTED, linewidth=1)
    ax.bar(places, right["mean"], width=0.92 * width, color=colour, alpha=0.45, linewidth=0)
    low, high = right["low"].clip(0, 1), right["high"].clip(0, 1)
    plots.error_bars(ax, places, right["mean"], low, high, ecolor=colour, elinewidth=1.4)
    left = sure["bin"] * width
    ax.hlines(sure["mean"], left, left + width, color=style.INK, linewidth=2.2)
    ax.set(xlim=(0, 1), ylim=(0, 1.06))
    plots.percent_axis(ax.xaxis)
    plots.percent_axis(ax.yaxis)


def _draw_numbers(ax: Axes, binned: pd.DataFrame, colour: str) -> None:
    """Bars of the number of answers in each bin, all seeds together."""
    n = binned.groupby("bin")["n"].sum()
    width = 1 / calibration.N_BINS
    ax.bar((n.index + 0.5) * width, n, width=0.92 * width, color=colour, linewidth=0)
    for place, here in n.items():
        if here:
            ax.text((place + 0.5) * width, here, count(here), ha="center", va="bottom", fontsize=7)
    # Both panels of a row share this axis: room for the numbers over the higher of the two.
    ax.set_ylim(0, max(1.4 * n.max(), ax.get_ylim()[1]))
    ax.yaxis.set_major_locator(NullLocator())


def _written_error(errors: pd.Series, confidence_level: float) -> str:
    # An error is not negative, though Student's interval does not know it.
    low, high = np.clip(intervals.mean(errors, confidence_level=confidence_level), 0, 1)
    return (
        f"expected\ncalibration error\n{number(errors.mean(), 3)}\n"
        f"[{number(low, 3)}, {number(high, 3)}]"
    )


def _between(scores: pd.DataFrame) -> list[int]:
    """Epochs whose answers were kept, but for the last."""
    return sorted(set(scores["epoch"]))[:-1]


def _period(scores: pd.DataFrame, first: str = "From") -> str:
    epochs = sorted(set(scores["epoch"]))
    if len(epochs) == 1:
        after = "After" if first[0].isupper() else "after"
        return f"{after} {some(epochs[0], 'pass', 'passes')}"
    return f"{first} pass {count(epochs[0])} to pass {count(epochs[-1])}"


def _moved(
    scores: pd.DataFrame,
    name: str,
    column: str,
    written: Callable[[float], str] = lambda value: number(value, 3),
) -> str:
    """What the mean of a network does from the first of the epochs to the last."""
    means = scores[scores["architecture"] == name].groupby("epoch")[column].mean()
    if len(means) == 1:
        return f"is {written(means.iloc[0])}"
    return _change(means.iloc[0], means.iloc[-1], written)


def _change(before: float, after: float, written: Callable[[float], str]) -> str:
    """ "rises from 1 to 2", "falls from 2 to 1", or "stays at 1" as far as the digits show."""
    first, last = written(before), written(after)
    if first == last:
        return f"stays at {first}"
    return f"{'rises' if after > before else 'falls'} from {first} to {last}"
