"""Scores that are read off the network's output."""

import numpy as np
from numpy.typing import NDArray


def loss(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Cross-entropy of the label: −ln softmax(z)[y].

    Parameters
    ----------
    logits : float array, shape (n_examples, n_classes)
        z, before the softmax.
    labels : int array, shape (n_examples,)
        y, 0 … n_classes - 1.

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … ∞, nats; larger is harder.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    logits, labels = _logits(logits), np.asarray(labels)
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels must be of shape {logits.shape[:1]}, not {labels.shape}")
    return -np.take_along_axis(_log_softmax(logits), labels[:, None].astype(np.int64), axis=1)[:, 0]


def confidence(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax of the predicted class: max softmax(z).

    Parameters
    ----------
    logits : float array, shape (n_examples, n_classes)

    Returns
    -------
    float64 array, shape (n_examples,)
        1/n_classes … 1; smaller is harder.

    References
    ----------
    Hendrycks, Gimpel (2017), arXiv 1610.02136, section 2.
    """
    return np.exp(_log_softmax(_logits(logits)).max(axis=1))


def output_margin(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Largest logit less the second largest.

    Parameters
    ----------
    logits : float array, shape (n_examples, n_classes)
        At least two classes.

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … ∞, logits; smaller is harder.

    Raises
    ------
    ValueError
        If there are fewer than two classes.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 3.
    """
    logits = _logits(logits)
    if logits.shape[1] < 2:
        raise ValueError("a margin needs two classes")
    second, first = np.partition(logits, -2, axis=1)[:, -2:].T
    return first - second


def entropy(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Entropy of the network's answer: −Σ p ln p with p = softmax(z).

    Parameters
    ----------
    logits : float array, shape (n_examples, n_classes)

    Returns
    -------
    float64 array, shape (n_examples,)
        0 … ln n_classes, nats; larger is harder.

    References
    ----------
    Shannon (1948), Bell System Technical Journal 27, section 6.
    """
    log_p = _log_softmax(_logits(logits))
    return -(np.exp(log_p) * log_p).sum(axis=1)


def _logits(values: NDArray[np.floating]) -> NDArray[np.float64]:
    logits = np.asarray(values, np.float64)
    if logits.ndim != 2:
        raise ValueError(f"logits must be (n_examples, n_classes), not {logits.shape}")
    return logits


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    # Less the largest: exp of a large logit would overflow.
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
