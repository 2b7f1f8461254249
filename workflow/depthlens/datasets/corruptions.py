"""Images made worse in a controlled way: noise, blur, less contrast.

The definitions and their parameters are those of CIFAR-10-C, the benchmark on images of 32×32.
Where that cuts results off to whole brightness levels, these are rounded.

References
----------
Hendrycks, Dietterich (2019), arXiv 1903.12261, and `make_cifar_c.py` of its authors.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Corruption = Callable[[NDArray[np.float64], float, np.random.Generator], NDArray[np.float64]]


def _noise(
    images: NDArray[np.float64], deviation: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    return images + generator.normal(scale=deviation, size=images.shape)


def _blur(
    images: NDArray[np.float64], sigma: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    return ndimage.gaussian_filter(images, sigma, axes=(2, 3), mode="nearest", truncate=4.0)


def _contrast(
    images: NDArray[np.float64], share: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    means = images.mean(axis=(2, 3), keepdims=True)  # of each channel
    return (images - means) * share + means


AMOUNTS: Mapping[str, tuple[float, ...]] = {
    "noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "blur": (0.4, 0.6, 0.7, 0.8, 1.0),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
}
"""by corruption, at severities 1 … 5: standard deviation of what is added to a pixel's brightness;
standard deviation of the Gaussian, pixels; share that is left of each pixel's difference from the
mean of its image"""

_CORRUPTIONS: Mapping[str, Corruption] = {"noise": _noise, "blur": _blur, "contrast": _contrast}


def corrupt(
    images: NDArray[np.uint8], corruption: str, *, severity: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Images with one corruption.

    Parameters
    ----------
    images : uint8 array, shape (n, channels, height, width)
    corruption : str
        A key of `AMOUNTS`.
    severity : int, 1 … 5
    generator : numpy.random.Generator
        Of the noise.

    Returns
    -------
    uint8 array of the same shape

    Raises
    ------
    ValueError
        If there is no such corruption or severity.
    """
    if corruption not in AMOUNTS or not 1 <= severity <= len(AMOUNTS[corruption]):
        raise ValueError(f"no corruption {corruption!r} of severity {severity}")
    amount = AMOUNTS[corruption][severity - 1]
    changed = _CORRUPTIONS[corruption](images / 255.0, amount, generator)
    return np.rint(np.clip(changed, 0, 1) * 255).astype(np.uint8)


def fitted(images: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images in the shape of others, nothing stretched.

    Where they are too small, black is added around them; where they are too large, their centre is
    kept. A grey channel is repeated; other channels become one by their mean.

    Parameters
    ----------
    images : uint8 array, shape (n, channels, height, width)
    shape : (channels, height, width)

    Returns
    -------
    uint8 array, shape (n, *shape)
    """
    if images.shape[1] != shape[0]:
        grey = images if images.shape[1] == 1 else np.rint(images.mean(axis=1, keepdims=True))
        images = np.repeat(grey.astype(np.uint8), shape[0], axis=1)
    for axis, length in zip((2, 3), shape[1:], strict=True):
        missing = length - images.shape[axis]
        before = abs(missing) // 2
        if missing > 0:
            room = [(0, 0)] * 4
            room[axis] = (before, missing - before)
            images = np.pad(images, room)
        else:
            images = np.take(images, np.arange(before, before + length), axis=axis)
    return images
