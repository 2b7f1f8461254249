"""docs/chapters.md: a chapter that is written from it, word by word, is made."""

import csv
import re

from .conftest import REPOSITORY, copy_repository

BLOCK = re.compile(r"`?([^`\n]*)`?\n```(?:python|yaml)\n(.*?)```", re.DOTALL)


def put(path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_the_chapter_of_the_page_is_made(tmp_path):
    copy = copy_repository(tmp_path)
    page = (REPOSITORY / "docs/chapters.md").read_text()
    package = copy.folder / "workflow/depthlens"
    config = package / "config.py"
    for head, text in BLOCK.findall(page):
        if head.endswith("/config.py"):
            put(config, "class Chapters(Block):\n", text + "class Chapters(Block):\n")
        elif head.startswith("workflow/"):
            file = copy.folder / head
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        else:
            smoke = (copy.folder / "tests/smoke.yaml").read_text()
            (copy.folder / "config.yaml").write_text(smoke + text)
    field = "    inductive_bias: InductiveBias\n"
    put(config, field, f"{field}    coins: Coins\n")
    blocks = "BLOCKS: dict[str, Any] = {\n"
    put(config, blocks, f'{blocks}    "chapters.coins": Coins,\n')
    contents = package / "chapters/contents.py"
    line = "from depthlens.chapters.coins.contents import CHAPTER as COINS\n"
    put(contents, "\nCHAPTERS = (", f"{line}\nCHAPTERS = (COINS, ")

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
