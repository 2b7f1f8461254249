"""docs/chapters.md: a chapter that is written from it, word by word, is made."""

import csv
import re

from .conftest import REPOSITORY, copy_repository

BLOCK = re.compile(r"`?([^`\n]*)`?\n```(?:python|yaml)\n(.*?)```", re.DOTALL)
MOST_LINES = 60


def put(path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_the_chapter_of_the_page_is_made(tmp_path):
    copy = copy_repository(tmp_path)
    page = (REPOSITORY / "docs/chapters.md").read_text()
    chapters = copy.folder / "workflow/depthlens/chapters"
    for head, text in BLOCK.findall(page):
        if head.startswith("workflow/"):
            file = copy.folder / head
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        else:
            smoke = (copy.folder / "tests/smoke.yaml").read_text()
            (copy.folder / "config.yaml").write_text(smoke + text)
    for folder in (chapters / "coins", chapters / "coins/experiments"):
        (folder / "__init__.py").write_text('"""Coins that are tossed."""\n')
    (line,) = re.findall(r'^`("coins": .*,)`$', page, re.MULTILINE)
    put(chapters / "contents.py", "CHAPTERS = {\n", f"CHAPTERS = {{\n    {line}\n")

    copy.snakemake("coins")
    folder = copy.folder / "reports/smoke/coins"
    with (folder / "claims.csv").open() as file:
        (claim,) = csv.DictReader(file)
    assert claim["verdict"] == "supported"
    assert (folder / "figures/settling/settling.svg").exists()
    assert "How fast a mean settles" in (folder / "index.html").read_text()
    put(copy.folder / "config.yaml", "tosses: [10, 1000]", "tosses: [10, 1000, 10000]")
    said = copy.plan("coins")
    cells = [line for line in said.splitlines() if "output:" in line and "tosses-" in line]
    assert len(cells) == 3 and all("tosses-10000" in line for line in cells)


def test_the_chapter_of_the_page_is_short():
    page = (REPOSITORY / "docs/chapters.md").read_text()
    code = [line for _, text in BLOCK.findall(page) for line in text.splitlines() if line.strip()]
    assert len(code) <= MOST_LINES, len(code)
