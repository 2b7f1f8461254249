"""The class that a query's neighbours vote for."""

import numpy as np
from numpy.typing import NDArray


def vote(
    labels: NDArray[np.integer], n_classes: int
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Class with the most votes; the smallest of those that tie.

    Parameters
    ----------
    labels : int array, shape (n_queries, k)
        Classes of each query's neighbours, 0 … n_classes - 1.
    n_classes : int

    Returns
    -------
    prediction : int16 array, shape (n_queries,)
    votes : uint16 array, shape (n_queries, n_classes)
    """
    n_queries = len(labels)
    flat = labels.astype(np.int64) + n_classes * np.arange(n_queries)[:, None]
    votes = np.bincount(flat.reshape(-1), minlength=n_queries * n_classes)
    votes = votes.reshape(n_queries, n_classes)
    # argmax takes the first, which is the smallest class.
    return votes.argmax(1).astype(np.int16), votes.astype(np.uint16)
