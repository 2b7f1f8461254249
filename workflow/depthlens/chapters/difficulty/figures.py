"""The figures of this chapter, each from one run's tidy tables, with a sentence read off the data.

A figure is a function that draws and returns a `Drawing`; `draw` calls all of them.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from depthlens.chapters.difficulty import comparison_figures, run_figures
from depthlens.chapters.difficulty import tables as tidy
from depthlens.chapters.difficulty.material import (
    DEPTH_LABEL,
    Material,
    depth_axis,
    frame,
    mark_impossible,
)
from depthlens.chapters.difficulty.summary import factor_sentence, with_interval
from depthlens.chapters.difficulty.tables import Run
from depthlens.datasets import shapes
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent, shortened, some

MOST_PANELS = 20
"""classes that small multiples have room for: of more, the hardest are shown"""

_FEW = 30  # images below which a share says little: drawn hollow

# Units of the factors that `datasets.shapes` draws; what another dataset was measured by has none.
_UNITS = {
    "size": "half widths of the image",
    "offset_x": "half widths of the image",
    "offset_y": "half widths of the image",
    "rotation": "degrees",
    "aspect_ratio": "longer : shorter side",
    "contrast": "1 = black to white",
    "background": "0 = black, 1 = white",
    "noise": "σ of a pixel, 1 = white",
}


def draw(material: Material) -> Iterator[tuple[str, Drawing]]:
    """Every figure of `run_figures`, by name, one after the other."""
    run, history = material.run, material.history
    names = run_figures(trained=history is not None, train_studied=run.train is not None)
    for name in names:
        with style.styled():
            drawing = _FIGURES[name](material)
        yield name, drawing


def sample_grid(material: Material) -> Drawing:
    """Training images with their labels."""
    train, run = material.train, material.run
    present = [label for label in range(len(run.classes)) if (train.labels == label).any()]
    shown, columns = present[:MOST_PANELS], 12
    width = 1.0 + 0.16
    tall = train.images.shape[2] / train.images.shape[3]
    inches = (style.WIDTH - 0.3) / (columns * width + 2.2)
    figure, axes = style.canvas(inches * (tall + 0.16) * len(shown))
    ax = axes[0, 0]
    for row, label in enumerate(shown):
        members = np.flatnonzero(train.labels == label)[:columns]
        y = row * (tall + 0.16)
        for column, member in enumerate(members):
            x = 2.2 + column * width
            ax.imshow(
                plots.as_picture(train.images[member]),
                extent=(x, x + 1, y + tall, y),
                interpolation="nearest",
            )
        ax.plot([2.06, 2.06], [y, y + tall], color=material.colours[label], linewidth=4)
        ax.text(
            1.9,
            y + tall / 2,
            shortened(run.classes[label], 16),
            ha="right",
            va="center",
            fontsize=9,
        )
    ax.set(
        xlim=(0, 2.2 + columns * width), ylim=(len(shown) * (tall + 0.16), -0.05), aspect="equal"
    )
    ax.set_axis_off()
    title = f"What the network is to tell apart: {run.dataset}"
    part = "" if len(shown) == len(present) else f", the first {len(shown)} of them shown"
    channels, height, pixels = train.images.shape[1:]
    kind = {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")
    frame(
        figure,
        material,
        title,
        f"First training images of each class · n = {count(len(train.labels))} training images of "
        f"{height}×{pixels} pixels, {some(len(present), 'class', 'classes')}{part}",
    )
    per_class = np.bincount(train.labels, minlength=len(run.classes))[present]
    spread = (
        f"{count(per_class.min())} of each"
        if per_class.min() == per_class.max()
        else f"between {count(per_class.min())} and {count(per_class.max())} of each"
    )
    return Drawing(
        figure,
        title,
        f"The training set has {count(len(train.labels))} {kind} images of "
        f"{some(len(present), 'class', 'classes')} ({spread}); the test set has "
        f"{count(len(run.examples))}.",
        f"A grid of example images, one row for each class: "
        f"{joined([run.classes[label] for label in shown])}.",
    )


def training_curves(material: Material) -> Drawing:
    """Loss and accuracy by epoch."""
    run, history = material.run, material.history
    figure, axes = style.canvas(2.9, columns=2)
    for ax, measure, label in zip(
        axes[0], ("loss", "accuracy"), ("cross-entropy loss (nats)", "accuracy"), strict=True
    ):
        for split, colour, line in (("train", style.INK, "-"), ("test", style.WRONG, "--")):
            values = history[f"{split}_{measure}"]
            ax.plot(
                history["epoch"],
                values,
                line,
                color=colour,
                marker="o" if len(history) < 2 else None,
                label=f"{split}ing set" if split == "train" else "test set",
            )
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 1].set_ylim(0, 1.02)
    plots.percent_axis(axes[0, 1].yaxis)
    axes[0, 1].axhline(
        run.min_train_accuracy,
        color=style.MUTED,
        linewidth=0.9,
        linestyle=":",
        label=f"required of the training set: {percent(run.min_train_accuracy, 1)}",
    )
    axes[0, 1].legend(loc="lower right")
    title = f"How {run.model} learned {run.dataset}"
    frame(
        figure,
        material,
        title,
        f"Loss and accuracy after each epoch · n = {count(len(material.train.labels))} training "
        f"and {count(len(run.examples))} test images · seed {run.seed}",
    )
    last = history.iloc[-1]
    gap = last["train_accuracy"] - last["test_accuracy"]
    return Drawing(
        figure,
        title,
        f"After {some(int(last['epoch']), 'epoch')} the network is right on "
        f"{percent(run.train_accuracy, 1)} of the training set and "
        f"{percent(run.test_accuracy, 1)} of the test set"
        + (
            f": a gap of {number(100 * gap, 1)} percentage points leaves room for hard images."
            if gap > 0.005
            else "."
        ),
        "Two line charts by epoch: loss and accuracy on the training and on the test set.",
    )


def depth_histogram(material: Material) -> Drawing:
    """How many test images settle where."""
    run = material.run
    table = tidy.by_depth(run, confidence_level=material.confidence_level)
    figure, axes = style.canvas(3.6)
    ax, total = axes[0, 0], len(run.examples)
    right = table["correct"] / total
    ax.bar(table["depth"], right, color=style.RIGHT, width=0.78, label="network is right")
    ax.bar(
        table["depth"],
        table["share"] - right,
        bottom=right,
        color=style.WRONG,
        width=0.78,
        label="network is wrong",
    )
    some_images = table[table["n"] > 0]
    plots.error_bars(
        ax,
        some_images["depth"],
        some_images["share"],
        some_images["share_low"],
        some_images["share_high"],
    )
    top = table["share_high"].max()
    for row in table.itertuples():
        if row.possible:
            height = row.share_high if row.n else 0
            ax.text(
                row.depth, height + top * 0.02, count(row.n), ha="center", va="bottom", fontsize=8.5
            )
    ax.set(ylim=(0, top * 1.13), xlabel=DEPTH_LABEL, ylabel="share of test images")
    plots.percent_axis(ax.yaxis)
    depth_axis(figure, ax, run)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    title = "Where the network's answer settles"
    frame(
        figure,
        material,
        title,
        f"Prediction depth of n = {count(total)} test images, images at each depth above its bar · "
        f"{material.bars}",
    )
    first, last = table["share"].iloc[0], table["share"].iloc[run.last_two].sum()
    mode = table.loc[table["n"].idxmax()]
    impossible = table.loc[~table["possible"], "depth"].tolist()
    return Drawing(
        figure,
        title,
        f"{percent(first, 1)} of the test images are settled at {run.first_probe} and "
        f"{percent(last, 1)} only at the last two depths; the mean depth is "
        f"{number(run.examples['depth'].mean())} of {run.n_depths - 1} and the most frequent depth "
        f"{mode['depth']} ({mode['settled_at']}, {percent(mode['share'], 1)})."
        + _impossible_sentence(run, impossible),
        f"A bar chart of the number of test images at each depth: "
        f"{joined([f'{r.n} at depth {r.depth}' for r in table.itertuples() if r.possible])}.",
    )


def accuracy_by_depth(material: Material) -> Drawing:
    """Is the network right on what settles early?"""
    run = material.run
    table = tidy.by_depth(run, confidence_level=material.confidence_level)
    figure, axes = style.canvas(3.6)
    ax, there = axes[0, 0], table[table["n"] > 0]
    overall = float(run.examples["correct"].mean())
    ax.axhline(overall, color=style.MUTED, linewidth=1, linestyle="--", zorder=1)
    ax.plot(there["depth"], there["accuracy"], color=style.RIGHT, zorder=2)
    plots.error_bars(
        ax, there["depth"], there["accuracy"], there["low"], there["high"], zorder=3, capsize=3
    )
    for enough, face in ((True, style.RIGHT), (False, "white")):
        part = there[(there["n"] >= _FEW) == enough]
        ax.scatter(
            part["depth"],
            part["accuracy"],
            s=46,
            facecolor=face,
            edgecolor=style.RIGHT,
            linewidth=1.6,
            zorder=4,
        )
    for row in there.itertuples():
        ax.text(row.depth, 1.06, count(row.n), ha="center", va="bottom", fontsize=8.5)
    ax.text(
        0,
        1.06,
        "n = ",
        ha="right",
        va="bottom",
        fontsize=8.5,
        color=style.MUTED,
        transform=ax.get_yaxis_transform(),
    )
    ax.spines.left.set_bounds(0, 1)
    ax.set(ylim=(0, 1.14), xlabel=DEPTH_LABEL, ylabel="accuracy of the network")
    ax.set_yticks(np.linspace(0, 1, 6))
    plots.percent_axis(ax.yaxis)
    depth_axis(figure, ax, run)
    # Beside the line, at whichever end the curve is farther from it.
    ends = there["accuracy"].iloc[[0, -1]].to_numpy()
    left = abs(ends[0] - overall) > abs(ends[1] - overall)
    ax.text(
        0.005 if left else 0.995,
        overall - 0.015,
        f"all images: {percent(overall, 1)}",
        ha="left" if left else "right",
        va="top",
        fontsize=8.5,
        color=style.MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        zorder=5,
        transform=ax.get_yaxis_transform(),
    )
    title = "Accuracy on early and on late settled images"
    frame(
        figure,
        material,
        title,
        f"Accuracy of {run.model} at each depth, n = {count(len(run.examples))} test images · "
        f"{material.bars} (Wilson), hollow: fewer than {_FEW} images",
    )
    enough = there[there["n"] >= _FEW]
    shown = enough if len(enough) > 1 else there
    if len(shown) > 1:
        low, high = shown.iloc[0], shown.iloc[-1]
        sentence = (
            f"The network is right on {percent(low['accuracy'], 1)} of the images of depth "
            f"{low['depth']} and on {percent(high['accuracy'], 1)} of those of depth "
            f"{high['depth']}, the shallowest and the deepest with enough images; over all it is "
            f"right on {percent(overall, 1)}."
        )
    else:
        sentence = (
            f"All {count(len(run.examples))} test images have depth {there['depth'].iloc[0]}, "
            f"where the network is right on {percent(overall, 1)}."
        )
    points = [f"{percent(r.accuracy)} at depth {r.depth}" for r in there.itertuples()]
    return Drawing(
        figure, title, sentence, f"A line chart of accuracy at each depth: {joined(points)}."
    )


def gallery_easiest(material: Material) -> Drawing:
    """The easiest images of each class."""
    run = material.run
    rows = tidy.easiest(run, material.gallery_images)
    chosen = run.examples.loc[rows]
    title = "The easiest test images"
    order = np.lexsort((chosen["example_id"], chosen["depth"], chosen["label"]))
    figure = _gallery(material, rows[order])
    frame(
        figure,
        material,
        title,
        f"The shallowest and most confident of each class that the network gets right · "
        f"{len(rows)} of n = {count(len(run.examples))} test images\n"
        "Below each image: true class, → predicted class, confidence and depth · frame: true class",
    )
    if chosen.empty:
        return Drawing(figure, title, "The network is right on no test image.", "No images.")
    missing = sorted(set(run.examples["label"]) - set(chosen["label"]))
    rest = (
        f" No image of {joined([run.classes[m] for m in missing[:5]])}"
        f"{' and others' if len(missing) > 5 else ''} is among them."
        if missing
        else ""
    )
    at_first = int((chosen["depth"] == 0).sum())
    return Drawing(
        figure,
        title,
        f"{count(at_first)} of these {count(len(chosen))} images are settled at {run.first_probe}: "
        f"every probe from the first to the last agrees with the network, whose confidence is "
        f"at least {np.floor(chosen['confidence'].min() * 1000) / 10:.1f}\u00a0% on all of "
        f"them.{rest}",
        f"A grid of {len(chosen)} test images of "
        f"{joined([run.classes[label] for label in sorted(set(chosen['label']))])}, all classified "
        "correctly.",
    )


def gallery_hardest(material: Material) -> Drawing:
    """The deepest images."""
    run = material.run
    rows = tidy.hardest(run, material.gallery_images)
    chosen = run.examples.loc[rows]
    title = "The hardest test images"
    figure = _gallery(material, rows)
    frame(
        figure,
        material,
        title,
        f"Deepest first, then least confident · {len(rows)} of n = {count(len(run.examples))} test "
        "images\n"
        "Below each image: true class, → predicted class, confidence and depth · frame: true class",
    )
    per_class = chosen["label"].value_counts(sort=False).sort_index()
    most = int(per_class.idxmax())
    wrong = int((~chosen["correct"]).sum())
    return Drawing(
        figure,
        title,
        f"Of these {count(len(chosen))} images the network is wrong on {count(wrong)}, and "
        f"{count(per_class[most])} are of the class {run.classes[most]}.",
        f"A grid of the {len(chosen)} deepest test images, {wrong} of them misclassified.",
    )


def class_mix_by_depth(material: Material) -> Drawing:
    """Which classes make up the images of each depth."""
    run = material.run
    table = tidy.by_class_and_depth(run, confidence_level=material.confidence_level)
    classes = tidy.by_class(run, confidence_level=material.confidence_level)
    shown = sorted(classes["label"].head(MOST_PANELS))
    per_depth = table.groupby("depth")["n"].sum()
    depths = per_depth.index[per_depth > 0].tolist()
    rows, columns = plots.grid_shape(len(depths), most_columns=4 if len(depths) <= 16 else 6)
    height = max(1.0, 0.17 * len(shown)) + 0.35
    figure, axes = style.canvas(rows * height, rows=rows, columns=columns, sharex=True, sharey=True)
    positions = np.arange(len(shown))
    base = run.examples["label"].value_counts(normalize=True)
    for index, ax in enumerate(axes.flat):
        if index >= len(depths):
            ax.set_axis_off()
            continue
        depth = depths[index]
        part = table[table["depth"] == depth].set_index("label").loc[shown]
        ax.barh(
            positions,
            part["of_depth"],
            color=[material.colours[label] for label in shown],
            height=0.78,
        )
        plots.error_bars(
            ax,
            positions,
            part["of_depth"],
            part["of_depth_low"],
            part["of_depth_high"],
            across=True,
            elinewidth=0.8,
            capsize=1.5,
        )
        for position, label in enumerate(shown):
            ax.plot(
                [base[label]] * 2,
                [position - 0.45, position + 0.45],
                color=style.INK,
                linewidth=0.9,
                linestyle=":",
            )
        name = shortened(run.depth_names[depth], 16)
        ax.set_title(f"{depth} · {name}" if columns <= 4 else f"depth {depth}")
        ax.text(
            1,
            1.02,
            f"n = {count(per_depth[depth])}",
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize=8,
            color=style.MUTED,
        )
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
    first = axes[0, 0]
    first.set_yticks(positions, [shortened(run.classes[label], 16) for label in shown])
    first.set_ylim(len(shown) - 0.4, -0.6)
    reliable = table[table["depth"].map(per_depth) >= _FEW]
    first.set_xlim(0, min(1.0, 1.1 * (reliable if len(reliable) else table)["of_depth_high"].max()))
    plots.percent_axis(first.xaxis)
    first.xaxis.get_major_locator().set_params(nbins=4)
    # Whoever stands above an empty panel carries the axis of its column.
    for index in range(len(depths) - columns, len(depths)):
        if index >= 0:
            axes.flat[index].tick_params(labelbottom=True)
    title = "Which classes settle where"
    part = "" if len(shown) == len(classes) else f" · the {MOST_PANELS} hardest classes"
    empty = len(per_depth) - len(depths)
    frame(
        figure,
        material,
        title,
        f"Classes among the test images of each depth, n in each panel{part} · dotted: share in "
        f"the test set\n{material.bars} (Wilson)"
        + (f" · {some(empty, 'depth')} without any image left out" if empty else ""),
        xlabel="share of the images of this depth",
    )
    enough = per_depth[per_depth >= _FEW]
    ends = (enough if len(enough) else per_depth[per_depth > 0]).index[[0, -1]]
    phrases = []
    for depth in dict.fromkeys(ends):
        part = table[table["depth"] == depth]
        best = part.loc[part["of_depth"].idxmax()]
        share = percent(best["of_depth"])
        phrases.append(
            f"{run.classes[int(best['label'])]} is the most frequent at depth {depth} ({share} of "
            "the images there)"
        )
    return Drawing(
        figure,
        title,
        f"Of the classes, {joined(phrases)}.",
        f"Small bar charts, one for each depth, of the share of each class; {joined(phrases)}.",
    )


def depth_by_class(material: Material) -> Drawing:
    """How deep the images of each class are."""
    run = material.run
    classes = tidy.by_class(run, confidence_level=material.confidence_level)
    table = tidy.by_class_and_depth(run, confidence_level=material.confidence_level)
    overall = tidy.by_depth(run, confidence_level=material.confidence_level)["share"]
    shown = classes.head(MOST_PANELS)
    rows, columns = plots.grid_shape(len(shown), most_columns=3 if len(shown) <= 6 else 4)
    figure, axes = style.canvas(
        rows * (1.75 if columns <= 3 else 1.5),
        rows=rows,
        columns=columns,
        sharex=True,
        sharey=True,
    )
    depths = np.arange(run.n_depths)
    top = table.loc[table["label"].isin(shown["label"]), "of_class_high"].max()
    for index, ax in enumerate(axes.flat):
        if index >= len(shown):
            ax.set_axis_off()
            continue
        row = shown.iloc[index]
        part = table[table["label"] == row["label"]]
        mark_impossible(ax, run, text=False)
        ax.bar(depths, part["of_class"], color=material.colours[row["label"]], width=0.8)
        plots.error_bars(
            ax,
            depths,
            part["of_class"].where(run.possible),
            part["of_class_low"],
            part["of_class_high"],
            elinewidth=0.8,
            capsize=1.5,
        )
        ax.stairs(overall, np.arange(run.n_depths + 1) - 0.5, color=style.INK, linewidth=0.9)
        ax.plot(row["mean_depth"], top * 1.04, marker="v", color=style.INK, markersize=5)
        near_end = row["mean_depth"] > 0.55 * run.n_depths
        ax.annotate(
            f"mean {number(row['mean_depth'], 1)}",
            (row["mean_depth"], top * 1.04),
            xytext=(-6 if near_end else 6, 0),
            textcoords="offset points",
            ha="right" if near_end else "left",
            va="center",
            fontsize=8,
        )
        ax.set_title(shortened(row["class"], 20 if columns <= 3 else 14))
        ax.text(
            1,
            1.02,
            f"n = {count(row['n'])}",
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize=8,
            color=style.MUTED,
        )
    first = axes[0, 0]
    first.set_ylim(0, top * 1.14)
    plots.percent_axis(first.yaxis)
    first.yaxis.get_major_locator().set_params(nbins=5)
    step = 1 if run.n_depths <= (20 if columns <= 3 else 12) else 5
    ticks = [d for d in depths if d % step == 0 and d <= depths[-1] - (step > 1) * step / 2]
    ticks = [*ticks, depths[-1]] if depths[-1] not in ticks else ticks
    first.set_xticks(ticks, [str(d) for d in ticks])
    first.set_xlim(-0.7, run.n_depths - 0.3)
    for index in range(len(shown) - columns, len(shown)):
        if index >= 0:
            axes.flat[index].tick_params(labelbottom=True)
    title = "How deep the images of each class are"
    part = "" if len(shown) == len(classes) else f" · the {MOST_PANELS} hardest classes"
    frame(
        figure,
        material,
        title,
        f"Depth of the test images of each class, hardest class first, n in each panel{part}\n"
        f"{material.bars} (Wilson) · outline: all classes",
        xlabel=f"prediction depth (0: settled at {run.depth_names[0]}, {depths[-1]}: never)",
        ylabel="share of the class",
    )
    hard, easy = classes.iloc[0], classes.iloc[-1]
    if len(classes) == 1:
        sentence = f"All test images are of the class {hard['class']}, mean depth "
        sentence += f"{number(hard['mean_depth'])}."
    else:
        sentence = (
            f"{hard['class']} is the hardest class with a mean depth of "
            f"{with_interval(hard, 'mean_depth', 'depth_low', 'depth_high')}, {easy['class']} the "
            f"easiest with {with_interval(easy, 'mean_depth', 'depth_low', 'depth_high')}."
        )
    means = [f"{r['class']} {number(r['mean_depth'], 1)}" for _, r in shown.iterrows()]
    return Drawing(
        figure,
        title,
        sentence,
        f"Small bar charts of the depths of each class; mean depths: {joined(means)}.",
    )


def knn_accuracy_by_probe(material: Material) -> Drawing:
    """What the activations know about the class along the network."""
    run = material.run
    table = tidy.by_probe(run, confidence_level=material.confidence_level)
    figure, axes = style.canvas(3.6)
    ax, x = axes[0, 0], np.arange(len(table))
    overall = float(run.examples["correct"].mean())
    for name, label, colour, line in (
        ("agreement", "k-NN class = class given by the network", style.WRONG, "--"),
        ("accuracy", "k-NN class = true class", style.RIGHT, "-"),
    ):
        ax.fill_between(
            x,
            table[f"{name}_low"],
            table[f"{name}_high"],
            color=colour,
            alpha=0.22,
            linewidth=0,
        )
        ax.plot(x, table[name], line, color=colour, marker="o", markersize=5, label=label)
    ax.axhline(
        overall, color=style.INK, linewidth=1, linestyle=":", label="accuracy of the network"
    )
    chance = float(run.examples["label"].value_counts(normalize=True).max())
    ax.axhline(chance, color=style.MUTED, linewidth=0.9, linestyle=(0, (1, 3)))
    ax.text(
        0.995,
        min(chance, 0.9) + 0.012,
        f"always the commonest class: {percent(chance)}",
        ha="right",
        va="bottom",
        fontsize=8.5,
        color=style.MUTED,
        transform=ax.get_yaxis_transform(),
    )
    ax.set(ylim=(0, 1.02), xlabel="probe, from input to output", ylabel="share of test images")
    plots.percent_axis(ax.yaxis)
    plots.category_axis(figure, ax, [str(i) for i in x], run.probe_names)
    ax.legend(loc="best")
    title = "What the activations know along the network"
    frame(
        figure,
        material,
        title,
        f"k-NN classifier on the activations of each probe, n = {count(len(run.examples))} test "
        f"images · bands: {percent(material.confidence_level)} intervals (Wilson)",
    )
    best = int(table["accuracy"].to_numpy().argmax())
    first, last = table.iloc[0], table.iloc[-1]
    same = [
        f"{run.probe_names[i]} equals {tidy.display_name(earlier)}"
        for i, earlier in enumerate(run.probes["duplicate_of"])
        if isinstance(earlier, str)
    ]
    return Drawing(
        figure,
        title,
        f"Neighbours at {first['probe']} already give the true class to "
        f"{percent(first['accuracy'], 1)} of the test images and those at {run.probe_names[best]} "
        f"to {percent(table['accuracy'].iloc[best], 1)}, the most of all; at the last probe they "
        f"agree with the network on {percent(last['agreement'], 1)}, whose own accuracy is "
        f"{percent(overall, 1)}." + (f" (Of the probes, {joined(same)}.)" if same else ""),
        "A line chart along the probes of the share of test images whose neighbours have the true "
        "class, and of those whose neighbours have the network's class.",
    )


def depth_by_factor(material: Material) -> Drawing:
    """What makes an image deep."""
    run, factors = material.run, material.test.factors
    table = tidy.by_factor(run, factors, confidence_level=material.confidence_level)
    bins = tidy.factor_bins(run, factors, confidence_level=material.confidence_level)
    title = "What makes an image deep"
    shown = table.head(MOST_PANELS)
    if shown.empty:
        figure, axes = style.canvas(1.2)
        axes[0, 0].set_axis_off()
        reason = "No factor varies together with depth in this test set."
        axes[0, 0].text(0.5, 0.5, reason, ha="center", va="center", color=style.MUTED)
        frame(figure, material, title, f"n = {count(len(run.examples))} test images")
        return Drawing(figure, title, reason, reason)
    rows, columns = plots.grid_shape(len(shown), most_columns=4)
    figure, axes = style.canvas(rows * 2.15, rows=rows, columns=columns, sharey=True)
    units = _UNITS if set(shapes.FACTORS) <= set(factors) else {}
    mean = float(run.examples["depth"].mean())
    inside = bins[bins["factor"].isin(shown["factor"])]
    for index, ax in enumerate(axes.flat):
        if index >= len(shown):
            ax.set_axis_off()
            continue
        row = shown.iloc[index]
        part = bins[bins["factor"] == row["factor"]]
        ax.axhline(mean, color=style.MUTED, linewidth=0.9, linestyle=":")
        ax.fill_between(
            part["value"], part["low"], part["high"], color=style.RIGHT, alpha=0.22, linewidth=0
        )
        ax.plot(part["value"], part["mean_depth"], color=style.RIGHT, marker="o", markersize=4)
        ax.set_title(row["factor"])
        ax.text(
            1,
            1.02,
            f"ρ = {number(row['correlation'])}",
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize=8.5,
        )
        every = len(row["classes"]) == run.examples["label"].nunique()
        scope = "all classes" if every else some(len(row["classes"]), "class", "classes") + " only"
        ax.set_xlabel(
            f"{units.get(row['factor'], 'as measured')}\nn = {count(row['n'])}, {scope}",
            fontsize=8,
        )
        ax.xaxis.get_major_locator().set_params(nbins=4)
    spread = max(inside["mean_depth"].max() - inside["mean_depth"].min(), 0.5)
    axes[0, 0].set_ylim(
        max(-0.2, inside["mean_depth"].min() - 0.25 * spread),
        min(run.n_depths - 0.8, inside["mean_depth"].max() + 0.25 * spread),
    )
    part = "" if len(shown) == len(table) else f" · the {MOST_PANELS} strongest"
    frame(
        figure,
        material,
        title,
        f"Mean depth in bins of equal count of each factor, strongest rank correlation ρ with "
        f"depth first{part}\nn = {count(len(run.examples))} test images · bands: "
        f"{percent(material.confidence_level)} intervals · dotted: mean of all",
        ylabel="mean prediction depth",
    )
    return Drawing(
        figure,
        title,
        factor_sentence(table),
        "Small line charts of mean depth against each factor; rank correlations: "
        + joined([f"{r.factor} {number(r.correlation)}" for r in shown.itertuples()])
        + ".",
    )


def probe_table(material: Material) -> Drawing:
    """What the probes are."""
    run = material.run
    table = tidy.by_probe(run, confidence_level=material.confidence_level)
    header = ["", "probe", "kind", "shape", "numbers", "parameters", "sees", "equals", "k-NN right"]
    rows = [
        [
            str(index),
            shortened(row.probe, 28),
            shortened(str(row.kind), 20),
            row.shape,
            count(row.dims),
            count(row.parameters),
            "all" if pd.isna(row.receptive_field) else f"{int(row.receptive_field)} px",
            tidy.display_name(row.duplicate_of) if isinstance(row.duplicate_of, str) else "",
            percent(row.accuracy, 1),
        ]
        for index, row in enumerate(table.itertuples())
    ]
    figure, axes = style.canvas(0.24 * (len(rows) + 1))
    plots.text_table(figure, axes[0, 0], header, rows)
    title = f"Where {run.model} was probed"
    frame(
        figure,
        material,
        title,
        f"Probes in forward order; k-NN right: share of n = {count(len(run.examples))} test images "
        "whose neighbours have the true class",
    )
    duplicates = [
        f"{row.probe} equals {tidy.display_name(row.duplicate_of)}"
        for row in table.itertuples()
        if isinstance(row.duplicate_of, str)
    ]
    dims = table["dims"]
    return Drawing(
        figure,
        title,
        f"{some(len(rows), 'probe')} hold between {count(dims.min())} and "
        f"{some(dims.max(), 'number')} an image"
        + (f"; {joined(duplicates)}." if duplicates else "; no two are equal."),
        "A table of the probes with their shape, size, parameters and receptive field.",
    )


_FIGURES = {
    "sample_grid": sample_grid,
    "training_curves": training_curves,
    "depth_histogram": depth_histogram,
    "accuracy_by_depth": accuracy_by_depth,
    "gallery_easiest": gallery_easiest,
    "gallery_hardest": gallery_hardest,
    "class_mix_by_depth": class_mix_by_depth,
    "depth_by_class": depth_by_class,
    "knn_accuracy_by_probe": knn_accuracy_by_probe,
    "depth_by_factor": depth_by_factor,
    "score_with_depth": comparison_figures.score_with_depth,
    "score_correlations": comparison_figures.score_correlations,
    "depth_by_k": comparison_figures.depth_by_k,
    "depth_by_reference": comparison_figures.depth_by_reference,
    "probe_table": probe_table,
    "train_and_test_depth": comparison_figures.train_and_test_depth,
    "self_voting": comparison_figures.self_voting,
}


def _impossible_sentence(run: Run, depths: list[int]) -> str:
    if not depths:
        return ""
    reasons = [f"{run.probe_names[d]} equals {run.probe_names[d - 1]}" for d in depths]
    noun = "Depth" if len(depths) == 1 else "Depths"
    return f" {noun} {joined(list(map(str, depths)))} cannot occur: {joined(reasons)}."


def _gallery(material: Material, rows: np.ndarray) -> Figure:
    run, images = material.run, material.test.images
    columns = 8
    lines = max(1, -(-len(rows) // columns))
    tall = images.shape[2] / images.shape[3]
    room = 0.62
    inches = (style.WIDTH - 0.1) / (columns * 1.16)
    figure, axes = style.canvas(inches * lines * (tall + room))
    chosen = run.examples.loc[rows]
    plots.image_grid(
        axes[0, 0],
        images[rows],
        columns=columns,
        captions=[
            (
                run.classes[row.label],
                f"→ {run.classes[row.prediction]}",
                f"{percent(row.confidence)} · depth {row.depth}",
            )
            for row in chosen.itertuples()
        ],
        frames=[material.colours[row.label] for row in chosen.itertuples()],
        caption_height=room,
    )
    return figure
