"""Neighbours against brute force in float64."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.knn.data import K, Run
from depthlens import tables
from depthlens.knn.points import read_whole
from depthlens.knn.search import Neighbours

# A float32 distance is that of float32 differences, rounded: two of them are in doubt by this much.
TIE = 2.0**-22
_SPARE = 30
_PAIRS_AT_ONCE = 256
_CPU = torch.device("cpu")


def check(run: Run, probe: str, found: dict[str, Neighbours], *, sample: int) -> dict[str, dict]:
    """Queries of each split whose k nearest are the same, differ by a tie, or are wrong."""
    references = tables.Rows(run.path("train", probe), "activation")
    checked = {}
    for split, near in found.items():
        leave_one_out = split != "test"
        points = references if leave_one_out else tables.Rows(run.path(split, probe), "activation")
        asked = np.linspace(0, len(near.rows) - 1, min(sample, len(near.rows))).astype(np.int64)
        queries = torch.cat([read_whole(points, row, row + 1, _CPU) for row in asked]).double()
        own = asked if leave_one_out else None
        checked[split] = compare(queries, references, near.rows[asked], own=own)
    return checked


def compare(
    queries: torch.Tensor, references: tables.Rows, rows: NDArray[np.int64], *, own: NDArray | None
) -> dict[str, int]:
    """Count queries by how their neighbours compare with those of brute force.

    A query is a tie where the j-th smallest distance to its neighbours is, for every j, the j-th
    smallest of all, within `TIE`.

    Parameters
    ----------
    queries : float64 tensor, shape (n, dims)
    references : Rows
    rows : int array, shape (n, K)
        Neighbours to check.
    own : int array, shape (n,), optional
        References that are the queries themselves.
    """
    candidates = _nearest_by_product(queries, references, own)
    true = _distances(queries, references, candidates)
    order = true.argsort(1, kind="stable")[:, :K]
    expected = np.take_along_axis(candidates, order, 1)
    best = np.take_along_axis(true, order, 1)
    given = np.sort(_distances(queries, references, rows), axis=1)
    same = (np.sort(expected, 1) == np.sort(rows, 1)).all(1)
    tie = (np.abs(given - best) <= TIE * best).all(1)
    return {
        "queries": len(rows),
        "same": int(same.sum()),
        "ties": int((tie & ~same).sum()),
        "wrong": int((~tie & ~same).sum()),
    }


def _nearest_by_product(
    queries: torch.Tensor, references: tables.Rows, own: NDArray | None
) -> NDArray[np.int64]:
    """A few more than K references, ascending by row, the K nearest among them."""
    squared = torch.empty(len(queries), len(references.ids), dtype=torch.float64)
    for first, block in _blocks(references):
        products = queries @ block.T
        squared[:, first : first + len(block)] = block.square().sum(1) - 2 * products
    if own is not None:
        squared[torch.arange(len(queries)), torch.from_numpy(own)] = torch.inf
    keep = min(K + _SPARE, len(references.ids) - (own is not None))
    return squared.topk(keep, largest=False).indices.sort(1).values.numpy()


def _distances(
    queries: torch.Tensor, references: tables.Rows, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """From coordinates, so that nothing cancels: shape as `rows`."""
    order = rows.ravel().argsort(kind="stable")
    asked, query = rows.ravel()[order], order // rows.shape[1]
    distances = np.empty(rows.size)
    for first, block in _blocks(references):
        begin, end = np.searchsorted(asked, [first, first + len(block)])
        for start in range(begin, end, _PAIRS_AT_ONCE):
            some = slice(start, min(start + _PAIRS_AT_ONCE, end))
            difference = block[asked[some] - first] - queries[query[some]]
            distances[order[some]] = torch.linalg.vector_norm(difference, dim=1).numpy()
    return distances.reshape(rows.shape)


def _blocks(references: tables.Rows) -> Iterator[tuple[int, torch.Tensor]]:
    """Row groups in float64, each with its first row."""
    first = 0
    while first < len(references.ids):
        block = torch.as_tensor(references.read(first, len(references.ids))).double()
        yield first, block
        first += len(block)
