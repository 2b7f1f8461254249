"""Tables of the page, as sections declare them: tidy rows become cells, and means over seeds.

Apart from `answers`: a page that looks different draws no figure anew.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.chapters import answers
from depthlens.chapters.section import Entry, Section, read
from depthlens.figures.sheet import Column
from depthlens.prose import number
from depthlens.report.page import Cell, Table, image_source


def report_tables(
    section: Section, tables: answers.Tables, *, confidence_level: float, of: str = "table"
) -> list[Table]:
    """What the page shows beside the figures: tables for which there is what they read.

    Parameters
    ----------
    section, tables, confidence_level
        See `answers.findings`.
    of : str
        What ids begin with.
    """
    tables = answers.with_derived(section, tables)
    found = []
    for declared in section.shown:
        if not section.needs(declared.rows).issubset(tables):
            continue
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
            Table(id=f"{of}-{declared.id}", caption=declared.caption, columns=columns, rows=cells)
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
    if isinstance(value, Entry):
        picture = image_source(value.picture) if value.picture is not None else ""
        return Cell(value.text, value.sort, image=picture)
    if isinstance(value, float | np.floating):
        return Cell(number_of(column)(float(value)), float(value))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Cell(column.write(value), int(value))
    return Cell(column.write(value))
