"""Exact k nearest neighbours: fast products in low precision propose, float64 decides.

For each query a screen (see `screens`) gives every reference a lower bound on its squared distance;
the few references with the smallest bounds are kept. Where bounds leave open which of them are the
k nearest, distances are computed from the coordinates themselves. A query is *proven* when its
k-th distance is below the bound of every reference that was not kept; the others are done again
with the next, more precise screen.

The result does not depend on the screen, on blocks, on shards or on the hardware: neighbours are
ordered by their Euclidean distance rounded to float32, ties by their row. The distance is that of
coordinate differences in float32, whose squares are summed in float64. Where points are stored in
float64, differences and distances are float64, and nothing is rounded.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from depthlens.knn import screens
from depthlens.knn.decide import Found, decide
from depthlens.knn.frame import Frame
from depthlens.knn.points import Points, Selection, as_tensor, distance_type
from depthlens.knn.screens import Screen
from depthlens.knn.sweep import Progress, Queries, sweep

_BLOCK_BYTES = 2**26


class Neighbours(NamedTuple):
    """The k nearest references of each query, nearest first."""

    rows: NDArray[np.int64]
    """shape (n_queries, k): position among the references"""
    distances: NDArray[np.floating]
    """shape (n_queries, k): Euclidean; float64 if any points are, or else float32; NaN at ranks
    that were not asked about"""
    proven: dict[str, int]
    """queries by the precision that proved their neighbours"""


def nearest(
    queries: Sequence[Queries],
    references: Points,
    *,
    n_neighbors: int,
    ranks: Sequence[int] | None = None,
    device: torch.device | str = "cpu",
    memory: float = 2e9,
    precision: str = "auto",
    progress: Progress = lambda share: None,
) -> list[Neighbours]:
    """The nearest references of each query, exactly.

    Parameters
    ----------
    queries : sequence of Queries
        Any number of sets; all are answered in one sweep over the references. Where a set is the
        references themselves, each product serves twice.
    references : Points
    n_neighbors : int
        k.
    ranks : sequence of int, optional
        Ranks in 1 … k that are asked about: for each rank j of them the first j neighbours are
        the j nearest, and the j-th distance is exact; in which order the others come is left
        open, which saves half of the decisions. All ranks if not given.
    device : torch.device
    memory : float
        Bytes for all working arrays together.
    precision : str
        Of the first screen: `bfloat16`, `float32` or `float64`; `auto` takes what the device is
        fastest with. The result is the same.
    progress : callable, optional
        Called with the share that is done, 0 … 1.

    Raises
    ------
    ValueError
        If k or a rank is out of range, there are fewer than k references, dimensions differ, two
        references have the same id, or a value is infinite, not a number or too large; the message
        says which example's.
    """
    ranks = range(1, n_neighbors + 1) if ranks is None else ranks
    if not ranks or not all(1 <= rank <= n_neighbors for rank in ranks):
        raise ValueError(f"{n_neighbors} neighbours asked for, with ranks {list(ranks)}")
    for points, exclude_self in queries:
        if points.dims != references.dims:
            raise ValueError(f"queries have {points.dims} dims, references {references.dims}")
        available = len(references.ids) - exclude_self
        if n_neighbors > available:
            raise ValueError(
                f"{n_neighbors} neighbours asked for, but there are {available} references"
            )
    exact = distance_type(references, *(points for points, _ in queries))
    frame = Frame(references, torch.device(device), exact)
    ladder = screens.choose(frame.device, references.dims, precision)
    answers = [
        _Answer(points, exclude_self, n_neighbors, exact) for points, exclude_self in queries
    ]
    with torch.inference_mode(), screens.pinned_precision():
        for screen in ladder[:-1]:
            keep = screen.spare * n_neighbors + 8
            sets = [answer.open_queries() for answer in answers]
            found = _find(
                sets,
                frame,
                screen,
                keep,
                n_neighbors=n_neighbors,
                ranks=ranks,
                memory=memory,
                progress=progress,
            )
            for answer, part in zip(answers, found, strict=True):
                answer.take(part, by=screen.name)
        for answer in answers:
            _settle(answer, frame, ladder[-1], n_neighbors, memory)
    return [answer.neighbours for answer in answers]


def merge(shards: Sequence[Neighbours], *, n_neighbors: int) -> Neighbours:
    """The nearest of all references from those of each shard of them.

    Parameters
    ----------
    shards : sequence of Neighbours
        The k nearest of each shard to the same queries: with all ranks, and rows counted among
        all references.
    n_neighbors : int
        k.
    """
    rows = np.concatenate([shard.rows for shard in shards], axis=1)
    distances = np.concatenate([shard.distances for shard in shards], axis=1)
    proven = sum((Counter(shard.proven) for shard in shards), Counter())
    return Neighbours(*_in_order(rows, distances, n_neighbors), dict(proven))


class _Answer:
    """What is known of a set of queries."""

    def __init__(self, points: Points, exclude_self: bool, n_neighbors: int, exact: torch.dtype):
        shape = len(points.ids), n_neighbors
        self.points, self.exclude_self = points, exclude_self
        distances = torch.zeros(shape, dtype=exact).numpy()
        self.neighbours = Neighbours(np.zeros(shape, np.int64), distances, {})
        self.open = np.arange(len(points.ids))
        """queries whose neighbours are not proven"""

    def open_queries(self) -> Queries:
        return Queries(_some(self.points, self.open), self.exclude_self)

    def take(self, found: Found, *, by: str) -> None:
        """Note what was proven of the open queries."""
        done = self.open[found.proven]
        self.neighbours.rows[done] = found.rows[found.proven]
        self.neighbours.distances[done] = found.distances[found.proven]
        self.neighbours.proven[by] = self.neighbours.proven.get(by, 0) + len(done)
        self.open = self.open[~found.proven]


def _find(
    sets: Sequence[Queries],
    frame: Frame,
    screen: Screen,
    keep: int,
    *,
    n_neighbors: int,
    ranks: Sequence[int],
    memory: float,
    progress: Progress = lambda share: None,
) -> list[Found]:
    """The nearest references, as far as one screen and a shortlist of some length can tell."""
    keep = min(keep, frame.rows)
    at_once = max(1, int(0.2 * memory / (20 * keep)))  # bytes of a place in a shortlist
    if sum(len(points.ids) for points, _ in sets) > at_once:
        batches = [[part] for queries in sets for part in _parts(queries, at_once)]
    else:
        batches = [list(sets)]
    found = []
    for number, batch in enumerate(batches):
        before, share = number / len(batches), 1 / len(batches)

        def advance(done: float, before: float = before, share: float = share) -> None:
            progress(before + share * done)

        candidates = sweep(
            batch,
            frame,
            screen,
            keep=keep,
            memory=memory,
            progress=advance,
        )
        found += decide(candidates, frame, n_neighbors=n_neighbors, ranks=ranks, memory=memory)
    if len(batches) == 1:
        return found
    pieces = iter(found)
    return [_joined([next(pieces) for _ in _parts(queries, at_once)]) for queries in sets]


def _settle(answer: _Answer, frame: Frame, screen: Screen, n_neighbors: int, memory: float) -> None:
    """Prove the neighbours of every query that is still open, whatever it takes.

    Equal points are equally far, however precise the screen: the search is for distinct points,
    each of which then stands for the references that are equal to it.
    """
    if not len(answer.open):
        return
    needed = n_neighbors + answer.exclude_self
    first, members = _distinct(frame.references, needed, frame.exact)
    distinct = Frame(_some(frame.references, first), frame.device, frame.exact)
    k = min(needed, len(first))
    keep = screen.spare * needed
    while len(answer.open):
        points, exclude_self = answer.open_queries()
        (found,) = _find(
            [Queries(points)],
            distinct,
            screen,
            keep,
            n_neighbors=k,
            ranks=range(1, k + 1),
            memory=memory,
        )
        own = frame.own_rows(points.ids) if exclude_self else None
        taken = _each_for_its_equals(found, members, own, n_neighbors, memory)
        answer.take(Found(*taken, found.proven), by=screen.name)
        keep *= 8


def _each_for_its_equals(
    found: Found,
    members: NDArray[np.int64],
    own: NDArray[np.int64] | None,
    n_neighbors: int,
    memory: float,
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The nearest references from the nearest distinct points, in pieces: k² candidates a query."""
    n_queries, n_candidates = len(found.rows), found.rows.shape[1] * members.shape[1]
    at_once = max(1, int(0.2 * memory / (50 * n_candidates)))  # bytes of a candidate in the sort
    pieces = []
    for start in range(0, n_queries, at_once):
        piece = slice(start, start + at_once)
        rows = members[found.rows[piece]].reshape(-1, n_candidates)
        distances = np.repeat(found.distances[piece], members.shape[1], axis=1)
        missing = rows < 0
        if own is not None:
            missing |= rows == own[piece, None]
        pieces.append(_in_order(rows, np.where(missing, np.inf, distances), n_neighbors))
    rows, distances = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return rows, distances


