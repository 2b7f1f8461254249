"""Every claim of every chapter in one table, as a page and as a file."""

from collections.abc import Sequence
from pathlib import Path

from depthlens import ledger, tables
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED, Finding
from depthlens.prose import count
from depthlens.report.page import Cell, LedgerPage, Table, claims_table, render_ledger

_KINDS = (SUPPORTED, NOT_SUPPORTED, "not testable")


def run(*, claims: Sequence[Path], output: Path, table: Path) -> None:
    """Write the ledger of several chapters.

    Parameters
    ----------
    claims : sequence of path
        Tables of claims, in the order of the study.
    output : path
        Page to write.
    table : path
        CSV file to write, as `ledger.write` has it.
    """
    found = [finding for path in claims for finding in ledger.read(path)]
    page = LedgerPage(
        title="The ledger of claims",
        chapters=_tallies(found),
        claims=claims_table(found),
        verdicts=[finding.kind for finding in found],
    )
    ledger.write(table, found)
    tables.write_text(output, render_ledger(page))


def _tallies(found: Sequence[Finding]) -> Table:
    """How many claims of each chapter held."""
    rows = []
    for chapter in dict.fromkeys(finding.chapter for finding in found):
        kinds = [finding.kind for finding in found if finding.chapter == chapter]
        numbers = [len(kinds), *(kinds.count(kind) for kind in _KINDS)]
        rows.append([Cell(chapter), *(Cell(count(number), number) for number in numbers)])
    return Table(
        id="table-chapters",
        caption="Verdicts by chapter; a claim counts once for each dataset and network",
        columns=["chapter", "claims", *_KINDS],
        rows=rows,
    )
