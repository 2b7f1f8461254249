"""Put the cells of a sweep together in one tidy table."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from depthlens import tables
from depthlens.errors import ArtifactError

log = logging.getLogger(__name__)

_OF_RECIPE = ("architecture", "train_examples")


def run(*, cells: Sequence[Path], output: Path) -> None:
    """Write all rows of all cells, each with the values of its cell before it.

    What the recipe of the networks says of architecture and number of training images is added
    where no cell says it: every figure states it.

    Factors of images, `factor_…`, are NaN where a dataset does not have them.

    Raises
    ------
    ArtifactError
        If a file is no cell, or has other columns than the first, factors apart.
    """
    parts = [_read(path) for path in cells]
    for path, part in zip(cells, parts, strict=True):
        if _own(part) != _own(parts[0]):
            raise ArtifactError(f"{path}: other columns than {cells[0]}; delete both and run again")
    table = pd.concat(parts, ignore_index=True)
    named = {str(index): path for index, path in enumerate(cells)}
    tables.write_frame(output, table, tables.describe("gather", {}, named))
    log.info("%d rows of %d cells", len(table), len(cells))


def _own(rows: pd.DataFrame) -> list[str]:
    """Columns that every cell of a sweep has."""
    return [name for name in rows if not name.startswith("factor_")]


def _read(path: Path) -> pd.DataFrame:
    rows = tables.read(path).to_pandas()
    config = tables.metadata(path).get("config") or {}
    if "cell" not in config:
        raise ArtifactError(f"{path}: not a cell of a sweep; delete it and run again")
    known = {**(config["settings"].get("recipe") or {}), **config["cell"]}
    added = {name: known[name] for name in _OF_RECIPE if name in known}
    of_cell = {**config["cell"], **added}
    for place, (name, value) in enumerate(of_cell.items()):
        if name not in rows:
            rows.insert(min(place, rows.shape[1]), name, value)
    return rows
