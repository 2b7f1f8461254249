"""What this chapter shows on the page, and its numbers for machines: of a run, of an ensemble."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens.chapters.difficulty import card as cards
from depthlens.chapters.difficulty import contents, depth, factors, galleries, probes, scores
from depthlens.chapters.difficulty.card import HELD_OUT, TRAIN, Ensemble
from depthlens.chapters.difficulty.choices import references, self_votes
from depthlens.chapters.difficulty.classes import classes
from depthlens.chapters.difficulty.classes import sentence as of_classes
from depthlens.chapters.difficulty.neighbours import by_k
from depthlens.chapters.difficulty.run import Run
from depthlens.chapters.page_tables import report_tables
from depthlens.prose import count, joined, number, of_depths, percent, some
from depthlens.report.page import (
    Card,
    Cell,
    EnsembleSection,
    Picture,
    RunSection,
    Table,
    Thumbnail,
    image_source,
)
from depthlens.scores.catalogue import BY_NAME
from depthlens.tables import Images

_THUMBNAILS = 12
HEADLINE = ("train_accuracy", "test_accuracy", "mean_depth")
"""what a study is compared by: names in summary.json"""

_DIGITS = 6  # significant ones in summary.json: more would differ between processors


def run_section(
    run: Run,
    test: Images,
    history: pd.DataFrame | None,
    pictures: Sequence[Picture],
    *,
    level: float,
) -> RunSection:
    """The part of the page that is about one run.

    Parameters
    ----------
    run : Run
    test : Images
        The test images of the run, in the order of `run.examples`.
    history : DataFrame or None
        One row an epoch; None where the network came with weights.
    pictures : sequence of Picture
    level : float
        Confidence level of every interval.
    """
    things = contents.of_run(run, test=test, level=level)
    return RunSection(
        id=run.name,
        dataset=run.dataset,
        model=run.model,
        seed=run.seed,
        warning=run.warning,
        cards=_cards(run, history),
        explanation=explanation(run, test, level),
        hardest=_thumbnails(run, test, galleries.hardest(run, _THUMBNAILS)),
        easiest=_thumbnails(run, test, galleries.easiest(run, _THUMBNAILS)),
        pictures=list(pictures),
        tables=_tables(things, run.name),
    )


def _tables(things: Mapping[str, object], of: str) -> list[Table]:
    level = {"confidence_level": things["level"]}
    found = (report_tables(section, things, of=of, **level) for section in contents.SECTIONS)
    return list(chain.from_iterable(found))


def explanation(run: Run, test: Images, level: float) -> list[str]:
    """Which images are hard for the network, and why: paragraphs read off the data."""
    of_class = classes(run, level)
    paragraphs = [
        depth.sentence(run, depth.depths(run, level)),
        of_classes(of_class),
        factors.sentence(factors.factors(run, test, level)),
        *factors.within(run, test, of_class["label"].iloc[0]),
    ]
    if run.warning:
        paragraphs.insert(0, f"{run.warning}. What follows is no measure of difficulty yet.")
    return paragraphs


def _cards(run: Run, history: pd.DataFrame | None) -> list[Card]:
    settled, last = run.examples["depth"], run.last_two
    learned = "weights were given" if history is None else some(len(history), "epoch")
    mean, late = settled.mean(), f"depth {joined([str(d) for d in last])}"
    return [
        Card("training accuracy", percent(run.train_accuracy, 1), learned),
        Card("test accuracy", percent(run.test_accuracy, 1), f"{count(len(settled))} images"),
        Card("mean depth", number(mean), of_depths(mean, len(run.probes))),
        Card(f"settled at {run.first_probe}", percent((settled == 0).mean(), 1), "depth 0"),
        Card("settled last", percent(settled.isin(last).mean(), 1), late),
    ]


def _thumbnails(run: Run, test: Images, rows: NDArray[np.intp]) -> list[Thumbnail]:
    return [
        Thumbnail(
            image_source(test.images[row.Index]),
            run.classes[row.label],
            [
                f"→ {run.classes[row.prediction]}",
                f"{percent(row.confidence)}, depth {row.depth}",
                f"no. {row.example_id}",
            ],
        )
        for row in run.examples.loc[rows].itertuples()
    ]


def run_numbers(run: Run, test: Images, *, level: float) -> dict[str, Any]:
    """Everything the report says of one run, as JSON-ready numbers.

    Returns
    -------
    dict
        dataset, model, seed, converged, n_test, train_accuracy, test_accuracy, mean_depth, depths,
        classes, factors, probes, scores (rank correlations with depth), neighbours (depth by k, of
        each split), references (depth by reference): lists of one object a row. self_voting is
        there if training images are studied. Numbers that do not exist are None.
    """
    found = {
        "dataset": run.dataset,
        "model": run.model,
        "seed": run.seed,
        "converged": run.converged,
        "confidence_level": level,
        "n_test": len(run.examples),
        "train_accuracy": run.train_accuracy,
        "test_accuracy": run.test_accuracy,
        "mean_depth": run.examples["depth"].mean(),
        "depths": depth.depths(run, level),
        "classes": classes(run, level),
        "factors": factors.factors(run, test, level),
        "probes": probes.probes(run, level).drop(columns="probe"),
        "scores": scores.scores(run, level),
        "neighbours": {name: by_k(split, level) for name, split in run.splits.items()},
        "references": references(run, level),
    }
    if run.train is not None:
        found["self_voting"] = self_votes(run.train, level)
    return plain(found)


def headline(found: Iterable[Mapping[str, Any]]) -> dict[str, dict]:
    """The numbers by which studies are compared, by dataset, model and seed.

    Down to `{dataset: {model: {"seed1": {"mean_depth": 7.31, …}}}}`: scalars, as DVC's metrics
    leave out lists and all that is in them.
    """
    heads: dict[str, dict] = {}
    for run in found:
        seeds = heads.setdefault(run["dataset"], {}).setdefault(run["model"], {})
        seeds[f"seed{run['seed']}"] = {name: run[name] for name in HEADLINE}
    return heads


def plain(value: object) -> object:
    """What JSON can hold: six significant digits, None for no number; an object a row."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def ensemble_section(
    ensemble: Ensemble, pictures: Sequence[Picture], *, warning: str | None, level: float
) -> EnsembleSection:
    """The part of the page that is about one dataset and model; see `run_section`.

    Parameters
    ----------
    warning : str or None
        What a reader must know before believing it.
    """
    name = f"{ensemble.dataset}-{ensemble.model}"
    networks = some(ensemble.n_networks, "network")
    return EnsembleSection(
        id=f"{name}-ensemble",
        title=f"{ensemble.dataset} · {ensemble.model} · over {networks}",
        warning=warning,
        cards=_ensemble_cards(ensemble),
        explanation=ensemble_explanation(ensemble),
        pictures=list(pictures),
        tables=_tables({"ensemble": ensemble, "level": level}, name),
    )


