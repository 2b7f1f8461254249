"""Finding wrong labels: which scores do, and does depth?"""

from depthlens.chapters.benchmarks_of_difficulty.words import (
    BALDOCK,
    COLUMNS,
    DEPTHS,
    SCORE_TITLES,
    common,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import number, percent
from depthlens.sweep import grid

PLEISS = "Pleiss et al. (2020), arXiv 2001.10528"
KINDS = {
    "uniform": "uniform",
    "asymmetric": "asymmetric: to the class that looks nearest",
    "adjacent": "adjacent class",
    "feature": "depends on the image",
}
SHOWN_RATE = 0.2
"""the rate that claims are about, or the nearest to it that was made"""
LINES = ("area_under_margin", "depth", "depth_self_voting", "loss", "random")
section = Section(
    __name__,
    title="Finding wrong labels",
    text=(
        "Some training images get a wrong label by one of four rules: any other class (uniform), "
        "the class that looks nearest on average (asymmetric), the class before or after "
        "(adjacent), or one that depends on the image itself (feature). A network is trained on "
        "these labels until its end, and every score ranks the images. An AUROC of 1 has all wrong "
        "labels before all right ones; 0.5 is what choosing at random gives.",
        "Input margin and variance of gradients are known of 600 images a network only; the "
        "searched margin is left out, as its few images would hold too few wrong labels.",
    ),
    columns=COLUMNS
    | {
        "kind": Column(
            "noise", KINDS.__getitem__, dict(zip(KINDS, style.palette(KINDS), strict=True))
        )
    },
)
section.sweep(
    "label_noise",
    "label_noise",
    cells=lambda block: grid(
        dataset=block["label_noise"]["datasets"],
        kind=block["label_noise"]["kinds"],
        rate=block["label_noise"]["rates"],
        seed=block["seeds"],
    ),
    settings=common,
)


@section.derived
def at_rate(label_noise):
    rates = label_noise["rate"].unique()
    return label_noise[label_noise["rate"] == rates[abs(rates - SHOWN_RATE).argmin()]]


def auroc(at_rate, kind="uniform"):
    """A row a seed, a column a score."""
    if kind not in set(at_rate["kind"]):
        raise NotTestableError(f"no network was trained under {kind} noise")
    rows = at_rate[at_rate["kind"] == kind]
    return rows.pivot(index="seed", columns="score", values="auroc")


def claim(statement, source, measure, **bounds):
    measure = f"{measure}, at a rate of {SHOWN_RATE:g} or the nearest"
    return section.claim(statement, source=source, measure=measure, **bounds)


@claim(
    "Images with a wrong label are deeper than those with a right one.",
    BALDOCK,
    "AUROC of prediction depth, training images, uniform noise",
    above=0.5,
)
def wrong_labels_are_deep(at_rate):
    return auroc(at_rate)["depth"]


@claim(
    "The area under the margin tells wrong labels from right ones.",
    PLEISS,
    "AUROC of the area under the margin, uniform noise",
    at_least=0.9,
)
def area_under_margin_finds_wrong_labels(at_rate):
    return auroc(at_rate)["area_under_margin"]


@claim(
    "What a network went through tells wrong labels better than its loss at the end.",
    f"{PLEISS}; Swayamdipta et al. (2020), arXiv 2009.10795",
    "AUROC of the area under the margin minus that of the loss, uniform noise",
    above=0,
)
def training_tells_more_than_its_end(at_rate):
    found = auroc(at_rate)
    return found["area_under_margin"] - found["loss"]


@claim(
    "Prediction depth finds wrong labels better than the loss does.",
    OURS,
    "AUROC of prediction depth minus that of the loss, uniform noise",
    above=0,
)
def depth_finds_more_than_loss(at_rate):
    found = auroc(at_rate)
    return found["depth"] - found["loss"]


@claim(
    "Depth finds wrong labels less well where each image votes for itself.",
    f"{OURS}, of implementations in which training images are their own neighbours",
    "AUROC of prediction depth, leave-one-out, minus that with self-votes, uniform noise",
    above=0,
)
def self_votes_hide_wrong_labels(at_rate):
    found = auroc(at_rate)
    return found["depth"] - found["depth_self_voting"]


@claim(
    "Wrong labels that depend on the image are harder to find than random ones.",
    "Xia et al. (2020), arXiv 2006.07836",
    "AUROC of the area under the margin under uniform minus under feature-dependent noise",
    above=0,
)
def feature_noise_is_harder_to_find(at_rate):
    uniform, feature = (auroc(at_rate, kind) for kind in ("uniform", "feature"))
    return uniform["area_under_margin"] - feature["area_under_margin"]


@section.figure(
    "Which scores find wrong labels",
    shows="AUROC of telling wrong from right labels of training images · dashed: choosing at "
    "random",
    alt="Dots for each score, one colour a kind of noise.",
)
def label_noise_scores(sheet, at_rate):
    sheet.facts += [f"{percent(at_rate['rate'].iloc[0])} of the labels wrong", sizes(at_rate)]
    means = at_rate.groupby("score")["auroc"].mean().sort_values(ascending=False)
    for ax, _, own in sheet.panels(at_rate, "dataset", 0.3 * len(means) + 0.7, sharex=True):
        ax.axvline(0.5, color=style.MUTED, linestyle="--", linewidth=1)
        sheet.points(ax, own, "auroc", "score", hue="kind", order=means.index)
        for label in ax.get_yticklabels():
            label.set_fontweight("bold" if label.get_text() in DEPTHS.values() else "normal")
    best = means.drop("random").index[0]
    return (
        f"{SCORE_TITLES[best]} finds wrong labels best, with a mean AUROC of "
        f"{number(means[best])}; prediction depth has {number(means['depth'])}."
    )


@section.figure(
    "How the share of wrong labels changes how well they are found",
    shows="AUROC of telling wrong from right labels of training images, by five scores",
    alt="Lines of AUROC over the rate, one panel a kind.",
)
def label_noise_rates(sheet, label_noise):
    sheet.facts.append(sizes(label_noise))
    rows = label_noise[label_noise["score"].isin(LINES)]
    rows = rows.assign(panel=rows["dataset"] + " · " + rows["kind"])
    rows = rows.sort_values("kind", kind="stable", key=lambda kinds: kinds.map(list(KINDS).index))
    n = rows["dataset"].nunique()
    for ax, _, own in sheet.panels(rows, "panel", 1.7, most_columns=n, sharex=True):
        sheet.lines(ax, own, "rate", "auroc", hue="score")
        ax.set_ylim(0, 1.02)
    sheet.legend(ncols=5)
    of_margin = rows[rows["score"] == "area_under_margin"].groupby("rate")["auroc"].mean()
    return (
        f"The AUROC of the area under the margin goes from {number(of_margin.iloc[0])} at "
        f"{percent(of_margin.index[0])} wrong labels to {number(of_margin.iloc[-1])} at "
        f"{percent(of_margin.index[-1])}."
    )


section.table(
    "label-noise",
    "How well each score finds wrong labels (average precision by chance: the rate)",
    lambda label_noise: label_noise,
    keys=["dataset", "kind", "rate", "score"],
    values=["auroc", "auprc"],
)
