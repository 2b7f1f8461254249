"""Make one cell of a sweep: run its experiment on the images that it names."""

import importlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch

from depthlens import tables
from depthlens.errors import StudyError
from depthlens.models import devices
from depthlens.progress import bar

log = logging.getLogger(__name__)


def run(
    *, experiment: str, data: Path, outputs: Sequence[Path], cell: dict, settings: dict
) -> None:
    """Write the rows of one cell; its values are in the metadata.

    Parameters
    ----------
    experiment : str
        Module below `depthlens.chapters` with the function `experiment`.
    data : path
        Folder of the datasets; those that the cell names as `dataset` and `other` are read.
    outputs : sequence of path
        For each table that the experiment fills {table}/{cell}.parquet: an experiment of one table
        gives its rows, of several a mapping by their names.
    cell, settings : dict
        See `depthlens.sweep.Sweep`.

    Raises
    ------
    StudyError
        If a dataset has fewer images than the recipe of the networks asks for: figures say that.
    """
    # One thread: cells run side by side, and the bits do not depend on how many.
    torch.set_num_threads(1)
    devices.make_deterministic()
    started = time.perf_counter()
    module = importlib.import_module(f"depthlens.chapters.{experiment}")
    names = [cell[key] for key in ("dataset", "other") if key in cell]
    paths = {
        f"{name} {split}": data / name / f"{split}.parquet"
        for name in names
        for split in ("train", "test")
    }
    images = {
        name: tuple(tables.read_images(paths[f"{name} {split}"]) for split in ("train", "test"))
        for name in names
    }
    _check_sizes(images, settings.get("recipe", {}))
    found = module.experiment(
        images,
        cell=cell,
        settings=settings,
        progress=lambda steps: bar(steps, label="training"),
    )
    about = tables.describe("cell", {"cell": cell, "settings": settings}, paths)
    for output in outputs:
        rows = found if isinstance(found, pd.DataFrame) else found[output.parent.name]
        tables.write_frame(output, rows, about)
    log.info("%s, %.1f s", output.stem, time.perf_counter() - started)


def _check_sizes(images: Mapping[str, tuple[tables.Images, ...]], recipe: Mapping) -> None:
    for dataset, splits in images.items():
        for split, name in zip(splits, ("train", "test"), strict=True):
            wanted, there = recipe.get(f"{name}_examples", 0), len(split.labels)
            if wanted > there:
                raise StudyError(
                    f"recipe.{name}_examples: {wanted} asked for, but {dataset} has {there}; "
                    "lower it in the block of the chapter, or take more images of the dataset"
                )
