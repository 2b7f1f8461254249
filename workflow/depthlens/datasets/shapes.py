"""Six greyscale shapes drawn from named factors, the same bytes on every CPU.

Why the bytes agree everywhere: random bits come from Philox, which is integer arithmetic, and
every floating-point step is one of + - * / sqrt, floor, comparison, which IEEE 754 rounds exactly.
Nothing here may call sin, exp, a matrix product or a floating-point sum: NumPy and the C library
compute those with instructions that differ between processors, in the last bit.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CLASSES = ("circle", "square", "rectangle", "right_triangle", "heart", "ellipse")
IMAGE_SIZE = 32
SPLITS = ("train", "test")

# The order of the factors is the order of their random draws: append, never reorder.
FACTORS = (
    "size",
    "offset_x",
    "offset_y",
    "rotation",
    "aspect_ratio",
    "contrast",
    "background",
    "noise",
)
# Classes with one proportion only; their aspect_ratio column says 1.
FIXED_ASPECT = ("circle", "square", "heart")

_FACTOR_DRAWS = 64  # room for more factors without moving the draws of the noise
_DRAWS = _FACTOR_DRAWS + IMAGE_SIZE**2
_SUBSAMPLES = 4  # per pixel and axis: coverage in sixteenths
_BLOCK = 768  # examples rendered at once: keeps the temporaries in the processor's cache

# Smallest circle around the heart (x² + y² - 1)³ = x² y³: centre (0, 1/4), radius 5/4.
_HEART_CENTRE = 0.25
_HEART_RADIUS = 1.25


class Shapes(NamedTuple):
    """Images with their labels and the factors that they were drawn from."""

    images: NDArray[np.uint8]
    """shape (n_examples, 1, 32, 32)"""
    labels: NDArray[np.int16]
    """shape (n_examples,), index into `CLASSES`"""
    factors: dict[str, NDArray[np.float32]]
    """one array of shape (n_examples,) for each name in `FACTORS`"""


def generate(
    start: int, stop: int, *, seed: int, split: str, ranges: Mapping[str, tuple[float, float]]
) -> Shapes:
    """Draw examples `start` … `stop - 1` of a split.

    Example i depends on `seed`, `split`, `ranges` and i alone, never on how many are drawn. Its
    class is i modulo 6, so that any run of 6 examples is balanced.

    Parameters
    ----------
    start, stop : int
        Half-open range of example ids, 0 ≤ start ≤ stop.
    seed : int
        0 … 2⁶⁴ - 1.
    split : {"train", "test"}
    ranges : mapping of factor to (low, high)
        Uniform range of each factor. `size`: radius of the circumscribed circle, in half widths of
        the image. `offset_x`, `offset_y`: its centre from the middle of the image, in half widths,
        right and down. `rotation`: degrees. `aspect_ratio`: longer over shorter side (legs, axes),
        ≥ 1. `contrast`, `background`: brightness over the background and of the background, 1 is
        white. `noise`: standard deviation of the brightness of a pixel.

    Returns
    -------
    Shapes

    Raises
    ------
    ValueError
        If the split is unknown, the range of ids is not one, or a factor has no range.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
    if not 0 <= start <= stop:
        raise ValueError(f"example ids must satisfy 0 <= start <= stop, not {start}, {stop}")
    if missing := [name for name in FACTORS if name not in ranges]:
        raise ValueError(f"no range for {', '.join(missing)}")
    blocks = [
        _draw_block(first, min(first + _BLOCK, stop), seed, SPLITS.index(split), ranges)
        for first in range(start, stop, _BLOCK)
    ] or [_draw_block(start, start, seed, 0, ranges)]
    return Shapes(
        images=np.concatenate([block.images for block in blocks]),
        labels=np.concatenate([block.labels for block in blocks]),
        factors={
            name: np.concatenate([block.factors[name] for block in blocks]) for name in FACTORS
        },
    )


