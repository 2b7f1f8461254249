"""Across architectures: is an image deep in every network, or in one kind of it?"""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.chapters.benchmarks_of_difficulty.words import BALDOCK, COLUMNS, claims_of, sizes
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import number

SAME, OTHER, RANDOM = "same architecture", "other architecture", "random"
KINDS = {SAME: style.RIGHT, OTHER: style.WRONG, RANDOM: style.MUTED}
section = Section(
    __name__,
    title="Across architectures",
    text="Networks of several architectures are trained on the same images. The ranks of depth are "
    "compared between two architectures, beside one architecture with itself: networks that are "
    "compared never have the same seed. A rank correlation does not change when depth is divided "
    "by the number of probes; that images are settled at the same share of the probes is told by "
    "the difference of relative depth.",
    columns=COLUMNS
    | {
        "kind": Column("networks compared", colours=KINDS),
        "first": Column("architecture"),
        "second": Column("compared with"),
        "rank": Column("rank correlation of depth", bounds=(-1, 1)),
        "apart": Column("mean absolute difference of relative depth"),
    },
)


def spearman(a, b):
    """Rank correlation; NaN where one is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(stats.spearmanr(a, b).statistic)


def difference(a, b):
    """Mean absolute difference."""
    return float(np.abs(a - b).mean())


def agreements(rows, column, agree):
    """How far networks of one dataset agree on its images, by pair of architectures and seed.

    Two networks that are compared never have the same seed, within an architecture or between
    two, so that both comparisons differ in nothing but the architecture.

    Parameters
    ----------
    rows : DataFrame
        Of one dataset: `architecture`, `seed`, `example_id` and the column.
    column : str
    agree : callable
        Of two arrays of shape (n_images,).

    Returns
    -------
    DataFrame
        `kind` (`SAME`, `OTHER` or `RANDOM`), `first`, `second` (architectures), `seed`, `value`:
        mean over all pairs of a network of this seed and one of another seed. Random: the images
        of the second network are shuffled. No rows where there is one seed only.
    """
    wide = rows.pivot(index="example_id", columns=["architecture", "seed"], values=column)
    wide = wide.dropna().astype(float)
    names = list(dict.fromkeys(rows["architecture"]))
    seeds = list(dict.fromkeys(rows["seed"]))
    found = []
    for first, second in itertools.combinations_with_replacement(names, 2):
        for seed in seeds:
            pairs = [
                (wide[one, seed].to_numpy(), wide[two, other].to_numpy())
                for other in seeds
                if other != seed
                for one, two in dict.fromkeys([(first, second), (second, first)])
                if (one, seed) in wide and (two, other) in wide
            ]
            if pairs:
                kind = SAME if first == second else OTHER
                value = np.mean([agree(a, b) for a, b in pairs])
                found.append((kind, first, second, seed, value))
                shuffle = np.random.default_rng([int(seed), 73]).permutation
                value = np.mean([agree(a, shuffle(b)) for a, b in pairs])
                found.append((RANDOM, first, second, seed, value))
    return pd.DataFrame(found, columns=["kind", "first", "second", "seed", "value"])


def testable(portraits, column, agree):
    """Agreements by pair of architectures and seed: a Series a kind."""
    if portraits["architecture"].nunique() < 2:
        raise NotTestableError("only one architecture was trained")
    found = agreements(portraits, column, agree)
    if found.empty:
        raise NotTestableError("fewer than two seeds were measured")
    if found["value"].isna().any():
        raise NotTestableError("a network gives all images the same depth")
    pairs = found.set_index(["kind", "first", "second", "seed"])["value"]
    return pairs[OTHER], pairs.get(SAME), pairs[RANDOM]


def by_seed(values):
    return values.groupby(level="seed", sort=False).mean()


claim = claims_of(section, BALDOCK)


@claim(
    "An image that is deep in one architecture is deep in another.",
    "Spearman correlation of depth between networks of two architectures and different seeds, over "
    "the same test images, mean over the pairs of architectures",
    above=0.5,
)
def depth_is_shared_by_architectures(portraits):
    other, _, _ = testable(portraits, "depth", spearman)
    return by_seed(other)


@claim(
    "Depth is a property of the image more than of the architecture.",
    "Spearman correlation of depth between two architectures, divided by the root of the product "
    "of what each has with itself over seeds, mean over the pairs of architectures",
    at_least=0.7,
)
def another_architecture_agrees_like_another_seed(portraits):
    other, same, _ = testable(portraits, "depth", spearman)
    if (same <= 0).any():
        raise NotTestableError("an architecture does not agree with itself over seeds")
    ceiling = [
        np.sqrt(same[one, one, seed] * same[two, two, seed]) for one, two, seed in other.index
    ]
    return by_seed(other / ceiling)


@claim(
    "An image is settled at about the same share of the probes in every architecture.",
    "mean absolute difference of relative depth between two architectures on the same image, "
    "divided by that on two random images, mean over the pairs of architectures",
    below=0.5,
)
def relative_depth_is_shared_by_architectures(portraits):
    other, _, random = testable(portraits, "relative_depth", difference)
    random = random.loc[other.index]
    if (random == 0).any():
        raise NotTestableError("networks give all images the same depth")
    return by_seed(other / random)


@section.derived
def both(portraits):
    """Both measures of every pair of architectures, by dataset, kind and seed."""
    keys = ["kind", "first", "second", "seed"]
    tables = []
    for dataset, rows in portraits.groupby("dataset", sort=False):
        rank, apart = (
            agreements(rows, column, agree).rename(columns={"value": name})
            for column, agree, name in (
                ("depth", spearman, "rank"),
                ("relative_depth", difference, "apart"),
            )
        )
        tables.append(rank.merge(apart, on=keys).assign(dataset=dataset))
    return pd.concat(tables, ignore_index=True)


def draw(sheet, portraits, both, measure):
    """Dots for every pair of architectures, beside what shuffled images have."""
    sheet.facts.append(sizes(portraits))
    if both.empty:
        sheet.axes(1.0).set_axis_off()
        return "There are not two architectures and two seeds to compare."
    second = both["second"].where(both["first"] != both["second"], "another seed")
    rows = both.assign(pair=both["first"] + " × " + second)
    same = rows["kind"] == SAME
    order = pd.concat([rows[same], rows[~same]])["pair"].unique()
    for ax, _, own in sheet.panels(rows, "dataset", 0.36 * len(order) + 1.1, sharex=True):
        sheet.points(ax, own, measure, "pair", hue="kind", order=order, dodge=False)
    means = both.groupby(["dataset", "kind"], sort=False)[measure].mean().unstack()
    if OTHER not in means:
        return "There are not two architectures to compare."
    said = [
        f"{number(row[OTHER])} on {dataset}, beside {number(row[SAME])} of one architecture over "
        f"seeds and {number(row[RANDOM])} at random"
        for dataset, row in means.iterrows()
    ]
    title = sheet.column(measure).title
    return f"Between architectures the {title} is {'; '.join(said)}."


@section.figure(
    "Is an image deep in every architecture?",
    shows="Rank correlation of depth of networks of different seeds on the same test images",
    alt="Dots for each pair of architectures, panels a dataset.",
)
def depth_across_architectures(sheet, portraits, both):
    return draw(sheet, portraits, both, "rank")


@section.figure(
    "Is an image settled at the same share of the probes in every architecture?",
    shows="Mean absolute difference of relative depth of networks of different seeds on the same "
    "test images",
    alt="Dots for each pair of architectures, panels a dataset.",
)
def relative_depth_across_architectures(sheet, portraits, both):
    return draw(sheet, portraits, both, "apart")


section.table(
    "architectures",
    "How far networks agree on the depth of the same test images",
    lambda both: both,
    keys=["dataset", "first", "second", "kind"],
    values=["rank", "apart"],
)
