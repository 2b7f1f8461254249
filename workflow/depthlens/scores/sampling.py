"""Which images the costly scores are computed for."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def choose(images: NDArray[np.uint8], n: int | None, *, seed: int) -> NDArray[np.intp]:
    """Rows of a random choice of images that depends on nothing but their pixels.

    The same image is early or late in every network's choice, in whatever split and under
    whatever id it is found there: so what several networks measured can be compared.

    Parameters
    ----------
    images : uint8 array, shape (n_images, …)
    n : int or None
        How many; all of them for None, or if there are fewer.
    seed : int
        Of the choice.

    Returns
    -------
    int array, shape (min(n, n_images),), ascending
        A smaller n chooses some of those that a larger one does.
    """
    key = seed.to_bytes(8, "little")
    lots = [
        int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8, key=key).digest(), "little")
        for image in images
    ]
    # Stable: images with the same pixels come in the order of the table.
    order = np.argsort(np.array(lots, np.uint64), kind="stable")
    return np.sort(order[:n])
