"""One sweep over the references: a shortlist for every query, from products in low precision."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from depthlens.knn.frame import Frame
from depthlens.knn.points import Points
from depthlens.knn.screens import TINY, Screen
from depthlens.knn.shortlist import Shortlist

Progress = Callable[[float], object]
"""Called with the share of the products that are done, 0 … 1."""

_SCORES_AT_ONCE = {"cpu": 2**20, "cuda": 2**28}  # on a CPU, as many as a cache holds
# Short points cost more to select than to multiply: less if more of them are seen at a time.
_MOST_ROWS, _MOST_ROWS_SYMMETRIC = 2**15, 2**13
_LONG_BLOCK_BYTES = 2**26
_SYMMETRIC_POINT_BYTES = 2**12  # shorter points: better large tiles than half of the products
_PRODUCTS_BYTES = 31 * 2**20  # from 32 MiB on, malloc asks for new pages each time


class Queries(NamedTuple):
    """Points whose neighbours are asked for."""

    points: Points
    exclude_self: bool = False
    """leave-one-out: the reference with the id of the query is not among its neighbours"""


class Bounds(NamedTuple):
    """Squared distances of a set of queries to the references that may be their neighbours.

    They lie in [lower, upper], and that of every other reference is at least the largest `lower`
    of its query. All are in the coordinates of the frame; an empty place has row -1, and is
    infinitely far.
    """

    rows: torch.Tensor
    """int64, shape (n_queries, keep)"""
    lower: torch.Tensor
    """float64, shape (n_queries, keep)"""
    upper: torch.Tensor
    """float64, shape (n_queries, keep)"""


class Candidates:
    """The references that may be neighbours of each query of a set, as a sweep finds them."""

    def __init__(
        self,
        queries: Queries,
        frame: Frame,
        screen: Screen,
        keep: int,
        reference_squares: torch.Tensor,
    ):
        self.points, self.screen = queries.points, screen
        self.epsilon = screen.epsilon(frame.references.dims, frame.lost(screen))
        self.tiny = TINY * frame.references.dims
        n_queries = len(queries.points.ids)
        self.shortlist = Shortlist(n_queries, keep, dtype=screen.result, device=frame.device)
        self.squares = torch.zeros(n_queries, dtype=screen.result, device=frame.device)
        self.reference_squares = reference_squares
        # |q - r| is |r - q|: among the references themselves, half of the products are enough.
        point_bytes = frame.references.dims * screen.dtype.itemsize
        among_themselves = queries.exclude_self and queries.points is frame.references
        self.symmetric = among_themselves and point_bytes >= _SYMMETRIC_POINT_BYTES
        self.own_rows = None
        if queries.exclude_self:
            own_rows = frame.own_rows(queries.points.ids)
            self.own_rows = torch.from_numpy(own_rows).to(frame.device)

    def consider(
        self, start: int, products: torch.Tensor, first_row: int, squares: torch.Tensor
    ) -> None:
        """Offer references first_row, first_row + 1, … to queries start, start + 1, ….

        Parameters
        ----------
        products : tensor, shape (n_queries, n_references)
        squares : tensor, shape (n_references,)
            |r|²
        """
        # Nothing is known of a reference without a square (see Frame.prepare): keep it.
        least = ((1 - self.epsilon) * squares).masked_fill(squares == torch.inf, -torch.inf)
        n_queries, n_references = products.shape
        step = max(1, _SCORES_AT_ONCE[products.device.type] // n_references)
        for first in range(0, n_queries, step):
            piece = products[first : first + step].to(self.screen.result)
            scores = torch.add(least, piece, alpha=-2)
            some = slice(start + first, start + first + len(piece))
            if self.own_rows is not None:
                own = self.own_rows[some] - first_row
                query = ((own >= 0) & (own < n_references)).nonzero()[:, 0]
                scores[query, own[query]] = torch.inf
            self.shortlist.offer(some, scores, first_row)

    def bounds(self, some: slice) -> Bounds:
        """What the scores of some queries say about squared distances."""
        rows, scores = self.shortlist.rows[some].long(), self.shortlist.scores[some].double()
        squares = self.squares[some, None].double()
        lower = scores + (1 - self.epsilon) * squares - self.tiny
        squares = squares + self.reference_squares.double()[rows]
        upper = lower + 2 * self.epsilon * squares + 2 * self.tiny
        unknown, empty = squares == torch.inf, scores == torch.inf  # or the query's own
        lower.masked_fill_(unknown, -torch.inf).masked_fill_(empty, torch.inf)
        upper.masked_fill_(unknown | empty, torch.inf)
        return Bounds(rows.masked_fill(empty, -1), lower, upper)


class _Tile(NamedTuple):
    """Queries start … stop - 1 of a set, ready for products."""

    of: Candidates
    start: int
    stop: int
    operands: torch.Tensor
    squares: torch.Tensor


def sweep(
    sets: Sequence[Queries],
    frame: Frame,
    screen: Screen,
    *,
    keep: int,
    memory: float,
    progress: Progress,
) -> list[Candidates]:
    """The references that may be neighbours of each query.

    Parameters
    ----------
    sets : sequence of Queries
    frame : Frame
    screen : Screen
    keep : int
        Length of a shortlist.
    memory : float
        Bytes for what is held at a time, shortlists excepted.
    progress : callable

    Raises
    ------
    ValueError
        As `Frame.prepare` does.
    """
    squares = torch.zeros(frame.rows, dtype=screen.result, device=frame.device)
    known = [Candidates(queries, frame, screen, keep, squares) for queries in sets]

    row_bytes = frame.references.dims * screen.dtype.itemsize
    most = _MOST_ROWS_SYMMETRIC
    if not any(owner.symmetric for owner in known):
        most = max(most, min(_MOST_ROWS, _LONG_BLOCK_BYTES // row_bytes))
    length = int(max(1, min(most, 0.15 * memory / row_bytes)))
    resident = max(length, int(0.6 * memory / row_bytes))
    height = max(1, min(length, _PRODUCTS_BYTES // (length * screen.dtype.itemsize)))
    buffer = torch.empty(height * length, dtype=screen.dtype, device=frame.device)
    blocks = _spans(0, frame.rows, length)
    done, all_products = 0, len(blocks) * sum(len(owner.squares) for owner in known)
    for batch in batches(known, length, resident):
        tiles = []
        for owner, start, stop in batch:
            operands, owner.squares[start:stop] = frame.prepare(owner.points, screen, start, stop)
            tiles.append(_Tile(owner, start, stop, operands, owner.squares[start:stop]))
        ready = {tile.start: (tile.operands, tile.squares) for tile in tiles if tile.of.symmetric}
        for row, end in blocks:
            # Symmetric products with earlier references were made when those were the queries.
            asking = [tile for tile in tiles if not (tile.of.symmetric and row < tile.start)]
            done += sum(tile.stop - tile.start for tile in tiles)
            if not asking:
                continue
            operands, squares[row:end] = ready.get(row) or frame.prepare(
                frame.references, screen, row, end
            )
            for tile in asking:
                for start, stop in _spans(tile.start, tile.stop, height):
                    some = slice(start - tile.start, stop - tile.start)
                    products = screen.product(tile.operands[some], operands, buffer)
                    tile.of.consider(start, products, row, squares[row:end])
                    if tile.of.symmetric and row > tile.start:
                        tile.of.consider(row, products.T, start, tile.squares[some])
            progress(done / all_products)
    return known


def batches(
    sets: Sequence[Candidates], length: int, resident: int
) -> Iterator[list[tuple[Candidates, int, int]]]:
    """Spans of at most `length` queries, as many at a time as may be resident."""
    batch: list[tuple[Candidates, int, int]] = []
    rows = 0
    for owner in sets:
        for start, stop in _spans(0, len(owner.squares), length):
            if batch and rows + stop - start > resident:
                yield batch
                batch, rows = [], 0
            batch.append((owner, start, stop))
            rows += stop - start
    if batch:
        yield batch


def _spans(start: int, stop: int, length: int) -> list[tuple[int, int]]:
    return [(first, min(first + length, stop)) for first in range(start, stop, length)]
