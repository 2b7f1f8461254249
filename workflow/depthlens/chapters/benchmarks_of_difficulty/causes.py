"""What makes an image deep: depth explained by the factors of the images."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from depthlens.chapters.benchmarks_of_difficulty.explained import (
    CLASS,
    RANDOM,
    Explained,
    explain,
)
from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import (
    networks,
    of_first_architecture,
)
from depthlens.chapters.over_seeds import (
    by_dataset,
    judge_each,
    over_seeds,
    sizes,
)
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import count, joined, number, percent
from depthlens.report.page import Cell, Table

_COURSE = "course material on prediction depth with six shapes"
_FEWEST = 20  # test images below which no model of them is fitted
_PREFIX = "factor_"
_SHOWN_CURVES = 2
_MODEL = "gradient-boosted trees of depth on the factors, fitted on half of the test images"


def _claim(id: str, statement: str, measure: str, threshold: Threshold) -> Claim:
    return Claim(
        chapter="benchmarks_of_difficulty",
        id=id,
        statement=statement,
        source=_COURSE,
        measure=f"{measure} ({_MODEL}); mean over seeds",
        threshold=threshold,
    )


def _matters(factor: str) -> Claim:
    return _claim(
        f"{factor}-explains-depth",
        f"The {factor} of an image helps to tell how deep it is.",
        f"permutation importance of {factor} minus that of a random number, held-out images",
        Threshold(above=0),
    )


def _slope(id: str, factor: str, statement: str, threshold: Threshold) -> Claim:
    return _claim(
        id,
        statement,
        f"partial dependence of depth at the 90th percentile of {factor} minus that at the 10th, "
        "held-out images",
        threshold,
    )


CLAIMS = (
    _claim(
        "factors-explain-depth",
        "What an image was made with, or looks like, explains how deep it is.",
        "held-out R² of depth",
        Threshold(above=0.1),
    ),
    _matters("contrast"),
    _matters("size"),
    _slope(
        "low-contrast-is-deep",
        "contrast",
        "The lower the contrast, the deeper the image.",
        Threshold(below=0),
    ),
    _slope("small-is-deep", "size", "The smaller the shape, the deeper the image.",
           Threshold(below=0)),
    _slope("noisy-is-deep", "noise", "The noisier the image, the deeper it is.",
           Threshold(above=0)),
)  # fmt: skip
_FACTOR = {
    "contrast-explains-depth": "contrast",
    "size-explains-depth": "size",
    "low-contrast-is-deep": "contrast",
    "small-is-deep": "size",
    "noisy-is-deep": "noise",
}


def explained(rows: pd.DataFrame, *, seed: int) -> Explained:
    """What the factors of a network's test images say of their depth.

    Parameters
    ----------
    rows : DataFrame
        Of one network of the sweep `portraits`.
    seed : int

    Raises
    ------
    NotTestableError
        If there are no factors, few images, or one depth only.
    """
    columns = [name for name in rows if name.startswith(_PREFIX) and rows[name].notna().any()]
    if not columns:
        raise NotTestableError("the images have no factors")
    if len(rows) < _FEWEST:
        raise NotTestableError(f"there are fewer than {_FEWEST} test images")
    if rows["depth"].nunique() < 2:
        raise NotTestableError("a network gives all images the same depth")
    factors = rows[columns].rename(columns=lambda name: name.removeprefix(_PREFIX))
    return explain(factors, rows["label"].to_numpy(), rows["depth"].to_numpy(), seed=seed)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the networks of the first architecture, dataset by dataset."""
    table = of_first_architecture(tables["portraits"])
    models: dict[str, list[Explained]] = {}

    def measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
        factor = _FACTOR.get(claim.id)
        if factor and (f"{_PREFIX}{factor}" not in rows or rows[_PREFIX + factor].isna().all()):
            raise NotTestableError(f"the images have no factor {factor}")
        dataset = rows["dataset"].iloc[0]
        if dataset not in models:
            models[dataset] = [explained(own, seed=seed) for _, seed, own in networks(rows)]
        return [_value(claim, model) for model in models[dataset]]

    return judge_each(CLAIMS, measure, table, confidence_level=confidence_level)


