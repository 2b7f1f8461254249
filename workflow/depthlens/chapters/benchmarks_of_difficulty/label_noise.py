"""Which scores find wrong labels: claims and figures of the sweep `label_noise`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from depthlens.chapters.comparing import label_below
from depthlens.chapters.over_seeds import (
    by_dataset,
    judge_each,
    over_seeds,
    sizes,
)
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import joined, number, percent
from depthlens.report.page import Cell, Table
from depthlens.scores.catalogue import SCORES

DEPTHS = {
    "depth": "Prediction depth",
    "depth_label": "Depth until the label",
    "depth_self_voting": "Depth with self-votes",
}
TITLES = DEPTHS | {score.name: score.title for score in SCORES} | {"random": "Random"}
_SHOWN_RATE = 0.2
"""the rate that claims are about, or the nearest to it that was made"""


def _claim(id: str, statement: str, source: str, measure: str, threshold: Threshold) -> Claim:
    return Claim(
        chapter="benchmarks_of_difficulty",
        id=id,
        statement=statement,
        source=source,
        measure=f"{measure}, at a rate of {_SHOWN_RATE:g} or the nearest, mean over seeds",
        threshold=threshold,
    )


CLAIMS = (
    _claim(
        "wrong-labels-are-deep",
        "Images with a wrong label are deeper than those with a right one.",
        "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647",
        "AUROC of prediction depth, training images, uniform noise",
        Threshold(above=0.5),
    ),
    _claim(
        "area-under-margin-finds-wrong-labels",
        "The area under the margin tells wrong labels from right ones.",
        "Pleiss et al. (2020), arXiv 2001.10528",
        "AUROC of the area under the margin, uniform noise",
        Threshold(at_least=0.9),
    ),
    _claim(
        "training-tells-more-than-its-end",
        "What a network went through tells wrong labels better than its loss at the end.",
        "Pleiss et al. (2020), arXiv 2001.10528; Swayamdipta et al. (2020), arXiv 2009.10795",
        "AUROC of the area under the margin minus that of the loss, uniform noise",
        Threshold(above=0),
    ),
    _claim(
        "depth-finds-more-than-loss",
        "Prediction depth finds wrong labels better than the loss does.",
        "course material on prediction depth",
        "AUROC of prediction depth minus that of the loss, uniform noise",
        Threshold(above=0),
    ),
    _claim(
        "self-votes-hide-wrong-labels",
        "Depth finds wrong labels less well where each image votes for itself.",
        "implementations of prediction depth in which training images are their own neighbours",
        "AUROC of prediction depth, leave-one-out, minus that with self-votes, uniform noise",
        Threshold(above=0),
    ),
    _claim(
        "feature-noise-is-harder-to-find",
        "Wrong labels that depend on the image are harder to find than random ones.",
        "Xia et al. (2020), arXiv 2006.07836",
        "AUROC of the area under the margin under uniform minus under feature-dependent noise",
        Threshold(above=0),
    ),
)

# Of each claim: what its value is made of, (sign, score, kind of noise).
_TERMS = {
    "wrong-labels-are-deep": [(1, "depth", "uniform")],
    "area-under-margin-finds-wrong-labels": [(1, "area_under_margin", "uniform")],
    "training-tells-more-than-its-end": [
        (1, "area_under_margin", "uniform"),
        (-1, "loss", "uniform"),
    ],
    "depth-finds-more-than-loss": [(1, "depth", "uniform"), (-1, "loss", "uniform")],
    "self-votes-hide-wrong-labels": [
        (1, "depth", "uniform"),
        (-1, "depth_self_voting", "uniform"),
    ],
    "feature-noise-is-harder-to-find": [
        (1, "area_under_margin", "uniform"),
        (-1, "area_under_margin", "feature"),
    ],
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the sweep, dataset by dataset."""
    table = tables["label_noise"]
    at_rate = table[table["rate"] == _rate(table)]

    def measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
        auroc = rows.pivot_table(index="seed", columns=["score", "kind"], values="auroc")
        terms = _TERMS[claim.id]
        for _, score, kind in terms:
            if (score, kind) not in auroc:
                raise NotTestableError(f"no network was trained under {kind} noise")
        return sum(sign * auroc[score, kind] for sign, score, kind in terms).dropna().tolist()

    return judge_each(CLAIMS, measure, at_rate, confidence_level=confidence_level)


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Figures of the section: every score at one rate, and a few against the rate."""
    table = tables["label_noise"]
    return {
        "label_noise_scores": _draw_scores(table, confidence_level),
        "label_noise_rates": _draw_rates(table, confidence_level),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Both measures of every score, by dataset, kind and rate."""
    keys = ["dataset", "kind", "rate", "score"]
    table = tables["label_noise"]
    both = [
        over_seeds(table, keys, measure, confidence_level=confidence_level).set_index(keys)
        for measure in ("auroc", "auprc")
    ]
    rows = []
    for key in both[0].index:
        auroc, auprc = (measure.loc[key] for measure in both)
        dataset, kind, rate, score = key
        rows.append(
            [
                Cell(dataset),
                Cell(kind),
                Cell(percent(rate), rate),
                Cell(TITLES[score]),
                Cell(number(auroc["mean"], 3), auroc["mean"]),
                Cell(f"{number(auroc['low'], 3)} … {number(auroc['high'], 3)}", auroc["low"]),
                Cell(number(auprc["mean"], 3), auprc["mean"]),
            ]
        )
    columns = ["dataset", "noise", "rate", "score", "AUROC", "interval", "average precision"]
    caption = "How well each score finds wrong labels (average precision by chance: the rate)"
    return [Table(id="table-label-noise", caption=caption, columns=columns, rows=rows)]


