"""Classify examples by the training activations of one probe."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.knn.points import Normalized, Points
from depthlens.knn.search import Neighbours, nearest
from depthlens.knn.sweep import Queries
from depthlens.knn.votes import count, vote
from depthlens.models import devices
from depthlens.progress import bar

log = logging.getLogger(__name__)

GIGABYTE = 10**9


class Labels(NamedTuple):
    """What the references vote for."""

    ids: NDArray[np.integer]
    classes: NDArray[np.integer]
    n_classes: int


def run(
    *,
    references: Path,
    labels: Path,
    cfg: dict,
    queries: Path | None = None,
    output: Path | None = None,
    leave_one_out: Path | None = None,
) -> None:
    """Write `knn/{split}/{probe}.parquet` for one split or both, from one sweep.

    Parameters
    ----------
    references : path
        Activations of the whole training set.
    labels : path
        Predictions table of the training set, for its true labels.
    cfg : dict
        Block `knn`.
    queries, output : paths, optional
        Activations of other examples at the same probe, and the table to write for them.
    leave_one_out : path, optional
        Table to write for the references themselves: none is its own neighbour.
    """
    points = read_points(references, cfg)
    voters = read_labels(labels, points)
    sets, outputs = problem(points, queries, output, leave_one_out, cfg)
    found = search(sets, points, most_neighbours(cfg), cfg, ranks=_ranks(cfg, leave_one_out))
    inputs = {"references": references, "labels": labels}
    for (query, itself), near, path in zip(sets, found, outputs, strict=True):
        asked = {"queries": query.source} if not itself else {}
        about = tables.describe("knn", cfg, {**asked, **inputs})
        write(path, query.ids, near, voters, about, cfg, itself=itself)


def most_neighbours(cfg: dict) -> int:
    """The largest k that the block `knn` asks about."""
    return max(cfg["n_neighbors"], *cfg["sensitivity"])


def _ranks(cfg: dict, leave_one_out: Path | None) -> list[int]:
    """Every k whose neighbours must be told apart from the others."""
    k = cfg["n_neighbors"]
    # An example that votes for itself leaves room for one neighbour fewer.
    own = [k - 1] if leave_one_out and k > 1 else []
    return sorted({*own, k, *cfg["sensitivity"]})


def read_points(path: Path, cfg: dict) -> Points:
    """The activations of one probe, as the metric of the block `knn` sees them."""
    points = tables.Rows(path, "activation")
    return Normalized(points) if cfg["metric"] == "cosine" else points


def read_labels(path: Path, references: Points) -> Labels:
    """The true labels of the references.

    Raises
    ------
    ArtifactError
        If they are of other examples.
    """
    table = tables.read(path, ["example_id", "label"])
    if not np.array_equal(references.ids, table["example_id"].to_numpy()):
        raise ArtifactError(
            f"{references.source}: other examples than {path}; delete both and run again"
        )
    n_classes = len(tables.metadata(path)["classes"])
    return Labels(references.ids, table["label"].to_numpy(), n_classes)


def problem(
    references: Points,
    queries: Path | None,
    output: Path | None,
    leave_one_out: Path | None,
    cfg: dict,
) -> tuple[list[Queries], list[Path]]:
    """Sets of queries and the file to write for each.

    Raises
    ------
    ArtifactError
        If queries and references are of different networks.
    """
    if (queries is None) != (output is None) or not (queries or leave_one_out):
        raise StudyError("knn: give --queries with --output, or --leave-one-out, or all three")
    sets, outputs = [], []
    if queries and output:
        points = read_points(queries, cfg)
        if points.dims != references.dims:
            raise ArtifactError(
                f"{queries}: {points.dims} numbers an example, but {references.source} has "
                f"{references.dims}; delete both and run again"
            )
        sets.append(Queries(points))
        outputs.append(output)
    if leave_one_out:
        sets.append(Queries(references, exclude_self=True))
        outputs.append(leave_one_out)
    return sets, outputs


def search(
    sets: Sequence[Queries],
    references: Points,
    n_neighbors: int,
    cfg: dict,
    *,
    ranks: Sequence[int] | None,
) -> list[Neighbours]:
    """Neighbours of all sets, with a bar, a log line and errors for a user."""
    for _, exclude_self in sets:
        if (available := len(references.ids) - exclude_self) < n_neighbors:
            raise StudyError(f"knn: {n_neighbors} neighbours of {available} references")
    probe = Path(references.source).stem
    device = devices.choose(cfg["device"], key="knn.device")
    with bar(label=f"k-NN {probe}", total=100, unit="%") as shown:
        try:
            found = nearest(
                sets,
                references,
                n_neighbors=n_neighbors,
                ranks=ranks,
                device=device,
                memory=cfg["memory"] * GIGABYTE,
                progress=lambda share: shown.update(round(100 * share) - shown.n),
            )
        except ValueError as error:
            raise StudyError(f"probe {probe}: {error}") from None
    for (query, exclude_self), near in zip(sets, found, strict=True):
        log.info(
            "%s: %d queries%s, %d references, %d dims; proven by %s",
            probe,
            len(query.ids),
            " (leave-one-out)" if exclude_self else "",
            len(references.ids),
            references.dims,
            ", ".join(f"{name} {count}" for name, count in near.proven.items() if count),
        )
    return found


def write(
    path: Path,
    ids: NDArray[np.integer],
    near: Neighbours,
    voters: Labels,
    about: dict,
    cfg: dict,
    *,
    itself: bool,
) -> None:
    """Write one table of k-NN classes.

    Columns `example_id`, `prediction`, `votes` uint16 [classes], `distance` float32 to the k-th
    neighbour, `sensitivity` [n_ks]: the class for each k of `cfg["sensitivity"]`; and, if the
    queries are the references, `self_voting`: the class if each were among its own k neighbours,
    to show what that mistake does. Classes are of the type of the labels.
    """
    k = cfg["n_neighbors"]
    labels = voters.classes[near.rows]
    columns = {
        "example_id": ids.astype(np.int32),
        "prediction": vote(labels[:, :k]),
        "votes": lambda some: count(labels[some, :k], voters.n_classes),
        "distance": near.distances[:, k - 1],
        "sensitivity": np.stack([vote(labels[:, :other]) for other in cfg["sensitivity"]], axis=1),
    }
    if itself:
        own = voters.classes[np.searchsorted(voters.ids, ids)]
        columns["self_voting"] = vote(np.concatenate([own[:, None], labels[:, : k - 1]], axis=1))
    tables.write(path, columns, about)
