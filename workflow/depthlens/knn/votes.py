"""The class that a query's neighbours vote for.

What is held at a time grows with neighbours, not with classes: of thousands of classes only those
count that a neighbour is of.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_VALUES_AT_ONCE = 2**20


def vote(
    labels: NDArray[np.integer], weights: NDArray[np.floating] | None = None
) -> NDArray[np.integer]:
    """Class with the most votes; the smallest of those that tie.

    Parameters
    ----------
    labels : int array, shape (n_queries, k)
        Classes of each query's neighbours.
    weights : float array, shape (n_queries, k), optional
        What each neighbour's vote counts; 1 if not given.

    Returns
    -------
    int array, shape (n_queries,), of the type of `labels`
    """
    prediction = np.empty(len(labels), labels.dtype)
    for some, classes, totals in _ballots(labels, weights):
        # argmax takes the first, which is the smallest class.
        most = totals.argmax(1)[:, None]
        prediction[some] = np.take_along_axis(classes, most, 1)[:, 0]
    return prediction


def count(
    labels: NDArray[np.integer], n_classes: int, weights: NDArray[np.floating] | None = None
) -> NDArray[np.number]:
    """Votes for each class; see `vote`.

    Returns
    -------
    array, shape (n_queries, n_classes)
        uint16, wider where k is larger; float64 with weights, added in the order of neighbours.
    """
    whole = np.promote_types(np.uint16, np.min_scalar_type(labels.shape[1]))
    votes = np.zeros((len(labels), n_classes), whole if weights is None else np.float64)
    for some, classes, totals in _ballots(labels, weights):
        row, place = totals.nonzero()
        votes[some.start + row, classes[row, place]] = totals[row, place]
    return votes


def _ballots(
    labels: NDArray[np.integer], weights: NDArray[np.floating] | None
) -> Iterator[tuple[slice, NDArray[np.integer], NDArray[np.number]]]:
    """Some queries at a time: classes in order, and the votes of each where it comes first."""
    step = max(1, _VALUES_AT_ONCE // labels.shape[1])
    for start in range(0, len(labels), step):
        some = slice(start, start + step)
        order = labels[some].argsort(1, kind="stable")
        classes = np.take_along_axis(labels[some], order, 1)
        first = np.ones(classes.shape, bool)
        first[:, 1:] = classes[:, 1:] != classes[:, :-1]
        cast = None if weights is None else np.take_along_axis(weights[some], order, 1).ravel()
        counted = np.bincount(first.cumsum() - 1, cast)
        totals = np.zeros(classes.shape, counted.dtype)
        totals[first] = counted
        yield some, classes, totals