_KIND_TITLES = {
    "uniform": "uniform",
    "asymmetric": "asymmetric: to the class that looks nearest",
    "adjacent": "adjacent class",
    "feature": "depends on the image",
}
_LINES = ("area_under_margin", "depth", "depth_self_voting", "loss", "random")


def _draw_scores(table: pd.DataFrame, confidence_level: float) -> Drawing:
    rate = _rate(table)
    found = over_seeds(
        table[table["rate"] == rate],
        ["dataset", "kind", "score"],
        "auroc",
        confidence_level=confidence_level,
    )
    order = found.groupby("score")["mean"].mean().sort_values().index
    datasets, kinds = by_dataset(table), list(dict.fromkeys(table["kind"]))
    figure, axes = style.canvas(0.3 * len(order) + 0.7, columns=len(datasets), sharey=True)
    offsets = np.linspace(0.27, -0.27, len(kinds)) if len(kinds) > 1 else [0.0]
    colours = style.palette(kinds)
    for ax, dataset in zip(axes[0], datasets, strict=True):
        ax.axvline(0.5, color=style.MUTED, linestyle="--", linewidth=1)
        for kind, offset, colour in zip(kinds, offsets, colours, strict=True):
            of_kind = found[(found["dataset"] == dataset) & (found["kind"] == kind)]
            of_kind = of_kind.set_index("score").reindex(order)
            places = np.arange(len(order)) + offset
            plots.error_bars(
                ax, places, of_kind["mean"], of_kind["low"].clip(0, 1),
                of_kind["high"].clip(0, 1), across=True, ecolor=colour, elinewidth=1,
            )  # fmt: skip
            ax.plot(of_kind["mean"], places, "o", color=colour, markersize=4.5)
        ax.set_title(dataset)
        ax.set_xlim(left=min(0.45, ax.get_xlim()[0]), right=1.01)
        ax.grid(axis="x")
    # The panels share this axis: only the first of them shows its labels.
    first = axes[0, 0]
    first.set_yticks(range(len(order)), [TITLES[score] for score in order])
    for label, score in zip(first.get_yticklabels(), order, strict=True):
        label.set_fontweight("bold" if score in DEPTHS else "normal")
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=_KIND_TITLES[kind])
        for kind, colour in zip(kinds, colours, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(kinds))
    title = f"Which scores find wrong labels, {percent(rate)} of the labels wrong"
    style.frame(
        figure,
        title=title,
        subtitle=f"AUROC of telling wrong from right labels of training images · {sizes(table)}\n"
        f"Bars: {percent(confidence_level)} intervals of the mean over seeds · dashed: choosing "
        "at random",
    )
    means = found[found["score"] != "random"].groupby("score")["mean"].mean().sort_values()
    best, depth = means.index[-1], found[found["score"] == "depth"]["mean"].mean()
    sentence = (
        f"{TITLES[best]} finds wrong labels best, with a mean AUROC of {number(means.iloc[-1], 2)} "
        f"over {joined([str(name) for name in datasets])}; prediction depth has {number(depth, 2)}."
    )
    return Drawing(figure, title, sentence, "Dots for each score, one colour a kind of noise.")


