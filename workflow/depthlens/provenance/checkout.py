"""Whose code runs: in a folder that has code of its own, that and no other.

An environment is made for one checkout; in a second one it would run, and digest, the first one's.
"""

import os
from pathlib import Path

from depthlens.errors import StudyError

_PACKAGE = Path(__file__).parents[1]
_EXPECTED = "DEPTHLENS_CHECKOUT"


def expect(folder: Path | str) -> None:
    """Check the code that runs against a folder, and have the commands of its jobs do so too.

    Raises
    ------
    StudyError
        If the folder has a package of its own and this is not it.
    """
    _check(Path(folder))
    os.environ[_EXPECTED] = str(folder)  # a job may work elsewhere, and find another command


def check() -> None:
    """Check a command against the Snakefile that calls it, or the working directory; raises so."""
    _check(Path(os.environ.get(_EXPECTED, ".")))


def _check(folder: Path) -> None:
    own = folder.absolute() / "workflow/depthlens"
    if own.is_dir() and not own.samefile(_PACKAGE):
        raise StudyError(
            f"{own} is the code of this folder, but {_PACKAGE} runs: `make setup` makes an "
            f"environment here, to be used as .venv/bin; or set PYTHONPATH={own.parent}"
        )