def _draw_block(
    start: int, stop: int, seed: int, stream: int, ranges: Mapping[str, tuple[float, float]]
) -> Shapes:
    bits = _random_bits(start, stop, seed, stream)
    labels = (np.arange(start, stop) % len(CLASSES)).astype(np.int16)
    factors = {}
    for draw, name in enumerate(FACTORS):
        low, high = ranges[name]
        uniform = (bits[:, draw] >> np.uint64(11)).astype(np.float64) * 2.0**-53
        factors[name] = (low + (high - low) * uniform).astype(np.float32)
    fixed = np.isin(labels, [CLASSES.index(name) for name in FIXED_ASPECT])
    factors["aspect_ratio"][fixed] = 1

    brightness = np.empty((stop - start, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    for label, shape in enumerate(CLASSES):
        members = np.flatnonzero(labels == label)
        brightness[members] = _coverage(shape, {k: v[members] for k, v in factors.items()})
    brightness *= factors["contrast"][:, None, None]
    brightness += factors["background"][:, None, None]
    noise = _bell(bits[:, _FACTOR_DRAWS:]).reshape(brightness.shape)
    brightness += noise * factors["noise"][:, None, None]
    pixels = np.floor(np.clip(brightness, 0, 1) * np.float32(255) + np.float32(0.5))
    return Shapes(pixels.astype(np.uint8)[:, None], labels, factors)


def _random_bits(start: int, stop: int, seed: int, stream: int) -> NDArray[np.uint64]:
    """The 64-bit draws that belong to each example, shape (stop - start, draws)."""
    # Philox makes four draws a counter step, so every example begins at a counter of its own.
    philox = np.random.Philox(key=np.array([seed, stream], np.uint64), counter=start * _DRAWS // 4)
    return philox.random_raw((stop - start) * _DRAWS).reshape(-1, _DRAWS)


def _bell(bits: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Nearly normal noise, mean 0, variance 1: the standardised sum of eight random bytes."""
    pairs = np.uint64(0x00FF00FF00FF00FF)
    sums = (bits & pairs) + ((bits >> np.uint64(8)) & pairs)
    total = (sums * np.uint64(0x0001000100010001)) >> np.uint64(48)
    mean, deviation = 8 * 127.5, np.sqrt(8 * (256**2 - 1) / 12)
    return ((total.astype(np.float64) - mean) * (1 / deviation)).astype(np.float32)


def _coverage(shape: str, factors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Share of each pixel that the shape covers, shape (n_examples, 32, 32)."""
    column = {name: values[:, None] for name, values in factors.items()}
    sine, cosine = _sine_cosine(column["rotation"])
    # Shape coordinates (u, v) are those of the unit circle around the shape. They are sums of a
    # part that depends on the pixel's column and one that depends on its row.
    sine, cosine = sine / column["size"], cosine / column["size"]
    count = np.zeros((len(column["size"]), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for row in _subpixels():
        y = row - column["offset_y"]
        u_row, v_row = (y * sine)[:, :, None], (y * cosine)[:, :, None]
        for col in _subpixels():
            x = col - column["offset_x"]
            u = (x * cosine)[:, None, :] + u_row
            v = v_row - (x * sine)[:, None, :]
            count += _inside(shape, u, v, factors["aspect_ratio"][:, None, None])
    return count * np.float32(1 / _SUBSAMPLES**2)


def _subpixels() -> list[NDArray[np.float32]]:
    """Coordinates in half widths of the sample points along one axis, one array a subsample."""
    fine = IMAGE_SIZE * _SUBSAMPLES
    points = ((np.arange(fine) * 2 + 1) / fine - 1).astype(np.float32)
    return [points[offset::_SUBSAMPLES] for offset in range(_SUBSAMPLES)]


def _inside(
    shape: str, u: NDArray[np.float32], v: NDArray[np.float32], aspect_ratio: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which points lie in the shape that is inscribed in the unit circle, long side along u."""
    if shape in ("circle", "ellipse"):
        return u * u + (v * aspect_ratio) * (v * aspect_ratio) <= 1
    short = 1 / np.sqrt(1 + aspect_ratio * aspect_ratio)
    long = aspect_ratio * short
    if shape in ("square", "rectangle"):
        return (np.abs(u) <= long) & (np.abs(v) <= short)
    if shape == "right_triangle":  # the hypotenuse is the diameter from (-1, 0) to (1, 0)
        below = v * long <= (u + 1) * short
        return (v >= 0) & below & ((u - 1) * long + v * short <= 0)
    x = u * np.float32(_HEART_RADIUS)
    y = np.float32(_HEART_CENTRE) - v * np.float32(_HEART_RADIUS)  # v points down
    bulge = x * x + y * y - 1
    return bulge * bulge * bulge <= x * x * (y * y * y)


def _sine_cosine(degrees: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sine and cosine by their Taylor series within an eighth of a turn: error below 1e-12."""
    turns = degrees.astype(np.float64) / 90
    quadrant = np.floor(turns + 0.5)
    angle = (turns - quadrant) * (np.pi / 2)
    square = angle * angle
    # Horner's rule, from the highest power down.
    sine, cosine = np.ones_like(angle), np.ones_like(angle)
    for k in range(14, 0, -2):
        cosine = 1 - square / ((k - 1) * k) * cosine
        sine = 1 - square / (k * (k + 1)) * sine
    sine = sine * angle
    quadrant = quadrant.astype(np.int64) % 4
    swap = quadrant % 2 == 1
    sine, cosine = np.where(swap, cosine, sine), np.where(swap, sine, cosine)
    sine = np.where(quadrant >= 2, -sine, sine)
    cosine = np.where((quadrant == 1) | (quadrant == 2), -cosine, cosine)
    return sine.astype(np.float32), cosine.astype(np.float32)
