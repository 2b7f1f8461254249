"""Exact k nearest neighbours by blocked matrix products, within a memory limit."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Blocks = Iterable[tuple[NDArray[np.integer], NDArray[np.floating]]]
"""Pieces of a table of points, in order: example ids of shape (n,), points of shape (n, dims)."""


class Neighbours(NamedTuple):
    """The k nearest references of each query, nearest first."""

    rows: NDArray[np.int64]
    """shape (n_queries, k): position among the references"""
    distances: NDArray[np.float32]
    """shape (n_queries, k): Euclidean"""


def nearest(
    query_ids: NDArray[np.integer],
    queries: NDArray[np.floating],
    references: Callable[[], Blocks],
    *,
    n_neighbors: int,
    device: torch.device,
    tile: int = 512,
    exclude_self: bool = False,
) -> Neighbours:
    """The nearest references of each query.

    Distances are float32: |q - r|² = |q|² + |r|² - 2 q·r on coordinates from which the mean of the
    first references has been taken, which changes no distance and keeps the sum from cancelling.
    Which of two references at the same distance counts is left to the sort, as in scikit-learn.

    Parameters
    ----------
    query_ids : int array, shape (n_queries,)
    queries : float array, shape (n_queries, dims)
    references : callable
        Gives the references block by block, from the first, each time it is called.
    n_neighbors : int
        k.
    device : torch.device
    tile : int
        Queries whose distances to a block of references are held at a time.
    exclude_self : bool
        Leave-one-out: a reference with the id of the query is not among its neighbours.

    Raises
    ------
    ValueError
        If there are fewer than k references, or a value is infinite, not a number or too large to
        be squared; the message says which example's.
    """
    shift = None
    first_row = 0
    for ids, block in references():
        points = _float32(block, ids, device)
        if shift is None:
            shift = points[:1024].mean(0)
            centred_queries = _float32(queries, query_ids, device).sub_(shift)
            query_square = _squares(centred_queries, query_ids)
            own_ids = torch.from_numpy(np.asarray(query_ids, np.int64)).to(device)
            best_square = torch.full((len(queries), n_neighbors), torch.inf, device=device)
            best_row = torch.full((len(queries), n_neighbors), -1, device=device)
        points.sub_(shift)
        point_square = _squares(points, ids)
        block_ids = torch.from_numpy(np.asarray(ids, np.int64)).to(device)
        for start in range(0, len(queries), tile):
            some = slice(start, start + tile)
            # |q|² is the same for all references of a query: it is added at the end.
            square = torch.addmm(point_square[None], centred_queries[some], points.T, alpha=-2)
            if exclude_self:
                square.masked_fill_(own_ids[some, None] == block_ids[None], torch.inf)
            near, row = square.topk(min(n_neighbors, len(points)), dim=1, largest=False)
            near = torch.cat([best_square[some], near], 1)
            row = torch.cat([best_row[some], row + first_row], 1)
            best_square[some], order = near.topk(n_neighbors, dim=1, largest=False)
            best_row[some] = row.gather(1, order)
        first_row += len(ids)
    available = first_row - exclude_self
    if available < n_neighbors:
        raise ValueError(
            f"{n_neighbors} neighbours asked for, but there are {available} references"
        )
    distances = (best_square + query_square[:, None]).clamp_min(0).sqrt()
    return Neighbours(best_row.cpu().numpy(), distances.cpu().numpy())


def vote(
    labels: NDArray[np.integer], n_classes: int
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Class with the most votes; the smallest of those that tie.

    Parameters
    ----------
    labels : int array, shape (n_queries, k)
        Classes of each query's neighbours, 0 … n_classes - 1.
    n_classes : int

    Returns
    -------
    prediction : int16 array, shape (n_queries,)
    votes : uint16 array, shape (n_queries, n_classes)
    """
    n_queries = len(labels)
    flat = labels.astype(np.int64) + n_classes * np.arange(n_queries)[:, None]
    votes = np.bincount(flat.reshape(-1), minlength=n_queries * n_classes)
    votes = votes.reshape(n_queries, n_classes)
    # argmax takes the first, which is the smallest class.
    return votes.argmax(1).astype(np.int16), votes.astype(np.uint16)


class Plan(NamedTuple):
    """How much to hold at a time."""

    queries: int
    references: int
    tile: int
    """queries whose distances to a block of references are held"""


def plan_memory(memory: float, *, dims: int, n_queries: int) -> Plan:
    """The largest blocks that fit in a memory limit.

    Parameters
    ----------
    memory : float
        Bytes for all working arrays together.
    dims : int
    n_queries : int
    """
    # A point costs at most 4 bytes a number as it is stored, and its centred float32 copy.
    point = 8 * dims
    queries = int(max(1, min(n_queries, 0.5 * memory / point)))
    # Sorting is cheaper the more references it sees at a time, up to some thousands.
    references = int(max(1, min(16_384, 0.4 * memory / point)))
    # A squared distance costs 4 bytes, and what the sort makes of it 8 more.
    tile = int(max(1, min(queries, 2**23 / references, 0.1 * memory / (12 * references))))
    return Plan(queries, references, tile)


def _float32(
    points: NDArray[np.floating], ids: NDArray[np.integer], device: torch.device
) -> torch.Tensor:
    """A float32 copy on the device, after a look for values that are no numbers."""
    copied = torch.from_numpy(np.ascontiguousarray(points)).to(device, torch.float32, copy=True)
    # The sum of a row is finite if its values are: one number to look at instead of all.
    _require_finite(copied.sum(1), ids, "infinite or not a number")
    return copied


def _squares(points: torch.Tensor, ids: NDArray[np.integer]) -> torch.Tensor:
    """Squared length of each point."""
    squares = torch.linalg.vecdot(points, points)
    _require_finite(squares, ids, "too large for float32 distances")
    return squares


def _require_finite(values: torch.Tensor, ids: NDArray[np.integer], fault: str) -> None:
    finite = values.isfinite()
    if not finite.all():
        example = int(np.asarray(ids)[int((~finite).nonzero()[0, 0])])
        raise ValueError(f"the activation of example {example} is {fault}")
