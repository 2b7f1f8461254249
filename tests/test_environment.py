"""The ways to install agree with each other."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]


def locked() -> dict[str, str]:
    """Versions that requirements.lock gives on Python 3.11."""
    lines = re.findall(
        r"^([a-z0-9-]+)==(\S+?)(?: ; (.*?))? \\$",
        (REPOSITORY / "requirements.lock").read_text(),
        re.MULTILINE,
    )
    return {name: version for name, version, marker in lines if ">= '3.12'" not in marker}


def test_conda_environment_has_the_locked_versions_of_every_dependency():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    needed = {re.split("[<>=]", text)[0] for text in project["dependencies"]}
    environment = yaml.safe_load((REPOSITORY / "envs/depthlens.yaml").read_text())
    pinned = dict(text.split("==") for text in environment["dependencies"][-1]["pip"])
    assert pinned == {name: locked()[name] for name in needed}


def test_every_locked_package_has_a_hash_and_no_address():
    text = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in text
    assert len(locked()) > 50
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def executable(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


OLD = 'test "$1" = --version && echo Python 3.10.13 && exit', "exit 1"


@pytest.fixture
def setup(tmp_path):
    """`make setup` in a clone, with a uv that writes down what it is asked and installs nothing."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy2(REPOSITORY / name, tmp_path)
    said = tmp_path / "uv.txt"
    executable(
        tmp_path / "bin/uv",
        f'echo "$@" >> "{said}"',
        'test "$1" = venv || exit 0',
        f'mkdir -p .venv/bin && ln -s "{sys.executable}" .venv/bin/python',
    )
    executable(tmp_path / "bin/python3", f'exec "{sys.executable}" "$@"')
    executable(tmp_path / "bin/python3.10", *OLD)

    def run(*arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        done = subprocess.run(
            ["make", "setup", *arguments],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}/bin{os.pathsep}/usr/bin{os.pathsep}/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, said.read_text().splitlines() if said.exists() else []

    return run


def test_setup_with_a_python_that_is_too_old_says_which_will_do_and_makes_nothing(setup, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done, asked = setup("PYTHON=python3.10")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        "error: Python 3.11 or newer is needed, and python3.10 is none: Python 3.10.13; "
        "name one: make setup PYTHON=python3.12"
    )
    assert asked == []
    assert sorted(tmp_path.rglob("*")) == before
    done, asked = setup()
    assert done.returncode == 0, done.stderr
    assert asked[0] == "venv --quiet --python python3 .venv"


def test_setup_replaces_an_environment_whose_python_is_too_old(setup, tmp_path):
    for name in ("python", "python3"):
        executable(tmp_path / ".venv/bin" / name, *OLD)
    done, asked = setup()
    assert done.returncode == 0, done.stderr
    assert asked[0] == "venv --quiet --python python3 .venv"
    (tmp_path / "requirements.lock").touch()
    again, asked = setup("PYTHON=python3.10")  # it is there, and will do
    assert again.returncode == 0, again.stderr
    assert [line.split()[0] for line in asked].count("venv") == 1
