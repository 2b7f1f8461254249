"""docs/findings.md says what the ledgers beside it say."""

import re
from pathlib import Path

import pytest

from depthlens import ledger
from depthlens.chapters.chapter import chapter
from depthlens.chapters.contents import CHAPTERS
from depthlens.chapters.difficulty import contents as difficulty
from depthlens.report.ledger_table import as_markdown, tally

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "findings.md").read_text()
LEDGERS = sorted((DOCS / "findings").glob("*.csv"))
SECTIONS = [*difficulty.SECTIONS, *(part for name in CHAPTERS for part in chapter(name).sections)]


@pytest.mark.parametrize("path", LEDGERS, ids=lambda path: path.stem)
def test_tables_and_tallies_are_those_of_the_ledgers(path):
    findings = ledger.read(path)
    assert as_markdown(findings) in PAGE
    assert f"{tally(findings)}." in PAGE


def test_every_claim_was_run_or_is_said_to_wait():
    """A claim that was reworded, or whose threshold was moved, must be run again."""
    asked = {
        (claim.chapter, claim.id, claim.statement, claim.measure, str(claim.threshold))
        for section in SECTIONS
        for claim in (about.claim for about in section.claims.values())
    }
    found = {
        (row.chapter, row.id, row.statement, row.measure, row.threshold)
        for path in LEDGERS
        for row in ledger.read(path)
    }
    assert not found - asked
    waiting = {f"{chapter}/{id}" for chapter, id, *_ in asked - found}
    assert set(re.findall(r"^- `([a-z_]+/[a-z0-9-]+)`", PAGE, re.MULTILINE)) == waiting


def test_there_is_a_ledger():
    assert LEDGERS
    linked = re.findall(r"\(findings/([\w.]+)\)", PAGE)
    assert sorted(linked) == [path.name for path in LEDGERS]
