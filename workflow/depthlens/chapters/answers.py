"""What a section says of its tables: findings, figures and tables of the page."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.chapters.section import DeclaredClaim, Section, parameters, read
from depthlens.figures import style
from depthlens.figures.sheet import Column, Sheet
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, Measurement, NotTestableError, judge
from depthlens.prose import joined, number
from depthlens.report.page import Cell, Table

Tables = Mapping[str, object]
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
    tables = _with_derived(section, tables)
    found = []
    # Claims about one table stand together, dataset by dataset.
    for first, claims in groupby(
        section.claims.values(), key=lambda declared: parameters(declared.measure)[0]
    ):
        claims = list(claims)
        for value in dict.fromkeys(tables[first][section.per]):
            own = {name: _rows(table, section.per, value) for name, table in tables.items()}
            found += [_finding(section, claim, own, first, confidence_level) for claim in claims]
    return found


def _of_networks(table: object, networks: Sequence[str]) -> object:
    if isinstance(table, pd.DataFrame) and "architecture" in table:
        return table[table["architecture"].isin(networks)]
    return table


def _named(section: Section, networks: Sequence[str]) -> str:
    write = section.columns.get("architecture", Column("network")).write
    return joined([write(name) for name in networks])


def _rows(table: object, column: str, value: object) -> object:
    """The rows of a table with a value, where it has that column."""
    has = isinstance(table, pd.DataFrame) and column in table
    return table[table[column] == value] if has else table


def _finding(
    section: Section, claim: DeclaredClaim, tables: Tables, first: str, confidence_level: float
) -> Finding:
    rows = tables[first]
    dataset = rows["dataset"].iloc[0]
    if claim.networks:
        tables = {name: _of_networks(table, claim.networks) for name, table in tables.items()}
        rows = tables[first]
    model = " + ".join(claim.networks or dict.fromkeys(rows["architecture"]))
    n = rows["seed"].nunique() if "seed" in rows else 0
    try:
        if missing := [name for name in claim.networks if name not in set(rows["architecture"])]:
            raise NotTestableError(f"the sweep has no {_named(section, missing)}")
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
    section: Section, tables: Tables, *, confidence_level: float
) -> Iterator[tuple[str, Drawing]]:
    """Every figure of a section by name, one after the other; see `findings`."""
    tables = _with_derived(section, tables)
    for name, declared in section.figures.items():
        with style.styled():
            sheet = Sheet(
                declared.title,
                declared.shows,
                confidence_level=confidence_level,
                columns=section.columns,
            )
            sentence = declared.draw(sheet, **read(declared.draw, tables))
            yield name, sheet.drawing(sentence, declared.alt)


def report_tables(section: Section, tables: Tables, *, confidence_level: float) -> list[Table]:
    """What the page shows beside the figures; see `findings`."""
    tables = _with_derived(section, tables)
    found = []
    for declared in section.shown:
        rows = declared.rows(**read(declared.rows, tables))
        if rows.empty:
            continue
        keys = {key: section.columns.get(key, Column(key)) for key in declared.keys}
        values = {name: section.columns.get(name, Column(name)) for name in declared.values}
        columns = [column.title for column in keys.values()]
        if "seed" not in rows or "seed" in keys:
            columns += [column.title for column in values.values()]
            cells = [
                [_cell(row[name], column) for name, column in (keys | values).items()]
                for row in rows.to_dict("records")
            ]
        else:
            columns += [title for v in values.values() for title in (v.title, "interval")]
            columns.append("seeds")
            cells = _means(rows, keys, values, confidence_level)
        found.append(
            Table(id=f"table-{declared.id}", caption=declared.caption, columns=columns, rows=cells)
        )
    return found


def _means(
    rows: pd.DataFrame,
    keys: Mapping[str, Column],
    values: Mapping[str, Column],
    confidence_level: float,
) -> list[list[Cell]]:
    """A row for each combination of keys: keys, mean and interval of each value, seeds."""
    cells = []
    for key, group in rows.groupby(list(keys), sort=False, dropna=False):
        row = [_cell(value, column) for value, column in zip(key, keys.values(), strict=True)]
        for name, column in values.items():
            known = group[name].dropna().to_numpy(float)
            mean = float(known.mean()) if len(known) else math.nan
            interval = intervals.mean(known, confidence_level=confidence_level)
            low, high = map(float, np.clip(interval, *column.limits))
            write = number_of(column)
            row += [Cell(write(mean), mean), Cell(f"{write(low)} … {write(high)}", low)]
        cells.append([*row, Cell(str(group["seed"].nunique()), group["seed"].nunique())])
    return cells


def number_of(column: Column) -> Callable[[float], str]:
    """How a column writes a number: to three digits, if it says nothing else."""
    return column.write if column.write is not str else partial(number, digits=3)


def _cell(value: object, column: Column) -> Cell:
    if isinstance(value, float | np.floating):
        return Cell(number_of(column)(float(value)), float(value))
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return Cell(column.write(value), int(value) if is_number else None)


def _with_derived(section: Section, tables: Tables) -> Tables:
    """The tables, and those that the section derives of them, in the order of their declaration."""
    found = dict(tables)
    for name, function in section.derive.items():
        found[name] = function(**read(function, found))
    return found
