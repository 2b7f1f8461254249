"""Read what the stages that look at results need of one run."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from depthlens import tables
from depthlens.chapters.difficulty.tables import Run
from depthlens.errors import ArtifactError, StudyError

_DEPTH_COLUMNS = ("example_id", "label", "prediction", "confidence", "correct", "depth")
_PROBE_COLUMNS = (
    "name",
    "kind",
    "shape",
    "dims",
    "parameters",
    "receptive_field",
    "duplicate_of",
)
_CONVERGENCE_KEYS = ("train_accuracy", "test_accuracy", "min_train_accuracy", "converged")


class Identity(NamedTuple):
    """Which run a file belongs to."""

    dataset: str
    model: str
    seed: int


def identify(path: Path | str) -> Identity:
    """The run that a file of results/{dataset}/{model}/seed{n}/ belongs to.

    Raises
    ------
    StudyError
        If the path has no such folders.
    """
    parts = Path(path).resolve().parts
    for index in range(len(parts) - 2, 1, -1):
        if seed := re.fullmatch(r"seed(\d+)", parts[index]):
            return Identity(parts[index - 2], parts[index - 1], int(seed[1]))
    raise StudyError(f"{path}: not in a folder {{dataset}}/{{model}}/seed{{n}}/ of a run")


def read_run(*, depth: Path, probes: Path, convergence: Path) -> Run:
    """Read the outcome of one run.

    Parameters
    ----------
    depth, probes, convergence : path
        Tables of depths and of probes, and what the convergence check measured.

    Raises
    ------
    ArtifactError
        If one is missing, damaged or empty, or they do not belong together.
    """
    identity = identify(depth)
    classes = tables.metadata(depth).get("classes")
    if not classes:
        raise ArtifactError(f"{depth}: its metadata lacks the classes; delete it and run again")
    about = tables.read(probes, _PROBE_COLUMNS)
    outcome = tables.read(depth, (*_DEPTH_COLUMNS, "knn"))
    knn = tables.matrix(outcome["knn"])
    if knn.shape[1] != about.num_rows:
        raise ArtifactError(
            f"{depth}: has {knn.shape[1]} probes where {probes} has {about.num_rows}; "
            "delete both and run again"
        )
    if not len(knn):
        raise ArtifactError(f"{depth}: holds no example")
    examples = pd.DataFrame({name: outcome[name].to_numpy() for name in _DEPTH_COLUMNS})
    for name, top in (
        ("depth", about.num_rows),
        ("label", len(classes) - 1),
        ("prediction", len(classes) - 1),
    ):
        if examples[name].min() < 0 or examples[name].max() > top:
            raise ArtifactError(
                f"{depth}: {name} must be between 0 and {top}, not {examples[name].min()} to "
                f"{examples[name].max()}; delete it and run again"
            )
    check = tables.read_json(convergence)
    if missing := [key for key in _CONVERGENCE_KEYS if key not in check]:
        raise ArtifactError(f"{convergence}: lacks {', '.join(missing)}; delete it and run again")
    return Run(
        **identity._asdict(),
        classes=classes,
        examples=examples.astype({"depth": np.int64, "label": np.int64, "prediction": np.int64}),
        knn=knn,
        probes=pd.DataFrame(
            {
                "name": about["name"].to_pylist(),
                "kind": about["kind"].to_pylist(),
                "shape": [_shape(value) for value in about["shape"].to_pylist()],
                "dims": about["dims"].to_pylist(),
                "parameters": about["parameters"].to_pylist(),
                "receptive_field": np.array(about["receptive_field"].to_pylist(), np.float64),
                "duplicate_of": pd.Series(about["duplicate_of"].to_pylist(), dtype=object),
            }
        ),
        train_accuracy=float(check["train_accuracy"]),
        test_accuracy=float(check["test_accuracy"]),
        min_train_accuracy=float(check["min_train_accuracy"]),
        converged=bool(check["converged"]),
    )


def read_images_of(run: Run, path: Path, *, depth: Path) -> tables.Images:
    """Read the test images of a run.

    Raises
    ------
    ArtifactError
        If the images are not those that the depths were computed for.
    """
    images = tables.read_images(path)
    if not np.array_equal(images.example_id, run.examples["example_id"]):
        raise ArtifactError(f"{depth}: not about the images of {path}; run the depth rule again")
    return images


def same_length(**lists: Sequence) -> None:
    """Refuse lists that should name one file a run but differ in length.

    Raises
    ------
    StudyError
    """
    if len({len(values) for values in lists.values()}) > 1:
        found = ", ".join(f"{len(values)} of {name}" for name, values in lists.items())
        raise StudyError(f"one file a run is needed of each kind, not {found}")
    if not all(lists.values()):
        raise StudyError("no run is given; a study needs at least one")


def _shape(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, list) else str(value)
