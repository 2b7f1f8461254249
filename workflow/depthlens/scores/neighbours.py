"""Scores of where an example lies among the training examples at one probe."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from depthlens.knn.points import Points, as_tensor

_BLOCK_BYTES = 32 * 2**20


def knn_disagreement(
    votes: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Share of the nearest neighbours whose label is another: 1 − votes[y] / k.

    Parameters
    ----------
    votes : int array, shape (n_examples, n_classes)
        How many of the k neighbours are of each class; a row's sum is k.
    labels : int array, shape (n_examples,)
        y.

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … 1; larger is harder.

    References
    ----------
    Smith, Martinez, Giraud-Carrier (2014), Machine Learning 95, section 3: k-disagreeing neighbors.
    """
    votes = np.asarray(votes, np.int64)
    own = np.take_along_axis(votes, np.asarray(labels, np.int64)[:, None], axis=1)[:, 0]
    return 1 - own / votes.sum(axis=1)


def prototype_distance(
    queries: Points,
    query_labels: NDArray[np.integer],
    references: Points,
    reference_labels: NDArray[np.integer],
    *,
    n_classes: int,
    leave_one_out: bool,
) -> NDArray[np.float64]:
    """Euclidean distance to the mean of the training examples of the same label.

    Both sets of points are read block by block; sums are float64, one row a class.

    Parameters
    ----------
    queries, references : Points
        Activations of the examples and of the training set at one probe.
    query_labels, reference_labels : int array, shape (n,)
        True labels, 0 … n_classes - 1.
    n_classes : int
    leave_one_out : bool
        Whether the queries are the references: then an example is no part of its own mean.

    Returns
    -------
    float64 array, shape (n_queries,)
        0 … ∞, activations; larger is harder. NaN where no other training example has the label.

    References
    ----------
    Sorscher et al. (2022), arXiv 2206.14486, section 5: distance to a prototype; here the
    prototypes are the means of the labelled classes, not of k-means clusters.
    """
    sums = np.zeros((n_classes, references.dims))
    for rows, block in _blocks(references):
        for label in np.unique(reference_labels[rows]):
            sums[label] += block[reference_labels[rows] == label].sum(axis=0)
    counts = np.bincount(reference_labels, minlength=n_classes).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts[:, None]
        # (S - x) / (n - 1), the mean without x, is n / (n - 1) times as far from x as S / n is;
        # where nothing is left of a class, both ways end in 0 · ∞ or 0 / 0.
        stretch = counts / (counts - 1) if leave_one_out else np.ones(n_classes)
        distances = np.empty(len(query_labels))
        for rows, block in _blocks(queries):
            labels = query_labels[rows]
            distances[rows] = stretch[labels] * np.linalg.norm(block - means[labels], axis=1)
    return distances


def _blocks(points: Points) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Rows of points in order, as many as are at hand, in pieces of 32 MiB at most."""
    start, most = 0, max(1, _BLOCK_BYTES // (8 * points.dims))
    while start < len(points.ids):
        block = as_tensor(points.read(start, min(start + most, len(points.ids)))).double().cpu()
        yield slice(start, start + len(block)), block.numpy()
        start += len(block)
