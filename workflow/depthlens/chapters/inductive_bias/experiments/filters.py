"""Filters by hand: averaging and Laplacian, on an image of an edge and on a photograph."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.ndimage import convolve
from sklearn.datasets import load_sample_image

from depthlens.datasets import edges
from depthlens.errors import StudyError

LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float64)
_LONGEST_SIDE = 240
_LARGE = 256
_NOISE = 0.1


def averaging(size: int) -> NDArray[np.float64]:
    """Kernel of size × size whose weights are all 1 / size²."""
    return np.full((size, size), 1 / size**2)


def filtered(image: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """An image convolved with a kernel, reflected at its borders, which are not repeated.

    Parameters
    ----------
    image : float array, shape (height, width)
    kernel : float array, shape (size, size)
    """
    return convolve(image, kernel, mode="mirror")


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: object
) -> pd.DataFrame:
    """Filter one picture with every filter.

    Parameters
    ----------
    cell : mapping
        `picture`: "edges" for an image of both edges with noise, "noise" for noise on a large even
        ground, "photograph" for the user's picture or, where there is none, scikit-learn's
        china.jpg.
    settings : mapping
        `averaging_sizes`; `files`: {"photograph": {"picture": path or None}}.

    Returns
    -------
    DataFrame
        One row a pixel and filter (`none`, `average 3`, …, `laplacian`): `filter`, `row`,
        `column`, `value` (brightness, 1 is white); `noise`: what was added to the pixel.

    Raises
    ------
    StudyError
        If the user's picture cannot be read.
    """
    own = settings["files"].get(cell["picture"], {}).get("picture")
    match cell["picture"]:
        case "edges":
            image = _edges()
        case "noise":
            image = np.full((_LARGE, _LARGE), 0.5)
        case _:
            image = _photograph(own)
    noise = np.random.default_rng(0).normal(0, _NOISE, image.shape)
    if cell["picture"] == "photograph":
        noise[:] = 0
    given = image + noise
    kernels = {f"average {size}": averaging(size) for size in settings["averaging_sizes"]}
    kernels["laplacian"] = LAPLACIAN
    pictures = {"none": given} | {name: filtered(given, kernel) for name, kernel in kernels.items()}
    rows, columns = (places.ravel() for places in np.indices(image.shape))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": cell["picture"],
                    "filter": name,
                    "row": rows,
                    "column": columns,
                    "value": picture.ravel().astype(np.float32),
                    "noise": filtered(noise, kernels[name]).ravel().astype(np.float32)
                    if name in kernels
                    else noise.ravel().astype(np.float32),
                }
            )
            for name, picture in pictures.items()
        ],
        ignore_index=True,
    )


def _edges() -> NDArray[np.float64]:
    drawn = edges.generate(1, classes=["both"], seed=0, split="train")
    return drawn.images[0, 0] / 255


def _photograph(path: str | None) -> NDArray[np.float64]:
    """A picture in grey, at most 240 pixels along its longer side."""
    try:
        given = Image.open(path) if path else Image.fromarray(load_sample_image("china.jpg"))
        picture = given.convert("L")
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    except (OSError, UnidentifiedImageError) as error:
        raise StudyError(
            f"chapters.inductive_bias.picture: {path} cannot be read as a picture ({error}); name "
            "another, or null for the one of scikit-learn"
        ) from None
    return np.asarray(picture, np.float64) / 255
