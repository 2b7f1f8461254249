"""Read what the stages that look at results need of one run."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from depthlens import tables
from depthlens.chapters.difficulty.card import CARD, RELIABILITY, Ensemble
from depthlens.chapters.difficulty.run import Run, Split
from depthlens.errors import ArtifactError, StudyError

_DEPTH_COLUMNS = ("example_id", "label", "prediction", "confidence", "correct", "depth")
_VARIANTS = ("example_id", "depth", "depth_last_probe", "depth_label")
_ON_TRAIN = "depth_self_voting"
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


def read_run(
    *,
    depth: Path,
    probes: Path,
    convergence: Path,
    scores: Path,
    train_depth: Path | None = None,
    train_scores: Path | None = None,
) -> Run:
    """Read the outcome of one run.

    Parameters
    ----------
    depth, scores : path
        Tables of the test images.
    probes, convergence : path
        Table of probes, and what the convergence check measured.
    train_depth, train_scores : path, optional
        Tables of the training images, both where they are studied.

    Raises
    ------
    ArtifactError
        If one is missing, damaged or empty, or they do not belong together.
    StudyError
        If only one of the tables of training images is given.
    """
    if (train_depth is None) != (train_scores is None):
        raise StudyError(
            f"{train_depth or train_scores}: depths and scores of training images go together; "
            "give both or neither"
        )
    identity = identify(depth)
    classes = tables.metadata(depth).get("classes")
    if not classes:
        raise ArtifactError(f"{depth}: its metadata lacks the classes; delete it and run again")
    about = tables.read(probes, _PROBE_COLUMNS)
    outcome = tables.read(depth, (*_DEPTH_COLUMNS, "knn"))
    test = read_split(depth, scores)
    train = None
    if train_depth and train_scores:
        train = read_split(train_depth, train_scores, of_training=True)
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
    check = _read_convergence(convergence)
    return Run(
        **identity._asdict(),
        classes=classes,
        test=test,
        train=train,
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


def read_runs(folders: Sequence[Path], *, train: bool) -> Iterator[tuple[Path, Run]]:
    """Read several runs, one after the other.

    Parameters
    ----------
    folders : sequence of path
        results/{dataset}/{model}/seed{n} of each run.
    train : bool
        Whether training images are studied too.

    Yields
    ------
    (path, Run)
        The folder of a run, and the run.

    Raises
    ------
    StudyError
        If none is given.
    """
    if not folders:
        raise StudyError("no run is given; a study needs at least one")
    for folder in folders:
        yield (
            folder,
            read_run(
                depth=folder / "depth/test.parquet",
                probes=folder / "probes.parquet",
                convergence=folder / "convergence.json",
                scores=folder / "scores/test.parquet",
                train_depth=folder / "depth/train.parquet" if train else None,
                train_scores=folder / "scores/train.parquet" if train else None,
            ),
        )


def read_split(depth: Path, scores: Path, *, of_training: bool = False) -> Split:
    """Read what a network gave each example of a split.

    Raises
    ------
    ArtifactError
        If a table is missing, damaged or empty, or they are about other examples.
    """
    names = (*_VARIANTS, _ON_TRAIN) if of_training else _VARIANTS
    table = tables.read(depth, (*names, "depth_by_k"))
    about = tables.metadata(depth)
    if missing := [key for key in ("sensitivity", "n_neighbors") if key not in about]:
        raise ArtifactError(
            f"{depth}: its metadata lacks {', '.join(missing)}; delete it and run again"
        )
    if not table.num_rows:
        raise ArtifactError(f"{depth}: holds no example")
    found = tables.read(scores).to_pandas()
    if "example_id" not in found or not np.array_equal(
        found["example_id"], table["example_id"].to_numpy()
    ):
        raise ArtifactError(f"{scores}: not about the examples of {depth}; delete it, run again")
    return Split(
        depths=pd.DataFrame({name: table[name].to_numpy().astype(np.int64) for name in names}),
        depth_by_k=tables.matrix(table["depth_by_k"]),
        ks=tuple(about["sensitivity"]),
        n_neighbors=int(about["n_neighbors"]),
        scores=found.drop(columns="example_id"),
    )


def read_ensemble(*, card: Path, reliability: Path, train: Path, test: Path) -> Ensemble:
    """Read what all networks of one dataset and model say together.

    Parameters
    ----------
    card, reliability : path
        Tables in results/{dataset}/{model}/.
    train, test : path
        Tables of the images that the card is about.

    Raises
    ------
    ArtifactError
        If one is missing, damaged or empty, or they do not belong together.
    """
    about = tables.metadata(card)
    if missing := [key for key in ("classes", "n_networks", "probes") if key not in about]:
        raise ArtifactError(
            f"{card}: its metadata lacks {', '.join(missing)}; delete it and run again"
        )
    rows = tables.read(card, CARD).to_pandas()
    if rows.empty:
        raise ArtifactError(f"{card}: holds no image")
    images = {"train": tables.read_images(train), "test": tables.read_images(test)}
    for split, path in (("train", train), ("test", test)):
        asked = rows.loc[rows["split"] == split, "split_id"]
        strange = about["classes"] != images[split].classes
        if strange or not asked.isin(images[split].example_id).all():
            raise ArtifactError(f"{card}: not about the images of {path}; delete it, run again")
    folder = Path(card).resolve().parent
    return Ensemble(
        dataset=folder.parent.name,
        model=folder.name,
        classes=about["classes"],
        n_networks=int(about["n_networks"]),
        n_probes=len(about["probes"]),
        card=rows,
        reliability=tables.read(reliability, RELIABILITY).to_pandas(),
        images=images,
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


def unconverged(convergence: Sequence[Path]) -> str | None:
    """What to write on figures of networks of which some did not converge; None if all did.

    Raises
    ------
    ArtifactError
        If a file is missing or does not say whether the network converged.
    """
    failed = sum(not _read_convergence(path)["converged"] for path in convergence)
    if not failed:
        return None
    return f"{failed} of {len(convergence)} networks that were checked did not converge"


def _read_convergence(path: Path) -> dict:
    check = tables.read_json(path)
    if missing := [key for key in _CONVERGENCE_KEYS if key not in check]:
        raise ArtifactError(f"{path}: lacks {', '.join(missing)}; delete it and run again")
    return check


def _shape(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, list) else str(value)
