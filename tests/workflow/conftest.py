"""A copy of the repository in which the real workflow runs the tiny study, once for all tests."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from . import warm

REPOSITORY = Path(__file__).parents[2]
_COPIED = (
    "Snakefile",
    "rules",
    "profiles",
    "envs",
    "workflow",
    "tests/smoke.yaml",
    "config.yaml",
    "docs/captions",
    "dvc.yaml",
    ".dvcignore",
    ".dvc/config",
    ".gitignore",
)

_NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Copy:
    """A folder with the workflow in it, and how a user types commands there."""

    folder: Path
    cold: bool = False
    """whether each command is a process from the start, and none of `warm`"""

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which commands are those of this interpreter, on the copy's package.

        Compiled modules are kept, as a user's Python does; a machine that tests may be told not to.
        """
        kept = {key: value for key, value in os.environ.items() if key != _NOT_COMPILED}
        folders = [] if self.cold else [warm.commands(kept.get("PYTHONHASHSEED", "random"))]
        return {
            **kept,
            "PATH": os.pathsep.join(
                [*folders, str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "PYTHONPATH": str(self.folder / "workflow"),
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command; show what it said if it failed although it should not."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run snakemake with the default profile."""
        return self.run("snakemake", *arguments, check=check)

    def plan(self, *arguments: str) -> str:
        """All that a dry run says: Snakemake logs to one stream or the other."""
        done = self.snakemake(*arguments, "--dry-run")
        return done.stdout + done.stderr

    def planned(self, *arguments: str) -> set[str]:
        """Rules that a dry run would run."""
        said = self.plan(*arguments)
        return {
            line.removeprefix("rule ").removeprefix("localrule ").rstrip(":")
            for line in said.splitlines()
            if line.startswith(("rule ", "localrule "))
        }


def copy_repository(folder: Path) -> Copy:
    """What a clone has, without history and without results."""
    for name in _COPIED:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return Copy(folder)


def tiny(folder: Path) -> Copy:
    """A copy of the repository whose study takes seconds."""
    copy = copy_repository(folder)
    values = yaml.safe_load((REPOSITORY / "tests/smoke.yaml").read_text())
    values["datasets"]["tiny_shapes"].update(train_examples=60, test_examples=30)
    values["training"].update(epochs=2, batch_size=30, device="cpu", threads=1)
    values["activations"].update(probes=["input", "layer4"], device="cpu")
    values["knn"].update(n_neighbors=3, device="cpu")
    values["figures"].update(gallery_images=4)
    values["chapters"]["difficulty"].update(bootstrap_samples=100)
    (copy.folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return copy


@pytest.fixture
def fresh(tmp_path: Path) -> Copy:
    """A copy in which nothing has been run."""
    return copy_repository(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which tests/smoke.yaml was made the config and a bare `snakemake` has run.

    With fewer images, on one thread: two that wait for each other keep a busy machine busy. Made
    once, however many processes the tests run in; each has a copy of its own.
    """
    base = tmp_path_factory.getbasetemp()
    once = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with FileLock(f"{once}.lock"):
        if not once.exists():
            made = copy_repository(once.with_name("unfinished"))
            smoke = made.folder / "tests/smoke.yaml"
            values = yaml.safe_load(smoke.read_text())
            values["datasets"]["tiny_shapes"].update(train_examples=120, test_examples=60)
            values["training"].update(threads=1)
            smoke.write_text(yaml.safe_dump(values, sort_keys=False))
            shutil.copy2(smoke, made.folder / "config.yaml")
            made.snakemake()
            made.folder.rename(once)
    return Copy(Path(shutil.copytree(once, tmp_path_factory.mktemp("study") / "copy")))
