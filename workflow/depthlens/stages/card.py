"""What all networks of one dataset and model say of each image: the difficulty card."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens import tables
from depthlens.depth import prediction_depth
from depthlens.errors import ArtifactError, StudyError
from depthlens.progress import bar
from depthlens.scores import ensembles
from depthlens.scores import reliability as reliabilities
from depthlens.scores.catalogue import DEPTHS, SCORES

log = logging.getLogger(__name__)

SIDES = {"train": "train", "held_out": "test"}
"""Which split of a run holds the images that its network did, and did not, train on."""

_SPLITS_INTO_HALVES = 5

Reader = Callable[["_Seen"], NDArray]


class _Pool(NamedTuple):
    """All images of a dataset: those of the training split, then those of the test split."""

    labels: NDArray[np.integer]
    n_train: int
    classes: list[str]


class _Seen(NamedTuple):
    """One side of one run: the images that its network did, or did not, train on."""

    folder: Path
    split: str
    rows: NDArray[np.int32]
    """of the pool"""

    def table(self, name: str) -> Path:
        """Its `predictions`, `depth` or `scores`."""
        return self.folder / name / f"{self.split}.parquet"


def run(
    *,
    runs: Sequence[Path],
    train_images: Path,
    test_images: Path,
    output: Path,
    reliability: Path,
    cfg: dict,
) -> None:
    """Write `card.parquet`, one row an image, and `reliability.parquet`, one a score and side.

    An image is on the side `train` of the networks that trained on it, and on the side `held_out`
    of the others. The consensus class is that of the networks that did not.

    Parameters
    ----------
    runs : sequence of paths
        Folders results/{dataset}/{model}/seed{n}, and results/{dataset}/replicate{r}/{model}/
        seed{r} of networks that divide the images in another way. One whose training split was not
        studied counts on the other side only.
    train_images, test_images : path
        data/{dataset}/{split}.parquet.
    output, reliability : path
    cfg : dict
        Block `chapters.difficulty`, for the intervals.

    Raises
    ------
    StudyError
        If there is no run, or a folder is not one of this dataset.
    ArtifactError
        If tables are of other images, classes or probes.
    """
    if not runs:
        raise StudyError("no run is given; a card needs at least one")
    pool = _read_pool(train_images, test_images)
    n_pool = len(pool.labels)
    networks = [_read_sides(folder, pool, dataset=train_images.parent.name) for folder in runs]
    probes = _same_probes(networks)

    class_type = tables.class_type(len(pool.classes))
    predictions = np.full((len(runs), n_pool), -1, class_type)
    took_part = {side: np.zeros((len(runs), n_pool), bool) for side in SIDES}
    for network, sides in enumerate(networks):
        for side, seen in sides.items():
            answers = tables.read(seen.table("predictions"), ["prediction"])["prediction"]
            predictions[network, seen.rows] = answers.to_numpy()
            took_part[side][network, seen.rows] = True
    members, n_classes = took_part["held_out"], len(pool.classes)
    consensus = ensembles.consensus(predictions, members=members, n_classes=n_classes)

    readers = _readers(consensus)
    summaries: dict[tuple[str, str], dict[str, NDArray]] = {}
    rows = []
    work = [(name, side) for name in readers for side in SIDES]
    for name, side in bar(work, label="card", unit="column"):
        measurements = _gather(networks, side, readers[name], n_pool)
        summaries[name, side] = {"mean": ensembles.mean(measurements)}
        if name == "depth":
            summaries[name, side]["std"] = ensembles.spread(measurements)
        found = reliabilities.measure(
            measurements,
            n_splits=_SPLITS_INTO_HALVES,
            confidence_level=cfg["confidence_level"],
            bootstrap_samples=cfg["bootstrap_samples"],
            seed=cfg["bootstrap_seed"],
        )
        if np.isfinite(found.reliability):
            rows.append((name, side, found))

    about = tables.describe("card", cfg, _inputs(networks, train_images, test_images))
    about |= {"classes": pool.classes, "n_networks": len(runs), "probes": probes}
    ids = np.arange(n_pool, dtype=np.int32)
    columns = {
        "example_id": ids,
        "split": np.where(ids < pool.n_train, "train", "test"),
        "split_id": np.where(ids < pool.n_train, ids, ids - pool.n_train),
        "label": pool.labels,
        "n_train": took_part["train"].sum(axis=0, dtype=np.int16),
        "n_held_out": took_part["held_out"].sum(axis=0, dtype=np.int16),
        "consensus": consensus.astype(class_type),
        "consensus_consistency": ensembles.consensus_consistency(
            predictions, members=members, n_classes=n_classes
        ),
        "label_consistency": ensembles.label_consistency(
            predictions, took_part["held_out"], pool.labels
        ),
        "ensemble_agreement": ensembles.ensemble_agreement(
            predictions, took_part["train"] | took_part["held_out"], n_classes=len(pool.classes)
        ),
        "depth_train_mean": summaries["depth", "train"]["mean"],
        "depth_train_std": summaries["depth", "train"]["std"],
        "depth_held_out_mean": summaries["depth", "held_out"]["mean"],
        "depth_held_out_std": summaries["depth", "held_out"]["std"],
    }
    for name in ("depth_consensus", "depth_label"):
        for side in SIDES:
            columns[f"{name}_{side}_mean"] = summaries[name, side]["mean"]
    for score in SCORES:
        for side in SIDES:
            columns[f"{score.name}_{side}"] = summaries[score.name, side]["mean"]
    tables.write(output, {name: _narrow(values) for name, values in columns.items()}, about)
    _write_reliability(reliability, rows, about)
    log.info(
        "%d images, %d networks; %d scores and sides measured more than once",
        n_pool, len(runs), len(rows),
    )  # fmt: skip


def _read_pool(train_images: Path, test_images: Path) -> _Pool:
    labels, classes = [], []
    for path in (train_images, test_images):
        table = tables.read(path, ["example_id", "label"])
        if not np.array_equal(table["example_id"].to_numpy(), np.arange(len(table))):
            raise ArtifactError(f"{path}: its example_id does not count from 0")
        labels.append(table["label"].to_numpy())
        classes.append(tables.metadata(path).get("classes"))
    if classes[0] != classes[1] or not classes[0]:
        raise ArtifactError(f"{test_images}: other classes than {train_images}; delete both")
    return _Pool(np.concatenate(labels), len(labels[0]), classes[0])


def _read_sides(folder: Path, pool: _Pool, *, dataset: str) -> dict[str, _Seen]:
    """The sides of one run, after a check that its tables are about images of the pool."""
    sides = {}
    divided_anew = _is_replicate(folder, dataset)
    for side, split in SIDES.items():
        # Replicates number the pool; the other runs number each split from 0.
        first = pool.n_train if split == "test" and not divided_anew else 0
        seen = _Seen(folder, split, np.empty(0, np.int32))
        path = seen.table("predictions")
        table = tables.read(path, ["example_id", "label"])
        ids = table["example_id"].to_numpy()
        rows = ids + first
        if len(rows) and (rows.min() < 0 or rows.max() >= len(pool.labels)):
            raise ArtifactError(f"{path}: about images that the dataset {dataset} does not have")
        if not np.array_equal(table["label"].to_numpy(), pool.labels[rows]):
            raise ArtifactError(
                f"{path}: other labels than the images of {dataset} have; run the study again"
            )
        if (found := tables.metadata(path).get("classes")) != pool.classes:
            raise ArtifactError(f"{path}: other classes than {dataset} ({found})")
        seen = seen._replace(rows=rows.astype(np.int32))
        for name in _measures(seen):
            other = seen.table(name)
            if not np.array_equal(tables.read(other, ["example_id"])["example_id"], ids):
                raise ArtifactError(f"{other}: other examples than {path}; delete both, run again")
        sides[side] = seen
    return sides


def _is_replicate(folder: Path, dataset: str) -> bool:
    parts = folder.resolve().parts
    if len(parts) > 3 and parts[-3] == dataset:
        return False
    if len(parts) > 4 and parts[-4] == dataset and re.fullmatch(r"replicate\d+", parts[-3]):
        return True
    raise StudyError(
        f"{folder}: no run of {dataset}; expected {dataset}/{{model}}/seed{{n}} or "
        f"{dataset}/replicate{{r}}/{{model}}/seed{{r}}"
    )


def _measures(seen: _Seen) -> Sequence[str]:
    """The tables of measures of a side: a training split may have none, if it was not studied."""
    measures = ("depth", "scores")
    studied = seen.split == "test" or any(seen.table(name).exists() for name in measures)
    return measures if studied else ()


def _same_probes(networks: Sequence[dict[str, _Seen]]) -> list[str]:
    probes, first = None, None
    for sides in networks:
        for seen in sides.values():
            if not _measures(seen):
                continue
            path = seen.table("depth")
            found = tables.metadata(path).get("probes")
            if probes is None:
                probes, first = found, path
            if found != probes or not found:
                raise ArtifactError(f"{path}: other probes than {first}; delete both, run again")
    return probes or []


def _readers(consensus: NDArray[np.integer]) -> dict[str, Reader]:
    """How each measure of a side of a run is read: values for its rows."""

    def column(table: str, name: str) -> Reader:
        return lambda seen: tables.read(seen.table(table), [name])[name].to_numpy()

    def by_consensus(seen: _Seen) -> NDArray[np.float32]:
        knn = tables.matrix(tables.read(seen.table("depth"), ["knn"])["knn"])
        agreed = consensus[seen.rows]
        return np.where(agreed >= 0, prediction_depth(knn, agreed), np.nan).astype(np.float32)

    return {
        **{score.name: column("depth", score.name) for score in DEPTHS},
        "depth_consensus": by_consensus,
        **{score.name: column("scores", score.name) for score in SCORES},
    }


def _gather(
    networks: Sequence[dict[str, _Seen]], side: str, read: Reader, n_pool: int
) -> NDArray[np.float32]:
    """One measure of all networks, shape (n_networks, n_pool), NaN where one has none."""
    found = np.full((len(networks), n_pool), np.nan, np.float32)
    for network, sides in enumerate(networks):
        if _measures(sides[side]):
            found[network, sides[side].rows] = read(sides[side])
    return found


def _inputs(
    networks: Sequence[dict[str, _Seen]], train_images: Path, test_images: Path
) -> dict[str, Path]:
    inputs = {"images/train": train_images, "images/test": test_images}
    for number, sides in enumerate(networks, 1):
        for seen in sides.values():
            for name in ("predictions", *_measures(seen)):
                inputs[f"{number}/{name}/{seen.split}"] = seen.table(name)
    return inputs


def _narrow(values: NDArray) -> NDArray:
    return values.astype(np.float32) if values.dtype == np.float64 else values


def _write_reliability(
    path: Path, rows: Sequence[tuple[str, str, reliabilities.Reliability]], about: dict
) -> None:
    columns = {
        "score": np.array([name for name, _, _ in rows], str),
        "side": np.array([side for _, side, _ in rows], str),
        "n_examples": np.array([found.n_examples for _, _, found in rows], np.int32),
    }
    for field in ("measurements", "reliability", "low", "high", "networks_needed"):
        values = [getattr(found, field) for _, _, found in rows]
        columns[field] = np.array(values, np.float32)
    tables.write(path, columns, about)
