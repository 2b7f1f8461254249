"""Hold the claims of one section of a chapter, and draw its figures."""

import dataclasses
import importlib
from collections.abc import Sequence
from pathlib import Path

from depthlens import ledger, tables
from depthlens.chapters import answers, page_tables
from depthlens.report.page import Cell, Table
from depthlens.stages.figures import write


def run(
    *,
    chapter: str,
    section: str,
    files: Sequence[Path],
    output: Path,
    claims: Path,
    contents: Path,
    confidence_level: float,
    cfg: dict,
) -> None:
    """Write the figures with captions.json, the claims with their verdicts, and the tables.

    Parameters
    ----------
    chapter, section : str
        Package below `depthlens.chapters`, and module in it.
    files : sequence of path
        Tables that the section reads, each by the stem of its file.
    output : path
        Folder of the figures.
    claims : path
        CSV file, as `ledger.write` has it.
    contents : path
        JSON of the tables that the page shows.
    confidence_level : float
    cfg : dict
        Block `figures`, for the pixels of an inch.
    """
    asked = importlib.import_module(f"depthlens.chapters.{chapter}.{section}").section
    found = {path.stem: tables.read(path).to_pandas() for path in files}
    findings = answers.findings(asked, found, confidence_level=confidence_level)
    drawings = answers.drawings(asked, found, confidence_level=confidence_level)
    shown = page_tables.report_tables(asked, found, confidence_level=confidence_level)
    ledger.write(claims, findings)
    write(drawings, Path(output), dpi=cfg["dpi"])
    tables.write_json(contents, [_as_json(table) for table in shown])


def _as_json(table: Table) -> dict:
    return {
        "id": table.id,
        "caption": table.caption,
        "columns": table.columns,
        "rows": [[dataclasses.astuple(cell) for cell in row] for row in table.rows],
    }


def read_tables(path: Path) -> list[Table]:
    """The tables that `run` wrote."""
    return [
        Table(**{**value, "rows": [[Cell(*cell) for cell in row] for row in value["rows"]]})
        for value in tables.read_json(path)
    ]
