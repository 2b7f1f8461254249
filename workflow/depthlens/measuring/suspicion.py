"""How far the neighbours of an example contradict its label, and from where on that is suspect."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.knn.votes import count

RIGHT_FLAGGED = 0.01
"""share of the right labels that a threshold may flag"""

_EDGES = np.arange(-128, 130) / 128  # exact in float32; nothing reaches the last
_VALUES_AT_ONCE = 2**20
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


class Judged(NamedTuple):
    """What neighbours say of the labels of some examples: arrays of shape (n_examples,)."""

    suspicion: NDArray[np.float32]
    """how far they contradict the label: see `contradictions`, at the label, mean over probes"""
    suggested: NDArray[np.integer]
    """the class that they contradict least"""
    suspect: NDArray[np.bool_]
    """labels that are contradicted as far as the threshold, and more than another is"""
    threshold: Threshold


def judge(
    near: Sequence[NDArray[np.integer]],
    labels: NDArray[np.integer],
    n_classes: int,
    *,
    weights: Sequence[NDArray[np.float64]] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> Judged:
    """Hold labels against the neighbours of their examples at every probe.

    Some examples at a time: what is held grows with neighbours, not with classes.

    Parameters
    ----------
    near : sequence of int arrays, shape (n_examples, k), one a probe
        Classes of the neighbours.
    labels : int array, shape (n_examples,)
    n_classes : int
    weights : sequence of float arrays, shape (n_examples, k), one a probe, optional
        What each neighbour's vote counts; 1 if not given.
    counted : bool array, shape (n_examples,), optional
        Whether an example counts for the threshold; all do if not given.
    """
    suspicion = np.empty(len(labels), np.float32)
    suggested = np.empty(len(labels), near[0].dtype)
    given, every = np.zeros((2, len(_EDGES) - 1), np.int64)
    step = max(1, _VALUES_AT_ONCE // n_classes)
    for start in range(0, len(labels), step):
        some = slice(start, start + step)
        found = np.zeros((len(labels[some]), n_classes), np.float32)
        for probe, classes in enumerate(near):
            counts = None if weights is None else weights[probe][some]
            found += contradictions(classes[some], n_classes, counts)
        found /= np.float32(len(near))
        rows, least = np.arange(len(found)), found.argmin(1)
        suspicion[some], suggested[some] = found[rows, labels[some]], least
        # What is contradicted least is never flagged.
        found[rows, least] = -1
        kept = rows if counted is None else rows[counted[some]]
        given += _counts(found[kept, labels[some][kept]])
        every += _counts(found[kept])
    threshold = calibrated(given, every)
    suspect = (suggested != labels) & (suspicion >= np.float32(threshold.value))
    return Judged(suspicion, suggested, suspect, threshold)


def contradictions(
    near: NDArray[np.integer], n_classes: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """How far the neighbours at one probe contradict each label that an example could have.

    Parameters
    ----------
    near, weights
        Of one probe: see `judge`.

    Returns
    -------
    float64 array, shape (n_examples, n_classes)
        (votes of the strongest other class - votes of the label) / all votes: -1, every neighbour
        has the label, … 1, all have one other; 0 where nobody votes.
    """
    votes = count(near, n_classes, weights).astype(np.float64)
    second, first = np.partition(votes, -2, axis=1)[:, -2:].T[..., None]
    strongest = np.where(votes == first, second, first)
    return (strongest - votes) / np.maximum(votes.sum(1, keepdims=True), 1e-9)


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


def calibrated(given: NDArray[np.int64], every: NDArray[np.int64]) -> Threshold:
    """The threshold at which a hundredth of the right labels is flagged.

    Which labels are right nobody knows; what wrong ones look like is known, since every example can
    be given every other label. The given labels are taken for a mixture of both: of the share F(t)
    of them that reach t, the largest part w·W(t) that fits everywhere below F is ascribed to wrong
    ones, W(t) being the share of replaced labels that reach t. The rest, (F - w·W) / (1 - w), are
    the right ones. Labels that are wrong in a less obvious way than by chance count as right: then
    fewer right ones are flagged than is said.

    Parameters
    ----------
    given, every : int arrays, shape (n_edges - 1,)
        How far labels are contradicted, as counts between `_EDGES`: of the given labels, and of all
        labels that the examples could have.

    References
    ----------
    Blanchard, Lee, Scott (2010), JMLR 11, section 6: the proportion of a known part of a mixture.
    """
    reaching = _reaching(given)
    replaced = _reaching(every - given)
    common = replaced >= _LEAST
    wrong = float((reaching[common] / replaced[common]).min(initial=1))
    right = (reaching - wrong * replaced) / max(1 - wrong, 1e-9)
    # The first: the share itself only falls, however the estimate wavers where few are left. There
    # is one, since nothing is left of F where w·W touches it.
    chosen = int(np.argmax(right <= RIGHT_FLAGGED))
    return Threshold(
        float(_EDGES[chosen]), max(0.0, float(right[chosen])), float(replaced[chosen]), wrong
    )


def _counts(values: NDArray[np.float32]) -> NDArray[np.int64]:
    # Of equal parts, which NumPy counts several times as fast as parts that it is given.
    return np.histogram(values, len(_EDGES) - 1, (_EDGES[0], _EDGES[-1]))[0]


def _reaching(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of what was counted that is at least each edge."""
    return np.append(counts[::-1].cumsum()[::-1], 0) / max(1, counts.sum())
