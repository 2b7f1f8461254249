"""Figures about leaving a network early."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from depthlens import intervals
from depthlens.chapters.over_seeds import by_dataset, sizes
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent

KINDS = {
    "single": "one exit",
    "head": "everyone at this head",
    "multi": "several exits, by entropy",
    "multi_random": "several exits, at random",
    "votes": "neighbours agree",
    "votes_random": "as many at each probe, at random",
    "stable": "same class at several probes",
    "stable_random": "as many at each probe, at random (stable)",
}

_BLUE, _ORANGE, _GREEN = style.palette(["multi", "votes", "stable"])
_RANDOM = style.MUTED
_PLAIN = {"color": style.INK, "linestyle": "none"}


def draw(table: pd.DataFrame, *, confidence_level: float) -> dict[str, Drawing]:
    """Every figure, by name."""
    with style.styled():
        return {
            "early_exit_heads": heads(table, confidence_level=confidence_level),
            "early_exit_neighbours": neighbours(table, confidence_level=confidence_level),
        }


def curve(table: pd.DataFrame, kind: str, *, confidence_level: float) -> pd.DataFrame:
    """Mean cost and accuracy over seeds of one kind, a row a threshold in its order.

    Returns
    -------
    DataFrame
        `threshold`; `cost`: share of the multiply-accumulates of the network with one exit;
        `accuracy` with `low` and `high`.
    """
    every = table[table["exit"] == "all"]
    whole = every.loc[every["kind"] == "single", "macs"].mean()
    rows = []
    for threshold, part in every[every["kind"] == kind].groupby("threshold", dropna=False):
        # Student's interval does not know that accuracies lie between 0 and 1.
        interval = np.clip(
            intervals.mean(part["accuracy"], confidence_level=confidence_level), 0, 1
        )
        rows.append((threshold, part["macs"].mean() / whole, part["accuracy"].mean(), *interval))
    return pd.DataFrame(rows, columns=["threshold", "cost", "accuracy", "low", "high"])


def heads(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy against computation of the multi-exit network, and who leaves where."""
    title = "Leaving at heads that were trained for it"
    datasets = by_dataset(table)
    figure, axes = style.canvas(
        5.2, rows=2, columns=len(datasets), height_ratios=[1.5, 1], sharey="row"
    )
    phrases, entropy = [], float(_configured(table, "multi")["threshold"].iloc[0])
    for column, dataset in enumerate(datasets):
        part = table[table["dataset"] == dataset]
        ax, bars = axes[:, column]
        for kind, colour, line in (("multi_random", _RANDOM, "--"), ("multi", _BLUE, "-")):
            _curve(ax, curve(part, kind, confidence_level=confidence_level), colour, line)
        level = {"confidence_level": confidence_level}
        alone = curve(part, "head", **level)
        ax.plot(alone["cost"], alone["accuracy"], "s", markersize=5, mfc="white", **_PLAIN)
        _single(ax, curve(part, "single", **level))
        chosen = curve(part, "multi", **level).query("threshold == @entropy")
        ax.plot(chosen["cost"], chosen["accuracy"], "o", color=_BLUE, markersize=10, mfc="none")
        ax.set_title(dataset)
        ax.set_xlim(0, 1.05)
        plots.percent_axis(ax.xaxis)
        plots.percent_axis(ax.yaxis)
        _shares(bars, _configured(part, "multi"), confidence_level)
        phrases.append(_saving(part, dataset, "multi"))
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("share of the images")
    for ax in axes[0]:
        ax.set_xlabel("multiply-accumulates, of the network with one exit")
    figure.legend(
        handles=[
            Line2D([], [], color=_BLUE, marker="o", markersize=3.5, label="by entropy"),
            Line2D(
                [], [], color=_RANDOM, linestyle="--", marker="o", markersize=3.5,
                label="as many at each head, drawn at random",
            ),
            Line2D([], [], marker="s", mfc="white", label="all at one head", **_PLAIN),
            Line2D([], [], marker="*", markersize=10, label="network with one exit", **_PLAIN),
        ],
        loc="outside lower center",
        ncols=4,
    )  # fmt: skip
    style.frame(
        figure,
        title=title,
        subtitle=f"Heads after each stage; an image leaves at the first whose entropy is below a "
        f"threshold (ring and bars: {entropy:g} nats)\n{_sizes(table)} · error bars: "
        f"{percent(confidence_level)} intervals over seeds",
    )
    correlations = [
        f"{number(part['depth_correlation'].mean())} on {dataset}"
        for dataset, part in _all(_configured(table, "multi")).groupby("dataset", sort=False)
        if part["depth_correlation"].notna().all()
    ]
    sentence = f"At {entropy:g} nats {joined(phrases)}."
    if correlations:
        sentence += (
            " The rank correlation of an image's exit with its prediction depth is "
            f"{joined(correlations)}."
        )
    return Drawing(
        figure,
        title,
        sentence,
        f"Curves of accuracy by multiply-accumulates, and bars of the share of images at each "
        f"head; at {entropy:g} nats {joined(phrases)}.",
    )


