"""What this chapter asks of a trained network, and of all networks of one dataset and model."""

from collections.abc import Iterator, Mapping
from typing import Any

from depthlens.chapters import answers
from depthlens.chapters.difficulty import (
    choices,
    classes,
    corners,
    depth,
    ensemble,
    factors,
    galleries,
    learned,
    neighbours,
    probes,
    scores,
    six_shapes,
)
from depthlens.chapters.difficulty.card import Ensemble
from depthlens.chapters.difficulty.run import Run
from depthlens.chapters.difficulty.runs import Runs
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding

SECTIONS = tuple(
    module.section
    for module in (
        learned, depth, six_shapes, galleries, classes, probes, factors, scores, neighbours,
        choices, corners, ensemble,
    )
)  # fmt: skip
"""in the order of the page: each shows what there are those things for that its functions name"""


def of_run(run: Run, *, level: float, **others: object) -> dict[str, Any]:
    """What figures, tables and numbers of one run read by name: what is None is not there.

    Parameters
    ----------
    run : Run
    level : float
        Confidence level of every interval.
    **others
        train, test (Images), history (DataFrame), gallery_images (int).
    """
    found = {"run": run, "train_split": run.train, "level": level, **others}
    return _derived({name: thing for name, thing in found.items() if thing is not None})


def of_ensemble(ensemble: Ensemble, *, level: float) -> dict[str, Any]:
    """What those of an ensemble read; see `of_run`."""
    return _derived({"ensemble": ensemble, "level": level})


def _derived(things: answers.Tables) -> dict[str, Any]:
    """With all tables that sections derive, made once for figures, page and summary."""
    for section in SECTIONS:
        things = answers.with_derived(section, things)
    return dict(things)


def drawings(
    things: Mapping[str, Any], *, note: str | None = None
) -> Iterator[tuple[str, Drawing]]:
    """Every figure that there is enough for, by name; see `answers.drawings`."""
    for section in SECTIONS:
        yield from answers.drawings(section, things, confidence_level=things["level"], note=note)


def findings(runs: Runs) -> list[Finding]:
    """Hold every claim against the seeds of one dataset and model, pooled."""
    return [
        answers.judged(
            claim,
            {"runs": runs},
            dataset=runs.first.dataset,
            model=runs.first.model,
            n=round(runs.counts.sum()),
            confidence_level=runs.confidence_level,
            untestable=runs.untestable,
        )
        for section in SECTIONS
        for claim in section.claims.values()
    ]


def run_figures(*, trained: bool, train_studied: bool) -> list[str]:
    """Names of the figures of one run, in the order of the page.

    Parameters
    ----------
    trained : bool
        Whether the network was trained here: weights that were given have no history.
    train_studied : bool
        Whether training images are studied too.
    """
    there = {"run", "train", "test", "gallery_images", "level"}
    there |= {"history"} if trained else set()
    return _figures(there | ({"train_split"} if train_studied else set()))


def ensemble_figures() -> list[str]:
    """Names of the figures of all networks of one dataset and model together."""
    return _figures({"ensemble", "level"})


def _figures(there: set[str]) -> list[str]:
    return [
        name
        for section in SECTIONS
        for name, figure in section.figures.items()
        if section.needs(figure.draw) <= there
    ]
