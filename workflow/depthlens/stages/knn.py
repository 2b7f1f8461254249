"""Classify every example of a split by the training activations of one probe."""

import logging
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.knn import brute
from depthlens.models import devices
from depthlens.progress import bar

log = logging.getLogger(__name__)

GIGABYTE = 10**9


def run(
    *, queries: Path, references: Path, labels: Path, output: Path, leave_one_out: bool, cfg: dict
) -> None:
    """Write `knn/{split}/{probe}.parquet`.

    Parameters
    ----------
    queries, references : path
        Activations of the split and of the whole training set at the same probe.
    labels : path
        Predictions table of the training set, for its true labels.
    leave_one_out : bool
        The queries are the references: none is its own neighbour.
    cfg : dict
        Block `knn`.
    """
    device = devices.choose(cfg["device"], key="knn.device")
    k, probe = cfg["n_neighbors"], queries.stem
    table = tables.read(labels, ["example_id", "label"])
    classes, n_classes = table["label"].to_numpy(), len(tables.metadata(labels)["classes"])
    n_queries, dims = _size(queries)
    n_references, reference_dims = _size(references)
    if dims != reference_dims or n_references != len(classes):
        raise ArtifactError(
            f"{queries}: {dims} numbers an example, but {references} has {reference_dims} and "
            f"{n_references} examples for {len(classes)} labels; delete both and run again"
        )
    if not np.array_equal(_ids(references), table["example_id"].to_numpy()):
        raise ArtifactError(
            f"{references}: other examples than {labels}; delete both and run again"
        )
    if k > n_references - leave_one_out:
        raise StudyError(
            f"knn.n_neighbors: {k} neighbours of {n_references - leave_one_out} references"
        )
    plan = brute.plan_memory(cfg["memory"] * GIGABYTE, dims=dims, n_queries=n_queries)
    predictions, votes, distances, ids = [], [], [], []
    n_blocks = -(-n_references // plan.references)
    for query_ids, block in tables.blocks(queries, "activation", rows=plan.queries):
        label = f"k-NN {probe}, queries from {query_ids[0]}"
        try:
            near = brute.nearest(
                query_ids,
                block,
                lambda label=label: bar(
                    tables.blocks(references, "activation", rows=plan.references),
                    label=label,
                    total=n_blocks,
                    unit="block",
                ),
                n_neighbors=k,
                device=device,
                tile=plan.tile,
                exclude_self=leave_one_out,
            )
        except ValueError as error:
            raise StudyError(f"{queries}: probe {probe}: {error}") from None
        prediction, vote = brute.vote(classes[near.rows], n_classes)
        predictions.append(prediction)
        votes.append(vote)
        distances.append(near.distances[:, -1])
        ids.append(query_ids)
    tables.write(
        output,
        {
            "example_id": np.concatenate(ids),
            "prediction": np.concatenate(predictions),
            "votes": np.concatenate(votes),
            "distance": np.concatenate(distances),
        },
        tables.describe(
            "knn", cfg, {"queries": queries, "references": references, "labels": labels}
        ),
    )
    log.info("%s: %d queries, %d references, %d dims", probe, n_queries, n_references, dims)


def _ids(path: Path) -> np.ndarray:
    return tables.read(path, ["example_id"])["example_id"].to_numpy()


def _size(path: Path) -> tuple[int, int]:
    """Rows and numbers a row of a table of activations."""
    file = tables.open_table(path, ("example_id", "activation"))
    return file.metadata.num_rows, file.schema_arrow.field("activation").type.list_size
