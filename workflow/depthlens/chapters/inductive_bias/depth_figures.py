"""Figures about the depth of images of edges."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from depthlens.chapters.inductive_bias.depth_measures import (
    FACTORS,
    agreement,
    correlations,
    halves,
    paired,
    shares,
    with_edge,
    with_random,
)
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, some

_MOST_VALUES = 6
"""a factor of more different values is cut into so many parts of equally many images"""
_LABELS = {
    "factor_contrast": "contrast (1: white on black)",
    "factor_width": "width, pixels",
    "factor_background": "background (1 is white)",
    "random": "random number",
}


def distribution(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Share of images by depth for each network, and the depth of one against the other's."""
    architectures = list(dict.fromkeys(table["architecture"]))
    figure, axes = style.canvas(
        3.8, columns=len(architectures) + 1, width_ratios=[*[1] * len(architectures), 1.15]
    )
    of_depth = shares(table)
    for ax, name in zip(axes[0], architectures, strict=False):
        own = of_depth[of_depth["architecture"] == name]
        _bars(ax, own, confidence_level)
        ax.set_title(_capital(NETWORKS[name]))
    top = max(ax.get_ylim()[1] for ax in axes[0, :-1])
    for ax in axes[0, :-1]:
        ax.set_ylim(0, top)
        plots.percent_axis(ax.yaxis)
    axes[0, 0].set_ylabel("share of the images")
    _heat(axes[0, -1], table)
    figure.legend(
        handles=[Patch(color=style.RIGHT, label="right"), Patch(color=style.WRONG, label="wrong")],
        loc="outside lower left",
        ncols=2,
    )
    title = "How deep images of edges are"
    style.frame(
        figure,
        title=title,
        subtitle=f"Prediction depth of {_sizes(table)} · error bars: {percent(confidence_level)} "
        "intervals of the mean over seeds\nOn the right the same images in both networks, all "
        "seeds together; numbers and colours count images",
    )
    errors = [f"{NETWORKS[name]} {_halves(table, name)}" for name in architectures]
    correlation = agreement(table).mean()
    both = (
        f" Depths of the same image in both networks have a rank correlation of "
        f"{number(correlation)}."
        if np.isfinite(correlation)
        else ""
    )
    sentence = f"Wrong answers: {'; '.join(errors)}.{both}"
    alt = (
        f"Bars of the share of images by depth, right and wrong answers, for "
        f"{joined([NETWORKS[name] for name in architectures])}; a map of the depth in one network "
        "against that in the other."
    )
    return Drawing(figure, title, sentence, alt)


def _halves(table: pd.DataFrame, architecture: str) -> str:
    own = table[table["architecture"] == architecture]
    found = np.array([halves(rows) for _, rows in own.groupby("seed")])
    shallow, deep = found.mean(axis=0)
    return f"{percent(shallow, 1)} of the shallower half and {percent(deep, 1)} of the deeper half"


def _bars(ax: Axes, own: pd.DataFrame, confidence_level: float) -> None:
    means = own.groupby(["depth", "correct"])["share"].mean().unstack()
    ax.bar(means.index, means[True], color=style.RIGHT, width=0.8)
    ax.bar(means.index, means[False], bottom=means[True], color=style.WRONG, width=0.8)
    whole = own.groupby(["depth", "seed"])["share"].sum().reset_index()
    found = over_seeds(whole, ["depth"], "share", confidence_level=confidence_level)
    found = found[found["mean"] > 0]
    plots.error_bars(
        ax, found["depth"], found["mean"], found["low"].clip(0, 1), found["high"].clip(0, 1)
    )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("depth")


def _heat(ax: Axes, table: pd.DataFrame) -> None:
    """How many images have each pair of depths."""
    last = table.groupby("architecture")["n_probes"].max().reindex(["cnn", "mlp"])
    if last.isna().any():
        ax.set_axis_off()
        return
    pairs = paired(table).astype(int)
    rows, columns = (int(value) + 1 for value in last)
    counts = np.zeros((rows, columns), int)
    np.add.at(counts, (pairs["cnn"], pairs["mlp"]), 1)
    # Counts are few large ones and many small ones: by their roots both can be told apart.
    ax.imshow(np.sqrt(counts), cmap="Blues", origin="lower", aspect="auto", interpolation="nearest")
    most = counts.max()
    for row, column in np.argwhere(counts):
        n = counts[row, column]
        colour = "white" if np.sqrt(n / most) > 0.6 else style.INK
        ax.text(column, row, str(n), ha="center", va="center", fontsize=6.5, color=colour)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(False)
    ax.set_title("The same images")
    ax.set_xlabel(f"depth, {NETWORKS['mlp']}")
    ax.set_ylabel(f"depth, {NETWORKS['cnn']}")


