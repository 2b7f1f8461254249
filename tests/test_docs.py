"""The pages: every link leads somewhere, and together they are one site."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("docs/*/*.md"),
        *REPOSITORY.glob("tests/*/*.md"),
    ]
)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names of its headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_is_on_the_site():
    on_site = runpy.run_path(str(REPOSITORY / "docs/conf.py"))["include_patterns"]
    assert sorted(on_site) == [name(page) for page in PAGES]


@pytest.mark.exhaustive
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "-c", "docs", "."]
    done = subprocess.run(
        [*command, tmp_path], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    site = [tmp_path / "index.html", *tmp_path.rglob("docs/*.html")]
    assert len(site) > 10
    elsewhere = re.compile(r'<(script|link|img)[^>]* (src|href)="(https?:)?//')
    assert not [page for page in site if elsewhere.search(page.read_text("utf-8"))]
