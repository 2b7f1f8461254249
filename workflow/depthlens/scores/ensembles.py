"""What several networks make of the same examples.

Arrays have one row a network, shape (n_networks, n_examples). Which networks count for an example
is a mask of that shape: those that did not train on it, or all that were asked.
"""

import numpy as np
from numpy.typing import NDArray


def consensus(
    predictions: NDArray[np.integer], members: NDArray[np.bool_], *, n_classes: int
) -> NDArray[np.int64]:
    """Class that most members predict; the smallest of those that tie.

    Parameters
    ----------
    predictions : int array, shape (n_networks, n_examples)
        0 … n_classes - 1 where a network is a member; anything elsewhere.
    members : bool array, shape (n_networks, n_examples)
        Usually the networks that did not train on the example.
    n_classes : int

    Returns
    -------
    int64 array, shape (n_examples,)
        -1 where an example has no member.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 2: the consensus class.
    """
    votes = _votes(predictions, members, n_classes)
    # argmax takes the first, which is the smallest class.
    return np.where(members.any(axis=0), votes.argmax(axis=1), -1)


def consensus_consistency(
    predictions: NDArray[np.integer], members: NDArray[np.bool_], *, n_classes: int
) -> NDArray[np.float64]:
    """Share of the members that predict the consensus class.

    Parameters
    ----------
    predictions, members, n_classes
        As for `consensus`.

    Returns
    -------
    float64 array, shape (n_examples,)
        1/n_classes … 1, smaller is harder; NaN where an example has no member.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 2.
    """
    return _share(predictions, members, consensus(predictions, members, n_classes=n_classes))


def label_consistency(
    predictions: NDArray[np.integer], members: NDArray[np.bool_], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Share of the members that predict the label: an estimate of the C-score.

    Parameters
    ----------
    predictions, members
        As for `consensus`.
    labels : int array, shape (n_examples,)

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … 1, smaller is harder; NaN where an example has no member.

    References
    ----------
    Jiang, Zhang, Talwar, Mozer (2021), arXiv 2002.03206, equation 1, for one size of training set.
    """
    return _share(predictions, members, labels)


def ensemble_agreement(
    predictions: NDArray[np.integer], members: NDArray[np.bool_], *, n_classes: int
) -> NDArray[np.float64]:
    """Share of the networks that give the class that most of them give.

    The formula of `consensus_consistency`; what differs is who is asked: all networks, those that
    trained on the example too.

    Parameters
    ----------
    predictions, members, n_classes
        As for `consensus`.

    Returns
    -------
    float64 array, shape (n_examples,)
        1/n_classes … 1, smaller is harder; NaN where an example has no member.

    References
    ----------
    Carlini, Erlingsson, Papernot (2019), arXiv 1910.13427, section 2: agreement of an ensemble.
    """
    return consensus_consistency(predictions, members, n_classes=n_classes)


def mean(measurements: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over the networks that measured an example.

    Parameters
    ----------
    measurements : float array, shape (n_networks, n_examples)
        NaN where a network did not; infinities count.

    Returns
    -------
    float64 array, shape (n_examples,)
        NaN where none did.
    """
    there = ~np.isnan(measurements)
    with np.errstate(invalid="ignore"):
        return np.where(there, measurements, 0).sum(axis=0, dtype=np.float64) / there.sum(axis=0)


def spread(measurements: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standard deviation over the networks that measured an example, of the sample.

    Parameters
    ----------
    measurements : float array, shape (n_networks, n_examples)
        NaN where a network did not; finite elsewhere.

    Returns
    -------
    float64 array, shape (n_examples,)
        Divided by their number less one; NaN where fewer than two did.
    """
    there = ~np.isnan(measurements)
    deviations = np.where(there, measurements - mean(measurements), 0)
    n = there.sum(axis=0)
    variance = (deviations**2).sum(axis=0) / np.maximum(n - 1, 1)
    return np.where(n >= 2, np.sqrt(variance), np.nan)


def _votes(
    predictions: NDArray[np.integer], members: NDArray[np.bool_], n_classes: int
) -> NDArray[np.int32]:
    """How many members predict each class, shape (n_examples, n_classes)."""
    predictions, members = np.asarray(predictions), np.asarray(members, bool)
    if predictions.ndim != 2 or members.shape != predictions.shape:
        raise ValueError(
            "predictions and members must both be (n_networks, n_examples), not "
            f"{predictions.shape} and {members.shape}"
        )
    votes = np.zeros((predictions.shape[1], n_classes), np.int32)
    for answer, member in zip(predictions, members, strict=True):
        rows = np.flatnonzero(member)
        votes[rows, answer[rows]] += 1
    return votes


def _share(
    predictions: NDArray[np.integer], members: NDArray[np.bool_], reference: NDArray[np.integer]
) -> NDArray[np.float64]:
    agree = ((predictions == reference) & members).sum(axis=0)
    n = members.sum(axis=0)
    return np.where(n > 0, agree / np.maximum(n, 1), np.nan)
