"""How the chapter calls what its tables hold, and what its sweeps have in common."""

from collections.abc import Callable, Mapping
from typing import Unpack

import pandas as pd

from depthlens.chapters.section import Bounds, Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import count, percent, some
from depthlens.scores.catalogue import SCORES

COURSE = "course material on prediction depth"
SAID = f"commonly said of prediction depth; {COURSE}"
BALDOCK = "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647"
DEPTHS = {
    "depth": "Prediction depth",
    "depth_label": "Depth until the label",
    "depth_self_voting": "Depth with self-votes",
}
SCORE_TITLES = DEPTHS | {score.name: score.title for score in SCORES} | {"random": "Random"}
COLUMNS = {
    "dataset": Column("dataset"),
    # The others are in the palette's colours.
    "score": Column("score", SCORE_TITLES.__getitem__, {"random": style.MUTED}),
    "rate": Column("share of wrong labels", percent, share=True),
    "auroc": Column("AUROC", bounds=(0, 1)),
    "auprc": Column("average precision"),
    "accuracy": Column("test accuracy", share=True),
    "share": Column("share of the training images that is kept", percent, share=True),
    "n_labelled": Column("labelled images", count),
}


def common(block: Mapping) -> dict:
    """Settings that most sweeps have in common."""
    return {key: block[key] for key in ("recipe", "n_neighbors", "early_epoch")}


def claims_of(section: Section, source: str, *, ending: str = "") -> Callable[..., Callable]:
    """How a section declares claims that are all said by one source."""

    def claim(
        statement: str, measure: str, **bounds: Unpack[Bounds]
    ) -> Callable[[Callable], Callable]:
        measure = f"{measure}{ending}; mean over seeds"
        return section.claim(statement, source=source, measure=measure, over_seeds=False, **bounds)

    return claim


def sizes(table: pd.DataFrame) -> str:
    """What was trained, on how much and how often."""
    architectures = ", ".join(dict.fromkeys(table["architecture"]))
    examples = " or ".join(map(count, sorted(set(table["train_examples"]))))
    seeds = some(table["seed"].nunique(), "seed")
    return f"{architectures}, {examples} training images, {seeds}"
