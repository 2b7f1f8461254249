"""The ways to install agree with each other."""

import re
import tomllib
from pathlib import Path

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
