"""Training from easy to hard: does it help to begin with the easy images?"""

from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, common, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import joined, percent
from depthlens.sweep import grid

WU = "Wu, Dyer, Neyshabur (2021), arXiv 2012.03107"
ENDS = "test accuracy at the end of the"
ORDERS = {
    "standard": "All images from the start",
    "random": "Random order",
    "easy_to_hard": "Easy to hard",
    "hard_to_easy": "Hard to easy",
}
COLOURS = dict(zip(ORDERS, (style.INK, style.MUTED, *style.palette("ab")), strict=True))
section = Section(
    __name__,
    title="Training from easy to hard",
    text=(
        "Images are ordered by the prediction depth that a first network gives them, the classes "
        "taking turns. A training begins with the first fifth of the order; the images that it may "
        "draw from grow linearly, until after 80 % of the steps all are there. The random order "
        "grows as fast; the standard training has all images from the start. All take the same "
        "number of steps from the same weights.",
        "The short training has a fifth of the epochs. Other paces, other scores and longer "
        "trainings were not tried.",
    ),
    columns=COLUMNS
    | {
        "order": Column("order", ORDERS.__getitem__, COLOURS),
        "done": Column("share of the training that is done", share=True),
        "n_steps": Column("steps"),
    },
)
section.sweep(
    "orders",
    "orders",
    cells=lambda block: grid(dataset=block["datasets"], order=list(ORDERS), seed=block["seeds"]),
    settings=common,
)


@section.derived
def ends(orders):
    return orders[orders["step"] == orders["n_steps"]]


def accuracy(ends, which):
    """At the end of the longest training (max) or the shortest (min): a column an order."""
    rows = ends[ends["length"] == which(ends["length"])]
    return rows.pivot(index="seed", columns="order", values="accuracy")


@section.claim(
    "In a training of the usual length, going from easy to hard changes nothing, to a point.",
    source=WU,
    measure=f"{ENDS} long training, easy to hard minus all images from the start",
    above=-0.01,
    below=0.01,
)
def curricula_do_not_help(ends):
    long = accuracy(ends, max)
    return long["easy_to_hard"] - long["standard"]


@section.claim(
    "In a short training, going from easy to hard helps.",
    source=WU,
    measure=f"{ENDS} short training, easy to hard minus all images from the start",
    above=0,
)
def curricula_help_short_trainings(ends):
    short = accuracy(ends, min)
    return short["easy_to_hard"] - short["standard"]


@section.claim(
    "In a short training, going from hard to easy does not help.",
    source=WU,
    measure=f"{ENDS} short training, hard to easy minus all images from the start",
    at_most=0,
)
def hard_to_easy_does_not_help_short_trainings(ends):
    short = accuracy(ends, min)
    return short["hard_to_easy"] - short["standard"]


@section.claim(
    "Networks learn better from easy to hard than in a random order.",
    source=f"{OURS}, after Bengio et al. (2009), Curriculum learning, ICML",
    measure=f"{ENDS} long training, easy to hard minus a random order that grows as fast",
    above=0,
)
def easy_to_hard_beats_random(ends):
    long = accuracy(ends, max)
    return long["easy_to_hard"] - long["random"]


@section.claim(
    "Networks learn better from easy to hard than from hard to easy.",
    source="Bengio et al. (2009), Curriculum learning, ICML",
    measure=f"{ENDS} long training, easy to hard minus hard to easy",
    above=0,
)
def easy_to_hard_beats_hard_to_easy(ends):
    long = accuracy(ends, max)
    return long["easy_to_hard"] - long["hard_to_easy"]


@section.figure(
    "Does it help to begin with the easy images?",
    shows="Accuracy on test images along a long and a short training · difficulty is prediction "
    "depth",
    alt="Lines of test accuracy along the training, one an order; the long training above, the "
    "short one below.",
)
def orders(sheet, orders, ends):
    sheet.facts.append(sizes(orders))
    rows = orders.assign(
        done=orders["step"] / orders["n_steps"],
        panel=orders["dataset"] + " · " + orders["n_steps"].astype(str) + " steps",
    ).sort_values("length", ascending=False, kind="stable")
    n = rows["dataset"].nunique()
    for ax, _, own in sheet.panels(rows, "panel", 2.7, most_columns=n, sharex=True, sharey=False):
        sheet.lines(ax, own, "done", "accuracy", hue="order", marker=None)
        sheet.fit(ax, own, ["order", "done"], "accuracy")
    long = ends[ends["length"] == ends["length"].max()]
    means = long.groupby(["dataset", "order"], sort=False)["accuracy"].mean().unstack()
    said = [
        f"on {dataset} "
        + joined([f"{percent(row[order], 1)} ({ORDERS[order].lower()})" for order in row.index])
        for dataset, row in means.iterrows()
    ]
    return f"At the end of the long training the accuracy is {'; '.join(said)}."


section.table(
    "orders",
    "Test accuracy at the end of a long and a short training, mean over seeds",
    lambda ends: ends,
    keys=["dataset", "n_steps", "order"],
    values=["accuracy"],
)
