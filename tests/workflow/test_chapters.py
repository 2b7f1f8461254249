"""Chapters of experiments: made, extended and made again only where something changed."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from depthlens.chapters.chapter import chapter as declared
from depthlens.chapters.contents import CHAPTERS

from .conftest import Copy, copy_repository

WHOLE = "representation"
"""made by every run of the tests, by the rules that all chapters share"""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name == WHOLE else pytest.mark.exhaustive)
        for name in CHAPTERS
    ],
)
def chapter(request):
    return request.param


@pytest.fixture(scope="module")
def made(tmp_path_factory, chapter) -> Copy:
    copy = copy_repository(tmp_path_factory.mktemp("chapter"))
    config = copy.folder / "config.yaml"
    config.write_bytes((copy.folder / "tests/smoke.yaml").read_bytes())
    copy.snakemake(chapter)
    return copy


@pytest.fixture(scope="module")
def published(made, chapter, tmp_path_factory) -> Copy:
    """The chapter, taken in by DVC, committed to git and pushed to a remote."""
    first = Copy(Path(shutil.copytree(made.folder, tmp_path_factory.mktemp("first") / "study")))
    first.run("git", "init", "--quiet")
    first.run("git", "config", "user.email", "someone@example.org")
    first.run("git", "config", "user.name", "Someone")
    remote = tmp_path_factory.mktemp("remote")
    first.run("dvc", "remote", "add", "--quiet", "--default", "storage", str(remote))
    said = first.run("dvc", "repro", f"workflow/dvc.yaml:chapter@{chapter}")
    assert "Nothing to be done" in said.stdout + said.stderr
    first.run("dvc", "push", "--quiet")
    first.run("git", "add", ".")
    first.run("git", "commit", "--quiet", "--message", "The chapter")
    return first


def report(made: Copy, chapter):
    return made.folder / "reports/smoke" / chapter


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_plans_all_its_sections(fresh, chapter):
    (fresh.folder / "config.yaml").write_bytes((fresh.folder / "tests/smoke.yaml").read_bytes())
    sections = {f"{chapter}_{section.name}_section" for section in declared(chapter).sections}
    assert sections | {f"{chapter}_page"} <= fresh.planned(chapter)


def test_a_chapter_is_a_target_of_its_own(made, chapter):
    """With its page, and without the study that a bare snakemake makes."""
    assert not (made.folder / "reports/smoke/index.html").exists()
    assert made.planned(chapter) == set()


def test_every_section_has_figures_and_claims_with_verdicts(made, chapter):
    folder = report(made, chapter)
    for section in declared(chapter).sections:
        captions = json.loads((folder / f"figures/{section.name}/captions.json").read_text())
        assert set(captions) == set(section.figures)
        with (folder / f"sections/{section.name}.csv").open() as file:
            claims = list(csv.DictReader(file))
        assert claims and all(claim["verdict"] for claim in claims)
    with (folder / "claims.csv").open() as file:
        ids = [(row["id"], row["dataset"], row["model"]) for row in csv.DictReader(file)]
    assert len(ids) == len(set(ids))


def test_a_longer_list_makes_its_own_cells_and_no_other(made, chapter):
    config = made.folder / "config.yaml"
    before = config.read_bytes()
    values = yaml.safe_load(before)
    block = values["chapters"][chapter]
    block["seeds"] = [*block["seeds"], 9]
    config.write_text(yaml.safe_dump(values))
    said = made.plan(chapter)
    config.write_bytes(before)
    made_again = [line for line in said.splitlines() if line.strip().startswith("output:")]
    seeds = re.findall(r"_seeds?-([\d-]+)", "".join(made_again))
    assert seeds and set(seeds) == {"9"}


def test_a_changed_figure_trains_nothing(made, chapter):
    section = declared(chapter).sections[0]
    module = made.folder / f"workflow/depthlens/chapters/{chapter}/{section.name}.py"
    before = module.read_bytes()
    module.write_bytes(before + b"\n# a change\n")
    planned = made.planned(chapter)
    module.write_bytes(before)
    assert planned == {
        f"{chapter}_{section.name}_section",
        f"{chapter}_page",
        chapter,
    }


def test_another_machine_pulls_a_chapter_instead_of_making_it(published, chapter, tmp_path):
    clone = Copy(tmp_path / "elsewhere")
    published.run("git", "clone", "--quiet", str(published.folder), str(clone.folder))
    clone.run("dvc", "pull", "--quiet", f"workflow/dvc.yaml:chapter@{chapter}")
    made = clone.folder / "results" / chapter
    assert not [path for path in made.iterdir() if path.is_dir()], "cells are not kept"
    assert clone.planned(chapter) == set()
    pages = [report(copy, chapter) / "claims.csv" for copy in (published, clone)]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    # What is missing later is made from what was pulled.
    (report(clone, chapter) / "index.html").unlink()
    assert clone.planned(chapter) == {f"{chapter}_page", chapter}
