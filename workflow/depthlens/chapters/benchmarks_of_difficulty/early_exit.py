"""Leaving a network early: what does it save, and what does it cost?"""

from functools import partial

import numpy as np
from matplotlib.ticker import AutoLocator

from depthlens.chapters.benchmarks_of_difficulty.words import BALDOCK, COLUMNS, SAID, sizes
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, number, percent
from depthlens.sweep import grid

BRANCHY = "Teerapittayanon, McDanel, Kung (2016), BranchyNet, arXiv 1709.01686"
SDN = (
    "Kaya, Hong, Dumitraş (2019), arXiv 1810.07052, abstract, of trained exits: costs fall by more "
    "than half at equal accuracy"
)
CONFIDENT = 0.9
"""share of votes that claims are about: `configured` in the table"""
MULTI = (
    "test images leave a multi-exit network at the first head whose softmax entropy is below the "
    "threshold of the study; mean over seeds"
)
KNN = (
    f"test images leave a network at the first probe where {percent(CONFIDENT)} of the neighbours "
    "agree; mean over seeds"
)
KINDS = {
    "single": "one exit",
    "multi": "several exits, by entropy",
    "multi_random": "several exits, at random",
    "votes": "neighbours agree",
    "votes_random": "as many at each probe, at random",
    "stable": "same class at several probes",
    "stable_random": "as many at each probe, at random (stable)",
}
BLUE, ORANGE, GREEN = style.palette(["multi", "votes", "stable"])
RULES = {"multi": BLUE, "votes": ORANGE, "stable": GREEN}
LEFT = {False: "as the rule says", True: "as many at each exit, at random"}
tenths = partial(percent, digits=1)
section = Section(
    __name__,
    title="Leaving a network early",
    text=(
        "A residual network gets a head (global average pooling and a linear layer) after each of "
        "its four stages. It learns from the same batches, at the same rates and from the same "
        "initial weights as the network with one exit; a test image leaves at the first head whose "
        "softmax has less entropy than a threshold. Multiply-accumulates are counted by torch, all "
        "heads on the way included. Beside it: the same number of images at each exit, drawn at "
        "random.",
        "An image can also leave where its nearest training images agree, or give the same class "
        "at several probes in a row. This needs no training, but a search for neighbours at every "
        "probe: the table says what an exhaustive one costs.",
    ),
    columns=COLUMNS
    | {
        "kind": Column("rule", KINDS.__getitem__),
        "rule": Column("rule", KINDS.__getitem__, RULES),
        "at_random": Column("who leaves", LEFT.__getitem__),
        "threshold": Column("threshold", lambda value: "" if np.isnan(value) else f"{value:g}"),
        "accuracy": Column("accuracy", lambda share: percent(share, 2), share=True),
        "cost": Column("multiply-accumulates, of the network with one exit", tenths, share=True),
        "macs": Column("multiply-accumulates, millions", lambda n: number(n / 1e6)),
        "search_macs": Column("of the search, millions", lambda n: number(n / 1e6, 1)),
        "exit": Column("left after"),
        "share": Column("share of the images", share=True),
    },
)
section.sweep(
    "early_exit",
    "early_exit",
    cells=lambda block: grid(dataset=block["datasets"], seed=block["seeds"]),
    settings=lambda block: {"n_neighbors": block["n_neighbors"]} | block["early_exit"],
)


@section.derived
def every(early_exit):
    """Of all images together, a row a rule and seed; `cost` is relative to the plain network."""
    rows = early_exit[early_exit["exit"] == "all"]
    whole = rows[rows["kind"] == "single"].groupby("dataset")["macs"].mean()
    return rows.assign(cost=rows["macs"] / rows["dataset"].map(whole))


def of(every, kind):
    """What the claims are about of a rule, by seed."""
    rows = every[(every["kind"] == kind) & (every["configured"] | (kind == "single"))]
    return rows.set_index("seed")


def claim(statement, source, measure, **options):
    return section.claim(statement, source=source, measure=measure, over_seeds=False, **options)


@claim(
    "Heads after each stage save one half to three quarters of the computation",
    f"{SAID}: early exits; {BRANCHY}: two to six times as fast",
    "multiply-accumulates of the network with one exit over the mean of those that an image takes "
    f"with several: {MULTI}",
    printed="2 to 4",
    at_least=2,
    at_most=4,
)
def two_to_four_times_less_computation(every):
    return of(every, "single")["macs"] / of(every, "multi")["macs"]


@claim(
    "Heads after each stage cost less than half a point of accuracy",
    f"{SAID}: early exits; {BRANCHY}",
    "accuracy of the network with one exit less that with several, trained on the same batches: "
    f"{MULTI}",
    printed="< 0.005",
    below=0.005,
)
def less_than_half_a_point_of_accuracy(every):
    return of(every, "single")["accuracy"] - of(every, "multi")["accuracy"]


@claim(
    "Deep images leave a multi-exit network late",
    f"ours, from {BALDOCK}: depth measures the computation that an image needs",
    "Spearman correlation of the exit with the prediction depth in the network with one exit: "
    f"{MULTI}",
    above=0,
)
def deep_images_leave_late(every):
    found = of(every, "multi")["depth_correlation"]
    if found.isna().any():
        raise NotTestableError("all images leave at one exit, or have one depth")
    return found


@claim(
    "Leaving where the neighbours agree needs at most half of the network",
    SDN,
    "share of the network's multiply-accumulates up to the probe where an image leaves, the search "
    f"for neighbours not counted: {KNN}",
    at_most=0.5,
)
def confident_neighbours_save_half(every):
    return of(every, "votes")["macs"] / of(every, "single")["macs"]


