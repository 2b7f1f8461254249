"""k-NN classes from the neighbours that several shards found."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.knn.search import Neighbours, merge
from depthlens.stages.knn import most_neighbours, read_labels, write

log = logging.getLogger(__name__)


def run(
    *, neighbours: Sequence[Path], references: Path, labels: Path, output: Path, cfg: dict
) -> None:
    """Write `knn/{split}/{probe}.parquet` as `stages.knn` would have.

    Parameters
    ----------
    neighbours : sequence of paths
        What `stages.neighbours` wrote for each shard.
    references, labels : paths
        As for `stages.knn`.
    output : path
    cfg : dict
        Block `knn`.
    """
    voters = read_labels(labels, tables.Rows(references, "activation"))
    ids = tables.read(neighbours[0], ["example_id"])["example_id"].to_numpy()
    shards = []
    for path in neighbours:
        table = tables.read(path, ["example_id", "row", "distance"])
        if not np.array_equal(ids, table["example_id"].to_numpy()):
            raise ArtifactError(f"{path}: other examples than {neighbours[0]}; delete both")
        rows, distances = tables.matrix(table["row"]), tables.matrix(table["distance"])
        shards.append(Neighbours(rows, distances, {}))
    near = merge(shards, n_neighbors=most_neighbours(cfg))
    inputs = {f"neighbours/{number}": path for number, path in enumerate(neighbours, 1)}
    write(
        output,
        ids,
        near,
        voters,
        tables.describe("knn", cfg, {**inputs, "references": references, "labels": labels}),
        cfg,
        itself=_asks_about_itself(neighbours[0]),
    )
    log.info("%s: %d queries from %d shards", references.stem, len(ids), len(shards))


def _asks_about_itself(neighbours: Path) -> bool:
    """Whether the queries of a shard are the references."""
    inputs = tables.metadata(neighbours)["inputs"]
    return inputs["queries"]["sha256"] == inputs["references"]["sha256"]
