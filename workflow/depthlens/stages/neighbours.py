"""The nearest of a shard of the references: one of several jobs that share a probe."""

import re
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.errors import StudyError
from depthlens.knn.points import Selection
from depthlens.stages.knn import most_neighbours, problem, read_points, search


def run(
    *,
    references: Path,
    shard: str,
    cfg: dict,
    queries: Path | None = None,
    output: Path | None = None,
    leave_one_out: Path | None = None,
) -> None:
    """Write the neighbours that one shard of the references has to offer.

    Parameters
    ----------
    references : path
        Activations of the whole training set.
    shard : str
        Which of how many equal pieces: `1-of-8` … `8-of-8`.
    cfg : dict
        Block `knn`.
    queries, output, leave_one_out : paths
        As for `stages.knn`.
    """
    number, n_shards = _parse(shard)
    points = read_points(references, cfg)
    sets, outputs = problem(points, queries, output, leave_one_out, cfg)
    rows = np.array_split(np.arange(len(points.ids)), n_shards)[number - 1]
    k = most_neighbours(cfg)
    if len(rows) - bool(leave_one_out) < k:
        raise StudyError(
            f"knn.shards: {n_shards} shards of {len(points.ids)} references are too many for "
            f"{k} neighbours from each"
        )
    found = search(sets, Selection(points, rows), k, cfg, ranks=None)
    for (query, _), near, path in zip(sets, found, outputs, strict=True):
        tables.write(
            path,
            {
                "example_id": query.ids.astype(np.int32),
                "row": near.rows + rows[0],
                "distance": near.distances,
            },
            tables.describe("neighbours", cfg, {"queries": query.source, "references": references}),
        )


def _parse(shard: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)-of-([1-9]\d*)", shard)
    if match is None or int(match[1]) > int(match[2]):
        raise StudyError(f"neighbours: {shard!r} is no shard; the second of eight is 2-of-8")
    return int(match[1]), int(match[2])
