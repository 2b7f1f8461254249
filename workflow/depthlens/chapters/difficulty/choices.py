"""How much depends on what the probes are to agree with, who votes and who is asked?"""

import numpy as np
import pandas as pd

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
_VOTES = ("depth", "depth_self_voting")
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
    """Mean depth of the test images by reference, and how many have it as agreeing gives it."""
    table, network = run.test.depths, run.test.depths["depth"]
    return pd.DataFrame(
        {"column": column, "reference": name, "same": (table[column] == network).mean()}
        | words.mean_of(table[column], level, "mean_depth", ("low", "high"))
        for column, name in REFERENCES.items()
    )


@section.derived
def self_votes(train_split, level):
    """What letting training images vote for themselves does to their depth, in one row.

    Mean depths where no image is its own neighbour and where each is, the interval of the mean
    difference, and shares of images: made shallower, made deeper, of depth 0 either way.
    """
    honest, fooled = (train_split.depths[name].astype(float) for name in _VOTES)
    gap = words.mean_of(honest - fooled, level, "gap", ("low", "high"))
    return {
        "leave_one_out": honest.mean(),
        "self_voting": fooled.mean(),
        "low": gap["low"],
        "high": gap["high"],
        "shallower": (fooled < honest).mean(),
        "deeper": (fooled > honest).mean(),
        "first_leave_one_out": (honest == 0).mean(),
        "first_self_voting": (fooled == 0).mean(),
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
    network, *rest = references.to_dict("records")
    said = [
        f"the {row['reference']} {words.with_interval(row, 'mean_depth')} (the same depth for "
        f"{percent(row['same'], 1)} of the images)"
        for row in rest
    ]
    mean_depth = words.with_interval(network, "mean_depth")
    return f"Agreement with the network gives a mean depth of {mean_depth}, with {joined(said)}."


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
    (seen, seen_last), (unseen, unseen_last) = (
        (number(of.mean()), percent(of.isin(run.last_two).mean(), 1)) for of in depths.values()
    )
    return (
        f"The mean depth is {seen} of training images and {unseen} of test images; {seen_last} and "
        f"{unseen_last} settle only at the last two depths."
    )


@section.figure(
    "What it does to let an image vote for itself",
    shows="Depth of the training images, each either left out of or counted among its neighbours",
    alt="A bar chart of the depths of training images with two bars a depth: with and without the "
    "image among its own neighbours.",
)
def self_voting(sheet, run, train_split, self_votes):
    depths = [train_split.depths[name] for name in _VOTES]
    _bars_by_depth(sheet, run, "voter", dict(zip(_VOTERS, depths, strict=True)))
    sheet.facts.append(f"n = {count(len(train_split))} training images")
    gap = self_votes | {"gap": self_votes["leave_one_out"] - self_votes["self_voting"]}
    shallower, seem, are = (
        percent(self_votes[name], 1)
        for name in ("shallower", "first_self_voting", "first_leave_one_out")
    )
    return (
        "Counted among its own neighbours, a training image has a mean depth of "
        f"{number(gap['self_voting'])} instead of {number(gap['leave_one_out'])} (difference "
        f"{words.with_interval(gap, 'gap')}): {shallower} become shallower, and {seem} instead of "
        f"{are} seem settled at {run.first_probe}."
    )


def _spread(sheet, run, name, depths):
    """Share of each depth, with its interval, of several kinds of depth."""
    sheet.intervals_of = " (Wilson)"
    tables = []
    for of, values in depths.items():
        table = pd.DataFrame({name: of, "depth": range(run.n_depths)})
        n = np.bincount(values, minlength=run.n_depths)
        words.add_share(table, "share", n, len(values), sheet.confidence_level, ("low", "high"))
        # Of a depth that no image has, no interval.
        table.loc[n == 0, ["low", "high"]] = np.nan
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _bars_by_depth(sheet, run, name, depths):
    """Bars side by side at every depth."""
    ax, rows = sheet.axes(3.3), _spread(sheet, run, name, depths)
    sheet.bars(ax, rows, "depth", "share", hue=name, interval=("low", "high"))
    ax.set_ylim(0, rows["high"].max() * 1.15)
    words.depth_axis(sheet.figure, ax, run)
