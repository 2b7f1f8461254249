"""Which classes are hard, and which make up the images of each depth?"""

import numpy as np
import pandas as pd

from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent, shortened

_MEAN_ENDS = ("depth_low", "depth_high")

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

    share_last is of the last two depths that can occur, mistaken_for the commonest wrong prediction
    (None without one), mistaken_share its share of the wrong predictions.
    """
    rows = []
    for label, group in run.examples.groupby("label"):
        wrong = group.loc[~group["correct"], "prediction"]
        commonest = wrong.mode().iloc[:1]
        row = {
            "label": label,
            "class": run.classes[label],
            "n": len(group),
            "right": group["correct"].sum(),
            "share_first": (group["depth"] == 0).mean(),
            "share_last": group["depth"].isin(run.last_two).mean(),
            "mistaken_for": run.classes[commonest[0]] if len(wrong) else None,
            "mistaken_share": wrong.isin(commonest).mean(),
        }
        rows.append(row | words.mean_of(group["depth"], level, "mean_depth", _MEAN_ENDS))
    table = pd.DataFrame(rows)
    words.add_share(table, "accuracy", table.pop("right"), table["n"], level, ("low", "high"))
    return table.sort_values(["mean_depth", "label"], ascending=[False, True], ignore_index=True)


@section.derived
def mix(run, level):
    """One row a class and depth: its share of the class and of the depth; n = 0 included."""
    every = pd.MultiIndex.from_product(
        [range(len(run.classes)), range(run.n_depths)], names=["label", "depth"]
    )
    table = run.examples.value_counts(["label", "depth"]).reindex(every, fill_value=0)
    table = table.rename("n").reset_index()
    table.insert(1, "class", table["label"].map(dict(enumerate(run.classes))))
    for share, whole in (("of_class", "label"), ("of_depth", "depth")):
        n = table.groupby(whole)["n"].transform("sum")
        words.add_share(table, share, table["n"], n, level)
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
    height, most_columns = max(1.0, 0.17 * len(shown)) + 0.35, 4 if wide else 6
    look = {"palette": words.class_colours(run.classes), "legend": False}
    look["interval"] = ("of_depth_low", "of_depth_high")
    sheet.intervals_of = " (Wilson)"
    for ax, depth, rows in sheet.panels(
        there, "depth", height, most_columns=most_columns, sharex=True
    ):
        sheet.bars(ax, rows, "of_depth", "class", hue="class", **look)
        ax.vlines(base, places - 0.45, places + 0.45, color=style.INK, lw=0.9, linestyle=":")
        name = shortened(run.depth_names[depth], 16)
        ax.set_title(f"{depth} · {name}" if wide else f"depth {depth}")
        ax.set(xlabel="", ylabel="")
        words.in_corner(ax, f"n = {count(per_depth[depth])}")
    ax.set_ylim(len(shown) - 0.4, -0.6)
    # Whole bars and intervals, of depths with few images too.
    ax.set_xlim(0, min(1.0, 1.05 * there["of_depth_high"].max()))
    ax.xaxis.get_major_locator().set_params(nbins=4)
    sheet.labels["xlabel"] = "share of the images of this depth"
    if len(shown) < len(classes):
        sheet.facts.append(f"the {words.MOST_PANELS} hardest classes")
    enough = per_depth[per_depth >= words.FEW]
    ends = (enough if len(enough) else per_depth[per_depth > 0]).index[[0, -1]]
    said = [
        f"{row['class']} at depth {row['depth']} ({percent(row['of_depth'])} of the images there)"
        for depth in dict.fromkeys(ends)
        for _, row in mix[mix["depth"] == depth].nlargest(1, "of_depth").iterrows()
    ]
    return f"The most frequent class is {joined(said)}."


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
    height, most_columns = (1.75, 3) if few else (1.5, 4)
    ends = ("of_class_low", "of_class_high")
    sheet.intervals_of = " (Wilson)"
    for ax, name, part in sheet.panels(
        rows, "class", height, most_columns=most_columns, sharex=True
    ):
        sheet.bars(ax, part, "depth", "of_class", color=colours[name], interval=ends)
        words.mark_impossible(ax, run)
        ax.stairs(overall, np.arange(run.n_depths + 1) - 0.5, color=style.INK, linewidth=0.9)
        words.mark_mean(ax, of.loc[name, "mean_depth"], top * 1.04, run.n_depths)
        ax.set(xlabel="", ylabel="")
        words.in_corner(ax, f"n = {count(of.loc[name, 'n'])}")
    ax.set_ylim(0, top * 1.14)
    ax.yaxis.get_major_locator().set_params(nbins=5)
    words.thin_ticks(ax, run.n_depths, most=20 if few else 12)
    first = f"prediction depth (0: settled at {run.depth_names[0]}, {run.n_depths - 1}: never)"
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
    mean_depth = words.with_interval(hard, "mean_depth", *_MEAN_ENDS)
    if len(classes) == 1:
        return f"All test images are of the class {hard['class']}, of mean depth {mean_depth}."
    said = (
        f"The hardest class is {hard['class']}: its mean depth is {mean_depth}, against "
        f"{number(easy['mean_depth'])} for {easy['class']}, the easiest, and the network is right "
        f"on {percent(hard['accuracy'], 1)} of its images"
    )
    if isinstance(hard["mistaken_for"], str):
        share = percent(hard["mistaken_share"])
        said += f"; when it is wrong, it says {hard['mistaken_for']} in {share} of the cases"
    return said + "."
