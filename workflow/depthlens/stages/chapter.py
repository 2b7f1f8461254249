"""The page of a chapter, and its ledger of claims."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from depthlens import ledger, tables
from depthlens.chapters.chapter import chapter as declared
from depthlens.chapters.contents import CHAPTERS
from depthlens.report.page import ChapterPage, ChapterSection, claims_table, render_chapter
from depthlens.stages.report import pictures
from depthlens.stages.section import read_tables


def run(
    *,
    chapter: str,
    figures: Path,
    parts: Path,
    output: Path,
    claims: Path,
    block: Mapping,
) -> None:
    """Write the page, and the claims of all sections as one table.

    Parameters
    ----------
    chapter : str
        Package below `depthlens.chapters`.
    figures : path
        Folder with a folder of figures for each section.
    parts : path
        Folder with {section}.csv and {section}.json.
    output, claims : path
    block : mapping
        The block of config.yaml, to print it.
    """
    asked = declared(chapter)
    findings = {
        section.name: ledger.read(parts / f"{section.name}.csv") for section in asked.sections
    }
    drawn = pictures(
        [(figures / s.name / "captions.json", tuple(s.figures)) for s in asked.sections]
    )
    page = ChapterPage(
        title=CHAPTERS[chapter],
        introduction=asked.introduction,
        sections=[
            ChapterSection(
                id=section.name,
                title=section.title,
                explanation=section.explanation,
                pictures=shown,
                claims=claims_table(findings[section.name], id=f"table-claims-{section.name}"),
                tables=read_tables(parts / f"{section.name}.json"),
            )
            for section, shown in zip(asked.sections, drawn, strict=True)
        ],
        verdicts=[finding.kind for found in findings.values() for finding in found],
        config=yaml.safe_dump(dict(block), sort_keys=False, allow_unicode=True),
    )
    ledger.write(claims, [finding for found in findings.values() for finding in found])
    tables.write_text(output, render_chapter(page))
