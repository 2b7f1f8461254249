"""Products in low precision, each with a proven bound on its error.

The squared distance of a query q and a reference r, from the point in the middle, is
|q|² + |r|² - 2 q·r. A screen computes q·r with rounding. Writing u for the unit roundoff of each
step and γₙ = n·u / (1 - n·u) for a sum of n terms in any order (Higham, Accuracy and Stability of
Numerical Algorithms, 2nd edition, section 3.1), its result p̂ satisfies

    |p̂ - q·r| ≤ [(1 + u_in)² (1 + γ) (1 + u_out) - 1] · Σ|qᵢ rᵢ|
    Σ|qᵢ rᵢ| ≤ |q| |r| ≤ (|q|² + |r|²) / 2

where u_in may be what rounding takes of a point's length instead, |x̂ - x| / |x|, which is less than
half of the unit roundoff on most data. So the squared distance lies in (1 ± ε)(|q|² + |r|²) - 2 p̂,
with ε(dims) from `Screen.epsilon`. Whatever underflows is covered by `TINY`.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

# Products of normal numbers that are flushed to zero lose less than this each, where points have
# been scaled to a length of about 1.
TINY = 2.0**-120

_SQUARES_SPAN = 512
_TENSOR_CORE_FACTOR = 4  # tensor cores align and truncate: at most four times the error of rounding


class Screen(NamedTuple):
    """A way to compute many inner products at once."""

    name: str
    dtype: torch.dtype
    """of the operands"""
    result: torch.dtype
    """in which lower bounds are computed"""
    unit_input: float
    """unit roundoff of an operand's coordinates beyond `result`"""
    unit_sum: float
    unit_output: float
    span: int
    """coordinates summed in one product; longer points are added piece by piece"""
    spare: int
    """references to keep for each neighbour, so that most queries are proven"""
    multiply: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    """(a, b, buffer) → a @ b.T, in the buffer or not"""

    def product(self, a: torch.Tensor, b: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
        """a @ b.T; the buffer, of len(a) * len(b) operands, may hold it until the next."""
        buffer = buffer[: len(a) * len(b)].view(len(a), len(b))
        if a.shape[1] <= self.span:
            return self.multiply(a, b, buffer)
        total = torch.zeros(buffer.shape, dtype=self.result, device=buffer.device)
        for of_a, of_b in zip(a.split(self.span, 1), b.split(self.span, 1), strict=True):
            # oneDNN takes hundreds of times as long for rows that do not follow each other.
            total += self.multiply(of_a.contiguous(), of_b.contiguous(), buffer)
        return total

    def epsilon(self, dims: int, lost: float | None = None) -> float:
        """Relative error of a squared distance; see the head of this module.

        Parameters
        ----------
        dims : int
        lost : float, optional
            What rounding to the operands' type takes of a point's length, at most; `unit_input`
            if not given.
        """
        lost = self.unit_input if lost is None else lost
        unit = torch.finfo(self.result).eps / 2
        pieces = -(-dims // self.span)
        product = (
            (1 + unit + lost) ** 2  # centring, then rounding to the operand's type
            * (1 + _gamma(min(dims, self.span), self.unit_sum))
            * (1 + self.unit_output)
            * (1 + _gamma(pieces, unit))
            - 1
        )
        squares = 2 * unit + _gamma(_SQUARES_SPAN, unit) + _gamma(-(-dims // _SQUARES_SPAN), unit)
        return 1.01 * (product + squares + 8 * unit)


def choose(device: torch.device, dims: int, precision: str = "auto") -> list[Screen]:
    """Screens to try, the fastest first; the last one is float64.

    bfloat16 is worth it where the hardware multiplies it natively and points are long enough for
    the product to matter: tensor cores, AMX, AVX512-BF16.

    Parameters
    ----------
    device : torch.device
    dims : int
    precision : str
        Begin with `float32`, `float64` or `bfloat16`; `auto` chooses.

    Raises
    ------
    ValueError
        If there is no such precision.
    """
    screens = [_bfloat16(device), _float32(device, dims), FLOAT64]
    if precision == "auto":
        precision = "bfloat16" if dims >= 256 and _multiplies_bfloat16(device) else "float32"
    names = [screen.name for screen in screens]
    if precision not in names:
        raise ValueError(f"precision {precision!r}: one of auto, {', '.join(names)}")
    return screens[names.index(precision) :]


@contextlib.contextmanager
def pinned_precision() -> Iterator[None]:
    """Products as the screens expect them, whatever the caller allows torch to shorten."""
    cuda = torch.backends.cuda.matmul
    cpu = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # set when it is imported
    before = cuda.fp32_precision, cpu.fp32_precision, cuda.allow_bf16_reduced_precision_reduction
    cuda.fp32_precision = cpu.fp32_precision = "ieee"
    cuda.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        cuda.fp32_precision, cpu.fp32_precision = before[:2]
        cuda.allow_bf16_reduced_precision_reduction = before[2]


def squares(points: torch.Tensor) -> torch.Tensor:
    """Squared length of each row; float32 sums of at most 512 terms keep the error small."""
    total = torch.zeros(len(points), dtype=points.dtype, device=points.device)
    for piece in points.split(_SQUARES_SPAN, dim=1):
        total += torch.linalg.vecdot(piece, piece)
    return total


def _bfloat16(device: torch.device) -> Screen:
    factor = _TENSOR_CORE_FACTOR if device.type == "cuda" else 1
    return Screen(
        name="bfloat16",
        dtype=torch.bfloat16,
        result=torch.float32,
        unit_input=2.0**-8,
        unit_sum=factor * 2.0**-24,
        unit_output=2.0**-8,
        span=2**15,
        spare=4,
        multiply=_matmul,
    )


def _float32(device: torch.device, dims: int) -> Screen:
    one_dnn = device.type == "cpu" and dims >= 64 and _has_one_dnn()
    return Screen(
        name="float32",
        dtype=torch.float32,
        result=torch.float32,
        unit_input=0.0,
        unit_sum=2.0**-24,
        unit_output=0.0,
        span=2**15,
        spare=2,
        multiply=_one_dnn if one_dnn else _matmul,
    )


def _matmul(a: torch.Tensor, b: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    return torch.mm(a, b.T, out=buffer)


def _one_dnn(a: torch.Tensor, b: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    # torch.mm goes to MKL, which runs at half the speed of the machine on AMD's processors.
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


def _has_one_dnn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def _gamma(terms: int, unit: float) -> float:
    return terms * unit / (1 - terms * unit)


FLOAT64 = Screen(
    name="float64",
    dtype=torch.float64,
    result=torch.float64,
    unit_input=0.0,
    unit_sum=2.0**-53,
    unit_output=0.0,
    span=2**20,
    spare=8,
    multiply=_matmul,
)
