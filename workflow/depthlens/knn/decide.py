"""From bounds to neighbours: exact distances where bounds overlap, proof that none is missing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from depthlens.knn.frame import Frame
from depthlens.knn.points import as_tensor, read_whole
from depthlens.knn.screens import squares
from depthlens.knn.sweep import Bounds, Candidates, batches

# More than any rounding between a bound and a distance that it is compared with: relative (in
# float64 times the coordinates that are summed), and, as distances, where a type has fewer digits.
_MARGIN = {torch.float32: 2.0**-20, torch.float64: 2.0**-52}
_FEW_DIGITS = {torch.float32: 2.0**-128, torch.float64: 2.0**-500}
_PAIR_VALUES = {"cpu": 2**19, "cuda": 2**27}  # on a CPU, what a core's cache holds
_BOUNDS_AT_ONCE = 2**19


class Found(NamedTuple):
    """The nearest references of each query, and whether they are proven to be."""

    rows: NDArray[np.int64]
    """shape (n_queries, k), nearest first"""
    distances: NDArray[np.floating]
    """float32 or float64, shape (n_queries, k); NaN where not computed"""
    proven: NDArray[np.bool_]
    """shape (n_queries,)"""


def decide(
    sets: Sequence[Candidates],
    frame: Frame,
    *,
    n_neighbors: int,
    ranks: Sequence[int],
    memory: float,
) -> list[Found]:
    """The k nearest references of each query among its candidates.

    Neighbours are ordered by their distance in the type of the frame, ties by their row.

    Parameters
    ----------
    sets : sequence of Candidates
    frame : Frame
    n_neighbors : int
        k.
    ranks : sequence of int
        Which of 1 … k are asked about; see `search.nearest`.
    memory : float
        Bytes for what is held at a time.
    """
    contests = {some: _Contest(some, frame, n_neighbors, ranks) for some in sets}
    at_once = max(1, int(0.15 * memory / frame.stored_bytes))
    for batch in batches(sets, at_once, int(0.6 * memory / frame.stored_bytes)):
        spans = [_Pairs(contests[some], start, stop, frame) for some, start, stop in batch]
        while waiting := [pairs for pairs in spans if pairs.done < len(pairs.rows)]:
            first = min(int(pairs.rows[pairs.done]) for pairs in waiting)
            stop = min(first + at_once, frame.rows)
            block = as_tensor(frame.references.read(first, stop)).to(frame.device)
            for pairs in waiting:
                pairs.measure(block, first)
    return [contest.result() for contest in contests.values()]


class _Contest:
    """Who is among the nearest: what bounds say, then what distances say.

    Distances that are not measured are taken in the middle of their bounds: these lie on one side
    of every rank that is asked about, which is all that counts.
    """

    def __init__(
        self, candidates: Candidates, frame: Frame, n_neighbors: int, ranks: Sequence[int]
    ):
        self.candidates, self.frame = candidates, frame
        self.n_neighbors, self.ranks = n_neighbors, ranks
        shape, device = candidates.shortlist.rows.shape, frame.device
        self.squared = torch.empty(shape, dtype=torch.float64, device=device)
        self.measured = torch.empty(shape, dtype=torch.bool, device=device)
        self.hopeless = torch.empty(shape[0], dtype=torch.bool, device=device)
        for some in self._slices():
            bounds = candidates.bounds(some)
            self.measured[some] = _undecided(bounds, n_neighbors, ranks, frame)
            middle = bounds.lower.add(bounds.upper).mul_(0.5)
            # Where others may well be nearer than the k-th, there is little hope of a proof.
            likely = middle.nan_to_num(torch.inf).kthvalue(n_neighbors).values
            self.hopeless[some] = ~_complete(bounds, frame) & (bounds.lower.amax(1) < likely)
            self.measured[some] &= ~self.hopeless[some, None]
            self.squared[some] = middle.div_(frame.scale**2).clamp_min_(0)

    def result(self) -> Found:
        parts = [self._nearest(some) for some in self._slices()]
        return Found(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _nearest(self, some: slice) -> Found:
        """Order by distance, then by row, and compare with what was not kept."""
        bounds = self.candidates.bounds(some)
        rows, squared = bounds.rows, self.squared[some]
        distances = squared.sqrt().to(self.frame.exact).masked_fill(rows < 0, torch.inf)
        place = _in_order(distances, rows, self.n_neighbors)
        farthest = squared.gather(1, place[:, -1:])[:, 0] * self.frame.scale**2
        others = bounds.lower.amax(1)
        proven = others - _margin(others, self.frame) > farthest
        proven = (proven & ~self.hopeless[some]) | _complete(bounds, self.frame)
        distances.masked_fill_(~self.measured[some], torch.nan)
        return Found(
            rows.gather(1, place).cpu().numpy(),
            distances.gather(1, place).cpu().numpy(),
            proven.cpu().numpy(),
        )

    def _slices(self) -> list[slice]:
        n_queries, keep = self.squared.shape
        step = max(1, _BOUNDS_AT_ONCE // keep)
        return [slice(start, start + step) for start in range(0, max(1, n_queries), step)]


class _Pairs:
    """Distances to measure for some queries, in the order of the references.

    Attributes
    ----------
    rows : int64 tensor, shape (n_pairs,), ascending
    done : int
        How many are measured.
    """

    def __init__(self, contest: _Contest, start: int, stop: int, frame: Frame):
        query, place = contest.measured[start:stop].nonzero(as_tuple=True)
        rows = contest.candidates.shortlist.rows[start:stop][query, place].long()
        self.rows, order = rows.sort()
        self._query, self._place = query[order], place[order]
        self._squared = contest.squared[start:stop]
        self._points = read_whole(contest.candidates.points, start, stop, frame.device)
        self._exact = frame.exact
        self._step = max(1, _PAIR_VALUES[frame.device.type] // frame.references.dims)
        self.done = 0

    def measure(self, block: torch.Tensor, first: int) -> None:
        """Squared distances, from coordinates, to the references first, first + 1, …."""
        end = int(torch.searchsorted(self.rows, first + len(block)))
        # Arrays that are used again stay in a core's cache, and cost no page faults.
        shape = min(self._step, end - self.done), block.shape[1]
        references, queries = block.new_empty(shape), self._points.new_empty(shape)
        difference = queries.new_empty(shape, dtype=self._exact)
        double = difference.new_empty(shape, dtype=torch.float64)
        for begin in range(self.done, end, self._step):
            some = slice(begin, min(begin + self._step, end))
            here = slice(some.stop - begin)
            query = self._query[some]
            torch.index_select(block, 0, self.rows[some] - first, out=references[here])
            torch.index_select(self._points, 0, query, out=queries[here])
            difference[here] = references[here]
            double[here] = difference[here].sub_(queries[here])
            self._squared[query, self._place[some]] = self._sum(double[here])
        self.done = end

    def _sum(self, double: torch.Tensor) -> torch.Tensor:
        if self._exact == torch.float32:
            return torch.linalg.vecdot(double, double)
        # The order of a sum may show: in pieces it does not depend on how many pairs there are.
        return squares(double)


def _complete(bounds: Bounds, frame: Frame) -> torch.Tensor:
    """Whether there are no other references: with an empty place, or with all kept."""
    return (bounds.lower.amax(1) == torch.inf) | ((bounds.rows >= 0).sum(1) == frame.rows)


def _margin(bounds: torch.Tensor, frame: Frame) -> torch.Tensor:
    relative = _MARGIN[frame.exact]
    if frame.exact == torch.float64:
        relative *= frame.references.dims + 16
    return relative * bounds.abs() + (_FEW_DIGITS[frame.exact] * frame.scale) ** 2


def _in_order(distances: torch.Tensor, rows: torch.Tensor, n: int) -> torch.Tensor:
    """Places of the n nearest, ties by row."""
    if distances.dtype == torch.float32:
        # The bits of a float that is not negative are ordered as the float is.
        key = (distances.view(torch.int32).long() << 32) | rows.clamp_min(0)
        return key.topk(n, largest=False, sorted=True).indices
    by_row = rows.argsort(1)
    by_distance = distances.gather(1, by_row).argsort(dim=1, stable=True)
    return by_row.gather(1, by_distance[:, :n])


def _undecided(
    bounds: Bounds, n_neighbors: int, ranks: Sequence[int], frame: Frame
) -> torch.Tensor:
    """Which distances must be measured: bool, shape (n_queries, keep).

    The distance of rank j lies between the j-th smallest lower and the j-th smallest upper bound.
    References whose bounds do not touch that interval are certainly nearer, or farther.
    """
    lowest = bounds.lower.topk(n_neighbors, largest=False, sorted=True).values
    highest = bounds.upper.topk(n_neighbors, largest=False, sorted=True).values
    low, high = lowest - _margin(lowest, frame), highest + _margin(highest, frame)
    if len(ranks) == n_neighbors:
        undecided = bounds.lower <= high[:, -1:]
    else:
        undecided = torch.zeros_like(bounds.lower, dtype=torch.bool)
        for rank in ranks:
            column = slice(rank - 1, rank)
            undecided |= (bounds.lower <= high[:, column]) & (bounds.upper >= low[:, column])
    return undecided & (bounds.rows >= 0)