def _value(claim: Claim, model: Explained) -> float:
    if claim.id not in _FACTOR:
        return model.r_squared
    factor = _FACTOR[claim.id]
    if claim.id == f"{factor}-explains-depth":
        return model.importance[factor] - model.importance[RANDOM]
    _, depth = model.dependence[factor]
    return float(depth[-1] - depth[0])


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Importance of every factor, and how depth goes with the two most important ones."""
    table = of_first_architecture(tables["portraits"])
    models = _models(table)
    return {
        "causes_of_depth": _draw_importance(table, models, confidence_level),
        "depth_by_cause": _draw_dependence(table, models, confidence_level),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Importance and effect of every factor, dataset by dataset."""
    models = _models(of_first_architecture(tables["portraits"]))
    keys = ["dataset", "feature"]
    importance = _importances(models, confidence_level)
    effects = over_seeds(
        pd.DataFrame(
            [
                {"dataset": dataset, "feature": name, "seed": seed, "value": y[-1] - y[0]}
                for dataset, of_seed in models.items()
                for seed, model in of_seed.items()
                for name, (_, y) in model.dependence.items()
            ],
            columns=[*keys, "seed", "value"],
        ),
        keys,
        "value",
        confidence_level=confidence_level,
    ).set_index(keys)
    rows = []
    for found in importance.itertuples():
        key = (found.dataset, found.feature)
        effect = effects.loc[key] if key in effects.index else None
        rows.append(
            [
                Cell(found.dataset),
                Cell(found.feature),
                Cell(number(found.mean, 3), found.mean),
                Cell(f"{number(found.low, 3)} … {number(found.high, 3)}"),
                Cell("—", np.nan) if effect is None else Cell(number(effect["mean"]),
                                                              effect["mean"]),
                Cell("—" if effect is None else
                     f"{number(effect['low'])} … {number(effect['high'])}"),
            ]
        )  # fmt: skip
    columns = ["dataset", "factor", "importance", "interval", "depth it adds", "interval"]
    caption = (
        "What makes an image deep: share of the variance of depth that is lost when a factor is "
        "shuffled, and depth at its 90th percentile minus that at its 10th"
    )
    return [Table(id="table-causes", caption=caption, columns=columns, rows=rows)]


def _models(table: pd.DataFrame) -> dict[str, dict[int, Explained]]:
    """By dataset and seed; nothing of a dataset whose depth cannot be explained."""
    models: dict[str, dict[int, Explained]] = {}
    for dataset, seed, rows in networks(table):
        try:
            models.setdefault(dataset, {})[seed] = explained(rows, seed=seed)
        except NotTestableError:
            continue
    return models


def _importances(models: dict[str, dict[int, Explained]], confidence_level: float) -> pd.DataFrame:
    rows = [
        {"dataset": dataset, "feature": name, "seed": seed, "importance": value}
        for dataset, of_seed in models.items()
        for seed, model in of_seed.items()
        for name, value in model.importance.items()
    ]
    table = pd.DataFrame(rows, columns=["dataset", "feature", "seed", "importance"])
    return over_seeds(
        table, ["dataset", "feature"], "importance", confidence_level=confidence_level
    )


def _r_squared(models: dict[int, Explained]) -> float:
    return float(np.mean([model.r_squared for model in models.values()])) if models else np.nan


