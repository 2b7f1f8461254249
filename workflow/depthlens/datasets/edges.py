"""Images of one or two edges, drawn from named factors, the same bytes on every CPU.

An edge is a bright band on a darker, even background: a whole row, a whole column, or a slanted
line across the image. Random bits come from Philox, which is integer arithmetic, and every
floating-point step is one that IEEE 754 rounds exactly, as in `datasets.shapes`.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

KINDS = ("horizontal", "vertical", "none", "diagonal", "both")
IMAGE_SIZE = 28
SPLITS = ("train", "validation", "test")
FACTORS = (
    "background",
    "horizontal_start",
    "horizontal_width",
    "horizontal_intensity",
    "vertical_start",
    "vertical_width",
    "vertical_intensity",
    "diagonal_start",
    "diagonal_width",
    "diagonal_intensity",
    "diagonal_angle",
)
"""NaN where an image does not have the edge"""

WIDTHS = (1, 2, 3, 4)
"""pixels"""
INTENSITY = (0.25, 1.0)
"""brightness of an edge, 1 is white"""
BACKGROUND = (0.0, 0.2)
"""brightness of the rest"""
ANGLES = (30, 45, 120, 135)
"""degrees, counter-clockwise from the horizontal"""

# Sine and cosine of ANGLES, written out: the C library's differ between processors.
_ROOT_2, _ROOT_3 = 0.7071067811865476, 0.8660254037844386
_SINE = np.array([0.5, _ROOT_2, _ROOT_3, _ROOT_2])
_COSINE = np.array([_ROOT_3, _ROOT_2, -0.5, -_ROOT_2])
_DRAWS = 16


class Edges(NamedTuple):
    """Images with their labels and the factors that they were drawn from."""

    images: NDArray[np.uint8]
    """shape (n_examples, 1, 28, 28)"""
    labels: NDArray[np.int16]
    """shape (n_examples,), index into the classes that were asked for"""
    factors: dict[str, NDArray[np.float32]]
    """one array of shape (n_examples,) for each name in `FACTORS`"""


def generate(
    n_per_class: int,
    *,
    classes: Sequence[str] = KINDS[:3],
    seed: int,
    split: str,
    location_ratio: float | None = None,
) -> Edges:
    """Draw images of every class.

    Image i depends on `seed`, `split`, `classes`, `location_ratio` and i alone, never on how many
    are drawn. Its class is i modulo the number of classes.

    Parameters
    ----------
    n_per_class : int
        ≥ 1.
    classes : sequence of str
        Some of `KINDS`, the labels in this order: an edge along a row, along a column, none, a
        slanted one, or one along a row and one along a column.
    seed : int
        0 … 2⁶² - 1.
    split : {"train", "validation", "test"}
    location_ratio : float, 0 < r < 1, optional
        Edges along rows and columns of training images lie in [1, 28 r), those of the other splits
        in [28 r, 28): no row or column of the one belongs to an edge of the other. Slanted edges
        start there, too, but cross the image. Without it all start in 1 … 27.

    Returns
    -------
    Edges

    Raises
    ------
    ValueError
        If there is no such split or class, or no place is left for the edges of a split.

    Notes
    -----
    An edge along a row begins at its start row and is as many pixels wide as its width; what would
    lie beyond the image, or beyond 28 r, is cut off. So it is with columns. A slanted edge is all
    pixels closer to a line than half its width; it crosses the middle row at its start column.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
    if unknown := [name for name in classes if name not in KINDS]:
        raise ValueError(f"no such class: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    first, last = _starts(split, location_ratio)
    n = n_per_class * len(classes)
    # Philox makes four draws a counter step.
    philox = np.random.Philox(key=np.array([seed, SPLITS.index(split)], np.uint64))
    uniform = (philox.random_raw(n * _DRAWS).reshape(n, _DRAWS) >> np.uint64(11)) * 2.0**-53
    labels = (np.arange(n) % len(classes)).astype(np.int16)
    kinds = np.array([KINDS.index(name) for name in classes])[labels]

    low, high = BACKGROUND
    background = low + (high - low) * uniform[:, 0]
    brightness = np.repeat(background, IMAGE_SIZE**2).reshape(n, IMAGE_SIZE, IMAGE_SIZE)
    factors = {name: np.full(n, np.nan, np.float32) for name in FACTORS}
    factors["background"] = background.astype(np.float32)
    for place, direction in enumerate(("horizontal", "vertical", "diagonal")):
        own = [KINDS.index(direction), *([KINDS.index("both")] if direction != "diagonal" else [])]
        members = np.flatnonzero(np.isin(kinds, own))
        draws = uniform[members, 1 + 4 * place : 5 + 4 * place]
        start = first + np.floor(draws[:, 0] * (last - first + 1))
        width = 1 + np.floor(draws[:, 1] * len(WIDTHS))
        intensity = INTENSITY[0] + (INTENSITY[1] - INTENSITY[0]) * draws[:, 2]
        angle = np.floor(draws[:, 3] * len(ANGLES)).astype(np.int64)
        covered = _covered(direction, start, width, angle, last)
        brightness[members] = np.where(covered, intensity[:, None, None], brightness[members])
        for name, values in (("start", start), ("width", width), ("intensity", intensity)):
            factors[f"{direction}_{name}"][members] = values
        if direction == "diagonal":
            factors["diagonal_angle"][members] = np.array(ANGLES)[angle]
    pixels = np.floor(brightness * 255 + 0.5).astype(np.uint8)
    return Edges(pixels[:, None], labels, factors)


def permute_pixels(images: NDArray[Any], *, seed: int) -> NDArray[Any]:
    """Images whose pixels are moved, in all of them by the same permutation.

    Parameters
    ----------
    images : array, shape (n, channels, height, width)
    seed : int
        Of the permutation, which depends on nothing else but the number of pixels.
    """
    n_pixels = images.shape[2] * images.shape[3]
    order = np.random.default_rng([seed, n_pixels]).permutation(n_pixels)
    return images.reshape(*images.shape[:2], n_pixels)[..., order].reshape(images.shape)


def _starts(split: str, location_ratio: float | None) -> tuple[int, int]:
    """First and last row or column where edges of a split start."""
    if location_ratio is None:
        return 1, IMAGE_SIZE - 1
    border = math.ceil(IMAGE_SIZE * location_ratio)
    first, last = (1, border - 1) if split == "train" else (border, IMAGE_SIZE - 1)
    if not 1 <= first <= last:
        raise ValueError(
            f"location_ratio {location_ratio:g} leaves no place for the edges of the {split} images"
        )
    return first, last


def _covered(
    direction: str, start: NDArray[Any], width: NDArray[Any], angle: NDArray[np.int64], last: int
) -> NDArray[np.bool_]:
    """Which pixels an edge covers, shape (n, 28, 28); none behind the `last` row or column."""
    pixels = np.arange(IMAGE_SIZE)
    start, width = start[:, None, None], width[:, None, None]
    if direction == "diagonal":
        sine, cosine = _SINE[angle][:, None, None], _COSINE[angle][:, None, None]
        middle = (IMAGE_SIZE - 1) / 2
        # Rows count downwards, angles upwards.
        along = (pixels[None, None, :] - start) * sine + (pixels[None, :, None] - middle) * cosine
        return np.abs(along) < width / 2
    place = pixels[None, :, None] if direction == "horizontal" else pixels[None, None, :]
    inside = (place >= start) & (place < np.minimum(start + width, last + 1))
    return np.broadcast_to(inside, (len(start), IMAGE_SIZE, IMAGE_SIZE))
