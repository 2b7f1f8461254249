"""How much depends on what the probes are to agree with, who votes and who is asked?"""

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent

REFERENCES = {
    "depth": "network",
    "depth_last_probe": "last probe",
    "depth_label": "true label",
}
"""what the probes are to agree with, by column"""
_VOTING = "implementations of prediction depth in which training images are their own neighbours"
_VOTERS = {"left out of its neighbours": style.RIGHT, "counted among them": style.ALERT}

section = Section(
    __name__,
    title="Choices",
    text="Depth with other references, with self-votes, and of images that were learned from.",
    columns=words.COLUMNS
    | {
        "reference": Column("reference", lambda name: f"agreement with the {name}"),
        "voter": Column("each image is", str, _VOTERS),
    },
)


@section.derived
def references(run, level):
    """Depth of the test images by what the probes are to agree with.

    Returns
    -------
    DataFrame
        column (of the table of depths), reference, mean_depth, low, high, same (share of images
        with the depth that agreement with the network gives).
    """
    rows = []
    for column, reference in REFERENCES.items():
        depth = run.test.depths[column]
        low, high = intervals.mean(depth, confidence_level=level)
        same = float((depth == run.test.depths["depth"]).mean())
        rows.append((column, reference, float(depth.mean()), low, high, same))
    return pd.DataFrame(rows, columns=["column", "reference", "mean_depth", "low", "high", "same"])


def self_votes(split, level):
    """What letting training images vote for themselves does to their depth.

    Returns
    -------
    dict
        leave_one_out and self_voting (mean depths where no image is its own neighbour, and where
        each is); low, high (interval of the mean difference, the first less the second); shallower,
        deeper (shares of images that self-voting makes so); first_leave_one_out, first_self_voting
        (shares of depth 0).
    """
    honest = split.depths["depth"].to_numpy(np.float64)
    fooled = split.depths["depth_self_voting"].to_numpy(np.float64)
    low, high = intervals.mean(honest - fooled, confidence_level=level)
    return {
        "leave_one_out": float(honest.mean()),
        "self_voting": float(fooled.mean()),
        "low": low,
        "high": high,
        "shallower": float((fooled < honest).mean()),
        "deeper": float((fooled > honest).mean()),
        "first_leave_one_out": float((honest == 0).mean()),
        "first_self_voting": float((fooled == 0).mean()),
    }


@section.claim(
    "Training images that vote for themselves seem shallower than they are.",
    source=_VOTING,
    measure="mean depth of the training images, each left out of its own neighbours, minus their "
    "mean depth where each is counted among them",
    over_seeds=False,
    above=0,
)
def self_votes_hide_depth(runs):
    if any(run.train is None for run in runs.runs):
        raise NotTestableError("the depth of training images is not studied")
    depths = [run.train.depths for run in runs.runs]
    each = np.mean([of["depth"] - of["depth_self_voting"] for of in depths], axis=0)
    return runs.estimate(lambda times: float(times @ each / times.sum()), n_images=len(each))


@section.figure(
    "What the probes are to agree with",
    shows="Depth by reference · ▾ mean · the last depth: the last probe does not agree either",
    alt="Three bar charts of depth, by what the probes are to agree with.",
)
def depth_by_reference(sheet, run, references):
    depths = {row.reference: run.test.depths[row.column] for row in references.itertuples()}
    rows, of = _spread(sheet, run, "reference", depths), references.set_index("reference")
    top = rows["high"].max()
    for ax, name, part in sheet.panels(rows, "reference", 2.3, sharex=True):
        sheet.bars(ax, part, "depth", "share", color=style.RIGHT, interval=("low", "high"))
        words.mark_mean(ax, of.loc[name, "mean_depth"], top * 1.06, run.n_depths)
        words.mark_impossible(ax, run)
        ax.set(xlabel="depth", ylabel="share of test images")
    ax.set_ylim(0, top * 1.16)
    words.thin_ticks(ax, run.n_depths, most=14)
    sheet.facts.append(f"n = {count(len(run.test))} test images")
    network, *rest = (row for _, row in references.iterrows())
    said = [
        f"the {row['reference']} {words.with_interval(row, 'mean_depth', 'low', 'high')} (the same "
        f"depth for {percent(row['same'], 1)} of the images)"
        for row in rest
    ]
    return (
        "Agreement with the network gives a mean depth of "
        f"{words.with_interval(network, 'mean_depth', 'low', 'high')}, with {joined(said)}."
    )


@section.figure(
    "Depth of learned and of unseen images",
    shows="Prediction depth of training images, each left out of its own neighbours, and of test "
    "images",
    alt="A bar chart of depths with two bars a depth, for training and for test images.",
)
def train_and_test_depth(sheet, run, train_split):
    depths = {"train": train_split.depths["depth"], "test": run.test.depths["depth"]}
    _bars_by_depth(sheet, run, "split", depths)
    sheet.facts.append(words.sizes(run))
    mean, last = (
        [f(of) for of in depths.values()]
        for f in (lambda of: number(of.mean()), lambda of: percent(of.isin(run.last_two).mean(), 1))
    )
    return (
        f"The mean depth is {mean[0]} of training images and {mean[1]} of test images; {last[0]} "
        f"and {last[1]} settle only at the last two depths."
    )


@section.figure(
    "What it does to let an image vote for itself",
    shows="Depth of the training images, each either left out of or counted among its neighbours",
    alt="A bar chart of the depths of training images with two bars a depth: with and without the "
    "image among its own neighbours.",
)
def self_voting(sheet, run, train_split):
    columns = ("depth", "depth_self_voting")
    depths = [train_split.depths[column] for column in columns]
    _bars_by_depth(sheet, run, "voter", dict(zip(_VOTERS, depths, strict=True)))
    sheet.facts.append(f"n = {count(len(train_split))} training images")
    found = self_votes(train_split, sheet.confidence_level)
    gap = found | {"gap": found["leave_one_out"] - found["self_voting"]}
    return (
        "Counted among its own neighbours, a training image has a mean depth of "
        f"{number(found['self_voting'])} instead of {number(found['leave_one_out'])} (difference "
        f"{words.with_interval(gap, 'gap', 'low', 'high')}): {percent(found['shallower'], 1)} "
        f"become shallower, and {percent(found['first_self_voting'], 1)} instead of "
        f"{percent(found['first_leave_one_out'], 1)} seem settled at {run.first_probe}."
    )


def _spread(sheet, run, name, depths):
    """Share of each depth, with its interval, of several kinds of depth."""
    sheet.intervals_of = " (Wilson)"
    parts = []
    for of, values in depths.items():
        n = np.bincount(values, minlength=run.n_depths)
        low, high = intervals.wilson(n, n.sum(), confidence_level=sheet.confidence_level)
        part = pd.DataFrame({"depth": range(run.n_depths), "share": n / n.sum()})
        part["low"], part["high"] = np.where(n, low, np.nan), np.where(n, high, np.nan)
        parts.append(part.assign(**{name: of}))
    return pd.concat(parts, ignore_index=True)


def _bars_by_depth(sheet, run, name, depths):
    """Bars side by side at every depth."""
    ax, rows = sheet.axes(3.3), _spread(sheet, run, name, depths)
    sheet.bars(ax, rows, "depth", "share", hue=name, interval=("low", "high"))
    ax.set_ylim(0, rows["high"].max() * 1.15)
    words.depth_axis(sheet.figure, ax, run)
