"""What makes an image deep?"""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from scipy import stats

from depthlens import intervals
from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.datasets import shapes
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent, some

_BINS = 8

# Units of the factors that `datasets.shapes` draws; what another dataset was measured by has none.
_UNITS = {
    "size": "half widths of the image",
    "offset_x": "half widths of the image",
    "offset_y": "half widths of the image",
    "rotation": "degrees",
    "aspect_ratio": "longer : shorter side",
    "contrast": "1 = black to white",
    "background": "0 = black, 1 = white",
    "noise": "σ of a pixel, 1 = white",
}

section = Section(
    __name__,
    title="Factors",
    text="What is known about each image, as it was drawn or measured, beside its depth.",
    columns=words.COLUMNS
    | {
        "explained": Column("variance explained by its bins", words.to_a_tenth),
        "classes": Column("classes", joined),
    },
)


@section.derived
def factors(run, test, level):
    """One row a factor that varies, the most strongly correlated with depth first.

    Only classes in which it varies count: where it is fixed it explains nothing, and the class
    would be mistaken for a cause. `explained` is the share of the variance of depth between
    quantile bins of the factor, which also sees what rises and falls again.
    """
    columns = ["factor", "n", "correlation", "low", "high", "explained", "classes"]
    rows = []
    for name, images in _varying(run, test):
        depth, values = images["depth"], images["value"]
        if np.ptp(depth) == 0:
            continue
        rho = float(stats.spearmanr(values, depth).statistic)
        ends = intervals.spearman(rho, len(depth), confidence_level=level)
        explained = _explained(values.to_numpy(), depth.to_numpy())
        among = [run.classes[label] for label in np.unique(images["label"])]
        rows.append((name, len(depth), rho, *ends, explained, among))
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(
        "correlation", key=lambda rho: -rho.abs(), kind="stable", ignore_index=True
    )


@section.derived
def bins(run, test, level):
    """Mean depth in bins of equal count of each factor that varies; `value` is its median there."""
    return pd.DataFrame(
        {"factor": name, "bin": index, "n": len(inside), "value": inside["value"].median()}
        | words.mean_of(inside["depth"], level, "mean_depth", ("low", "high"))
        for name, images in _varying(run, test)
        for index, inside in images.groupby(quantile_bins(images["value"].to_numpy()))
    )


def quantile_bins(values, n_bins=_BINS):
    """Bin of each value among bins of equal count; equal values share one, so some may be void."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))
    return np.searchsorted(edges, values, side="left")


def _varying(run, test):
    """Each factor that varies, with value, depth and label of images of classes where it does."""
    for name, values in test.factors.items():
        images = run.examples[["depth", "label"]].assign(value=np.asarray(values, np.float64))
        images["value"] = images["value"].where(np.isfinite(images["value"]))
        several = images.groupby("label")["value"].transform("nunique") > 1
        images = images[several & images["value"].notna()]
        if len(images) >= 3 and np.ptp(images["value"]) > 0:
            yield name, images


def _explained(values, depth):
    """Correlation ratio η² of depth over quantile bins of the values."""
    groups = pd.Series(depth, dtype=np.float64).groupby(quantile_bins(values))
    between = (groups.size() * (groups.mean() - depth.mean()) ** 2).sum()
    return float(between / ((depth - depth.mean()) ** 2).sum())


@section.figure(
    "What makes an image deep",
    shows="Mean depth in bins of equal count of each factor, strongest rank correlation ρ with "
    "depth first · dotted: mean of all",
    alt="Small line charts of mean depth against each factor, with their rank correlations.",
)
def depth_by_factor(sheet, run, test, factors, bins):
    sheet.facts.append(f"n = {count(len(run.examples))} test images")
    shown = factors.head(words.MOST_PANELS)
    if shown.empty:
        return words.nothing(sheet, sentence(factors))
    if len(shown) < len(factors):
        sheet.facts.append(f"the {words.MOST_PANELS} strongest")
    sheet.intervals_of = ""
    units = _UNITS if set(shapes.FACTORS) <= set(test.factors) else {}
    inside, of = shown[["factor"]].merge(bins, on="factor"), shown.set_index("factor")
    n_classes, mean = run.examples["label"].nunique(), run.examples["depth"].mean()
    for ax, name, rows in sheet.panels(inside, "factor", 2.15, most_columns=4):
        ax.axhline(mean, color=style.MUTED, linewidth=0.9, linestyle=":")
        sheet.lines(ax, rows, "value", "mean_depth", interval=("low", "high"), color=style.RIGHT)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        scope = len(of.loc[name, "classes"])
        scope = "all classes" if scope == n_classes else f"{some(scope, 'class', 'classes')} only"
        unit = f"{units.get(name, 'as measured')}\nn = {count(of.loc[name, 'n'])}, {scope}"
        ax.set_xlabel(unit, fontsize=8)
        words.in_corner(ax, f"ρ = {number(of.loc[name, 'correlation'])}")
    low, high = inside["mean_depth"].min(), inside["mean_depth"].max()
    room = 0.25 * max(high - low, 0.5)
    ax.set_ylim(max(-0.2, low - room), min(run.n_depths - 0.8, high + room))
    return sentence(factors)


section.table(
    "factors",
    "What goes with depth: rank correlation ρ of each factor with prediction depth",
    lambda run, factors: factors.assign(
        classes=[
            ["all"] if len(names) == run.examples["label"].nunique() else names
            for names in factors["classes"]
        ]
    ),
    keys=("factor",),
    values=("correlation", "low", "high", "explained", "n", "classes"),
)


def sentence(factors):
    """What the table of factors says."""
    if factors.empty:
        return "No factor varies together with depth in this test set."
    top = factors.iloc[0]
    clear = factors[(factors["low"] > 0) | (factors["high"] < 0)]
    rho = f"ρ = {words.with_interval(top, 'correlation')}"
    said = f"No factor is clearly correlated with depth; the strongest is {top['factor']} ({rho})"
    if len(clear):
        way = "rises" if top["correlation"] > 0 else "falls"
        rest = [f"{row.factor} ({number(row.correlation)})" for row in clear[1:4].itertuples()]
        said = f"Depth {way} most clearly with {top['factor']} ({rho})"
        said += f", then changes with {joined(rest)}" if rest else ""
    # A rank correlation is blind to what rises and falls again, such as a distance from the middle.
    bent = [
        f"{row.factor} ({percent(row.explained)} of the variance of depth between its bins)"
        for row in factors.itertuples()
        if row.explained > 0.02 and row.explained > 3 * row.correlation**2
    ]
    if bent:
        said += f"; depth depends, but not in one direction, on {joined(bent)}"
    return f"{said}."


def within(run, test, label):
    """What makes an image of one class deep, if anything clearly does: a sentence, or nothing."""
    found = []
    for name, images in _varying(run, test):
        own = images[images["label"] == label]
        if len(own) > 3 and np.ptp(own["depth"]):
            found.append((float(stats.spearmanr(own["value"], own["depth"]).statistic), name))
    found.sort(key=lambda pair: (-abs(pair[0]), pair[1]))
    strong = [f"{name} (ρ = {number(rho)})" for rho, name in found[:3] if abs(rho) >= 0.1]
    if not strong or run.examples["label"].nunique() == 1:
        return []
    return [f"Within {run.classes[label]} alone, depth goes with {joined(strong)}."]
