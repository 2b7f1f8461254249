"""What was said of six shapes: where do they settle, and which of them settle last?"""

from functools import partial

import numpy as np

from depthlens.chapters import sources
from depthlens.chapters.difficulty import words
from depthlens.chapters.difficulty.runs import named
from depthlens.chapters.section import Section
from depthlens.datasets import shapes
from depthlens.ledger import NotTestableError

_PEAK = 4
"""the second depth at which many images are said to settle, of children of ResNet-18"""
_LATE = ("ellipse", "rectangle", "heart")

section = Section(
    __name__,
    title="Six shapes",
    text="A ResNet-18 told six shapes apart: in the homework it got 71.43 % of 6,000 test images "
    "right, in the worked answers 74.0 %, and these describe at which depth images settle. Here "
    "the same is asked of shapes of our own making, whose ranges were chosen so that 65 to 80 % "
    "are right. The losses that the homework prints are sums over 50 steps divided by 20, 2.5 "
    "times the means: its last, 0.108, is 0.043.",
)
claim = partial(
    section.claim, source=f"{sources.WORKED_ANSWERS}, prediction depth", over_seeds=False
)
ours = partial(
    section.claim,
    source=f"{sources.WORKED_ANSWERS}, prediction depth; the threshold is ours",
    over_seeds=False,
)


def class_at(runs, name):
    """Where a class stands among the classes."""
    if name not in runs.first.classes:
        raise NotTestableError(f"the dataset has no class called {name}")
    return runs.first.classes.index(name)


def probed_at_input(runs):
    """Refuse depths that do not begin at the pixels, as those of the course do."""
    if runs.first.probe_names[0] != "input":
        raise NotTestableError("the input is not probed")


@claim(
    "The ellipse is the hardest class.",
    measure="mean depth of the ellipses minus the largest mean depth of another class",
    above=0,
)
def ellipse_is_hardest(runs):
    ellipse = class_at(runs, "ellipse")

    def gap(times):
        per_class = runs.tally(times).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_depth = np.arange(len(per_class)) @ per_class / per_class.sum(axis=0)
        others = np.delete(mean_depth, ellipse)
        others = others[~np.isnan(others)]
        return float(mean_depth[ellipse] - others.max()) if len(others) else np.nan

    none = "the test set has no ellipse, or nothing but ellipses"
    return runs.estimate(gap, n=runs.counts.sum(), undefined=none)


@claim(
    "More than a quarter of the images are settled at the input.",
    measure="share of test images of depth 0",
    printed="about 1,600 of 6,000: 0.267",
    above=0.25,
)
def quarter_settled_at_input(runs):
    probed_at_input(runs)
    return runs.share(runs.counts[0].sum(), runs.counts.sum())


@claim(
    "Deep images are 5 to 20 times as likely to be misclassified as shallow ones.",
    measure=f"error rate on test images of {words.LAST_TWO}, divided by that on images of the "
    "first two",
    printed="5 to 20 times",
    at_least=5,
    at_most=20,
)
def deep_fail_more_often(runs):
    shallow, deep = runs.possible[:2], runs.possible[-2:]
    if set(shallow) & set(deep):
        raise NotTestableError("too few depths can occur to tell deep from shallow")
    n = runs.right_at(shallow)[1] + runs.right_at(deep)[1]

    def ratio(times):
        tally = runs.tally(times)
        with np.errstate(invalid="ignore", divide="ignore"):
            of_shallow, of_deep = (
                1 - tally[at, 1].sum() / tally[at].sum() for at in (shallow, deep)
            )
            return float(of_deep / of_shallow)

    none = f"no test image of {named(shallow)} is misclassified"
    return runs.estimate(ratio, n=n, undefined=none)


def probed_as_there(runs):
    """Refuse depths that are not those of the course: of children of a ResNet, on six shapes."""
    probed_at_input(runs)
    if runs.first.probe_names[_PEAK : _PEAK + 1] != ["maxpool"]:
        raise NotTestableError(f"probe {_PEAK} is not the max pooling of a ResNet")
    for name in shapes.CLASSES:
        class_at(runs, name)


def place_by_images(runs, depth):
    """Place of a depth among all by its number of test images: 1 has the most."""
    probed_as_there(runs)
    if depth not in runs.possible:
        raise NotTestableError(f"depth {depth} cannot occur")

    def place(times):
        n = runs.tally(times).sum(axis=(1, 2))
        return float(1 + (n > n[depth]).sum())

    return runs.estimate(place, n=runs.counts.sum())


@ours(
    "Many images settle at the input …",
    measure="place of depth 0 among the depths, by number of test images",
    printed="about 1,600 of 6,000, the most: 1",
    at_most=2,
)
def first_peak(runs):
    return place_by_images(runs, 0)


@ours(
    f"… and many at depth {_PEAK}.",
    measure=f"place of depth {_PEAK} among the depths, by number of test images",
    printed="about 1,500 of 6,000: 2",
    at_most=2,
)
def second_peak(runs):
    return place_by_images(runs, _PEAK)


@claim(
    f"At depth {_PEAK} the network is still almost always right.",
    measure=f"accuracy of the network on test images of depth {_PEAK}",
    printed="95–98 %",
    at_least=0.95,
    at_most=0.98,
)
def second_peak_is_right(runs):
    probed_as_there(runs)
    return runs.share(*runs.right_at([_PEAK]))


@claim(
    "At the last depths a little more than a third is right.",
    measure=f"accuracy of the network on test images of {words.LAST_TWO}",
    printed="35–40 % at depths 8 to 10",
    at_least=0.35,
    at_most=0.4,
)
def last_are_rarely_right(runs):
    probed_as_there(runs)
    return runs.share(*runs.right_at(runs.possible[-2:]))


@ours(
    "Ellipses and rectangles have the longest tails.",
    measure="how many of the two are among the two classes with the largest share at "
    f"{words.LAST_TWO}",
    at_least=2,
)
def two_classes_have_tails(runs):
    late = [class_at(runs, name) for name in _LATE[:2]]

    def among(times):
        tally = runs.tally(times).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = tally[runs.possible[-2:]].sum(axis=0) / tally.sum(axis=0)
        return float(np.isin(np.argsort(-share, kind="stable")[:2], late).sum())

    return runs.estimate(among, n=runs.counts.sum())


@ours(
    "What settles last are ellipses, rectangles and hearts.",
    measure=f"share of the three among the test images of {words.LAST_TWO}",
    printed="“almost only”",
    at_least=0.9,
)
def last_are_of_three_classes(runs):
    late = [class_at(runs, name) for name in _LATE]
    per_class = runs.counts[runs.possible[-2:]].sum(axis=(0, 1))
    if not per_class.sum():
        raise NotTestableError(f"no test image has {named(runs.possible[-2:])}")
    return runs.share(per_class[late].sum(), per_class.sum())
