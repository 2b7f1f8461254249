"""Before a network has learned: does its depth already say which images are hard?"""

from scipy import stats

from depthlens.chapters import sources
from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, claims_of, sizes
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent, some
from depthlens.sweep import grid

SAID = (
    f"{sources.DIFFICULTY}, on convergence, and {sources.WORKED_ANSWERS}, prediction depth iii: "
    "without it depth means nothing; the threshold is ours"
)
CONVERGED = 0.99
"""of the training images, as the default study asks for"""
EARLY = 2
"""epochs after which a network is called unconverged"""
section = Section(
    __name__,
    title="Before a network has learned",
    text="Depth is measured after some epochs of one training, each time with the neighbours of "
    "that time, and held against the depth at the end. A depth's accuracy counts where it has "
    "30 test images or more.",
    columns=COLUMNS
    | {
        "epoch": Column("passes over the training images", count),
        "likeness": Column("rank correlation with depth at the end", bounds=(-1, 1)),
        "falls": Column("rank correlation of depth and accuracy", bounds=(-1, 1)),
        "train_accuracy": Column("training accuracy", share=True),
        "test_accuracy": Column("test accuracy", share=True),
        "mean_depth": Column("mean depth"),
    },
)
section.sweep(
    "along",
    "along",
    cells=lambda block: grid(dataset=block["datasets"], seed=block["seeds"]),
    settings=lambda block: {"n_neighbors": block["n_neighbors"]} | block["along"],
    tables=["along", "linear"],
)
claim = claims_of(section, SAID)


def by_epoch(along, value):
    """A value by seed and epoch; the epochs ascend."""
    ends = along[along["epoch"] == along["epoch"].max()]
    if (ends["train_accuracy"] < CONVERGED).any():
        raise NotTestableError("a network had not converged at the end")
    found = along.pivot(index="seed", columns="epoch", values=value)
    if found.isna().any(axis=None):
        raise NotTestableError("a network has one depth for all images, or too few depths")
    return found


def early(along, value):
    found = by_epoch(along, value)
    if EARLY not in found or max(found) == EARLY:
        raise NotTestableError(f"no depth was measured after {EARLY} epochs of a longer training")
    return found[EARLY]


@claim(
    "The longer a network has trained, the more its depth is that at the end.",
    "Spearman correlation of the epoch with the rank correlation, over test images, of its depth "
    "and that at the end; the end left out",
    at_least=1,
)
def depth_approaches_its_end(along):
    found = by_epoch(along, "likeness").iloc[:, :-1]
    if len(found.columns) < 2:
        raise NotTestableError("fewer than two epochs before the end were looked at")
    return found.apply(lambda of: stats.spearmanr(found.columns, of).statistic.round(12), axis=1)


@claim(
    "After two epochs depth does not say yet which images are deep at the end.",
    f"rank correlation, over test images, of depth after {EARLY} epochs and at the end",
    below=0.5,
)
def early_depth_is_another(along):
    return early(along, "likeness")


@claim(
    "After two epochs accuracy does not fall with depth …",
    f"Spearman correlation of depth and accuracy at that depth after {EARLY} epochs",
    above=-0.9,
)
def accuracy_does_not_fall_early(along):
    return early(along, "falls")


@claim(
    "… at the end it does.",
    "Spearman correlation of depth and accuracy at that depth at the end",
    at_most=-0.9,
)
def accuracy_falls_at_the_end(along):
    return by_epoch(along, "falls").iloc[:, -1]


@section.figure(
    "Depth while a network learns",
    shows="Left: rank correlation of depth after some epochs with depth at the end · right: of "
    "depth with the accuracy at that depth, dotted −0.9",
    alt="Two panels of lines by epoch, one colour a dataset.",
)
def depth_along_training(sheet, along):
    sheet.facts.append(sizes(along))
    axes = sheet.axes(3.4, columns=2)[0]
    for ax, value in zip(axes, ("likeness", "falls"), strict=True):
        sheet.lines(ax, along.dropna(subset=value), "epoch", value, hue="dataset")
    axes[1].axhline(-0.9, color=style.MUTED, linestyle=":", linewidth=1)
    keys = ["dataset", "epoch"]
    means = along.groupby(keys, sort=False)[["train_accuracy", "likeness"]].mean()
    first = means[~means.index.get_level_values("dataset").duplicated()]
    said = [
        f"on {dataset} {number(row.likeness)} after {some(epoch, 'pass', 'passes')}, with "
        f"{percent(row.train_accuracy)} of the training images right"
        for (dataset, epoch), row in zip(first.index, first.itertuples(), strict=True)
    ]
    return f"The rank correlation of depth with depth at the end is {joined(said)}."


section.table(
    "along",
    "Depth after some epochs of the training",
    lambda along: along,
    keys=["dataset", "epoch"],
    values=["train_accuracy", "test_accuracy", "mean_depth", "likeness", "falls"],
)
