"""Training on a part of the images: the hardest, the easiest, or some by lot?"""

from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, common, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent
from depthlens.sweep import grid

SORSCHER = "Sorscher et al. (2022), arXiv 2206.14486"
FEW = 0.3
"""a share up to which few images are kept, as Ayed and Hayou have it"""
WAYS = {"hardest": "the hardest", "easiest": "the easiest", "random": "by lot", "all": "all images"}
section = Section(
    __name__,
    title="Training on a part of the images",
    text=(
        "A first network is trained on all images, and a score ranks them. Then new networks are "
        "trained on a share of the images: the hardest, the easiest, or some by lot. Every network "
        "takes as many steps as one on all images does, so that a small part is passed over more "
        "often; what is compared is images, not computation.",
        "The classes are not held in balance, but for the share nearest to a half, where the "
        "hardest and the easiest of every class are kept too (diamonds). All networks of a seed "
        "begin with the same weights. Scores are those of one network; papers average several.",
    ),
    columns=COLUMNS
    | {
        "direction": Column("kept", WAYS.__getitem__),
        "balanced": Column("classes in balance", {True: "yes", False: "no"}.__getitem__),
        "fewest": Column("fewest of a class", lambda n: number(n, 1)),
    },
)
section.sweep(
    "pruning",
    "pruning",
    cells=lambda block: grid(
        dataset=block["datasets"],
        score=[*block["subsets"]["scores"], "random"],
        seed=block["seeds"],
    ),
    settings=lambda block: common(block) | {"shares": block["subsets"]["shares"]},
)


def kept(pruning):
    """Accuracy: a row a seed, columns by score, way, whether classes are in balance, and share."""
    keys = ["score", "direction", "balanced", "share"]
    return pruning.pivot(index="seed", columns=keys, values="accuracy")


def shares(pruning):
    """Shares that were kept by a score, ascending."""
    return sorted(set(pruning.loc[pruning["direction"] == "hardest", "share"]))


def two_ends(pruning):
    """The smallest share that was kept, and the largest."""
    known = shares(pruning)
    if len(known) < 2:
        raise NotTestableError("only one share of the images was kept")
    return known[0], known[-1]


def hardest(pruning, share, *, balanced=False):
    """Accuracy with the hardest of a share, mean over the scores, by seed."""
    found = kept(pruning)
    scores = sorted(set(pruning["score"]) - {"random"})
    return sum(found[score, "hardest", balanced, share] for score in scores) / len(scores)


@section.claim(
    "Where few images are kept, the easiest teach more than the hardest.",
    source=SORSCHER,
    measure="test accuracy with the easiest minus with the hardest by EL2N, smallest share",
    above=0,
)
def few_images_keep_easy(pruning):
    found, (least, _) = kept(pruning), two_ends(pruning)
    return found["el2n", "easiest", False, least] - found["el2n", "hardest", False, least]


@section.claim(
    "Where many images are kept, the hardest teach at least as much as any.",
    source=SORSCHER,
    measure="test accuracy with the hardest by EL2N minus with images chosen by lot, largest share",
    at_least=0,
)
def many_images_keep_hard(pruning):
    found, (_, most) = kept(pruning), two_ends(pruning)
    return found["el2n", "hardest", False, most] - found["random", "random", False, most]


@section.claim(
    "The harder half of the images by EL2N trains a network as well as all of them do.",
    source="Paul, Ganguli, Dziugaite (2021), arXiv 2107.07075",
    measure="test accuracy with the hardest half by EL2N minus with all images, as many steps",
    at_least=-0.01,
)
def half_the_images_are_enough(pruning):
    found = kept(pruning)
    return found["el2n", "hardest", False, 0.5] - found["random", "all", False, 1.0]


@section.claim(
    "Where 30 % of the images or fewer are kept, drawing lots beats keeping the hardest.",
    source="Ayed, Hayou (2023), arXiv 2302.06960",
    measure="test accuracy with images chosen by lot minus with the hardest, mean over the scores, "
    "largest share that is at most 0.3",
    above=0,
)
def lots_beat_scores_on_few_images(pruning):
    few = [share for share in shares(pruning) if share <= FEW]
    if not few:
        raise NotTestableError(f"no share up to {FEW:g} was kept")
    return kept(pruning)["random", "random", False, few[-1]] - hardest(pruning, few[-1])


