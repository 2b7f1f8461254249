"""Every claim says who made it: a paper, an item of course material, or we ourselves."""

import re

import pytest

from depthlens.chapters import sources
from depthlens.chapters.chapter import chapter
from depthlens.chapters.contents import CHAPTERS
from depthlens.chapters.difficulty import contents as difficulty

SECTIONS = [*difficulty.SECTIONS, *(part for name in CHAPTERS for part in chapter(name).sections)]
CLAIMS = [declared.claim for section in SECTIONS for declared in section.claims.values()]
PAPER = re.compile(r"\w.* \(\d{4}\)")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.chapter}-{claim.id}")
def test_a_claim_names_its_source(claim):
    names_an_item = any(re.match(f"{re.escape(of)}, .", claim.source) for of in sources.COURSES)
    is_ours = re.match(rf"{sources.OURS}\b", claim.source)
    assert names_an_item or is_ours or PAPER.search(claim.source), claim.source
