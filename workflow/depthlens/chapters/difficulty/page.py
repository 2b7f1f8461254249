"""What this chapter shows on the page beside figures and tables: cards, paragraphs, pictures."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from depthlens.chapters.difficulty import classes, contents, depth, factors, galleries
from depthlens.chapters.difficulty.card import HELD_OUT, TRAIN, lookalikes
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

_THUMBNAILS = 12


def run_section(things: Mapping[str, Any], pictures: Sequence[Picture]) -> RunSection:
    """The part of the page that is about one run.

    Parameters
    ----------
    things : mapping
        See `contents.of_run`: run, test, level and, unless the network came with weights, history.
    pictures : sequence of Picture
    """
    run, test = things["run"], things["test"]
    return RunSection(
        id=run.name,
        dataset=run.dataset,
        model=run.model,
        seed=run.seed,
        warning=run.warning,
        cards=_cards(run, things.get("history")),
        explanation=explanation(things),
        hardest=_thumbnails(run, test, galleries.hardest(run, _THUMBNAILS)),
        easiest=_thumbnails(run, test, galleries.easiest(run, _THUMBNAILS)),
        pictures=list(pictures),
        tables=_tables(things, of=run.name),
    )


def _tables(things: Mapping[str, Any], *, of: str) -> list[Table]:
    """Every table that there is enough for; what their ids begin with is `of`."""
    found = (
        report_tables(section, things, confidence_level=things["level"], of=of)
        for section in contents.SECTIONS
    )
    return list(chain.from_iterable(found))


def explanation(things: Mapping[str, Any]) -> list[str]:
    """Which images are hard for the network, and why: paragraphs read off the data."""
    run, of_class = things["run"], things["classes"]
    paragraphs = [
        depth.sentence(run, things["depths"]),
        classes.sentence(of_class),
        factors.sentence(things["factors"]),
        *factors.within(run, things["test"], of_class["label"].iloc[0]),
    ]
    if run.warning:
        paragraphs.insert(0, f"{run.warning}. What follows is no measure of difficulty yet.")
    return paragraphs


def _cards(run, history):
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


def _thumbnails(run, test, rows):
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


def ensemble_section(
    things: Mapping[str, Any], pictures: Sequence[Picture], *, warning: str | None
) -> EnsembleSection:
    """The part of the page that is about one dataset and model; see `run_section`.

    Parameters
    ----------
    warning : str or None
        What a reader must know before believing it.
    """
    ensemble = things["ensemble"]
    name, networks = f"{ensemble.dataset}-{ensemble.model}", some(ensemble.n_networks, "network")
    return EnsembleSection(
        id=f"{name}-ensemble",
        title=f"{ensemble.dataset} · {ensemble.model} · over {networks}",
        warning=warning,
        cards=_ensemble_cards(ensemble),
        explanation=ensemble_explanation(ensemble),
        pictures=list(pictures),
        tables=_tables(things, of=name),
    )


def ensemble_explanation(ensemble):
    """How the networks came about and what the tables are ordered by: paragraphs."""
    card, other = ensemble.card, ensemble.otherwise
    seen, unseen = (
        " to ".join(dict.fromkeys([count(n.min()), count(n.max())]))
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
    for _, first in lookalikes(ensemble, 1).iterrows():
        place = {"train": "training set", "test": "test set"}[first["split"]]
        paragraphs.append(
            f"The image most like another class is no. {first['split_id']} of the {place}, "
            f"labelled {ensemble.classes[first['label']]}: "
            f"{percent(first['consensus_consistency'])} of the networks that did not learn from it "
            f"say {ensemble.classes[first['consensus']]}."
        )
    return paragraphs


def _ensemble_cards(ensemble):
    both, n, other = ensemble.both, len(ensemble.card), ensemble.otherwise
    held_out, learned, scale = both[HELD_OUT].mean(), both[TRAIN].mean(), ensemble.n_probes
    found = [
        Card("networks", count(ensemble.n_networks), f"{count(n)} images"),
        Card("mean depth, held out", number(held_out), of_depths(held_out, scale)),
        Card("mean depth, learned", number(learned), of_depths(learned, scale)),
        Card("consensus is not the label", percent(other / n, 1), some(other, "image")),
    ]
    of_depth = ensemble.reliability.query("score == 'depth' and side == 'held_out'")
    for row in of_depth.itertuples():
        needed = row.networks_needed
        hint = f"0.9 with {count(np.ceil(needed))}" if np.isfinite(needed) else "never 0.9"
        found.append(Card("reliability of a network’s depth", number(row.reliability), hint))
    return found


def scores_table() -> Table:
    """What every score is: its formula, range, direction and source."""
    rows = [
        (
            score.title,
            score.name,
            score.formula,
            score.range,
            "larger" if score.harder > 0 else "smaller",
            score.source,
        )
        for score in BY_NAME.values()
    ]
    return Table(
        id="table-scores",
        caption="Scores of difficulty",
        columns=["score", "column", "formula", "range", "harder where", "source"],
        rows=[[Cell(text) for text in row] for row in rows],
    )
