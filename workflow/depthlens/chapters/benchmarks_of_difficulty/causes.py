"""What makes an image deep: how much of depth do its factors explain, and which?"""

import numpy as np
import pandas as pd

from depthlens.chapters.benchmarks_of_difficulty.explained import CLASS, RANDOM, explain
from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import first, networks
from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, SAID, claims_of, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent

FEWEST = 20
"""test images below which no model of them is fitted"""
SHOWN_CURVES = 2
MODEL = "gradient-boosted trees of depth on the factors, fitted on half of the test images"


def called(name):
    return name.replace("_", " ")


section = Section(
    __name__,
    title="What makes an image deep",
    text="Gradient-boosted trees learn, from half of the test images, to tell depth from what an "
    "image was made with (shapes) or looks like (imported images), and from its class. On the "
    "other half stands how much of the variance of depth they explain (R²), how much of that is "
    "lost when one factor is shuffled (permutation importance), and how the predicted depth moves "
    "with one factor (partial dependence). A random number is among the factors: what it has is "
    "chance. Circle, square and heart have an aspect ratio of 1, so that what it seems to add is "
    "partly the class.",
    columns=COLUMNS
    | {
        "feature": Column("factor", called),
        "importance": Column("importance: loss of R²"),
        "effect": Column("depth it adds", number),
        "place": Column("factor"),
        "depth": Column("mean depth"),
    },
)


def explained(rows, *, seed):
    """What the factors of a network's test images say of their depth: see `explained.explain`."""
    columns = [name for name in rows if name.startswith("factor_") and rows[name].notna().any()]
    if not columns:
        raise NotTestableError("the images have no factors")
    if len(rows) < FEWEST:
        raise NotTestableError(f"there are fewer than {FEWEST} test images")
    if rows["depth"].nunique() < 2:
        raise NotTestableError("a network gives all images the same depth")
    factors = rows[columns].rename(columns=lambda name: name.removeprefix("factor_"))
    return explain(factors, rows["label"].to_numpy(), rows["depth"].to_numpy(), seed=seed)


section.derived(first)


@section.derived
def models(first):
    """What explains depth, a row a network; `why` it does not, where that is so."""
    rows = []
    for dataset, seed, own in networks(first):
        about = {"dataset": dataset, "architecture": own["architecture"].iloc[0], "seed": seed}
        try:
            rows.append({**about, "model": explained(own, seed=seed), "why": ""})
        except NotTestableError as reason:
            rows.append({**about, "model": None, "why": str(reason)})
    return pd.DataFrame(rows)


def values(models, of_model, factor=None):
    """A value a seed, of a model that has a factor."""
    for model, why in zip(models["model"], models["why"], strict=True):
        if factor and (model is None or factor not in model.importance):
            raise NotTestableError(f"the images have no factor {factor}")
        if model is None:
            raise NotTestableError(why)
    return [of_model(model) for model in models["model"]]


claim = claims_of(section, OURS, ending=f" ({MODEL})")
HARD = {"source": f"{SAID}: low contrast and noise are hard"}


@claim(
    "What an image was made with, or looks like, explains how deep it is.",
    "held-out R² of depth",
    above=0.1,
)
def factors_explain_depth(models):
    return values(models, lambda model: model.r_squared)


def importance(models, factor):
    """How much more a factor matters than a random number does."""
    return values(models, lambda m: m.importance[factor] - m.importance[RANDOM], factor)


def matters(factor, **source):
    return claim(
        f"The {factor} of an image helps to tell how deep it is.",
        f"permutation importance of {factor} minus that of a random number, held-out images",
        above=0,
        **source,
    )


@matters("contrast", **HARD)
def contrast_explains_depth(models):
    return importance(models, "contrast")


@matters("size")
def size_explains_depth(models):
    return importance(models, "size")


def added(model, factor):
    """Depth where a factor is large less that where it is small; NaN of what has no curve."""
    if factor not in model.dependence:
        return np.nan
    _, depth = model.dependence[factor]
    return float(depth[-1] - depth[0])


def slope(models, factor):
    return values(models, lambda model: added(model, factor), factor)


def moves(statement, factor, **options):
    return claim(
        statement,
        f"partial dependence of depth at the 90th percentile of {factor} minus that at the 10th, "
        "held-out images",
        **options,
    )


