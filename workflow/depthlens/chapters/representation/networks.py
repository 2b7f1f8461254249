"""What the sections do alike with the two networks of the chapter."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from depthlens.chapters.over_seeds import judge_each
from depthlens.chapters.representation.contents import NETWORKS
from depthlens.ledger import Claim, Finding
from depthlens.prose import count, some

Tables = Mapping[str, pd.DataFrame]
Measure = Callable[[Claim, pd.DataFrame], Sequence[float]]


def each(tables: Tables, kind: str = "") -> dict[str, pd.DataFrame]:
    """The tables of one kind by title of their network: "small_convnet on mnist"."""
    found = {}
    for network in NETWORKS:
        table = tables[f"{network}_{kind}" if kind else network]
        architecture, dataset = (table[key].iloc[0] for key in ("architecture", "dataset"))
        found[f"{architecture} on {dataset}"] = table
    return found


def judged(
    claims: Sequence[Claim],
    measure: Measure,
    tables: Tables,
    kind: str = "",
    *,
    confidence_level: float,
) -> list[Finding]:
    """The verdict on each claim, network by network; see `over_seeds.judge_each`."""
    return [
        finding
        for table in each(tables, kind).values()
        for finding in judge_each(claims, measure, table, confidence_level=confidence_level)
    ]


def seeds_and_images(table: pd.DataFrame) -> str:
    """How much was trained on, and how often: "60 000 training images, 5 seeds"."""
    return f"{count(table['train_examples'].max())} training images, {some_seeds(table)}"


def some_seeds(table: pd.DataFrame) -> str:
    """Number of seeds, as a part of a sentence."""
    return some(table["seed"].nunique(), "seed")
