"""What this chapter shows of one run on the page: headline, galleries, figures and tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens.chapters.difficulty import comparisons
from depthlens.chapters.difficulty import tables as tidy
from depthlens.chapters.difficulty.summary import convergence_note, explanation
from depthlens.chapters.difficulty.tables import Run, Split
from depthlens.prose import count, joined, number, of_depths, percent, some
from depthlens.report.page import (
    Card,
    Cell,
    Picture,
    RunSection,
    Table,
    Thumbnail,
    image_source,
)
from depthlens.scores.catalogue import BY_NAME
from depthlens.tables import Images

_THUMBNAILS = 12
_SPLITS = {"test": "test images", "train": "training images"}


def section(
    run: Run,
    images: Images,
    history: pd.DataFrame | None,
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
    history : DataFrame or None
        One row an epoch; None where the network came with weights.
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
            _depth_table(name, tidy.by_depth(run, **level), len(run.probes)),
            _factor_table(
                name, tidy.by_factor(run, images.factors, **level), run.examples["label"].nunique()
            ),
            _score_table(name, comparisons.with_depth(run, **level)),
            _pair_table(name, run, confidence_level),
            *(
                _k_table(name, split, of_split, confidence_level)
                for split, of_split in run.splits.items()
            ),
            _probe_table(name, tidy.by_probe(run, **level)),
        ],
    )


def scores_table() -> Table:
    """What every score is: its formula, range, direction and source."""
    return Table(
        id="table-scores",
        caption="Scores of difficulty",
        columns=["score", "column", "formula", "range", "harder where", "source"],
        rows=[
            [
                Cell(score.title),
                Cell(score.name),
                Cell(score.formula),
                Cell(f"{_end(score.low)} … {_end(score.high)}"),
                Cell("larger" if score.harder > 0 else "smaller"),
                Cell(score.source),
            ]
            for score in BY_NAME.values()
        ],
    )


def _cards(run: Run, history: pd.DataFrame | None) -> list[Card]:
    depth = run.examples["depth"]
    last = run.last_two
    learned = "weights were given" if history is None else some(len(history), "epoch")
    return [
        Card("training accuracy", percent(run.train_accuracy, 1), learned),
        Card("test accuracy", percent(run.test_accuracy, 1), f"{count(len(depth))} images"),
        Card("mean depth", number(depth.mean()), of_depths(depth.mean(), len(run.probes))),
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


def _end(value: float) -> str:
    return f"{value:.3g}".replace("-", "−").replace("inf", "∞")


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


def _depth_table(name: str, table: pd.DataFrame, n_probes: int) -> Table:
    return Table(
        id=f"{name}-depths",
        caption="Depths: the probe from which all later ones agree with the network",
        columns=[
            "depth",
            "relative depth",
            "settled at",
            "n",
            "share",
            "accuracy",
            "interval",
            "can occur",
        ],
        rows=[
            [
                Cell(str(row["depth"]), row["depth"]),
                _figure(row["depth"] / n_probes),
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


def _correlation(row: object) -> list[Cell]:
    return [
        _figure(row.correlation, 3),
        _figure(row.low, 3),
        _figure(row.high, 3),
        Cell(count(row.n), row.n),
    ]


def _score_table(name: str, table: pd.DataFrame) -> Table:
    return Table(
        id=f"{name}-scores",
        caption="Scores and prediction depth: rank correlation ρ, scores turned so that larger "
        "means harder",
        columns=["score", "images", "ρ with depth", "low", "high", "n"],
        rows=[
            [Cell(comparisons.title_of(row.score)), Cell(_SPLITS[row.split]), *_correlation(row)]
            for row in table.itertuples()
        ],
    )


def _pair_table(name: str, run: Run, confidence_level: float) -> Table:
    values = comparisons.oriented(run.test)
    found = comparisons.rank_correlations(values.to_numpy(), confidence_level=confidence_level)
    table = comparisons.by_pair(list(values.columns), found)
    return Table(
        id=f"{name}-correlations",
        caption="All pairs of scores on the test images: rank correlation ρ, strongest first",
        columns=["score", "and score", "ρ", "low", "high", "n"],
        rows=[
            [
                Cell(comparisons.title_of(row.a)),
                Cell(comparisons.title_of(row.b)),
                *_correlation(row),
            ]
            for row in table.itertuples()
        ],
    )


def _k_table(name: str, split: str, of_split: Split, level: float) -> Table:
    return Table(
        id=f"{name}-neighbours-{split}",
        caption=f"Depth of {_SPLITS[split]} by number of neighbours",
        columns=[
            "k",
            "mean depth",
            "low",
            "high",
            f"ρ with depth at k = {of_split.n_neighbors}",
            "low",
            "high",
            "other depth",
            "interval",
        ],
        rows=[
            [
                Cell(count(row.k), int(row.k)),
                _figure(row.mean_depth),
                _figure(row.low),
                _figure(row.high),
                _figure(row.correlation, 3),
                _figure(row.correlation_low, 3),
                _figure(row.correlation_high, 3),
                _share(row.changed),
                _between(row.changed_low, row.changed_high),
            ]
            for row in comparisons.by_k(of_split, confidence_level=level).itertuples()
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
