"""What makes an image deep: how much of depth do its factors explain, and which?"""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from depthlens.chapters.benchmarks_of_difficulty.explained import CLASS, RANDOM, explain
from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import (
    networks,
    of_first_architecture,
)
from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, sizes
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent

FEWEST = 20
"""test images below which no model of them is fitted"""
SHOWN_CURVES = 2
MODEL = "gradient-boosted trees of depth on the factors, fitted on half of the test images"
section = Section(
    __name__,
    title="What makes an image deep",
    text="Gradient-boosted trees learn, from half of the test images, to tell depth from what an "
    "image was made with (shapes) or looks like (imported images), and from its class. On the "
    "other half stands how much of the variance of depth they explain (R²), how much of that is "
    "lost when one factor is shuffled (permutation importance), and how the predicted depth moves "
    "with one factor (partial dependence). A random number is among the factors: what it has is "
    "chance.",
    columns=COLUMNS
    | {
        "feature": Column("factor", lambda name: name.replace("_", " ")),
        "importance": Column("importance: loss of R²"),
        "effect": Column("depth it adds", number),
        "place": Column("factor"),
        "depth": Column("mean depth"),
    },
)


def explained(rows, *, seed):
    """What the factors of a network's test images say of their depth: see `explained.explain`.

    Raises
    ------
    NotTestableError
        If there are no factors, few images, or one depth only.
    """
    columns = [name for name in rows if name.startswith("factor_") and rows[name].notna().any()]
    if not columns:
        raise NotTestableError("the images have no factors")
    if len(rows) < FEWEST:
        raise NotTestableError(f"there are fewer than {FEWEST} test images")
    if rows["depth"].nunique() < 2:
        raise NotTestableError("a network gives all images the same depth")
    factors = rows[columns].rename(columns=lambda name: name.removeprefix("factor_"))
    return explain(factors, rows["label"].to_numpy(), rows["depth"].to_numpy(), seed=seed)


@section.derived
def first(portraits):
    """The networks that claims are about."""
    return of_first_architecture(portraits)


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


def claim(statement, measure, **bounds):
    return section.claim(
        statement,
        source="course material on prediction depth with six shapes",
        measure=f"{measure} ({MODEL}); mean over seeds",
        over_seeds=False,
        **bounds,
    )


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


def matters(factor):
    return claim(
        f"The {factor} of an image helps to tell how deep it is.",
        f"permutation importance of {factor} minus that of a random number, held-out images",
        above=0,
    )


@matters("contrast")
def contrast_explains_depth(models):
    return importance(models, "contrast")


@matters("size")
def size_explains_depth(models):
    return importance(models, "size")


def slope(models, factor):
    """Depth where a factor is large less that where it is small."""
    return values(models, lambda m: float(np.subtract(*m.dependence[factor][1][[-1, 0]])), factor)


def moves(statement, factor, **bounds):
    return claim(
        statement,
        f"partial dependence of depth at the 90th percentile of {factor} minus that at the 10th, "
        "held-out images",
        **bounds,
    )


@moves("The lower the contrast, the deeper the image.", "contrast", below=0)
def low_contrast_is_deep(models):
    return slope(models, "contrast")


@moves("The smaller the shape, the deeper the image.", "size", below=0)
def small_is_deep(models):
    return slope(models, "size")


@moves("The noisier the image, the deeper it is.", "noise", above=0)
def noisy_is_deep(models):
    return slope(models, "noise")


@section.derived
def features(models):
    """Importance of each factor, and the depth that it adds, by dataset and seed."""
    rows = [
        {
            "dataset": row.dataset, "seed": row.seed, "feature": name, "importance": value,
            "effect": np.subtract(*row.model.dependence[name][1][[-1, 0]])
            if name in row.model.dependence else np.nan,
        }
        for row in models.itertuples()
        if row.model
        for name, value in row.model.importance.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["dataset", "seed", "feature", "importance", "effect"])


