"""What a stage depends on, by content: never by file times, places or comments elsewhere."""

import os
import shutil
from pathlib import Path

import pytest

from depthlens.errors import StudyError
from depthlens.provenance import code as provenance


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A small package to change."""
    root = tmp_path / "package"
    files = {
        "__init__.py": "",
        "errors.py": "x = 1\n",
        "tables.py": "from depthlens.errors import x\n",
        "stages/__init__.py": "",
        "stages/knn.py": "import numpy\nfrom depthlens import tables\n",
        "stages/late.py": "def run():\n    from depthlens.knn import brute\n",
        "stages/dotted.py": "import depthlens.knn.brute as brute\n",
        "stages/report.py": "from depthlens.report import page\n",
        "knn/__init__.py": "",
        "knn/brute.py": "y = 1\n",
        "report/__init__.py": "",
        "report/page.py": "z = 1\n",
        "report/templates/page.html": "<p>",
        "circle/__init__.py": "",
        "circle/a.py": "from depthlens.circle import b\n",
        "circle/b.py": "from depthlens.circle import a\n",
        "unrelated.py": "w = 1\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(provenance, "_PACKAGE", root)
    yield root
    forget()


def forget() -> None:
    provenance.code_digest.cache_clear()
    provenance._module.cache_clear()


def digest(module: str) -> str:
    forget()
    return provenance.code_digest(module)


def append(file: Path, text: str = "changed = True\n") -> None:
    file.write_text(file.read_text() + text)


@pytest.mark.parametrize(
    ("stage", "changed"),
    [
        ("stages.knn", "stages/knn.py"),  # itself
        ("stages.knn", "tables.py"),  # what it imports
        ("stages.knn", "errors.py"),  # what that imports
        ("stages.knn", "stages/__init__.py"),  # what runs on the way to it
        ("stages.late", "knn/brute.py"),  # an import within a function
        ("stages.late", "knn/__init__.py"),
        ("stages.dotted", "knn/brute.py"),  # import a.b.c as c
        ("stages.report", "report/page.py"),
        ("stages.report", "report/templates/page.html"),  # a file that the package ships
        ("circle.a", "circle/b.py"),
    ],
)
def test_a_change_of_anything_it_uses_changes_the_digest(package, stage, changed):
    before = digest(stage)
    append(package / changed)
    assert digest(stage) != before


@pytest.mark.parametrize(
    ("stage", "changed"),
    [
        ("stages.knn", "unrelated.py"),
        ("stages.knn", "stages/late.py"),  # a neighbour in its folder
        ("stages.knn", "knn/brute.py"),  # has its name, but is not imported
        ("stages.knn", "report/templates/page.html"),
        ("circle.a", "tables.py"),
    ],
)
def test_a_change_of_anything_else_does_not(package, stage, changed):
    before = digest(stage)
    append(package / changed)
    assert digest(stage) == before


def test_a_new_module_that_nobody_imports_does_not_count(package):
    before = digest("stages.knn")
    (package / "new.py").write_text("v = 1\n")
    assert digest("stages.knn") == before


def test_a_touched_file_does_not_count(package):
    before = digest("stages.knn")
    for file in package.rglob("*.py"):
        os.utime(file, (1, 1))
    assert digest("stages.knn") == before


def test_compiled_files_do_not_count(package):
    before = digest("stages.report")
    cached = package / "report/__pycache__/page.cpython-313.pyc"
    cached.parent.mkdir()
    cached.write_bytes(b"0")
    assert digest("stages.report") == before


def test_a_copy_elsewhere_has_the_same_digest(package, tmp_path, monkeypatch):
    before = digest("stages.report")
    shutil.copytree(package, tmp_path / "elsewhere/with/another/name")
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path / "elsewhere/with/another/name")
    assert digest("stages.report") == before


def test_stages_have_digests_of_their_own(package):
    stages = ["stages.knn", "stages.late", "stages.dotted", "stages.report"]
    assert len({digest(stage) for stage in stages}) == len(stages)


def test_a_digest_is_sixteen_hexadecimal_digits(package):
    assert len(digest("stages.knn")) == 16
    int(digest("stages.knn"), 16)


def test_an_unknown_module_is_named(package):
    with pytest.raises(StudyError, match=r"depthlens\.stages\.kn: no such module"):
        digest("stages.kn")


def test_an_edit_of_the_real_package_reruns_the_stages_that_use_it_alone(tmp_path, monkeypatch):
    copy = tmp_path / "depthlens"
    shutil.copytree(provenance._PACKAGE, copy)
    monkeypatch.setattr(provenance, "_PACKAGE", copy)
    stages = ("generate", "train", "activations", "knn", "depth")
    before = {stage: digest(f"stages.{stage}") for stage in stages}
    append(copy / "knn/search.py", "# changed\n")
    changed = {stage for stage in stages if digest(f"stages.{stage}") != before[stage]}
    forget()
    assert changed == {"knn"}