def _draw_importance(
    table: pd.DataFrame, models: dict[str, dict[int, Explained]], confidence_level: float
) -> Drawing:
    found = _importances(models, confidence_level)
    datasets = by_dataset(table)
    most = max((int(n) for n in found.groupby("dataset").size()), default=1)
    figure, axes = style.canvas(0.3 * most + 0.7, columns=len(datasets))
    said = []
    for ax, dataset in zip(axes[0], datasets, strict=True):
        part = found[found["dataset"] == dataset].sort_values("mean", ascending=False)
        r_squared = _r_squared(models.get(dataset, {}))
        ax.set_title(f"{dataset} · R² = {number(r_squared)}")
        if part.empty:
            ax.set_axis_off()
            ax.text(0.5, 0.5, "nothing to explain", ha="center", va="center", color=style.MUTED)
            continue
        places = np.arange(len(part))
        colours = [style.MUTED if name == RANDOM else style.RIGHT for name in part["feature"]]
        ax.barh(places, part["mean"], color=colours, height=0.62)
        plots.error_bars(ax, places, part["mean"], part["low"], part["high"], across=True)
        ax.set_yticks(places, [name.replace("_", " ") for name in part["feature"]])
        ax.set_ylim(most - 0.5, -0.5)
        ax.axvline(0, color=style.INK, linewidth=0.8)
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        best = [name.replace("_", " ") for name in part["feature"] if name != RANDOM][:2]
        said.append(
            f"on {dataset} the factors explain {percent(max(r_squared, 0))} of the variance of "
            f"depth, {joined(best)} the most"
        )
    title = "What makes an image deep"
    style.frame(
        figure,
        title=title,
        subtitle="Permutation importance: R² of depth that is lost when a factor of the held-out "
        f"images is shuffled\n{_sizes(table)}\nBars: {percent(confidence_level)} intervals of the "
        "mean over seeds · grey: a random number",
        xlabel="loss of R²",
    )
    sentence = f"Of images that the model was not fitted on, {'; '.join(said)}."
    if not said:
        sentence = "No dataset has factors that could explain depth."
    return Drawing(figure, title, sentence, "A bar for each factor, panels a dataset.")


def _draw_dependence(
    table: pd.DataFrame, models: dict[str, dict[int, Explained]], confidence_level: float
) -> Drawing:
    importance = _importances(models, confidence_level)
    importance = importance[~importance["feature"].isin([CLASS, RANDOM])]
    datasets = by_dataset(table)
    figure, axes = style.canvas(2.3 * _SHOWN_CURVES, rows=_SHOWN_CURVES, columns=len(datasets))
    said = []
    for column, (dataset, colour) in enumerate(zip(datasets, style.palette(datasets), strict=True)):
        part = importance[importance["dataset"] == dataset]
        best = part.sort_values("mean", ascending=False)["feature"].tolist()[:_SHOWN_CURVES]
        for ax in axes[len(best) :, column]:
            ax.set_axis_off()
        phrases = []
        for ax, name in zip(axes[: len(best), column], best, strict=True):
            curves = pd.DataFrame(
                [
                    {"place": x, "depth": y}
                    for model in models[dataset].values()
                    for x, y in zip(*model.dependence[name], strict=True)
                ]
            )
            found = over_seeds(curves, ["place"], "depth", confidence_level=confidence_level)
            ax.fill_between(
                found["place"], found["low"], found["high"], color=colour, alpha=0.18, linewidth=0
            )
            ax.plot(found["place"], found["mean"], color=colour, marker="o", markersize=3.5)
            ax.set_title(dataset)
            ax.set_xlabel(name.replace("_", " "))
            ax.set_ylabel("mean depth")
            ends = found["mean"].iloc[[0, -1]].tolist()
            phrases.append(
                f"from {number(ends[0], 1)} to {number(ends[1], 1)} with {name.replace('_', ' ')}"
            )
        if phrases:
            said.append(f"on {dataset} mean depth goes {joined(phrases)}")
    if said:
        axes[0, 0].legend(
            handles=[Line2D([], [], color=style.MUTED, marker="o", markersize=3.5,
                            label="mean over seeds")], loc="best",
        )  # fmt: skip
    title = "How depth goes with its two strongest factors"
    style.frame(
        figure,
        title=title,
        subtitle="Partial dependence: mean predicted depth of held-out images with one factor set, "
        "between its 10th and 90th percentile\n"
        f"{_sizes(table)}\nBands: {percent(confidence_level)} intervals of the mean over seeds",
    )
    sentence = (
        f"All else as it is, {'; '.join(said)}."
        if said
        else "No dataset has factors that could explain depth."
    )
    return Drawing(figure, title, sentence, "Curves of mean depth over a factor.")


def _sizes(table: pd.DataFrame) -> str:
    n = table.groupby(["dataset", "seed"]).size()
    halves = " or ".join(map(count, sorted(set(n // 2))))
    return f"{sizes(table)}, {halves} test images to fit and as many held out"
