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
    exclude_self : bool
        Leave-one-out: a reference with the id of the query is not among its neighbours.

    Raises
    ------
    ValueError
        If there are fewer than k references, or a value is infinite or not a number; the message
        says which example's.
    """
    shift, best_square, best_row = None, None, None
    first_row = 0
    for ids, block in references():
        points = _float32(block, device)
        if shift is None:
            # Before the mean: one infinite reference would make every difference infinite.
            _squares(points, ids)
            shift = points[:1024].mean(0)
            centred_queries = _float32(queries, device).sub_(shift)
            query_square = _squares(centred_queries, query_ids)
            own_ids = torch.from_numpy(np.asarray(query_ids, np.int64)).to(device)
        points -= shift
        # |q|² is the same for all references of a query: it is added at the end.
        square = torch.addmm(
            _squares(points, ids)[None], centred_queries, points.T, beta=1, alpha=-2
        )
        if exclude_self:
            block_ids = torch.from_numpy(np.asarray(ids, np.int64)).to(device)
            square.masked_fill_(own_ids[:, None] == block_ids[None], torch.inf)
        near, row = square.topk(min(n_neighbors, square.shape[1]), dim=1, largest=False)
        row += first_row
        if best_square is not None:
            near, row = torch.cat([best_square, near], 1), torch.cat([best_row, row], 1)
            near, order = near.topk(min(n_neighbors, near.shape[1]), dim=1, largest=False)
            row = row.gather(1, order)
        best_square, best_row = near, row
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


def block_rows(memory: float, *, dims: int, n_queries: int) -> tuple[int, int]:
    """How many queries and references to hold at a time.

    Parameters
    ----------
    memory : float
        Bytes for all working arrays together.
    dims : int
    n_queries : int

    Returns
    -------
    queries, references : int
    """
    # As stored, at most 4 bytes a number, and its centred float32 copy.
    row = 8 * dims
    queries = int(max(1, min(n_queries, 0.5 * memory / row)))
    # A reference costs its row, and with each query a squared distance and what the sort adds.
    references = int(max(1, min(4096, 0.4 * memory / (row + 12 * queries))))
    return queries, references


def _float32(points: NDArray[np.floating], device: torch.device) -> torch.Tensor:
    """A float32 copy on the device."""
    return torch.from_numpy(np.ascontiguousarray(points)).to(device, torch.float32, copy=True)


def _squares(points: torch.Tensor, ids: NDArray[np.integer]) -> torch.Tensor:
    """Squared length of each point."""
    squares = torch.linalg.vecdot(points, points)
    if not squares.isfinite().all():
        example = int(np.asarray(ids)[int((~squares.isfinite()).nonzero()[0, 0])])
        raise ValueError(f"the activation of example {example} is infinite or not a number")
    return squares
