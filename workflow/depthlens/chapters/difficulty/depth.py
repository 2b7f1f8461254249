"""Where do images settle, and is the network right on what settles early?"""

from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.chapters import sources
from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent

section = Section(
    __name__,
    title="Prediction depth",
    text="An image has the depth of the first probe from which every later one's nearest "
    "neighbours agree with the network.",
    columns=words.COLUMNS
    | {
        "low": words.LOW_SHARE,
        "high": words.HIGH_SHARE,
        "relative_depth": Column("relative depth", words.two_digits),
        "settled_at": Column("settled at"),
        "possible": Column("can occur", {True: "yes", False: "no"}.__getitem__),
    },
)

claim = partial(section.claim, source=words.PAPER, over_seeds=False)


@section.derived
def depths(run, level):
    """One row a depth: n, correct, accuracy and share with their intervals, possible."""
    depth = run.examples["depth"]
    table = pd.DataFrame({"settled_at": run.depth_names, "possible": run.possible})
    table.insert(0, "depth", table.index)
    table["n"] = np.bincount(depth, minlength=run.n_depths)
    table["correct"] = np.bincount(depth[run.examples["correct"]], minlength=run.n_depths)
    words.add_share(table, "accuracy", table["correct"], table["n"], level, ("low", "high"))
    words.add_share(table, "share", table["n"], len(depth), level)
    return table


@claim(
    "The deeper an image, the less accurate the network is on it.",
    measure="Spearman correlation between depth and the network's accuracy at that depth, over "
    f"depths with at least {words.FEW} test images",
    at_most=-0.9,
)
def accuracy_falls_with_depth(runs):
    per_depth = runs.counts.sum(axis=(1, 2))
    depths = np.flatnonzero(per_depth >= words.FEW)
    if len(depths) < 3:
        raise NotTestableError(
            f"fewer than 3 depths have {words.FEW} test images or more ({len(depths)} do)"
        )

    # The depths stay those of the whole sample, so that every resample measures the same thing.
    def correlation(times):
        tally = runs.tally(times)[depths]
        n = tally.sum(axis=(1, 2))
        if not n.all():
            return np.nan
        accuracy = stats.rankdata(tally[:, 1].sum(axis=1) / n)
        if np.ptp(accuracy) == 0:
            return np.nan
        return float(np.corrcoef(np.arange(len(depths)), accuracy)[0, 1])

    same = "the accuracy is the same at every depth"
    return runs.estimate(correlation, n=per_depth[depths].sum(), undefined=same)


@claim(
    "Images of depth 0 are almost always classified correctly.",
    measure="accuracy of the network on test images of depth 0",
    printed=f"{sources.WORKED_ANSWERS}: about 100 %",
    at_least=0.95,
)
def shallowest_are_right(runs):
    return runs.share(*runs.right_at([0]))


@claim(
    "Images of the last two depths are mostly misclassified.",
    measure=f"accuracy of the network on test images of {words.LAST_TWO}",
    printed=f"{sources.WORKED_ANSWERS}: 35–40 % at 8 to 10",
    at_most=0.5,
)
def deepest_are_wrong(runs):
    return runs.share(*runs.right_at(runs.possible[-2:]))


@section.figure(
    "Where the network's answer settles",
    shows="Prediction depth, images at each depth above its bar",
    alt="A bar chart of the share of test images at each depth, in two colours: the network is "
    "right, or wrong.",
)
def depth_histogram(sheet, run, depths):
    ax, ends = sheet.axes(3.6), ("share_low", "share_high")
    sheet.intervals_of = " (Wilson)"
    # Where no image can settle, there is nothing to be unsure of.
    shown = depths.assign(**depths[[*ends]].where(depths["possible"], 0.0))
    look = {"color": style.WRONG, "label": "network is wrong"}
    sheet.bars(ax, shown, "depth", "share", interval=ends, **look)
    right = depths.assign(share=depths["correct"] / len(run.examples))
    look = {"color": style.RIGHT, "label": "network is right"}
    sheet.bars(ax, right, "depth", "share", errorbar=None, **look)
    ax.legend()
    top = depths["share_high"].max()
    for row in depths[depths["possible"]].itertuples():
        height = row.share_high + 0.02 * top
        ax.text(row.depth, height, count(row.n), ha="center", va="bottom", fontsize=8.5)
    ax.set_ylim(0, top * 1.13)
    words.depth_axis(sheet.figure, ax, run)
    sheet.facts.append(f"n = {count(len(run.examples))} test images")
    return sentence(run, depths)


def sentence(run, depths):
    """Where images settle, and how often the network is right there."""
    n = len(run.examples)

    def settled(part, where):
        of = part["n"].sum()
        right = f" (the network is right on {percent(part['correct'].sum() / of, 1)})" if of else ""
        return f"{percent(of / n, 1)} {where}{right}"

    never = [
        f"depth {depth} cannot occur, as {run.probe_names[depth]} equals its predecessor"
        for depth in np.flatnonzero(~run.possible)
    ]
    said = [f"the mean depth is {number(run.examples['depth'].mean())} of {run.n_depths - 1}"]
    said += [joined(never)] if never else []
    first = settled(depths.iloc[[0]], f"are settled at {run.first_probe}")
    last = settled(depths.iloc[run.last_two], "only at the last two depths")
    return f"Of {count(n)} test images {first} and {last}; {'; '.join(said)}."


@section.figure(
    "Accuracy on early and on late settled images",
    shows="Accuracy of the network at each depth · dashed: on all images · hollow: fewer than "
    f"{words.FEW} images",
    alt="A line chart of the network's accuracy at each depth.",
)
def accuracy_by_depth(sheet, run, depths):
    ax, there = sheet.axes(3.6), depths[depths["n"] > 0]
    overall = run.examples["correct"].mean()
    ax.axhline(overall, color=style.MUTED, linewidth=1, linestyle="--", zorder=1)
    sheet.intervals_of = " (Wilson)"
    look = {"err_style": "bars", "color": style.RIGHT, "markersize": 7}
    sheet.lines(ax, there, "depth", "accuracy", interval=("low", "high"), **look)
    few, enough = there[there["n"] < words.FEW], there[there["n"] >= words.FEW]
    ax.scatter(few["depth"], few["accuracy"], s=46, c="white", edgecolor=style.RIGHT, zorder=4)
    words.depth_axis(sheet.figure, ax, run)
    words.numbers_above(ax, there["depth"], there["n"])
    sheet.facts.append(f"n = {count(len(run.examples))} test images")
    ends = (there if enough.empty else enough).iloc[[0, -1]].drop_duplicates("depth")
    said = [f"{percent(row.accuracy, 1)} at depth {row.depth}" for row in ends.itertuples()]
    return (
        f"The network is right on {percent(overall, 1)} of all images: {joined(said)}, the "
        "shallowest and the deepest with enough images."
    )


section.table(
    "depths",
    "Depths: the probe from which all later ones agree with the network",
    lambda run, depths: depths.assign(relative_depth=depths["depth"] / len(run.probes)),
    keys=("depth", "relative_depth", "settled_at"),
    values=("n", "share", "accuracy", "low", "high", "possible"),
)
