"""Claims about some of the networks of a table, and claims that no seed has a part in."""

from collections.abc import Callable, Sequence

import pandas as pd

from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.chapters.over_seeds import judge_each
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, Threshold, judge
from depthlens.prose import joined


def exact_claim(id: str, statement: str, source: str, measure: str, **bounds: float) -> Claim:
    """A claim about one value that is computed, not about a mean over seeds.

    Parameters
    ----------
    id, statement, source, measure : str
    **bounds : float
        Of its threshold.
    """
    return Claim(
        chapter="inductive_bias",
        id=id,
        statement=statement,
        source=source,
        measure=measure,
        threshold=Threshold(**bounds),
    )


def exactly(value: float, n: int) -> Measurement:
    """A value without an interval, made of n observations."""
    return Measurement(value=float(value), low=float(value), high=float(value), n=n)


def judge_networks(
    claim: Claim,
    architectures: Sequence[str],
    measure: Callable[[pd.DataFrame], Sequence[float]],
    table: pd.DataFrame,
    *,
    confidence_level: float,
) -> list[Finding]:
    """Hold a claim against the networks that it is about.

    Parameters
    ----------
    claim : Claim
    architectures : sequence of str
        Which networks; the claim is not testable where one of them is missing.
    measure : callable
        Of their rows: one value a seed; or raises NotTestableError.
    table : DataFrame
        With the columns `dataset`, `architecture` and `seed`.
    confidence_level : float
    """
    rows = table[table["architecture"].isin(architectures)]
    there = set(rows["architecture"])
    missing = [NETWORKS[name] for name in architectures if name not in there]
    if missing:
        reason = NotTestableError(f"the sweep has no {joined(missing)}")
        return [judge(claim, reason, dataset="edges", model=" + ".join(architectures))]
    return judge_each(
        [claim], lambda _, found: measure(found), rows, confidence_level=confidence_level
    )