def _distinct(
    references: Points, most: int, exact: torch.dtype
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of distinct points, and of the points equal to them.

    Returns
    -------
    first : int64 array, shape (n_distinct,), ascending
        The first row of each point.
    members : int64 array, shape (n_distinct, most)
        The first rows that are equal to it, itself included; -1 where there are no more.
    """
    groups: dict[bytes, list[int]] = {}
    length = max(1, _BLOCK_BYTES // (4 * references.dims))
    row = 0
    while row < len(references.ids):
        block = as_tensor(references.read(row, min(row + length, len(references.ids))))
        # Adding 0 makes -0 the same bits as 0.
        for point in block.to(exact).add(0.0).cpu().numpy():
            same = groups.setdefault(hashlib.blake2b(point.data, digest_size=16).digest(), [])
            if len(same) < most:
                same.append(row)
            row += 1
    members = np.full((len(groups), most), -1)
    for place, rows in enumerate(groups.values()):
        members[place, : len(rows)] = rows
    return members[:, 0], members


def _in_order(
    rows: NDArray[np.int64], distances: NDArray[np.floating], n_neighbors: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The nearest, ties by row."""
    order = np.lexsort((rows, distances), axis=1)[:, :n_neighbors]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1)


def _some(points: Points, rows: NDArray[np.int64]) -> Points:
    return points if len(rows) == len(points.ids) else Selection(points, rows)


def _parts(queries: Queries, at_once: int) -> list[Queries]:
    points, exclude_self = queries
    return [
        Queries(Selection(points, rows), exclude_self)
        for rows in np.split(np.arange(len(points.ids)), range(at_once, len(points.ids), at_once))
    ]


def _joined(parts: Sequence[Found]) -> Found:
    return Found(*(np.concatenate(values) for values in zip(*parts, strict=True)))
