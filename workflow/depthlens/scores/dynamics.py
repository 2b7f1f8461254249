"""Scores of what an example went through while the network was trained.

Arrays have one row an epoch, shape (n_epochs, n_examples); epochs count from 1 to E.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlens.depth import prediction_depth


def iteration_learned(
    predictions: NDArray[np.integer], final: NDArray[np.integer]
) -> NDArray[np.int64]:
    """First epoch from which every later prediction equals the network's final class.

    Parameters
    ----------
    predictions : int array, shape (n_epochs, n_examples)
        Class predicted in each epoch.
    final : int array, shape (n_examples,)
        Class that the trained network predicts, right or wrong.

    Returns
    -------
    int64 array, shape (n_examples,)
        1 … E, or E + 1 if even the last epoch's prediction differs; larger is harder.

    Raises
    ------
    ValueError
        If the shapes do not match or there is no epoch.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 3; counted in epochs.
    """
    predictions = _epochs(predictions)
    # Prediction depth asks the same of probes that is asked of epochs here.
    return prediction_depth(predictions.T, final).astype(np.int64) + 1


def first_learned(
    predictions: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """First epoch in which the prediction is the label.

    Parameters
    ----------
    predictions : int array, shape (n_epochs, n_examples)
    labels : int array, shape (n_examples,)

    Returns
    -------
    int64 array, shape (n_examples,)
        1 … E, or E + 1 if it never is; larger is harder.

    Raises
    ------
    ValueError
        If the shapes do not match or there is no epoch.

    References
    ----------
    Toneva et al. (2019), arXiv 1812.05159, section 3: their first learning event.
    """
    right = _right(predictions, labels)
    return np.where(right.any(axis=0), right.argmax(axis=0), len(right)) + 1


def forgetting_events(
    predictions: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """How often a right prediction is followed by a wrong one in the next epoch.

    Parameters
    ----------
    predictions : int array, shape (n_epochs, n_examples)
    labels : int array, shape (n_examples,)

    Returns
    -------
    int64 array, shape (n_examples,)
        0 … ⌊E/2⌋, or E for an example that is never right: nothing can be forgotten more often
        (the paper sets infinity). Larger is harder.

    Raises
    ------
    ValueError
        If the shapes do not match or there is no epoch.

    References
    ----------
    Toneva et al. (2019), arXiv 1812.05159, section 3.
    """
    right = _right(predictions, labels)
    forgotten = (right[:-1] & ~right[1:]).sum(axis=0)
    return np.where(right.any(axis=0), forgotten, len(right))


def area_under_margin(margins: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over the epochs of the label's logit less the largest other logit.

    Parameters
    ----------
    margins : float array, shape (n_epochs, n_examples)
        Of logits: those of a softmax are another score, in which confident examples tie.

    Returns
    -------
    float64 array, shape (n_examples,)
        -∞ … ∞, logits; smaller is harder.

    Raises
    ------
    ValueError
        If there is no epoch.

    References
    ----------
    Pleiss et al. (2020), arXiv 2001.10528, equations 1 and 2.
    """
    return _epochs(margins).mean(axis=0, dtype=np.float64)


def datamap_confidence(losses: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over the epochs of the label's probability, exp(−loss).

    Parameters
    ----------
    losses : float array, shape (n_epochs, n_examples)
        Cross-entropy of the label, nats.

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … 1; smaller is harder.

    Raises
    ------
    ValueError
        If there is no epoch.

    References
    ----------
    Swayamdipta et al. (2020), arXiv 2009.10795, section 2: μ.
    """
    return np.exp(-_epochs(losses).astype(np.float64)).mean(axis=0)


def datamap_variability(losses: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standard deviation over the epochs of the label's probability, exp(−loss).

    Parameters
    ----------
    losses : float array, shape (n_epochs, n_examples)
        Cross-entropy of the label, nats.

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … 1/2, of the population of epochs (divided by E); larger is more ambiguous. An example
        that is never learned varies little, as an easy one does.

    Raises
    ------
    ValueError
        If there is no epoch.

    References
    ----------
    Swayamdipta et al. (2020), arXiv 2009.10795, section 2: σ.
    """
    return np.exp(-_epochs(losses).astype(np.float64)).std(axis=0)


def _right(predictions: NDArray[np.integer], labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    predictions, labels = _epochs(predictions), np.asarray(labels)
    if labels.shape != predictions.shape[1:]:
        raise ValueError(f"labels must be of shape {predictions.shape[1:]}, not {labels.shape}")
    return predictions == labels


def _epochs(values: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(values)
    if values.ndim != 2 or not len(values):
        raise ValueError(
            f"must be (n_epochs, n_examples) with at least one epoch, not {values.shape}"
        )
    return values