def ensemble_explanation(ensemble: Ensemble) -> list[str]:
    """How the networks came about and what the tables are ordered by: paragraphs."""
    card, other = ensemble.card, ensemble.otherwise
    seen, unseen = (
        count(n.min()) if n.min() == n.max() else f"{count(n.min())} to {count(n.max())}"
        for n in (card["n_train"], card["n_held_out"])
    )
    paragraphs = [
        f"{some(ensemble.n_networks, 'network')} were trained with other initial weights and on "
        f"other images: each of the {count(len(card))} images was learned from by {seen} of them "
        f"and held out from {unseen}. The consensus of an image is the class that most of those "
        f"give which did not learn from it; for {count(other)} images "
        f"({percent(other / len(card), 1)}) it is another class than the label.",
        "An image can look like one of another class, or have a wrong label. Its resemblance is "
        "d / P · (1 − h / P) · c, with the mean depth d where it was learned from and h where it "
        f"was held out, P = {ensemble.n_probes} probes and the share c of unseeing networks that "
        "give the consensus; 0 where the consensus is the label. At 1 every network that learned "
        "from the image gives its label at the very end, and every other one the same other class "
        "from the first probe on.",
    ]
    for _, first in cards.lookalikes(ensemble, 1).iterrows():
        place = {"train": "training set", "test": "test set"}[first["split"]]
        paragraphs.append(
            f"The image most like another class is no. {first['split_id']} of the {place}, "
            f"labelled {ensemble.classes[first['label']]}: "
            f"{percent(first['consensus_consistency'])} of the networks that did not learn from it "
            f"say {ensemble.classes[first['consensus']]}."
        )
    return paragraphs


def _ensemble_cards(ensemble: Ensemble) -> list[Card]:
    both, n, other = ensemble.both, len(ensemble.card), ensemble.otherwise
    depths = {
        "mean depth, held out": both[HELD_OUT].mean(),
        "mean depth, learned": both[TRAIN].mean(),
    }
    found = [
        Card("networks", count(ensemble.n_networks), f"{count(n)} images"),
        *(Card(of, number(d), of_depths(d, ensemble.n_probes)) for of, d in depths.items()),
        Card("consensus is not the label", percent(other / n, 1), some(other, "image")),
    ]
    of_depth = ensemble.reliability.query("score == 'depth' and side == 'held_out'")
    for row in of_depth.itertuples():
        needed = row.networks_needed
        hint = f"0.9 with {count(np.ceil(needed))}" if np.isfinite(needed) else "never 0.9"
        found.append(Card("reliability of a network’s depth", number(row.reliability), hint))
    return found


def ensemble_numbers(ensemble: Ensemble, *, level: float) -> dict[str, Any]:
    """Everything the report says of an ensemble, as JSON-ready numbers.

    Returns
    -------
    dict
        dataset, model, n_networks, n_images (with a depth on both sides), mean depths, corners
        (images by the half of the scale that each mean depth lies in), consensus_by_depth and
        reliability: lists of one object a row.
    """
    both = ensemble.both
    return plain(
        {
            "dataset": ensemble.dataset,
            "model": ensemble.model,
            "n_networks": ensemble.n_networks,
            "n_images": len(both),
            "mean_depth": {"train": both[TRAIN].mean(), "held_out": both[HELD_OUT].mean()},
            "corners": [
                {
                    "corner": corner.name,
                    "training": corner.train,
                    "held_out": corner.held_out,
                    "n": n,
                }
                for corner, n in cards.quadrants(ensemble).items()
            ],
            "consensus_by_depth": cards.consensus(ensemble, level),
            "reliability": cards.ranked(ensemble),
        }
    )


def scores_table() -> Table:
    """What every score is: its formula, range, direction and source."""

    def end(value: float) -> str:
        return f"{value:.3g}".replace("-", "−").replace("inf", "∞")

    return Table(
        id="table-scores",
        caption="Scores of difficulty",
        columns=["score", "column", "formula", "range", "harder where", "source"],
        rows=[
            [
                Cell(score.title),
                Cell(score.name),
                Cell(score.formula),
                Cell(f"{end(score.low)} … {end(score.high)}"),
                Cell("larger" if score.harder > 0 else "smaller"),
                Cell(score.source),
            ]
            for score in BY_NAME.values()
        ],
    )
