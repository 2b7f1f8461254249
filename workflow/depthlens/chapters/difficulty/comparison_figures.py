"""Figures that hold depth against its own variants and against every other score."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from depthlens import intervals
from depthlens.chapters.difficulty import comparisons
from depthlens.chapters.difficulty.comparisons import is_depth, name_of, title_of
from depthlens.chapters.difficulty.material import (
    DEPTH_LABEL,
    Material,
    depth_axis,
    frame,
    mark_impossible,
)
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, shortened, some

_SPLITS = {
    "test": ("held-out images", style.WRONG, "o"),
    "train": ("training images, leave-one-out", style.INK, "s"),
}
_TITLE_LENGTH = 28


def score_correlations(material: Material) -> Drawing:
    """Which scores order the images alike."""
    values = comparisons.oriented(material.run.test)
    title = "Which measures of difficulty agree"
    if len(values.columns) < 2:
        return _nothing(material, title, "Fewer than two measures vary on the test set.")
    found = comparisons.rank_correlations(
        values.to_numpy(), confidence_level=material.confidence_level
    )
    order, tree = comparisons.clustered(found.rho)
    names = [shortened(title_of(column), _TITLE_LENGTH) for column in values.columns[order]]
    size = len(order)
    figure, axes = style.canvas(
        max(1.6, 0.31 * size) + 1.3, columns=2, gridspec_kw={"width_ratios": [8, 1], "wspace": 0}
    )
    ax = axes[0, 0]
    rho = found.rho[np.ix_(order, order)]
    shades = mpl.colormaps["RdBu_r"].with_extremes(bad=style.FAINT)
    # Squares, not pixels: an SVG that holds pixels is embedded as pixels.
    edges = np.arange(size + 1) - 0.5
    picture = ax.pcolormesh(
        edges, edges, np.ma.masked_invalid(rho), cmap=shades, vmin=-1, vmax=1,
        edgecolors="white", linewidth=0.5,
    )  # fmt: skip
    ax.invert_yaxis()
    low, high = found.low[np.ix_(order, order)], found.high[np.ix_(order, order)]
    for row in range(size):
        for column in range(size):
            if row == column or not np.isfinite(rho[row, column]):
                continue
            open_ = low[row, column] <= 0 <= high[row, column]
            strong = abs(rho[row, column]) > 0.6
            ax.text(
                column,
                row,
                _cell(rho[row, column], size),
                ha="center",
                va="center",
                fontsize=9 if size <= 12 else 7.2,
                fontstyle="italic" if open_ else "normal",
                color="white" if strong else style.MUTED if open_ else style.INK,
            )
    ax.set_yticks(range(size), names)
    ax.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    for place, column in enumerate(values.columns[order]):
        if is_depth(column):
            for label in (ax.get_xticklabels()[place], ax.get_yticklabels()[place]):
                label.set_fontweight("bold")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    _tree(axes[0, 1], tree, size)
    bar = figure.colorbar(picture, ax=axes[0, 1], fraction=0.5, aspect=30, pad=0.05)
    bar.set_label("Spearman ρ", fontsize=8.5)
    bar.outline.set_visible(False)

    table = comparisons.by_pair(list(values.columns), found).dropna(subset="correlation")
    widest = 0.5 * (table["high"] - table["low"]).max()
    fewest = int(table["n"].min()) if len(table) else 0
    n = f"n = {count(len(values))} test images"
    if fewest < len(values):
        n += f", at least {count(fewest)} a pair"
    frame(
        figure,
        material,
        title,
        f"Spearman rank correlation of all measures, each turned so that larger means harder · {n}"
        f"\nOrdered by average linkage on 1 − ρ · {percent(material.confidence_level)} bootstrap "
        f"intervals are ± {number(widest)} at most; italic: the interval holds 0",
    )
    if table.empty:
        return Drawing(figure, title, "No two measures have images in common.", "An empty grid.")
    of_depth = table[(table["a"] == "depth") & ~table["b"].map(is_depth)]
    others = table[~table["a"].map(is_depth) & ~table["b"].map(is_depth)]
    sentences = []
    if len(of_depth):
        ranked = of_depth.sort_values("correlation", ascending=False, kind="stable")
        best, worst = ranked.iloc[0], ranked.iloc[-1]
        sentences.append(
            f"Prediction depth agrees most with {name_of(best['b'])} ({_rho(best)})"
            + (f" and least with {name_of(worst['b'])} ({_rho(worst)})" if len(ranked) > 1 else "")
        )
    if len(others):
        top = others.iloc[0]
        sentences.append(
            f"of the other scores {name_of(top['a'])} and {name_of(top['b'])} are closest "
            f"({_rho(top)})"
        )
    clear = int((table["low"] > 0).sum())
    sentences.append(f"{count(clear)} of {some(len(table), 'pair')} agree beyond doubt")
    sentence = "; ".join(sentences) + "."
    return Drawing(
        figure,
        title,
        sentence[0].upper() + sentence[1:],
        "A heat map of rank correlations, with similar ones side by side, between "
        f"{joined([name_of(column) for column in values.columns[order]])}.",
    )


def score_with_depth(material: Material) -> Drawing:
    """How every score goes with depth."""
    run = material.run
    table = comparisons.with_depth(run, confidence_level=material.confidence_level)
    title = "What every other score says of deep images"
    if table.empty:
        return _nothing(material, title, "Depth, or every other score, is the same for all images.")
    scores = list(dict.fromkeys(table["score"]))
    splits = [split for split in _SPLITS if split in set(table["split"])]
    figure, axes = style.canvas(0.3 * len(scores) + 0.75)
    ax = axes[0, 0]
    for split in splits:
        label, colour, marker = _SPLITS[split]
        part = table[table["split"] == split]
        shift = 0.0 if len(splits) == 1 else -0.14 if split == "test" else 0.14
        positions = part["score"].map(scores.index).to_numpy() + shift
        plots.error_bars(
            ax,
            positions,
            part["correlation"],
            part["low"],
            part["high"],
            across=True,
            ecolor=colour,
            elinewidth=1.4,
            capsize=0,
        )
        ax.plot(part["correlation"], positions, marker, color=colour, markersize=5.5, label=label)
    ax.axvline(0, color=style.MUTED, linewidth=0.9)
    ax.set_yticks(range(len(scores)), [shortened(title_of(s), _TITLE_LENGTH) for s in scores])
    ax.set_ylim(len(scores) - 0.4, -0.6)
    ends = table[["low", "correlation", "high"]].to_numpy()
    ax.set_xlim(max(-1.02, min(-0.05, np.nanmin(ends) - 0.05)), min(1.02, np.nanmax(ends) + 0.05))
    ax.set_xlabel("Spearman ρ of the score with prediction depth (above 0: deep images are harder)")
    ax.grid(True, axis="x")
    ax.grid(True, axis="y", linestyle=":")
    if len(splits) > 1:
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    largest = table.groupby("split")["n"].max()
    sizes = [
        f"{count(largest[split])} {'test' if split == 'test' else 'training'} images"
        for split in splits
    ]
    few = table[table["n"] < table["split"].map(largest)]
    part = f" · n of sampled scores: {_between(few['n'])}" if len(few) else ""
    frame(
        figure,
        material,
        title,
        f"Scores turned so that larger means harder, most like depth first · n = {joined(sizes)}\n"
        f"{material.bars} (bootstrap over images){part}",
    )
    test = table[table["split"] == splits[0]].sort_values("correlation", kind="stable")
    best = test.iloc[-1]
    against = test[test["high"] < 0]
    which = _SPLITS[splits[0]][0]
    clear = int((test["low"] > 0).sum())
    sentence = f"On {which}, {count(clear) if clear else 'none'} of {some(len(test), 'score')} "
    sentence += "call" if clear > 1 else "calls"
    sentence += f" deep images harder beyond doubt, {name_of(best['score'])} "
    sentence += f"{'most of all' if clear else 'comes nearest to it'} ({_rho(best)})"
    if len(against):
        names = [name_of(score) for score in against["score"]]
        sentence += f"; {joined(names)} {'says' if len(names) == 1 else 'say'} the opposite"
    if len(splits) > 1:
        train = table[table["split"] == "train"].sort_values("correlation", kind="stable").iloc[-1]
        sentence += f". On training images it is {name_of(train['score'])} ({_rho(train)})"
    points = [f"{name_of(row.score)} {number(row.correlation)}" for row in test[::-1].itertuples()]
    return Drawing(
        figure,
        title,
        f"{sentence}.",
        f"A dot plot of rank correlations with depth on {which}: {joined(points)}.",
    )


def depth_by_k(material: Material) -> Drawing:
    """What the number of neighbours does to depth."""
    run = material.run
    title = "How much depth depends on the number of neighbours"
    if not run.test.ks:
        return _nothing(material, title, "No other number of neighbours was tried.")
    level = material.confidence_level
    found = {
        name: comparisons.by_k(split, confidence_level=level) for name, split in run.splits.items()
    }
    figure, axes = style.canvas(2.7, columns=3)
    studied = run.test.n_neighbors
    panels = (
        ("mean_depth", "low", "high", "mean depth"),
        ("correlation", "correlation_low", "correlation_high", f"ρ with depth at k = {studied}"),
        ("changed", "changed_low", "changed_high", "images whose depth differs"),
    )
    for ax, (measure, low, high, label) in zip(axes[0], panels, strict=True):
        ax.axvline(studied, color=style.MUTED, linewidth=0.9, linestyle=":")
        for name, table in found.items():
            split_label, colour, marker = _SPLITS[name]
            ax.fill_between(
                table["k"], table[low], table[high], color=colour, alpha=0.2, linewidth=0
            )
            ax.plot(
                table["k"],
                table[measure],
                "-" if name == "train" else "--",
                color=colour,
                marker=marker,
                markersize=5,
                label=split_label,
            )
        ax.set_xscale("log")
        ks = found["test"]["k"].tolist()
        ax.xaxis.set_major_locator(FixedLocator(ks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        if len(ks) == 1:
            ax.set_xlim(ks[0] / 2, ks[0] * 2)
        ax.set_title(label)
        ax.set_xlabel("neighbours k")
    means = pd.concat([table[["low", "mean_depth", "high"]] for table in found.values()])
    axes[0, 0].set_ylim(0, min(run.n_depths - 1, max(1.0, 1.25 * np.nanmax(means.to_numpy()))))
    correlations = pd.concat([table["correlation_low"] for table in found.values()])
    bottom = np.nanmin(correlations) if correlations.notna().any() else 0.0
    axes[0, 1].set_ylim(min(0.0, bottom), 1.04)
    axes[0, 2].set_ylim(0, 1.02)
    plots.percent_axis(axes[0, 2].yaxis)
    if len(found) > 1:
        axes[0, 0].legend(loc="lower left", fontsize=7.5)
    sizes = [f"{count(len(run.test))} test"]
    if run.train is not None:
        sizes.append(f"{count(len(run.train))} training")
    frame(
        figure,
        material,
        title,
        f"Depth with other numbers of neighbours that vote, n = {joined(sizes)} images · bands: "
        f"{percent(level)} intervals\nDotted: k = {studied}, which everything else here is made "
        "with",
    )
    table = found["test"]
    others = table[table["k"] != studied]
    if others.empty:
        sentence = f"Only k = {studied} was tried: the mean depth is "
        sentence += f"{number(table['mean_depth'].iloc[0])}."
    else:
        first, last = table.iloc[0], table.iloc[-1]
        least = others.sort_values(["changed", "k"], kind="stable").iloc[-1]
        sentence = (
            f"With k from {first['k']:g} to {last['k']:g} the mean depth of the test images goes "
            f"from {number(first['mean_depth'])} to {number(last['mean_depth'])}; at k = "
            f"{least['k']:g}, where most changes, {percent(least['changed'], 1)} of them have "
            f"another depth than at k = {studied}"
        )
        if np.isfinite(least["correlation"]):
            sentence += (
                f", in nearly the same order (ρ = {number(least['correlation'])})"
                if least["correlation"] >= 0.9
                else f" (ρ = {number(least['correlation'])})"
            )
        sentence += "."
    points = [f"{number(row.mean_depth)} at {row.k}" for row in table.itertuples()]
    return Drawing(
        figure,
        title,
        sentence,
        "Three line charts by number of neighbours: mean depth, rank correlation with the depth of "
        f"the study, share of images that change; mean depth of test images: {joined(points)}.",
    )


def self_voting(material: Material) -> Drawing:
    """What the usual mistake does: images that vote for themselves."""
    run, split = material.run, material.run.train
    found = comparisons.self_voting(split, confidence_level=material.confidence_level)
    title = "What it does to let an image vote for itself"
    figure = _bars_by_depth(
        material,
        [
            ("leave-one-out: never its own neighbour", style.RIGHT, split.depths["depth"]),
            ("self-voting: always one", style.ALERT, split.depths["depth_self_voting"]),
        ],
        "share of training images",
    )
    frame(
        figure,
        material,
        title,
        f"Depth of n = {count(len(split))} training images, each either left out of or counted "
        f"among its {run.test.n_neighbors} neighbours\n{material.bars} (Wilson)",
    )
    gap = found.leave_one_out - found.self_voting
    moved = found.shallower + found.deeper
    if moved:
        sentence = (
            "Counted among its own neighbours, a training image has a mean depth of "
            f"{number(found.self_voting)} instead of {number(found.leave_one_out)} (difference "
            f"{number(gap)} [{number(found.low)}, {number(found.high)}]): the depth of "
            f"{percent(moved, 1)} of them changes, {percent(found.shallower, 1)} become shallower, "
            f"and {percent(found.first_self_voting, 1)} instead of "
            f"{percent(found.first_leave_one_out, 1)} seem settled at {run.first_probe}."
        )
    else:
        sentence = (
            "Counted among its own neighbours, no training image changes its depth; the mean is "
            f"{number(found.leave_one_out)}."
        )
    return Drawing(
        figure,
        title,
        sentence,
        "A bar chart of the depths of training images with two bars a depth: with and without the "
        f"image among its own neighbours; mean depths {number(found.self_voting)} and "
        f"{number(found.leave_one_out)}.",
    )


def train_and_test_depth(material: Material) -> Drawing:
    """Depth of images that the network learned from, and of images that it did not."""
    run = material.run
    depths = [run.train.depths["depth"], run.test.depths["depth"]]
    title = "Depth of learned and of unseen images"
    figure = _bars_by_depth(
        material,
        [
            ("training images, leave-one-out", style.INK, depths[0]),
            ("held-out images", style.WRONG, depths[1]),
        ],
        "share of the images of the split",
    )
    frame(
        figure,
        material,
        title,
        f"Prediction depth of n = {count(len(depths[0]))} training and {count(len(depths[1]))} "
        f"test images · {material.bars} (Wilson)",
    )
    level = material.confidence_level
    phrases = []
    for values in depths:
        low, high = intervals.mean(values, confidence_level=level)
        phrases.append(f"{number(values.mean())} [{number(low)}, {number(high)}]")
    last = [float(values.isin(run.last_two).mean()) for values in depths]
    return Drawing(
        figure,
        title,
        f"The mean depth is {phrases[0]} of training images and {phrases[1]} of held-out ones; "
        f"{percent(last[0], 1)} and {percent(last[1], 1)} settle only at the last two depths.",
        "A bar chart of depths with two bars a depth, for training and for held-out images; mean "
        f"depths {number(depths[0].mean())} and {number(depths[1].mean())}.",
    )


def depth_by_reference(material: Material) -> Drawing:
    """What the probes are to agree with, and what that changes."""
    run = material.run
    table = comparisons.by_reference(run, confidence_level=material.confidence_level)
    figure, axes = style.canvas(2.3, columns=len(table), sharex=True, sharey=True)
    depths, n = np.arange(run.n_depths), len(run.test)
    counts = [
        np.bincount(run.test.depths[column], minlength=run.n_depths) for column in table["column"]
    ]
    bounds = [
        intervals.wilson(each, n, confidence_level=material.confidence_level) for each in counts
    ]
    top = max(high.max() for _, high in bounds)
    for ax, row, each, (low, high) in zip(axes[0], table.itertuples(), counts, bounds, strict=True):
        mark_impossible(ax, run, text=False)
        ax.bar(depths, each / n, color=style.RIGHT, width=0.8)
        plots.error_bars(
            ax, depths[each > 0], (each / n)[each > 0], low[each > 0], high[each > 0],
            elinewidth=0.8, capsize=1.5,
        )  # fmt: skip
        ax.plot(row.mean_depth, top * 1.06, marker="v", color=style.INK, markersize=5)
        near_end = row.mean_depth > 0.5 * run.n_depths
        ax.annotate(
            f"mean {number(row.mean_depth)}",
            (row.mean_depth, top * 1.06),
            xytext=(-6 if near_end else 6, 0),
            textcoords="offset points",
            ha="right" if near_end else "left",
            va="center",
            fontsize=8,
        )
        ax.set_title(f"agreement with the {row.reference}")
    first = axes[0, 0]
    first.set_ylim(0, top * 1.16)
    plots.percent_axis(first.yaxis)
    step = 1 if run.n_depths <= 14 else 5
    first.set_xticks(depths[::step])
    first.set_xlim(-0.7, run.n_depths - 0.3)
    title = "What the probes are to agree with"
    frame(
        figure,
        material,
        title,
        f"Depth of n = {count(n)} test images by reference · {material.bars} (Wilson), "
        f"▾ mean · depth {run.n_depths - 1}: the last probe does not agree either",
        xlabel="depth",
        ylabel="share of test images",
    )
    network, rest = table.iloc[0], table.iloc[1:]
    phrases = [
        f"the {row.reference} {number(row.mean_depth)} [{number(row.low)}, {number(row.high)}] "
        f"(the same depth for {percent(row.same, 1)} of the images)"
        for row in rest.itertuples()
    ]
    return Drawing(
        figure,
        title,
        f"Agreement with the network gives a mean depth of {number(network['mean_depth'])} "
        f"[{number(network['low'])}, {number(network['high'])}], with {joined(phrases)}.",
        "Three bar charts of depth, by what the probes are to agree with; mean depths: "
        + joined([f"{row.reference} {number(row.mean_depth)}" for row in table.itertuples()])
        + ".",
    )


def _cell(rho: float, size: int) -> str:
    """A correlation in a matrix; without its zero where cells are narrow."""
    text = number(rho)
    return text.replace("0.", ".", 1) if size > 12 and abs(rho) < 1 else text


def _rho(row: pd.Series) -> str:
    interval = f" [{number(row['low'])}, {number(row['high'])}]" if pd.notna(row["low"]) else ""
    return f"ρ = {number(row['correlation'])}{interval}"


def _between(n: pd.Series) -> str:
    low, high = count(n.min()), count(n.max())
    return low if low == high else f"{low} to {high}"


def _tree(ax: Axes, tree: NDArray[np.float64], size: int) -> None:
    """The tree of a clustering, its leaves at 0 … size - 1 from top to bottom."""
    lines = hierarchy.dendrogram(tree, no_plot=True)
    for x, y in zip(lines["dcoord"], lines["icoord"], strict=True):
        ax.plot(x, (np.array(y) - 5) / 10, color=style.MUTED, linewidth=0.9)
    ax.set_xlim(0, None)
    ax.set_ylim(size - 0.5, -0.5)
    ax.set_axis_off()


def _bars_by_depth(
    material: Material, series: Sequence[tuple[str, str, pd.Series]], ylabel: str
) -> Figure:
    """Bars side by side at every depth: label, colour and depths of each series."""
    run = material.run
    figure, axes = style.canvas(3.3)
    ax, width, top = axes[0, 0], 0.8 / len(series), 0.0
    for index, (label, colour, depths) in enumerate(series):
        n = np.bincount(depths, minlength=run.n_depths)
        low, high = intervals.wilson(n, n.sum(), confidence_level=material.confidence_level)
        positions = np.arange(run.n_depths) + (index - (len(series) - 1) / 2) * width
        ax.bar(positions, n / n.sum(), width=width, color=colour, label=label)
        there = n > 0
        plots.error_bars(
            ax, positions[there], (n / n.sum())[there], low[there], high[there], elinewidth=0.8
        )
        top = max(top, high.max())
    ax.set(ylim=(0, top * 1.15), xlabel=DEPTH_LABEL, ylabel=ylabel)
    plots.percent_axis(ax.yaxis)
    depth_axis(figure, ax, run)
    ax.legend(loc="upper center", ncols=len(series))
    return figure


def _nothing(material: Material, title: str, reason: str) -> Drawing:
    """A figure that says why there is nothing to draw."""
    figure, axes = style.canvas(1.2)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0.5, 0.5, reason, ha="center", va="center", color=style.MUTED)
    frame(figure, material, title, f"n = {count(len(material.run.test))} test images")
    return Drawing(figure, title, reason, reason)
