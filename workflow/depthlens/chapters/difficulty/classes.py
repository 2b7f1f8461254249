"""Which classes are hard, and which make up the images of each depth?"""

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent, shortened

section = Section(
    __name__,
    title="Classes",
    text="How deep the images of each class are, and the classes of the images of each depth.",
    columns=words.COLUMNS
    | {
        "class": Column("class", lambda name: shortened(name, 16)),
        "low": words.LOW_SHARE,
        "high": words.HIGH_SHARE,
        "of_depth": Column("share", share=True),
        "of_class": Column("share", share=True),
        "share_first": Column("at depth 0", words.to_a_tenth),
        "share_last": Column("at the last two depths", words.to_a_tenth),
        "mistaken_for": Column("most often mistaken for", words.or_dash),
    },
)


@section.derived
def classes(run, level):
    """One row a class that has test images, hardest first.

    Columns: label, class, n, accuracy, low, high, mean_depth, depth_low, depth_high, share_first
    (depth 0), share_last (the last two possible depths), mistaken_for (most frequent wrong
    prediction, None without one), mistaken_share (its share of the wrong predictions).
    """
    rows = []
    for label, group in run.examples.groupby("label"):
        correct = int(group["correct"].sum())
        low, high = intervals.wilson(correct, len(group), confidence_level=level)
        depth_low, depth_high = intervals.mean(group["depth"], confidence_level=level)
        wrong = np.bincount(group.loc[~group["correct"], "prediction"], minlength=1)
        rows.append(
            {
                "label": int(label),
                "class": run.classes[int(label)],
                "n": len(group),
                "accuracy": correct / len(group),
                "low": float(low),
                "high": float(high),
                "mean_depth": float(group["depth"].mean()),
                "depth_low": depth_low,
                "depth_high": depth_high,
                "share_first": float((group["depth"] == 0).mean()),
                "share_last": float(group["depth"].isin(run.last_two).mean()),
                "mistaken_for": run.classes[int(wrong.argmax())] if wrong.sum() else None,
                "mistaken_share": wrong.max() / wrong.sum() if wrong.sum() else np.nan,
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values(["mean_depth", "label"], ascending=[False, True], ignore_index=True)


@section.derived
def mix(run, level):
    """One row a class and depth, n = 0 included.

    Columns: label, class, depth, n, of_class (share of the images of the class that have this
    depth) and of_depth (share of the images of this depth that are of the class), each with _low
    and _high.
    """
    every = pd.MultiIndex.from_product(
        [range(len(run.classes)), range(run.n_depths)], names=["label", "depth"]
    )
    counted = run.examples.value_counts(["label", "depth"]).reindex(every, fill_value=0)
    table = counted.rename("n").reset_index()
    table.insert(1, "class", table["label"].map(dict(enumerate(run.classes))))
    for name, whole in (("of_class", "label"), ("of_depth", "depth")):
        n = table.groupby(whole)["n"].transform("sum")
        table[name] = table["n"] / n
        ends = intervals.wilson(table["n"], n, confidence_level=level)
        table[f"{name}_low"], table[f"{name}_high"] = ends
    return table


@section.figure(
    "Which classes settle where",
    shows="Classes among the test images of each depth, n in each panel · dotted: share in the "
    "test set",
    alt="Small bar charts, one for each depth, of the share of each class.",
)
def class_mix_by_depth(sheet, run, classes, mix):
    shown = sorted(classes["label"].head(words.MOST_PANELS))
    per_depth = mix.groupby("depth")["n"].sum()
    base = run.examples["label"].value_counts(normalize=True).reindex(shown)
    there = mix[mix["label"].isin(shown) & (mix["depth"].map(per_depth) > 0)]
    wide, places = there["depth"].nunique() <= 16, np.arange(len(shown))
    sheet.intervals_of = " (Wilson)"
    height = max(1.0, 0.17 * len(shown)) + 0.35
    for ax, depth, rows in sheet.panels(
        there, "depth", height, most_columns=4 if wide else 6, sharex=True
    ):
        sheet.bars(
            ax, rows, "of_depth", "class",
            hue="class", palette=words.class_colours(run.classes), legend=False,
            interval=("of_depth_low", "of_depth_high"),
        )  # fmt: skip
        ax.vlines(base, places - 0.45, places + 0.45, color=style.INK, lw=0.9, linestyle=":")
        name = shortened(run.depth_names[depth], 16)
        ax.set_title(f"{depth} · {name}" if wide else f"depth {depth}")
        ax.set(xlabel="", ylabel="")
        words.in_corner(ax, f"n = {count(per_depth[depth])}")
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
    ax.set_ylim(len(shown) - 0.4, -0.6)
    reliable = there[there["depth"].map(per_depth) >= words.FEW]
    top = (reliable if len(reliable) else there)["of_depth_high"].max()
    ax.set_xlim(0, min(1.0, 1.1 * top))
    ax.xaxis.get_major_locator().set_params(nbins=4)
    sheet.labels["xlabel"] = "share of the images of this depth"
    if len(shown) < len(classes):
        sheet.facts.append(f"the {words.MOST_PANELS} hardest classes")
    enough = per_depth[per_depth >= words.FEW]
    ends = (enough if len(enough) else per_depth[per_depth > 0]).index[[0, -1]]
    said = []
    for depth in dict.fromkeys(ends):
        of_depth = mix[mix["depth"] == depth].set_index("class")["of_depth"]
        said.append(
            f"{of_depth.idxmax()} is the most frequent at depth {depth} "
            f"({percent(of_depth.max())} of the images there)"
        )
    return f"Of the classes, {joined(said)}."


@section.figure(
    "How deep the images of each class are",
    shows="Depth of the test images of each class, hardest class first, n in each panel · outline: "
    "all classes",
    alt="Small bar charts of the depths of each class, the hardest first, with its mean depth.",
)
def depth_by_class(sheet, run, classes, mix):
    shown = classes.head(words.MOST_PANELS)
    rows = shown[["label"]].merge(mix, on="label")
    rows.loc[~run.possible[rows["depth"]], ["of_class_low", "of_class_high"]] = np.nan
    few, top = len(shown) <= 6, rows["of_class_high"].max()
    overall = np.bincount(run.examples["depth"], minlength=run.n_depths) / len(run.examples)
    colours, of = words.class_colours(run.classes), shown.set_index("class")
    sheet.intervals_of = " (Wilson)"
    for ax, name, part in sheet.panels(
        rows, "class", 1.75 if few else 1.5, most_columns=3 if few else 4, sharex=True
    ):
        sheet.bars(
            ax, part, "depth", "of_class",
            color=colours[name], interval=("of_class_low", "of_class_high"),
        )  # fmt: skip
        words.mark_impossible(ax, run)
        ax.stairs(overall, np.arange(run.n_depths + 1) - 0.5, color=style.INK, linewidth=0.9)
        words.mark_mean(ax, of.loc[name, "mean_depth"], top * 1.04, run.n_depths)
        ax.set(xlabel="", ylabel="")
        words.in_corner(ax, f"n = {count(of.loc[name, 'n'])}")
    ax.set_ylim(0, top * 1.14)
    ax.yaxis.get_major_locator().set_params(nbins=5)
    words.thin_ticks(ax, run.n_depths, most=20 if few else 12)
    last = run.n_depths - 1
    first = f"prediction depth (0: settled at {run.depth_names[0]}, {last}: never)"
    sheet.labels |= {"xlabel": first, "ylabel": "share of the class"}
    if len(shown) < len(classes):
        sheet.facts.append(f"the {words.MOST_PANELS} hardest classes")
    return sentence(classes)


section.table(
    "classes",
    "Classes, hardest first",
    lambda classes: classes,
    keys=("class",),
    values=(
        "n", "accuracy", "low", "high", "mean_depth", "depth_low", "depth_high", "share_first",
        "share_last", "mistaken_for",
    ),
)  # fmt: skip


def sentence(classes):
    """The hardest class, what it is taken for, and the easiest."""
    hard, easy = classes.iloc[0], classes.iloc[-1]
    mean_depth = words.with_interval(hard, "mean_depth", "depth_low", "depth_high")
    if len(classes) == 1:
        return (
            f"All test images are of the class {hard['class']}, whose mean depth is {mean_depth}."
        )
    said = (
        f"The hardest class is {hard['class']}: its mean depth is {mean_depth}, against "
        f"{number(easy['mean_depth'])} for {easy['class']}, the easiest, and the network is right "
        f"on {percent(hard['accuracy'], 1)} of its images"
    )
    if isinstance(hard["mistaken_for"], str):
        share = percent(hard["mistaken_share"])
        said += f"; when it is wrong, it says {hard['mistaken_for']} in {share} of the cases"
    return said + "."