@section.derived
def curves(models):
    """Partial dependence of depth, a row a place of a factor, by dataset and seed."""
    rows = [
        {"dataset": row.dataset, "seed": row.seed, "feature": name, "place": x, "depth": y}
        for row in models.itertuples()
        if row.model
        for name, line in row.model.dependence.items()
        for x, y in zip(*line, strict=True)
    ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "feature", "place", "depth"])


def strongest(features, dataset):
    """Factors of a dataset, the most important first; class and chance are none."""
    rows = features[(features["dataset"] == dataset) & ~features["feature"].isin([CLASS, RANDOM])]
    means = rows.groupby("feature", sort=False)["importance"].mean()
    return means.sort_values(ascending=False, kind="stable").index[:SHOWN_CURVES]


@section.figure(
    "What makes an image deep",
    shows="Permutation importance: R² of depth that is lost when a factor of the held-out images "
    "is shuffled",
    alt="A bar for each factor, panels a dataset.",
)
def causes_of_depth(sheet, first, models, features):
    sheet.facts.append(sizes(first))
    if features.empty:
        sheet.axes(1.0).set_axis_off()
        return "No dataset has factors that could explain depth."
    said, most = [], features.groupby("dataset")["feature"].nunique().max()
    for ax, dataset, rows in sheet.panels(features, "dataset", 0.3 * most + 0.7, sharey=False):
        means = rows.groupby("feature")["importance"].mean().sort_values(ascending=False)
        named = rows.assign(feature=rows["feature"].str.replace("_", " "))
        order = [name.replace("_", " ") for name in means.index]
        sheet.bars(ax, named, "importance", "feature", order=order, color=style.RIGHT)
        ax.set_ylabel("")
        ax.grid(axis="x")
        own = models.loc[models["dataset"] == dataset, "model"]
        r_squared = np.mean([model.r_squared for model in own if model])
        ax.set_title(f"{dataset} · R² = {number(r_squared)}")
        said.append(
            f"on {dataset} the factors explain {percent(max(r_squared, 0))} of the variance of "
            f"depth, {joined([name.replace('_', ' ') for name in strongest(features, dataset)])} "
            "the most"
        )
    return f"Of images that the model was not fitted on, {'; '.join(said)}."


@section.figure(
    "How depth goes with its two strongest factors",
    shows="Partial dependence: mean predicted depth of held-out images with one factor set, "
    "between its 10th and 90th percentile",
    alt="Curves of mean depth over a factor, panels a dataset and factor.",
)
def depth_by_cause(sheet, first, features, curves):
    sheet.facts.append(sizes(first))
    shown = [
        (dataset, factor)
        for dataset in features["dataset"].unique()
        for factor in strongest(features, dataset)
    ]
    if not shown:
        sheet.axes(1.0).set_axis_off()
        return "No dataset has factors that could explain depth."
    chosen = pd.MultiIndex.from_frame(curves[["dataset", "feature"]]).isin(shown)
    rows = curves[chosen].assign(panel=curves["dataset"] + " · " + curves["feature"])
    said = []
    options = {"most_columns": SHOWN_CURVES, "sharey": False}
    for ax, panel, own in sheet.panels(rows, "panel", 2.3, **options):
        sheet.lines(ax, own.round({"place": 6}), "place", "depth", color=style.RIGHT)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel("")
        ends = own.groupby("place")["depth"].mean().iloc[[0, -1]]
        said.append(f"from {number(ends.iloc[0], 1)} to {number(ends.iloc[1], 1)} with {panel}")
    return f"All else as it is, mean depth goes {joined(said)}."


section.table(
    "causes",
    "What makes an image deep: share of the variance of depth that is lost when a factor is "
    "shuffled, and depth at its 90th percentile minus that at its 10th",
    lambda features: features,
    keys=["dataset", "feature"],
    values=["importance", "effect"],
)
