"""Networks along their training: what they are at its end, and claims about that."""

from collections.abc import Mapping, Sequence

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.comparing import Terms
from depthlens.chapters.inductive_bias.judging import judge_networks
from depthlens.ledger import Claim, Finding


def at_the_end(table: pd.DataFrame, *splits: str) -> pd.DataFrame:
    """Rows of some splits at the last epoch of each network."""
    rows = table[table["split"].isin(splits)]
    return rows[rows["epoch"] == rows.groupby("architecture")["epoch"].transform("max")]


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of rows of one epoch and split: a row a seed, a column an architecture."""
    return table.pivot(index="seed", columns="architecture", values="accuracy")


def judged_at_the_end(
    claims: Sequence[Claim],
    table: pd.DataFrame,
    *,
    split: str,
    terms: Mapping[str, Terms],
    confidence_level: float,
) -> list[Finding]:
    """The verdict on each claim about accuracy at the end of the training.

    Parameters
    ----------
    claims : sequence of Claim
    table : DataFrame
        With the columns `dataset`, `architecture`, `seed`, `epoch`, `split` and `accuracy`.
    split : str
        Whose images count.
    terms : mapping of claim to terms
        Weights and architectures that the value of the claim is made of.
    confidence_level : float
    """
    ends = at_the_end(table, split)
    return [
        finding
        for claim in claims
        for finding in judge_networks(
            claim,
            [name for _, name in terms[claim.id]],
            lambda rows, wanted=terms[claim.id]: comparing.difference(accuracies(rows), wanted),
            ends,
            confidence_level=confidence_level,
        )
    ]
