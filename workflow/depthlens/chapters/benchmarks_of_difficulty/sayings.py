"""What is said about difficulty: what goes with depth?"""

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import (
    NAMES,
    correlation,
    first,
    networks,
    of_networks,
)
from depthlens.chapters.benchmarks_of_difficulty.words import (
    COLUMNS,
    SAID,
    claims_of,
    common,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number
from depthlens.sweep import grid

BOUND = 0.7
section = Section(
    __name__,
    title="What is said about difficulty",
    text="Networks of the first architecture are trained on the same images with several seeds. "
    "Rank correlations are signed so that they are positive where images that another measure "
    "calls harder are deeper. Beside them stands a random number an image.",
    columns=COLUMNS
    | {
        "measure": Column("depth with", NAMES.__getitem__),
        "correlation": Column("rank correlation with depth", bounds=(-1, 1)),
        "statement": Column("what is said"),
        "threshold": Column("claimed"),
    },
)
section.sweep(
    "portraits",
    "portraits",
    cells=lambda block: grid(
        dataset=block["datasets"],
        architecture=block["portraits"]["architectures"],
        seed=block["seeds"],
    ),
    settings=lambda block: common(block) | {"recipe": block["portraits"]["recipe"]},
)


section.derived(first)


def error_ratio(rows, depths):
    """Error rate of a network's images of the last two depths over that of the first two.

    `depths` ascend: all that occur in the networks compared.
    """
    if len(depths) < 4:
        raise NotTestableError("too few depths occur to tell deep from shallow")
    wrong = ~rows["correct"].astype(bool)
    shallow, deep = (wrong[rows["depth"].isin(of)] for of in (depths[:2], depths[-2:]))
    if not len(deep):
        raise NotTestableError("a network has no image of the last two depths")
    if not shallow.any():
        raise NotTestableError("a network misclassifies no image of the first two depths")
    return float(deep.mean() / shallow.mean())


def known(measure, *options):
    """What a function finds; NaN where there is nothing to be found."""
    try:
        return measure(*options)
    except NotTestableError:
        return np.nan


claim = claims_of(section, f"{SAID}: what goes with it")


def follows(name, what):
    return claim(
        f"Depth follows {what}.",
        f"Spearman correlation of depth with {name}, over test images, signed so that it is "
        "positive where the harder are deeper",
        printed="> 0.7 to 0.9",
        above=BOUND,
    )


@follows("forgetting events", "how often an image is forgotten")
def depth_follows_forgetting(first):
    return of_networks(first, correlation, "forgetting_events")


@follows("output margin", "the smallness of the output margin")
def depth_follows_margin(first):
    return of_networks(first, correlation, "output_margin")


@follows("GraNd", "the length of the gradient early in training")
def depth_follows_gradients(first):
    return of_networks(first, correlation, "grand")


@claim(
    "Deep images are 5 to 20 times as likely to be misclassified as shallow ones.",
    "error rate on test images of the last two depths that occur in any of the networks, divided "
    "by that on images of the first two",
    printed="5 to 20",
    at_least=5,
    at_most=20,
)
def deep_are_often_wrong(first):
    return of_networks(first, error_ratio, sorted(set(first["depth"])))


def along_aspect_ratio(rows):
    """Rank correlation of depth with elongation in each class in which it varies, their mean."""
    name = "factor_aspect_ratio"
    if name not in rows or rows[name].isna().all():
        raise NotTestableError("the images have no factor aspect_ratio")
    found = [
        stats.spearmanr(own["depth"], own[name]).statistic
        for _, own in rows.groupby("label")
        if own[name].nunique() > 1 and own["depth"].nunique() > 1
    ]
    if not found:
        raise NotTestableError("in no class both depth and aspect_ratio vary")
    return float(np.mean(found))


@claim(
    "Of one class, the more elongated the shape, the deeper the image.",
    "rank correlation of depth with aspect_ratio within each class in which it varies, mean over "
    "these classes",
    source=f"{SAID}: very elongated shapes are hard (elsewhere: those of low eccentricity)",
    above=0,
)
def elongated_is_deep(first):
    return of_networks(first, along_aspect_ratio)


@section.derived
def correlations(first):
    """Rank correlation of depth with each measure, where it exists, by dataset and seed."""
    rows = [
        (dataset, seed, name, known(correlation, own, name))
        for dataset, seed, own in networks(first)
        for name in NAMES
    ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "measure", "correlation"])


@section.figure(
    "What depth goes with",
    shows="Spearman correlation with other measures of test images, positive where the harder are "
    "deeper\nDotted: what is said, more than 0.7",
    alt="Dots for each measure, one colour a dataset.",
)
def what_depth_follows(sheet, first, correlations):
    sheet.facts.append(sizes(first))
    ax = sheet.axes(2.8)
    ax.axvline(BOUND, color=style.ALERT, linestyle=":", linewidth=1.2)
    sheet.points(ax, correlations, "correlation", "measure", hue="dataset")
    ax.set_xlim(min(-0.2, ax.get_xlim()[0]), 1)
    means = correlations.groupby(["dataset", "measure"], sort=False)["correlation"].mean()
    said = [
        f"on {dataset} "
        + joined([f"{NAMES[name]} {number(value)}" for (_, name), value in own.dropna().items()])
        for dataset, own in means.drop("random", level=1).groupby(level=0, sort=False)
    ]
    return f"Rank correlation with depth: {'; '.join(said)}."


@section.derived
def found(first):
    """What every claim is about, a row a network; one without a value where there is none."""
    rows = [
        (dataset, declared.claim.statement, str(declared.claim.threshold), seed, value)
        for dataset, own in first.groupby("dataset", sort=False)
        for declared in section.claims.values()
        for seed, value in pd.Series(known(declared.measure, own), own["seed"].unique()).items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "statement", "threshold", "seed", "found"])


section.table(
    "sayings",
    "What is said about difficulty, and what was found",
    lambda found: found,
    keys=["dataset", "statement", "threshold"],
    values=["found"],
)