@moves("The lower the contrast, the deeper the image.", "contrast", below=0, **HARD)
def low_contrast_is_deep(models):
    return slope(models, "contrast")


@moves("The smaller the shape, the deeper the image.", "size", below=0)
def small_is_deep(models):
    return slope(models, "size")


@moves("The noisier the image, the deeper it is.", "noise", above=0, **HARD)
def noisy_is_deep(models):
    return slope(models, "noise")


@section.derived
def features(models):
    """Importance of each factor, and the depth that it adds, by dataset and seed."""
    rows = [
        (row.dataset, row.seed, name, value, added(row.model, name))
        for row in models.dropna().itertuples()
        for name, value in row.model.importance.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "feature", "importance", "effect"])


@section.derived
def curves(models):
    """Partial dependence of depth, a row a place of a factor, by dataset and seed."""
    rows = [
        (row.dataset, row.seed, name, x, y)
        for row in models.dropna().itertuples()
        for name, line in row.model.dependence.items()
        for x, y in zip(*line, strict=True)
    ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "feature", "place", "depth"])


@section.derived
def strongest(features):
    """Dataset and name of the most important factors, strongest first, but class and chance."""
    factors = features[~features["feature"].isin([CLASS, RANDOM])]
    means = factors.groupby(["dataset", "feature"], sort=False)["importance"].mean()
    return list(means.groupby(level=0, sort=False, group_keys=False).nlargest(SHOWN_CURVES).index)


@section.figure(
    "What makes an image deep",
    shows="Permutation importance: R² of depth that is lost when a factor of the held-out images "
    "is shuffled",
    alt="A bar for each factor, panels a dataset.",
)
def causes_of_depth(sheet, first, models, features, strongest):
    sheet.facts.append(sizes(first))
    if features.empty:
        sheet.axes(1.0).set_axis_off()
        return "No dataset has factors that could explain depth."
    said, options = [], {"sharex": True, "sharey": False}
    most = features.groupby("dataset")["feature"].nunique().max()
    for ax, dataset, rows in sheet.panels(features, "dataset", 0.3 * most + 0.7, **options):
        means = rows.groupby("feature")["importance"].mean().sort_values(ascending=False)
        sheet.bars(ax, rows, "importance", "feature", order=means.index, color=style.RIGHT)
        own = models.loc[models["dataset"] == dataset, "model"].dropna()
        r_squared = np.mean([model.r_squared for model in own])
        ax.set_title(f"{dataset} · R² = {number(r_squared)}")
        said.append(
            f"on {dataset} the factors explain {percent(max(r_squared, 0))} of the variance of "
            f"depth, {joined([called(name) for of, name in strongest if of == dataset])} the most"
        )
    return f"Of images that the model was not fitted on, {'; '.join(said)}."


@section.figure(
    "How depth goes with its two strongest factors",
    shows="Partial dependence: mean predicted depth of held-out images with one factor set\nFrom "
    "the factor's 10th to its 90th percentile",
    alt="Curves of mean depth over a factor, panels a dataset and factor.",
)
def depth_by_cause(sheet, first, curves, strongest):
    sheet.facts.append(sizes(first))
    if not strongest:
        sheet.axes(1.0).set_axis_off()
        return "No dataset has factors that could explain depth."
    own = curves.set_index(["dataset", "feature"]).round({"place": 6})
    panels = {f"{called(name)} on {of}": own.loc[[(of, name)]] for of, name in strongest}
    rows, said = pd.concat(panels, names=["panel"]).reset_index(), []
    each = sheet.panels(rows, "panel", 2.3, most_columns=SHOWN_CURVES, sharey=False)
    for ax, panel, line in each:
        sheet.lines(ax, line, "place", "depth", color=style.RIGHT)
        ax.set_xlabel("")
        ends = line.groupby("place")["depth"].mean()
        said.append(f"from {number(ends.iloc[0], 1)} to {number(ends.iloc[-1], 1)} with {panel}")
    return f"All else as it is, mean depth goes {joined(said)}."


section.table(
    "causes",
    "What makes an image deep: share of the variance of depth that is lost when a factor is "
    "shuffled, and depth at its 90th percentile minus that at its 10th",
    lambda features: features,
    keys=["dataset", "feature"],
    values=["importance", "effect"],
)
