"""Claims about the subject, each with a threshold fixed beforehand, and how they fared.

A claim is a sentence that somebody made. It is tested by a measurement on the study's own results;
the verdict follows from the value and the threshold, never from the interval around the value.
"""

import csv
import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from depthlens import tables
from depthlens.errors import ArtifactError

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
_NOT_TESTABLE = "not testable here, because "


class NotTestableError(Exception):
    """The results at hand cannot speak to a claim; the message completes "because …"."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The values for which a claim counts as supported: every bound that is given must hold."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def met_by(self, value: float) -> bool:
        """Whether a value keeps every bound; NaN keeps none."""
        return (
            not math.isnan(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        signs = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<"}
        bounds = {name: getattr(self, name) for name in signs}
        return " and ".join(f"{signs[k]} {v:g}" for k, v in bounds.items() if v is not None)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement about the subject and how this study tests it."""

    chapter: str
    id: str
    statement: str
    source: str
    """who said it"""
    measure: str
    """what is measured, and on what"""
    threshold: Threshold
    printed: str = ""
    """what the source printed of this measure, where it printed a number"""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was found: a value, its interval and the number of observations behind it."""

    value: float
    low: float
    high: float
    n: int


def exactly(value: float, n: int) -> Measurement:
    """A value that is computed, not estimated: without an interval, of n observations."""
    return Measurement(value=float(value), low=float(value), high=float(value), n=n)


@dataclass(frozen=True)
class Finding:
    """A row of claims.csv: a claim and how it fared on one dataset and model."""

    chapter: str
    id: str
    statement: str
    source: str
    measure: str
    threshold: str
    printed: str
    """what the source printed of it, where it printed a number"""
    value: float
    """NaN where the claim is not testable, as are `low` and `high`"""
    low: float
    high: float
    verdict: str
    """"supported", "not supported" or "not testable here, because …" """
    dataset: str
    model: str
    n: int
    """number of observations behind the value"""

    @property
    def kind(self) -> str:
        """The verdict without its reason; supported, not supported or not testable."""
        return "not testable" if self.verdict.startswith(_NOT_TESTABLE) else self.verdict


COLUMNS = tuple(field.name for field in fields(Finding))


def judge(
    claim: Claim, measured: Measurement | NotTestableError, *, dataset: str, model: str, n: int = 0
) -> Finding:
    """The verdict on a claim from what was measured.

    Parameters
    ----------
    claim : Claim
    measured : Measurement or NotTestableError
        The value, or why there is none. A value that is NaN is a fault of the caller.
    dataset, model : str
        What the measurement was made on.
    n : int
        Observations at hand, where nothing could be measured.

    Raises
    ------
    ValueError
        If the value is NaN: then it must be said why.
    """
    said = (claim.chapter, claim.id, claim.statement, claim.source, claim.measure)
    about = (*said, str(claim.threshold), claim.printed)
    if isinstance(measured, NotTestableError):
        none = (math.nan, math.nan, math.nan)
        verdict = f"{_NOT_TESTABLE}{measured}"
        return Finding(*about, *none, verdict, dataset, model, n)
    if math.isnan(measured.value):
        raise ValueError(f"claim {claim.id}: a value that is not a number needs a reason")
    verdict = SUPPORTED if claim.threshold.met_by(measured.value) else NOT_SUPPORTED
    values = (measured.value, measured.low, measured.high)
    return Finding(*about, *values, verdict, dataset, model, measured.n)


def write(path: Path | str, findings: Iterable[Finding]) -> None:
    """Write claims.csv, whole or not at all; numbers that do not exist are left empty."""
    with (
        tables.replacing(path) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for finding in findings:
            rows.writerow(_as_text(value) for value in astuple(finding))


def read(path: Path | str) -> list[Finding]:
    """Read claims.csv.

    Raises
    ------
    ArtifactError
        If it is missing, has other columns, or a row does not fit them.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; run the rule that makes it") from None
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ArtifactError(f"{path}: not a CSV file ({error}); delete it and run again") from None
    if tuple(header) != COLUMNS:
        raise ArtifactError(
            f"{path}: its columns are not those of a table of claims ({', '.join(COLUMNS)}); "
            "delete it and run again"
        )
    try:
        return [_from_text(row) for row in rows]
    except (ValueError, TypeError):
        raise ArtifactError(
            f"{path}: a row does not fit its columns; delete it and run again"
        ) from None


def _as_text(value: str | float | int) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"


def _from_text(row: list[str]) -> Finding:
    cells: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    for name in ("value", "low", "high"):
        cells[name] = float(cells[name]) if cells[name] else math.nan
    return Finding(**cells | {"n": int(cells["n"])})
