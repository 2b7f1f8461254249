"""docs/findings.md says what the ledgers beside it say."""

import re
from pathlib import Path

import pytest

from depthlens import ledger
from depthlens.chapters.chapter import chapter as declared
from depthlens.report.ledger_table import as_markdown, tally

DOCS = Path(__file__).parents[2] / "docs"
LEDGERS = sorted((DOCS / "findings").glob("*.csv"))


@pytest.mark.parametrize("path", LEDGERS, ids=lambda path: path.stem)
def test_tables_and_tallies_are_those_of_the_ledgers(path):
    page = (DOCS / "findings.md").read_text()
    findings = ledger.read(path)
    assert as_markdown(findings) in page
    assert f"{tally(findings)}." in page


@pytest.mark.parametrize("path", LEDGERS, ids=lambda path: path.stem)
def test_claims_are_those_that_the_sections_test(path):
    """A claim that was reworded, or whose threshold was moved, must be run again."""
    asked = {
        (claim.id, claim.statement, claim.measure, str(claim.threshold))
        for section in declared(path.stem).sections
        for claim in (about.claim for about in section.claims.values())
    }
    found = {(row.id, row.statement, row.measure, row.threshold) for row in ledger.read(path)}
    assert found == asked


def test_there_is_a_ledger():
    assert LEDGERS
    linked = re.findall(r"\(findings/([\w.]+)\)", (DOCS / "findings.md").read_text())
    assert sorted(linked) == [path.name for path in LEDGERS]
