"""Points that can be read piece by piece: the references and the queries of a search."""

import warnings
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class Points(Protocol):
    """A table of points, in memory or not."""

    ids: NDArray[np.int64]
    """shape (n,): example ids"""
    dims: int
    source: str
    """where the points come from, for messages; may be empty"""

    def read(self, start: int, stop: int) -> NDArray[np.floating] | torch.Tensor:
        """Rows from `start`, at most up to `stop`: as many as are at hand, at least one.

        Returns
        -------
        array or tensor, shape (1 … stop - start, dims), any float dtype
        """


class Array:
    """Points in memory.

    Parameters
    ----------
    values : float array or tensor, shape (n, dims)
    ids : int array, shape (n,), optional
        Example ids; the row numbers if there are none.
    source : str
        Where the points come from, for messages.
    """

    def __init__(
        self,
        values: NDArray[np.floating] | torch.Tensor,
        ids: NDArray[np.integer] | None = None,
        *,
        source: str = "",
    ):
        self.values = as_tensor(values)
        self.ids = np.arange(len(values)) if ids is None else np.asarray(ids, np.int64)
        self.dims, self.source = self.values.shape[1], source

    def read(self, start: int, stop: int) -> torch.Tensor:
        return self.values[start:stop]


class Selection:
    """Some rows of other points.

    Parameters
    ----------
    points : Points
    rows : int array, shape (n,), ascending
    """

    def __init__(self, points: Points, rows: NDArray[np.integer]):
        self.points, self.rows = points, np.asarray(rows, np.int64)
        self.ids, self.dims, self.source = points.ids[self.rows], points.dims, points.source

    def read(self, start: int, stop: int) -> torch.Tensor:
        rows = self.rows[start:stop]
        piece = as_tensor(self.points.read(int(rows[0]), int(rows[-1]) + 1))
        here = rows[: np.searchsorted(rows, rows[0] + len(piece))] - rows[0]
        return piece[torch.from_numpy(here).to(piece.device)]


class Normalized:
    """Other points at unit length: their Euclidean neighbours are those of the cosine distance.

    ‖q − r‖² = 2 (1 − cos). A point that is all zeros has no direction. It gets one of its own, an
    extra coordinate: at right angles to every other point, as scikit-learn's `cosine_distances`
    has it, and equal to other zeros.

    Parameters
    ----------
    points : Points
    """

    def __init__(self, points: Points):
        self.points, self.ids, self.source = points, points.ids, points.source
        self.dims = points.dims + 1

    def read(self, start: int, stop: int) -> torch.Tensor:
        piece = as_tensor(self.points.read(start, stop))
        piece = piece if piece.dtype == torch.float64 else piece.float()
        # Divided by the largest coordinate first: squares of large ones would overflow.
        largest = piece.abs().amax(1, keepdim=True)
        unit = piece / largest.where(largest > 0, 1.0)
        length = unit.double().norm(dim=1, keepdim=True)
        unit = (unit.double() / length.where(length > 0, 1.0)).to(piece.dtype)
        return torch.cat([unit, (largest == 0).to(piece.dtype)], dim=1)


def as_tensor(values: NDArray[np.floating] | torch.Tensor) -> torch.Tensor:
    """The same values as a tensor, without a copy where there can be one without."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    with warnings.catch_warnings():
        # Tables give arrays that cannot be written to, and nothing here writes to them.
        warnings.filterwarnings("ignore", message=".*not writable")
        return torch.from_numpy(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))


def distance_type(*sets: Points) -> torch.dtype:
    """Of the distances between points: float64 if some are stored as that, or else float32."""
    stored = {as_tensor(points.read(0, 1)).dtype for points in sets if len(points.ids)}
    return torch.float64 if torch.float64 in stored else torch.float32


def read_whole(points: Points, start: int, stop: int, device: torch.device) -> torch.Tensor:
    """All rows start … stop - 1 at once: shape (stop - start, dims), as they are stored."""
    if start == stop:
        return torch.empty((0, points.dims), device=device)
    piece = as_tensor(points.read(start, stop))
    if len(piece) == stop - start:
        return piece.to(device)
    whole = torch.empty((stop - start, points.dims), dtype=piece.dtype, device=device)
    filled = 0
    while True:
        whole[filled : filled + len(piece)] = piece
        filled += len(piece)
        if filled == stop - start:
            return whole
        piece = as_tensor(points.read(start + filled, stop))
