"""How far the neighbours of an example contradict its label, and from where on that is suspect."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.knn.votes import count

RIGHT_FLAGGED = 0.01
"""share of the right labels that a threshold may flag"""

_EDGES = np.arange(-128, 130) / 128  # exact in float32; nothing reaches the last
_VALUES_AT_ONCE = 2**22
_LEAST = 0.1  # of the replaced labels: fewer say nothing about a share


class Threshold(NamedTuple):
    """From where on a label is suspect, and how good that is, as shares of 1."""

    value: float
    right_flagged: float
    """of the labels that are right; estimated, see `calibrated`"""
    wrong_found: float
    """of labels that are replaced by a random other one"""
    wrong: float
    """of all labels that look like such; estimated"""


def contradict(
    totals: NDArray[np.float32],
    near: NDArray[np.integer],
    weights: NDArray[np.float64] | None = None,
) -> None:
    """Add how far the neighbours at one probe contradict each label that an example could have.

    That is (votes of the strongest other class - votes of the label) / all votes: -1, every
    neighbour has the label, … 1, all have one other; 0 where nobody votes. Its mean over the
    probes, at the label that an example has, is its suspicion.

    Parameters
    ----------
    totals : float32 array, shape (n_examples, n_classes)
        What is added to.
    near : int array, shape (n_examples, k)
        Classes of the neighbours.
    weights : float array, shape (n_examples, k), optional
        What each neighbour's vote counts; 1 if not given.
    """
    n_classes = totals.shape[1]
    step = max(1, _VALUES_AT_ONCE // n_classes)
    for start in range(0, len(totals), step):
        some = slice(start, start + step)
        votes = count(near[some], n_classes, None if weights is None else weights[some])
        votes = votes.astype(np.float64)
        second, first = np.partition(votes, -2, axis=1)[:, -2:].T[..., None]
        strongest = np.where(votes == first, second, first)
        totals[some] += (strongest - votes) / np.maximum(votes.sum(1, keepdims=True), 1e-9)


def weights_of_others(near: NDArray[np.integer], own: NDArray[np.integer]) -> NDArray[np.float64]:
    """What each neighbour's vote counts where equal images vote once, and never on themselves.

    Parameters
    ----------
    near : int array, shape (n_examples, k)
        Of each neighbour a number that equal images share.
    own : int array, shape (n_examples,)
        That of the example.

    Returns
    -------
    float64 array, shape (n_examples, k)
        1/m for each of m equal neighbours, 0 for copies of the example.
    """
    within = near + np.arange(len(near))[:, None] * (near.max() + 1)
    _, which, copies = np.unique(within, return_inverse=True, return_counts=True)
    return np.where(near == own[:, None], 0, 1 / copies[which].reshape(near.shape))


def calibrated(contradictions: NDArray[np.float32], labels: NDArray[np.integer]) -> Threshold:
    """The threshold at which a hundredth of the right labels is flagged.

    Which labels are right nobody knows; what wrong ones look like is known, since every example can
    be given every other label. The given labels are taken for a mixture of both: of the share F(t)
    of them that reach t, the largest part w·W(t) that fits everywhere below F is ascribed to wrong
    ones, W(t) being the share of replaced labels that reach t. The rest, (F - w·W) / (1 - w), are
    the right ones. Labels that are wrong in a less obvious way than by chance count as right: then
    fewer right ones are flagged than is said.

    Parameters
    ----------
    contradictions : float32 array, shape (n_examples, n_classes)
        Mean of what `contradict` adds over the probes.
    labels : int array, shape (n_examples,)

    References
    ----------
    Blanchard, Lee, Scott (2010), JMLR 11, section 6: the proportion of a known part of a mixture.
    """
    # What is contradicted least is never flagged; see `flagged`.
    judged = np.where(_least(contradictions), np.float32(-1), contradictions)
    given = _reaching(np.take_along_axis(judged, labels[:, None], 1))
    every = _reaching(judged)
    n_classes = judged.shape[1]
    replaced = (n_classes * every - given) / (n_classes - 1)
    common = replaced >= _LEAST
    wrong = float((given[common] / replaced[common]).min(initial=1))
    right = (given - wrong * replaced) / max(1 - wrong, 1e-9)
    # The first: the share itself only falls, however the estimate wavers where few are left. There
    # is one, since nothing is left of F where w·W touches it.
    chosen = int(np.argmax(right <= RIGHT_FLAGGED))
    return Threshold(
        float(_EDGES[chosen]), max(0.0, float(right[chosen])), float(replaced[chosen]), wrong
    )


def flagged(
    contradictions: NDArray[np.float32], labels: NDArray[np.integer], threshold: float
) -> NDArray[np.bool_]:
    """Labels that are contradicted at least so far, and more than another label is."""
    rows = np.arange(len(labels))
    another = ~_least(contradictions)[rows, labels]
    return another & (contradictions[rows, labels] >= np.float32(threshold))


def _least(contradictions: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.arange(contradictions.shape[1]) == contradictions.argmin(1)[:, None]


def _reaching(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of the values that are at least each edge."""
    counts, _ = np.histogram(values, _EDGES)
    return np.append(counts[::-1].cumsum()[::-1], 0) / values.size
