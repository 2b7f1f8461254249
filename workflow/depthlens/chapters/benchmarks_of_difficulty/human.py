"""Depth and people: what they are unsure of, and where they err."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from depthlens.chapters.over_seeds import (
    by_dataset,
    mean_over_seeds,
    over_seeds,
    sizes,
)
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, Threshold, judge
from depthlens.prose import joined, number, percent
from depthlens.report.page import Cell, Table
from depthlens.scores.catalogue import SCORES

UNCERTAINTY, LABEL_ERRORS = "uncertainty", "label errors"
NOTHING = "no file of human answers is named in chapters.benchmarks_of_difficulty.human"
_FILE = {UNCERTAINTY: "counts", LABEL_ERRORS: "labels"}
_TITLES = {
    "depth": "Prediction depth",
    "depth_label": "Depth until the label",
    "depth_self_voting": "Depth with self-votes",
    "random": "Random",
} | {score.name: score.title for score in SCORES}


def _claim(id: str, statement: str, measure: str, threshold: Threshold) -> Claim:
    return Claim(
        chapter="benchmarks_of_difficulty",
        id=id,
        statement=statement,
        source="commonly said of prediction depth; course material on prediction depth",
        measure=f"{measure}; mean over seeds",
        threshold=threshold,
    )


CLAIMS = (
    _claim(
        "people-are-unsure-of-deep-images",
        "The deeper an image, the less people agree on what it is.",
        "Spearman correlation of depth with the entropy of people's answers, over test images",
        Threshold(above=0),
    ),
    _claim(
        "depth-finds-human-label-errors",
        "Depth finds the images that people labelled wrongly.",
        "AUROC of prediction depth for labels that differ from the dataset's, training images of "
        "a network that learned from people's labels",
        Threshold(above=0.7),
    ),
)
_QUESTION = {
    "people-are-unsure-of-deep-images": UNCERTAINTY,
    "depth-finds-human-label-errors": LABEL_ERRORS,
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against every dataset of which people were asked.

    Without any, they are not testable, which is said of the first dataset and architecture of the
    sweep `portraits`.
    """
    table = _asked(tables)
    if table.empty:
        first = tables["portraits"].iloc[0]
        about = {"dataset": first["dataset"], "model": first["architecture"]}
        return [judge(claim, NotTestableError(NOTHING), **about) for claim in CLAIMS]
    findings = []
    for dataset, rows in table.groupby("dataset", sort=False):
        model = rows["architecture"].iloc[0]
        for claim in CLAIMS:
            try:
                found = _measured(rows, _QUESTION[claim.id], confidence_level)
            except NotTestableError as reason:
                found = reason
            findings.append(judge(claim, found, dataset=dataset, model=model))
    return findings


def _measured(rows: pd.DataFrame, question: str, confidence_level: float) -> Measurement:
    part = rows[(rows["question"] == question) & (rows["score"] == "depth")]
    if part.empty:
        raise NotTestableError(
            f"no file of {_FILE[question]} is named for it in "
            "chapters.benchmarks_of_difficulty.human"
        )
    values = part["value"]
    if values.isna().any():
        what = "depth or people's answers are" if question == UNCERTAINTY else "all labels are"
        raise NotTestableError(f"{what} the same for all images")
    return mean_over_seeds(values.tolist(), confidence_level=confidence_level)


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Every score beside what people said; in words where nobody was asked."""
    table = _asked(tables)
    drawing = _draw_nothing() if table.empty else _draw(table, confidence_level)
    return {"depth_and_people": drawing}


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Every score beside what people said; no table where nobody was asked."""
    table = _asked(tables)
    if table.empty:
        return []
    keys = ["dataset", "question", "score"]
    found = over_seeds(table, keys, "value", confidence_level=confidence_level)
    rows = [
        [
            Cell(row.dataset),
            Cell(row.question),
            Cell(_TITLES[row.score]),
            Cell(number(row.mean, 3), row.mean),
            Cell(f"{number(row.low, 3)} … {number(row.high, 3)}"),
            Cell(str(row.n), row.n),
        ]
        for row in found.itertuples()
    ]
    columns = ["dataset", "question", "score", "value", "interval", "seeds"]
    caption = (
        "What people said of the images: rank correlation of each score with the entropy of their "
        "answers, and AUROC for their label errors"
    )
    return [Table(id="table-human", caption=caption, columns=columns, rows=rows)]


def _asked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The sweep's table; empty where it has no cells."""
    table = tables.get("human")
    return pd.DataFrame() if table is None or table.empty else table


def _draw_nothing() -> Drawing:
    figure, axes = style.canvas(1.2)
    ax = axes[0, 0]
    ax.set_axis_off()
    sentence = f"Not testable here: {NOTHING}."
    ax.text(0.5, 0.5, sentence, ha="center", va="center", color=style.MUTED)
    title = "What people are unsure of, and where they err"
    style.frame(figure, title=title, subtitle="n = 0 images that people were asked about")
    return Drawing(figure, title, sentence, sentence)


def _draw(table: pd.DataFrame, confidence_level: float) -> Drawing:
    keys = ["dataset", "question", "score"]
    found = over_seeds(table, keys, "value", confidence_level=confidence_level)
    order = list(dict.fromkeys(found.sort_values("mean", ascending=False)["score"]))
    datasets = by_dataset(table)
    figure, axes = style.canvas(0.28 * len(order) + 0.8, columns=2, sharey=True)
    panels = (
        (UNCERTAINTY, 0.0, "rank correlation with the entropy of people's answers"),
        (LABEL_ERRORS, 0.5, "AUROC for the labels that people got wrong"),
    )
    colours = style.palette(datasets)
    offsets = np.linspace(-0.15, 0.15, len(datasets)) if len(datasets) > 1 else [0.0]
    said = []
    for ax, (question, chance, label) in zip(axes[0], panels, strict=True):
        ax.axvline(chance, color=style.MUTED, linestyle="--", linewidth=1)
        for dataset, offset, colour in zip(datasets, offsets, colours, strict=True):
            part = found[(found["question"] == question) & (found["dataset"] == dataset)]
            part = part.set_index("score").reindex(order)
            places = np.arange(len(order)) + offset
            plots.error_bars(
                ax, places, part["mean"], part["low"].clip(-1, 1), part["high"].clip(-1, 1),
                across=True, ecolor=colour,
            )  # fmt: skip
            ax.plot(part["mean"], places, "o", color=colour, markersize=5, label=dataset)
            if "depth" in part.index and np.isfinite(part.loc["depth", "mean"]):
                said.append(f"{number(part.loc['depth', 'mean'])} for {question} on {dataset}")
        if not (found["question"] == question).any():
            ax.text(0.5, 0.5, f"no file of {_FILE[question]} is named", ha="center", va="center",
                    transform=ax.transAxes, color=style.MUTED)  # fmt: skip
        ax.set_yticks(range(len(order)), [_TITLES[score] for score in order])
        ax.set_ylim(len(order) - 0.5, -0.5)
        ax.set_xlabel(label)
        ax.set_title(question.capitalize())
        ax.grid(True, axis="x")
    axes[0, 0].legend(loc="lower right")
    title = "What people are unsure of, and where they err"
    style.frame(
        figure,
        title=title,
        subtitle=f"Every score, signed so that harder is larger · {sizes(table)}\nBars: "
        f"{percent(confidence_level)} intervals of the mean over seeds · dashed: choosing at "
        "random",
    )
    sentence = f"Prediction depth has {joined(said)}." if said else "No measure of depth exists."
    alt = "Dots for each score, a panel for people's uncertainty and one for their label errors."
    return Drawing(figure, title, sentence, alt)
