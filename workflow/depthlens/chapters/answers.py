"""What a section says of its tables: findings and figures; see `page_tables` for the rest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.chapters.section import DeclaredClaim, Section, parameters, read
from depthlens.figures import style
from depthlens.figures.sheet import Column, Sheet
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, Measurement, NotTestableError, judge
from depthlens.prose import joined

Tables = Mapping[str, Any]
"""What functions of a section read, by name: tidy tables, or what else a chapter gives"""


def findings(section: Section, tables: Tables, *, confidence_level: float) -> list[Finding]:
    """Hold every claim against the tables, dataset by dataset.

    Parameters
    ----------
    section : Section
    tables : mapping of str to DataFrame
        At least `section.tables`, with the columns `dataset`, `architecture` and `seed`.
    confidence_level : float
        Of the intervals.
    """
    tables = with_derived(section, tables)
    found = []
    # Claims about one table stand together, dataset by dataset.
    for first, claims in groupby(
        section.claims.values(), key=lambda declared: parameters(declared.measure)[0]
    ):
        claims = list(claims)
        # Of a derived table that is empty, by what it was derived from: no claim goes unmentioned.
        named = next((name for name in section.sources(first) if len(tables[name])), first)
        for value in dict.fromkeys(tables[named][section.per]):
            own = {name: _rows(table, section.per, value) for name, table in tables.items()}
            about = own[named].iloc[0]
            found += [
                _finding(section, claim, own, first, about, confidence_level) for claim in claims
            ]
    return found


def _of_networks(table: Any, networks: Sequence[str]) -> Any:
    if isinstance(table, pd.DataFrame) and "architecture" in table:
        return table[table["architecture"].isin(networks)]
    return table


def _named(section: Section, networks: Sequence[str]) -> str:
    write = section.columns.get("architecture", Column("network")).write
    return joined([write(name) for name in networks])


def _rows(table: Any, column: str, value: object) -> Any:
    """The rows of a table with a value, where it has that column."""
    has = isinstance(table, pd.DataFrame) and column in table
    return table[table[column] == value] if has else table


def _finding(
    section: Section,
    claim: DeclaredClaim,
    tables: Tables,
    first: str,
    about: Mapping,
    confidence_level: float,
) -> Finding:
    rows = tables[first]
    if claim.networks:
        tables = {name: _of_networks(table, claim.networks) for name, table in tables.items()}
        rows = tables[first]
    there = dict.fromkeys(rows.get("architecture", ()))
    missing = [name for name in claim.networks if name not in there]
    reason = f"the sweep has no {_named(section, missing)}" if missing else None
    if rows.empty and not missing:
        reason = "nothing was measured that it is about"
    return judged(
        claim,
        tables,
        dataset=about["dataset"],
        model=" + ".join(claim.networks or there or [about["architecture"]]),
        n=rows["seed"].nunique() if "seed" in rows else 0,
        confidence_level=confidence_level,
        untestable=reason,
    )


def judged(
    claim: DeclaredClaim,
    tables: Tables,
    *,
    dataset: str,
    model: str,
    n: int,
    confidence_level: float,
    untestable: str | None = None,
) -> Finding:
    """Hold a claim against tables, or whatever it reads, of one dataset and model.

    Parameters
    ----------
    claim : DeclaredClaim
    tables : mapping of str to what the claim reads
    dataset, model : str
    n : int
        Observations at hand, where nothing can be measured.
    confidence_level : float
    untestable : str, optional
        Why nothing can be tested, where that is known beforehand.
    """
    try:
        if untestable:
            raise NotTestableError(untestable)
        measured = measure(claim.measure, tables, confidence_level=confidence_level)
    except NotTestableError as reason:
        measured = reason
    return judge(claim.claim, measured, dataset=dataset, model=model, n=n)


def measure(function: Callable, tables: Tables, *, confidence_level: float) -> Measurement:
    """What a claim's function finds: a mean over seeds with its interval, or what it measured.

    Raises
    ------
    NotTestableError
        If there is too little to measure it on.
    """
    try:
        value = function(**read(function, tables))
    except KeyError as missing:
        words = missing.args[0] if isinstance(missing.args[0], tuple) else missing.args
        # A flag, such as `permuted`, says nothing to a reader without its name.
        named = [str(word) for word in words if not isinstance(word, bool)]
        reason = (
            f"the sweep has no networks of {' '.join(named)}"
            if named
            else "what it compares was not made"
        )
        raise NotTestableError(reason) from None
    if isinstance(value, Measurement):
        return value
    if isinstance(value, pd.Series):
        value = value.dropna().tolist()
    return mean_over_seeds(value, confidence_level=confidence_level)


def mean_over_seeds(values: Sequence[float], *, confidence_level: float) -> Measurement:
    """Mean and Student's t interval of one value a seed.

    Raises
    ------
    NotTestableError
        If there are fewer than two.
    """
    if len(values) < 2:
        raise NotTestableError("fewer than two seeds were measured")
    low, high = intervals.mean(values, confidence_level=confidence_level)
    # What rounding leaves of differences that cancel is not above 0.
    value = float(np.round(np.mean(values), 12))
    return Measurement(value=value, low=low, high=high, n=len(values))


def drawings(
    section: Section, tables: Tables, *, confidence_level: float, note: str | None = None
) -> Iterator[tuple[str, Drawing]]:
    """Every figure of a section by name, one after the other, for which its tables are there.

    Parameters
    ----------
    section, tables, confidence_level
        See `findings`.
    note : str, optional
        What a reader must know before believing a figure.
    """
    tables = with_derived(section, tables)
    for name, declared in section.figures.items():
        if not section.needs(declared.draw).issubset(tables):
            continue
        with style.styled():
            sheet = Sheet(
                declared.title,
                declared.shows,
                confidence_level=confidence_level,
                columns=section.columns,
            )
            if note:
                sheet.labels["note"] = note
            sentence = declared.draw(sheet, **read(declared.draw, tables))
            yield name, sheet.drawing(sentence, declared.alt)


def with_derived(section: Section, tables: Tables) -> Tables:
    """The tables, and those that the section derives of them, in the order of their declaration.

    What a table is there for already is not derived again.
    """
    found = dict(tables)
    for name, function in section.derive.items():
        if name not in found and section.needs(function).issubset(tables):
            found[name] = function(**read(function, found))
    return found