@claim(
    "Leaving where the neighbours agree costs less than half a point of accuracy",
    SDN,
    f"accuracy of the network less that at the exits: {KNN}",
    below=0.005,
)
def confident_neighbours_keep_accuracy(every):
    return of(every, "single")["accuracy"] - of(every, "votes")["accuracy"]


@claim(
    "The search for neighbours takes more arithmetic than the whole network",
    "ours, by arithmetic: training images × dims multiply-accumulates at each probe",
    "multiply-accumulates of an exhaustive search at every probe up to the exit over those of the "
    f"whole network: {KNN}",
    above=1,
)
def neighbours_cost_more_than_they_save(every):
    return of(every, "votes")["search_macs"] / of(every, "single")["macs"]


def curves(sheet, ax, rows, rules):
    """Accuracy by cost of some rules, a point a threshold, and a star for the network itself."""
    single = rows[rows["kind"] == "single"]
    star = {"color": style.INK, "markersize": 11, "zorder": 5, "label": "network with one exit"}
    ax.plot(1, single["accuracy"].mean(), "*", **star)
    parts = rows["kind"].str.partition("_")
    own = rows.assign(rule=parts[0], at_random=parts[2] == "random")
    own = own[own["rule"].isin(rules)]
    own["cost"] = own.groupby(["kind", "threshold"])["cost"].transform("mean").round(6)
    sheet.lines(ax, own, "cost", "accuracy", hue="rule", style="at_random")
    ax.set(xlim=(-0.03, 1.08), title=rows["dataset"].iloc[0])
    ax.xaxis.set_major_locator(AutoLocator())
    plots.percent_axis(ax.xaxis)


def saving(rows, kind):
    early, single = of(rows, kind), of(rows, "single")
    return (
        f"an image of {rows['dataset'].iloc[0]} takes {percent(early['cost'].mean(), 1)}, at an "
        f"accuracy of {percent(early['accuracy'].mean(), 1)} instead of "
        f"{percent(single['accuracy'].mean(), 1)}"
    )


@section.figure(
    "Leaving at heads that were trained for it",
    shows="An image leaves at the first head whose entropy is below a threshold\n"
    "Below: who leaves where at the threshold of the study, with their accuracy and mean depth",
    alt="Curves of accuracy by multiply-accumulates, and bars of the share of images at each head.",
)
def early_exit_heads(sheet, early_exit, every):
    sheet.facts += [f"n = {count(early_exit['n'].max())} test images", sizes(early_exit)]
    datasets, said = sheet.levels(every, "dataset"), []
    axes = sheet.axes(5.2, rows=2, columns=len(datasets), height_ratios=[1.5, 1], sharey="row")
    for (above, below), dataset in zip(axes.T, datasets, strict=True):
        rows, exits = (t[t["dataset"] == dataset] for t in (every, early_exit))
        heads = rows[rows["kind"] == "head"].groupby("threshold")[["cost", "accuracy"]].mean()
        squares = {"color": style.INK, "markerfacecolor": "white", "label": "all at one head"}
        above.plot(heads["cost"], heads["accuracy"], "s", **squares)
        curves(sheet, above, rows, ["multi"])
        left = exits[(exits["kind"] == "multi") & exits["configured"] & (exits["exit"] != "all")]
        sheet.bars(below, left, "exit", "share", color=BLUE)
        means = left.groupby("exit", sort=False)[["share", "accuracy", "mean_depth"]].mean()
        for place, here in enumerate(means.itertuples()):
            if here.share:
                words = f"{percent(here.accuracy, 1)}\ndepth {number(here.mean_depth, 1)}"
                below.text(place, here.share + 0.06, words, ha="center", fontsize=7.5)
        below.set(ylim=(0, 1.4), yticks=[0, 0.5, 1])
        said.append(saving(rows, "multi"))
    sheet.legend(ncols=3)
    entropy = of(every, "multi")["threshold"].iloc[0]
    return f"At {entropy:g} nats, of the one-exit network's multiply-accumulates {'; '.join(said)}."


@section.figure(
    "Leaving where the neighbours are sure",
    shows="An image leaves at the first probe where 50 to 100 % of the neighbours agree, or 2 to 8 "
    "in a row do\nThe search for neighbours is not counted",
    alt="Curves of accuracy by multiply-accumulates, panels a dataset.",
)
def early_exit_neighbours(sheet, early_exit, every):
    sheet.facts += [f"n = {count(early_exit['n'].max())} test images", sizes(early_exit)]
    said = []
    for ax, _, rows in sheet.panels(every, "dataset", 3.6):
        curves(sheet, ax, rows, ["votes", "stable"])
        search = of(rows, "votes")["search_macs"].mean() / of(rows, "single")["macs"].mean()
        times = f"the search up to there: {number(search, 1)} times the network"
        said.append(f"{saving(rows, 'votes')} ({times})")
    sheet.legend(ncols=3)
    return (
        f"Where {percent(CONFIDENT)} of the neighbours agree, of the network's "
        f"multiply-accumulates {'; '.join(said)}."
    )


section.table(
    "early-exit",
    "Leaving early: accuracy and mean multiply-accumulates (MACs) an image",
    lambda every: every[every["kind"] != "head"],
    keys=["dataset", "kind", "threshold"],
    values=["accuracy", "macs", "cost", "search_macs"],
)