@section.claim(
    "Keeping the hardest of every class beats keeping the hardest of all.",
    source=f"{SORSCHER}, which holds classes in balance",
    measure="test accuracy with the hardest of every class minus with the hardest of all, mean "
    "over the scores, share nearest to a half",
    above=0,
)
def balanced_classes_help_pruning(pruning):
    balanced = pruning.loc[pruning["balanced"].astype(bool), "share"]
    if balanced.empty:
        raise NotTestableError("no share was kept with classes in balance")
    return hardest(pruning, balanced.min(), balanced=True) - hardest(pruning, balanced.min())


@section.claim(
    "Depth chooses training images at least as well as EL2N, to half a point.",
    source=OURS,
    measure="test accuracy with the deepest minus with the hardest by EL2N, mean over the shares",
    at_least=-0.005,
)
def depth_chooses_as_well_as_el2n(pruning):
    found, known = kept(pruning), shares(pruning)
    differences = (
        found["depth", "hardest", False, share] - found["el2n", "hardest", False, share]
        for share in known
    )
    return sum(differences) / len(known)


@section.derived
def with_fewest(pruning):
    """Fewest of a class as means over seeds, which stand in the table as keys do."""
    choice = ["dataset", "score", "direction", "balanced", "share"]
    fewest = pruning.groupby(choice)["fewest_of_a_class"].transform("mean")
    return pruning.assign(fewest=fewest, balanced=pruning["balanced"].astype(bool))


@section.figure(
    "What to keep, when not every image is trained on",
    shows="Accuracy on test images by the share of training images kept, with as many steps\n"
    "Dotted: all images · diamonds: classes in balance",
    alt="Lines of test accuracy over the share of images that is kept, one a score and one for "
    "keeping by lot; the hardest kept on the left and the easiest on the right.",
)
def pruning(sheet, pruning, with_fewest):
    sheet.facts.append(sizes(pruning))
    datasets, ways = sheet.levels(pruning, "dataset"), ("hardest", "easiest")
    axes = sheet.axes(2.7 * len(datasets), rows=len(datasets), columns=2, sharex=True, sharey="row")
    for row, dataset in zip(axes, datasets, strict=True):
        own = with_fewest[with_fewest["dataset"] == dataset]
        for ax, way in zip(row, ways, strict=True):
            lines = own[own["direction"].isin([way, "random"]) & ~own["balanced"]]
            sheet.lines(ax, lines, "share", "accuracy", hue="score")
            diamonds = own[(own["direction"] == way) & own["balanced"]]
            means = diamonds.groupby(["score", "share"])["accuracy"].mean()
            for (score, share), mean in means.items():
                colour = sheet.colours(lines, "score")[COLUMNS["score"].write(score)]
                ax.plot(share, mean, "D", color=colour, markerfacecolor="white")
            whole = own.loc[own["direction"] == "all", "accuracy"].mean()
            ax.axhline(whole, color=style.INK, linestyle=":", linewidth=1)
            ax.set_title(f"{dataset} · {WAYS[way]} are kept")
            sheet.fit(ax, own, ["direction", "score", "share", "balanced"], "accuracy")
    plain = with_fewest[~with_fewest["balanced"] & (with_fewest["direction"] != "all")]
    means = plain.groupby(["dataset", "share", "direction"], sort=False)["accuracy"].mean()
    said = [
        f"on {dataset} with {percent(share)} of the images "
        + joined([f"{percent(value, 1)} ({WAYS[way]})" for way, value in row.items()])
        for (dataset, share), row in means.unstack().iterrows()
        if share in (plain["share"].min(), plain["share"].max())
    ]
    return f"Accuracy, mean over the scores: {'; '.join(said)}."


section.table(
    "pruning",
    "Test accuracy after training on the images that were kept, mean over seeds",
    lambda with_fewest: with_fewest,
    keys=["dataset", "share", "direction", "score", "balanced", "fewest"],
    values=["accuracy"],
)