def _draw_rates(table: pd.DataFrame, confidence_level: float) -> Drawing:
    found = over_seeds(
        table, ["dataset", "kind", "rate", "score"], "auroc", confidence_level=confidence_level
    )
    datasets, kinds = by_dataset(table), list(dict.fromkeys(table["kind"]))
    shown = [score for score in _LINES if score in set(found["score"])]
    colours = dict(zip(shown, style.palette(shown), strict=True)) | {"random": style.MUTED}
    figure, axes = style.canvas(
        1.7 * len(kinds) + 0.4, rows=len(kinds), columns=len(datasets), sharex=True, sharey=True
    )
    for row, kind in zip(axes, kinds, strict=True):
        for ax, dataset in zip(row, datasets, strict=True):
            panel = found[(found["dataset"] == dataset) & (found["kind"] == kind)]
            for score in shown:
                line = panel[panel["score"] == score].sort_values("rate")
                dashed = "--" if score == "random" else "-"
                ax.fill_between(
                    line["rate"], line["low"].clip(0, 1), line["high"].clip(0, 1),
                    color=colours[score], alpha=0.15, linewidth=0,
                )  # fmt: skip
                ax.plot(
                    line["rate"], line["mean"], dashed, marker="o", markersize=3.5,
                    color=colours[score], label=TITLES[score],
                )  # fmt: skip
            ax.set_title(f"{dataset} · {kind}", fontsize=9)
            plots.percent_axis(ax.xaxis)
            ax.set_ylim(0, 1.02)
            ax.set_yticks([0, 0.5, 1])
    label_below(axes, "share of wrong labels")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(shown)
    )
    title = "How the share of wrong labels changes how well they are found"
    style.frame(
        figure,
        title=title,
        subtitle=f"AUROC of five scores · {sizes(table)}\nBands: {percent(confidence_level)} "
        "intervals of the mean over seeds",
        ylabel="AUROC",
    )
    ends = [
        found[(found["score"] == "area_under_margin") & (found["rate"] == rate)]["mean"].mean()
        for rate in (found["rate"].min(), found["rate"].max())
    ]
    rates = [percent(found["rate"].min()), percent(found["rate"].max())]
    sentence = (
        f"The AUROC of the area under the margin goes from {number(ends[0], 2)} at {rates[0]} "
        f"wrong labels to {number(ends[1], 2)} at {rates[1]}."
        if rates[0] != rates[1]
        else f"One rate was made, {rates[0]}: area under the margin {number(ends[0], 2)}."
    )
    return Drawing(figure, title, sentence, "Lines of AUROC over the rate, one panel a kind.")


def _rate(table: pd.DataFrame) -> float:
    """The rate nearest to the one that claims are about."""
    rates = table["rate"].unique()
    return float(rates[np.abs(rates - _SHOWN_RATE).argmin()])