def neighbours(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy against computation where neighbours decide who leaves."""
    title = "Leaving where the neighbours are sure"
    datasets = by_dataset(table)
    figure, axes = style.canvas(3.6, columns=len(datasets), sharey=True)
    phrases = []
    for ax, dataset in zip(axes[0], datasets, strict=True):
        part = table[table["dataset"] == dataset]
        for kind, colour, marker in (("votes", _ORANGE, "o"), ("stable", _GREEN, "s")):
            found = curve(part, kind, confidence_level=confidence_level)
            chance = curve(part, f"{kind}_random", confidence_level=confidence_level)
            ax.plot(chance["cost"], chance["accuracy"], ":", color=colour, linewidth=1.2)
            _curve(ax, found, colour, "-", marker=marker, label=KINDS[kind])
            digits = "{:.0%}" if kind == "votes" else "{:g}"
            for row in (found.iloc[0], found.iloc[-1]):
                ax.annotate(
                    digits.format(row["threshold"]).replace("%", "\u00a0%"),
                    (row["cost"], row["accuracy"]),
                    xytext=(6, -9),
                    textcoords="offset points",
                    fontsize=8,
                    color=colour,
                )
        _single(ax, curve(part, "single", confidence_level=confidence_level))
        ax.set_title(dataset)
        ax.set_xlabel("multiply-accumulates, of the whole network")
        ax.set_xlim(-0.03, 1.08)
        plots.percent_axis(ax.xaxis)
        plots.percent_axis(ax.yaxis)
        every = _all(_configured(part, "votes"))
        whole = _all(part[part["kind"] == "single"])["macs"].mean()
        phrases.append(
            f"{_saving(part, dataset, 'votes')}, and the search up to there takes "
            f"{number(every['search_macs'].mean() / whole, 1)} times the multiply-accumulates of "
            "the whole network"
        )
    axes[0, 0].set_ylabel("accuracy")
    figure.legend(
        handles=[
            Line2D(
                [], [], color=_ORANGE, marker="o", markersize=4,
                label="so large a share of the neighbours agrees",
            ),
            Line2D(
                [], [], color=_GREEN, marker="s", markersize=4,
                label="same class at so many probes in a row",
            ),
            Line2D([], [], color=_RANDOM, linestyle=":", label="as many at each, at random"),
            Line2D([], [], marker="*", markersize=10, label="the network's end", **_PLAIN),
        ],
        loc="outside lower center",
        ncols=2,
    )  # fmt: skip
    style.frame(
        figure,
        title=title,
        subtitle="An image leaves at the first probe where its k-NN class is sure, at the end at "
        f"the latest; the search is not counted\n{_sizes(table)} · error bars: "
        f"{percent(confidence_level)} intervals over seeds",
    )
    share = float(_configured(table, "votes")["threshold"].iloc[0])
    return Drawing(
        figure,
        title,
        f"Where {percent(share)} of the neighbours agree, {joined(phrases)}.",
        f"Curves of accuracy by multiply-accumulates; {joined(phrases)}.",
    )


def _sizes(table: pd.DataFrame) -> str:
    return f"n = {count(table['n'].max())} test images · {sizes(table)}"


def _configured(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[(table["kind"] == kind) & table["configured"]]


def _all(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["exit"] == "all"]


def _saving(part: pd.DataFrame, dataset: str, kind: str) -> str:
    single, early = (
        _all(part[part["kind"] == "single"]),
        _all(_configured(part, kind)),
    )
    share = early["macs"].mean() / single["macs"].mean()
    return (
        f"an image of {dataset} takes {percent(share, 1)} of the multiply-accumulates of the "
        f"network with one exit, at an accuracy of {percent(early['accuracy'].mean(), 1)} instead "
        f"of {percent(single['accuracy'].mean(), 1)}"
    )


def _curve(
    ax: Axes,
    line: pd.DataFrame,
    colour: str,
    stroke: str,
    *,
    marker: str = "o",
    label: str | None = None,
) -> None:
    plots.error_bars(
        ax, line["cost"], line["accuracy"], line["low"], line["high"],
        ecolor=colour, elinewidth=0.8, capsize=0,
    )  # fmt: skip
    ax.plot(
        line["cost"], line["accuracy"], stroke, color=colour, marker=marker, markersize=3.5,
        label=label,
    )  # fmt: skip


def _single(ax: Axes, line: pd.DataFrame) -> None:
    plots.error_bars(ax, line["cost"], line["accuracy"], line["low"], line["high"])
    ax.plot(line["cost"], line["accuracy"], marker="*", markersize=11, zorder=5, **_PLAIN)


def _shares(ax: Axes, rows: pd.DataFrame, confidence_level: float) -> None:
    rows = rows[rows["exit"] != "all"]
    names = list(dict.fromkeys(rows["exit"]))
    for place, name in enumerate(names):
        here = rows[rows["exit"] == name]
        mean = here["share"].mean()
        low, high = intervals.mean(here["share"], confidence_level=confidence_level)
        ax.bar(place, mean, width=0.6, color=_BLUE, alpha=0.85)
        # A share lies between 0 and 1, though Student's interval does not know it.
        low, high = np.clip([low, high], 0, 1)
        plots.error_bars(ax, [place], [mean], [low], [high])
        lines = [
            percent(here["accuracy"].mean(), 1),
            f"depth {number(here['mean_depth'].mean(), 1)}",
        ]
        if mean:
            ax.text(
                place, max(mean, np.nan_to_num(high)) + 0.02, "\n".join(lines),
                ha="center", va="bottom", fontsize=7.5, color=style.INK,
            )  # fmt: skip
    ax.set_xticks(range(len(names)), names)
    ax.set_xlabel("left after · above: their accuracy and mean depth")
    ax.set_yticks([0, 0.5, 1])
    ax.set_ylim(0, 1.45)
    ax.spines.left.set_bounds(0, 1)
    plots.percent_axis(ax.yaxis)
