"""References as a search sees them: centred, scaled, checked, found by id."""

import numpy as np
import torch
from numpy.typing import NDArray

from depthlens.knn import screens
from depthlens.knn.points import Array, Points, as_tensor, read_whole
from depthlens.knn.screens import Screen

# Norms up to here have distances that fit in float32, or squared distances that fit in float64.
_LARGEST_NORM = {torch.float32: 1e38, torch.float64: 1e150}
_LARGEST_SCALE = {torch.float32: 120, torch.float64: 480}  # as powers of 2
_SAMPLE = (8, 32)  # pieces, rows a piece
_MORE_THAN_SAMPLE = 1.1
_CACHE_VALUES = 2**18
_CHECKED_VALUES = 2**22


class Frame:
    """References, and the coordinates in which distances to them are computed.

    Coordinates are shifted by the mean of a sample of the references and scaled by a power of two,
    so that nothing cancels, overflows or underflows without need. No distance depends on either.

    Parameters
    ----------
    references : Points
    device : torch.device
    exact : torch.dtype
        Of coordinate differences and of distances: float32 or float64.

    Raises
    ------
    ValueError
        If two references have the same id, or as `prepare` does.
    """

    def __init__(
        self, references: Points, device: torch.device, exact: torch.dtype = torch.float32
    ):
        self.references, self.device, self.exact = references, device, exact
        self.rows = len(references.ids)
        self.stored_bytes = references.dims * as_tensor(references.read(0, 1)).element_size()
        self._rows_by_id = np.argsort(references.ids, kind="stable")
        self._ids = references.ids[self._rows_by_id]
        if len(twice := self._ids[1:][self._ids[1:] == self._ids[:-1]]):
            raise ValueError(f"two references have the id {twice[0]}")
        self.shift = torch.zeros(references.dims, dtype=exact, device=device)
        self.scale, self._sample_lost = 1.0, 1.0
        sample, _ = self.prepare(_sample(references), screens.FLOAT64)
        mean = sample.mean(0)
        squares = (sample - mean).square().sum(1)
        length = float(squares.median().sqrt() or squares.mean().sqrt())
        self.shift = mean.to(exact)
        if length > 0:
            most = _LARGEST_SCALE[exact]
            self.scale = 2.0 ** -float(np.clip(np.round(np.log2(length)), -most, most))
        self._sample_lost = float(
            _share_lost((sample - mean).mul_(self.scale).float(), torch.bfloat16).amax()
        )

    def lost(self, screen: Screen) -> float:
        """What rounding takes of an operand's length, at most: measured where that is less."""
        return min(screen.unit_input, _MORE_THAN_SAMPLE * self._sample_lost)

    def prepare(
        self, points: Points, screen: Screen, start: int = 0, stop: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Operands of a product, and their squared lengths.

        Returns
        -------
        operands : tensor of the screen's type, shape (stop - start, dims)
        squares : float tensor, shape (stop - start,)
            Infinite where products might overflow, or where rounding takes more of the length than
            `lost` says; such an operand is 0, and nothing is known of its distances.

        Raises
        ------
        ValueError
            If a value is infinite, not a number, or too large to have a distance.
        """
        stop = len(points.ids) if stop is None else stop
        operands = torch.empty((stop - start, points.dims), dtype=screen.dtype, device=self.device)
        squares = torch.empty(stop - start, dtype=screen.result, device=self.device)
        # Of float64 points nothing is rounded before they are centred.
        centring = torch.promote_types(self.exact, screen.result)
        shift = self.shift.to(centring)
        offset = float(self.shift.double().norm())
        limit = torch.finfo(screen.result).max / 2**8
        lost, filled = self.lost(screen), 0
        while filled < stop - start:
            stored = as_tensor(points.read(start + filled, stop)).to(self.device)
            # On a CPU, as many rows at a time as a cache holds.
            step = len(stored) if self.device.type == "cuda" else _CACHE_VALUES // points.dims
            for piece in stored.split(max(1, step)):
                centred = piece.to(self.exact).to(centring) - shift
                centred = centred.mul_(self.scale).to(screen.result)
                some = slice(filled, filled + len(piece))
                operands[some], squares[some] = centred, screens.squares(centred)
                largest = float(squares[some].amax())
                if not largest**0.5 / self.scale + offset <= _LARGEST_NORM[self.exact]:
                    require_finite(piece, points.ids[start + filled :], points.source)
                unknown = squares[some] > limit
                if lost < screen.unit_input:
                    unknown |= _share_lost(centred, screen.dtype) > lost
                if unknown.any():
                    operands[some][unknown], squares[some][unknown] = 0, torch.inf
                filled += len(piece)
        return operands, squares

    def own_rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of the reference with the same id, -1 where there is none."""
        position = np.minimum(np.searchsorted(self._ids, ids), self.rows - 1)
        return np.where(self._ids[position] == ids, self._rows_by_id[position], -1)


def _share_lost(points: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The share of each point's length that rounding takes, rounded up; 0 of the origin."""
    error = screens.squares(points.to(dtype).to(points.dtype).sub_(points))
    return (1.001 * error / screens.squares(points)).sqrt().nan_to_num_(0.0)


def _sample(references: Points) -> Array:
    """Rows from all over the references, however they are sorted."""
    rows = len(references.ids)
    pieces, length = _SAMPLE if rows > np.prod(_SAMPLE) else (1, rows)
    starts = np.linspace(0, rows - length, pieces).astype(int)
    cpu = torch.device("cpu")
    values = [read_whole(references, start, start + length, cpu) for start in starts.tolist()]
    ids = [references.ids[start : start + length] for start in starts]
    return Array(torch.cat(values), np.concatenate(ids), source=references.source)


def require_finite(points: torch.Tensor, ids: NDArray[np.int64], source: str = "") -> None:
    """Check that points have distances.

    Parameters
    ----------
    points : float tensor, shape (n, dims)
    ids : int array, shape (n, …)
    source : str
        Where the points come from, for the message.

    Raises
    ------
    ValueError
        Names the first example with a value that is infinite or not a number, or too large.
    """
    first, largest = 0, _LARGEST_NORM.get(points.dtype, _LARGEST_NORM[torch.float32])
    for piece in points.split(max(1, _CHECKED_VALUES // points.shape[1])):
        # NaN compares as false.
        refused = ~(torch.linalg.vector_norm(piece.double(), dim=1) <= largest)
        if refused.any():
            row = int(refused.nonzero()[0, 0])
            fault = "too large" if piece[row].isfinite().all() else "infinite or not a number"
            where = f"{source}: " if source else ""
            raise ValueError(f"{where}the activation of example {ids[first + row]} is {fault}")
        first += len(piece)