def by_factor(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Mean depth of images with an edge by each factor, a line a network."""
    edges = with_edge(with_random(table))
    edges = edges.assign(relative=edges["depth"] / edges["n_probes"])
    architectures = list(dict.fromkeys(table["architecture"]))
    correlation = over_seeds(
        correlations(table), ["architecture", "factor"], "correlation",
        confidence_level=confidence_level,
    ).set_index(["architecture", "factor"])  # fmt: skip
    figure, axes = style.canvas(3.4, columns=len(FACTORS), sharey=True)
    for ax, factor in zip(axes[0], FACTORS, strict=True):
        for line, name in enumerate(architectures):
            own = edges[edges["architecture"] == name]
            points = binned(own, factor, confidence_level=confidence_level)
            _factor_line(ax, points, COLOURS[name])
            ax.text(
                0.03, 0.98 - 0.07 * line, _written(correlation, name, factor), va="top",
                transform=ax.transAxes, fontsize=8, color=COLOURS[name],
            )  # fmt: skip
        ax.set_xlabel(_LABELS[factor])
        if edges[factor].nunique() <= _MOST_VALUES:
            ax.set_xticks(sorted(set(edges[factor])))
        else:
            ax.xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].set_ylabel("mean depth, of the deepest possible")
    plots.percent_axis(axes[0, 0].yaxis)
    low, high = axes[0, 0].get_ylim()
    # Correlations are written above the lines, where no share is.
    ticks = np.round(axes[0, 0].get_yticks(), 6)
    axes[0, 0].set_yticks(ticks[(ticks >= max(low, 0)) & (ticks <= min(high, 1))])
    axes[0, 0].set_ylim(max(low, 0), high + 0.35 * (high - low))
    figure.legend(
        handles=[
            Line2D([], [], marker="o", markersize=4, color=COLOURS[name], label=NETWORKS[name])
            for name in architectures
        ],
        loc="outside lower center",
        ncols=len(architectures),
    )
    title = "What deep edges are like"
    level = percent(confidence_level)
    style.frame(
        figure,
        title=title,
        subtitle=f"Prediction depth of {_sizes(edges, ' with an edge')} · dots: of up to "
        f"{_MOST_VALUES} parts of equally many images\nρ: rank correlation with depth · bars and "
        f"brackets: {level} intervals of the mean over seeds",
    )
    alt = (
        f"Lines of mean depth over {joined(list(FACTORS.values()))}, for "
        f"{joined([NETWORKS[name] for name in architectures])}."
    )
    phrases = [
        f"{NETWORKS[name]} "
        + joined(
            [
                f"{number(correlation['mean'].get((name, factor), np.nan))} with {words}"
                for factor, words in FACTORS.items()
            ]
        )
        for name in architectures
    ]
    sentence = f"Rank correlation of the depth of edges: {'; '.join(phrases)}."
    return Drawing(figure, title, sentence, alt)


def binned(own: pd.DataFrame, factor: str, *, confidence_level: float) -> pd.DataFrame:
    """Mean relative depth of a network's images by a factor.

    Parameters
    ----------
    own : DataFrame
        Of one network: `seed`, `relative`, and the factor.
    factor : str
        Its column. Of many different values there are parts of equally many images.
    confidence_level : float

    Returns
    -------
    DataFrame
        `place`: mean of the factor in the part; `mean`, `low`, `high`, `n` as `over_seeds` has it.
    """
    values = own[factor]
    parts = (
        values
        if values.nunique() <= _MOST_VALUES
        else pd.qcut(values, _MOST_VALUES, labels=False, duplicates="drop")
    )
    place = values.groupby(parts).transform("mean")
    means = own.assign(place=place).groupby(["place", "seed"])["relative"].mean().reset_index()
    return over_seeds(means, ["place"], "relative", confidence_level=confidence_level)


def _factor_line(ax: Axes, points: pd.DataFrame, colour: str) -> None:
    low, high = points["low"].clip(0, 1), points["high"].clip(0, 1)
    plots.error_bars(ax, points["place"], points["mean"], low, high, ecolor=colour, elinewidth=1.2)
    ax.plot(points["place"], points["mean"], "-o", color=colour, markersize=4)


def _written(correlation: pd.DataFrame, architecture: str, factor: str) -> str:
    """A rank correlation with its interval, "ρ = −0.41 [−0.50, −0.32]"."""
    if (architecture, factor) not in correlation.index:
        return "ρ = —"
    row = correlation.loc[(architecture, factor)]
    text = f"ρ = {number(row['mean'])}"
    if np.isfinite(row["low"]):
        text += f" [{number(max(row['low'], -1))}, {number(min(row['high'], 1))}]"
    return text


def _sizes(table: pd.DataFrame, which: str = "") -> str:
    """How many images there are of each seed, and how many seeds."""
    n = table.groupby(["architecture", "seed"]).size()
    numbers = count(n.min()) if n.min() == n.max() else f"{count(n.min())} to {count(n.max())}"
    return f"{numbers} validation images{which}, {some(table['seed'].nunique(), 'seed')}"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
