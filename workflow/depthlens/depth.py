"""Prediction depth: where in a network an example's class is settled."""

import numpy as np
from numpy.typing import NDArray


def prediction_depth(knn: NDArray[np.integer], reference: NDArray[np.integer]) -> NDArray[np.int16]:
    """First probe from which every later k-NN class equals the reference class.

    Parameters
    ----------
    knn : int array, shape (n_examples, n_probes)
        Class given by the k-NN classifier of each probe, in forward order.
    reference : int array, shape (n_examples,)
        Class to agree with: the network's prediction, or the last probe's.

    Returns
    -------
    int16 array, shape (n_examples,)
        0 (every probe agrees) … n_probes (not even the last one does).

    Raises
    ------
    ValueError
        If the shapes do not match or there is no probe.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 2.
    """
    knn, reference = np.asarray(knn), np.asarray(reference)
    if knn.ndim != 2 or reference.shape != knn.shape[:1]:
        raise ValueError(
            f"knn must be (n_examples, n_probes) and reference (n_examples,), "
            f"not {knn.shape} and {reference.shape}"
        )
    n_probes = knn.shape[1]
    if n_probes == 0:
        raise ValueError("prediction depth needs at least one probe")
    differs = knn != reference[:, None]
    # argmax finds the first True: in reversed order, the last probe that differs.
    after_last_difference = n_probes - np.argmax(differs[:, ::-1], axis=1)
    return np.where(differs.any(axis=1), after_last_difference, 0).astype(np.int16)
