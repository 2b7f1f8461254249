"""What this chapter shows of one run on the page: headline, galleries, figures and tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens.chapters.difficulty import tables as tidy
from depthlens.chapters.difficulty.summary import convergence_note, explanation
from depthlens.chapters.difficulty.tables import Run
from depthlens.prose import count, joined, number, percent
from depthlens.report.page import (
    Card,
    Cell,
    Picture,
    RunSection,
    Table,
    Thumbnail,
    image_source,
)
from depthlens.tables import Images

_THUMBNAILS = 12


def section(
    run: Run,
    images: Images,
    history: pd.DataFrame,
    pictures: Sequence[Picture],
    *,
    confidence_level: float,
) -> RunSection:
    """The part of the page that is about one run.

    Parameters
    ----------
    run : Run
    images : Images
        The test images of the run, in the order of `run.examples`.
    history : DataFrame
        One row an epoch.
    pictures : sequence of Picture
    confidence_level : float
        Of every interval.
    """
    name = f"{run.dataset}-{run.model}-seed{run.seed}"
    level = {"confidence_level": confidence_level}
    return RunSection(
        id=name,
        dataset=run.dataset,
        model=run.model,
        seed=run.seed,
        warning=convergence_note(run),
        cards=_cards(run, history),
        explanation=explanation(run, images.factors, **level),
        hardest=_thumbnails(run, images, tidy.hardest(run, _THUMBNAILS)),
        easiest=_thumbnails(run, images, tidy.easiest(run, _THUMBNAILS)),
        pictures=list(pictures),
        tables=[
            _class_table(name, tidy.by_class(run, **level)),
            _depth_table(name, tidy.by_depth(run, **level)),
            _factor_table(
                name, tidy.by_factor(run, images.factors, **level), run.examples["label"].nunique()
            ),
            _probe_table(name, tidy.by_probe(run, **level)),
        ],
    )


def _cards(run: Run, history: pd.DataFrame) -> list[Card]:
    depth = run.examples["depth"]
    last = run.last_two
    return [
        Card("training accuracy", percent(run.train_accuracy, 1), f"{len(history)} epochs"),
        Card("test accuracy", percent(run.test_accuracy, 1), f"{count(len(depth))} images"),
        Card("mean depth", number(depth.mean()), f"of {run.n_depths - 1} at most"),
        Card(f"settled at {run.first_probe}", percent((depth == 0).mean(), 1), "depth 0"),
        Card(
            "settled last",
            percent(depth.isin(last).mean(), 1),
            f"depth {joined([str(d) for d in last])}",
        ),
    ]


def _thumbnails(run: Run, images: Images, rows: NDArray[np.intp]) -> list[Thumbnail]:
    return [
        Thumbnail(
            image_source(images.images[row.Index]),
            run.classes[row.label],
            [
                f"→ {run.classes[row.prediction]}",
                f"{percent(row.confidence)}, depth {row.depth}",
                f"no. {row.example_id}",
            ],
        )
        for row in run.examples.loc[rows].itertuples()
    ]


def _share(value: float, digits: int = 1) -> Cell:
    return Cell(percent(value, digits), float(value))


def _figure(value: float, digits: int = 2) -> Cell:
    return Cell(number(value, digits), float(value))


def _between(low: float, high: float) -> Cell:
    return Cell(f"{percent(low, 1)} – {percent(high, 1)}", float(low))


def _class_table(name: str, table: pd.DataFrame) -> Table:
    return Table(
        id=f"{name}-classes",
        caption="Classes, hardest first",
        columns=[
            "class",
            "n",
            "accuracy",
            "interval",
            "mean depth",
            "low",
            "high",
            "at depth 0",
            "at the last two depths",
            "most often mistaken for",
        ],
        rows=[
            [
                Cell(row["class"]),
                Cell(count(row["n"]), row["n"]),
                _share(row["accuracy"]),
                _between(row["low"], row["high"]),
                _figure(row["mean_depth"]),
                _figure(row["depth_low"]),
                _figure(row["depth_high"]),
                _share(row["share_first"]),
                _share(row["share_last"]),
                Cell(row["mistaken_for"] if isinstance(row["mistaken_for"], str) else "—"),
            ]
            for row in table.to_dict("records")
        ],
    )


def _depth_table(name: str, table: pd.DataFrame) -> Table:
    return Table(
        id=f"{name}-depths",
        caption="Depths: the probe from which all later ones agree with the network",
        columns=["depth", "settled at", "n", "share", "accuracy", "interval", "can occur"],
        rows=[
            [
                Cell(str(row["depth"]), row["depth"]),
                Cell(row["settled_at"]),
                Cell(count(row["n"]), row["n"]),
                _share(row["share"]),
                _share(row["accuracy"]),
                _between(row["low"], row["high"]) if row["n"] else Cell("—", np.nan),
                Cell("yes" if row["possible"] else "no"),
            ]
            for row in table.to_dict("records")
        ],
    )


def _factor_table(name: str, table: pd.DataFrame, n_classes: int) -> Table:
    return Table(
        id=f"{name}-factors",
        caption="What goes with depth: rank correlation ρ of each factor with prediction depth",
        columns=["factor", "ρ", "low", "high", "variance explained by its bins", "n", "classes"],
        rows=[
            [
                Cell(row["factor"]),
                _figure(row["correlation"], 3),
                _figure(row["low"], 3),
                _figure(row["high"], 3),
                _share(row["explained"]),
                Cell(count(row["n"]), row["n"]),
                Cell("all" if len(row["classes"]) == n_classes else joined(row["classes"])),
            ]
            for row in table.to_dict("records")
        ],
    )


def _probe_table(name: str, table: pd.DataFrame) -> Table:
    def whole(value: float) -> Cell:
        return Cell(count(value), int(value))

    return Table(
        id=f"{name}-probes",
        caption="Probes, in forward order",
        columns=[
            "no.",
            "probe",
            "kind",
            "shape",
            "numbers",
            "parameters",
            "receptive field, px",
            "equals",
            "k-NN accuracy",
            "interval",
            "agrees with the network",
        ],
        rows=[
            [
                Cell(str(index), index),
                Cell(row["probe"]),
                Cell(str(row["kind"])),
                Cell(row["shape"]),
                whole(row["dims"]),
                whole(row["parameters"]),
                Cell("whole image", np.inf)
                if pd.isna(row["receptive_field"])
                else whole(row["receptive_field"]),
                Cell(
                    tidy.display_name(row["duplicate_of"])
                    if isinstance(row["duplicate_of"], str)
                    else "—"
                ),
                _share(row["accuracy"]),
                _between(row["accuracy_low"], row["accuracy_high"]),
                _share(row["agreement"]),
            ]
            for index, row in enumerate(table.to_dict("records"))
        ],
    )
