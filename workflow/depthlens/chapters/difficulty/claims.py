"""What has been said about prediction depth, and what a study finds of it.

Most measures are functions of one tally: how many test images there are of each depth, right or
wrong, and class. Resampling the images then only means to tally them again. The others compare
depth with another number that each image has.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from depthlens import intervals
from depthlens.chapters.difficulty.tables import Run
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, Threshold, judge

MIN_IMAGES = 30
"""fewest test images for which a depth counts as a point of the rank correlation"""

_PAPER = "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647"
_COURSE = "course material on prediction depth with six shapes"
_VOTING = "implementations of prediction depth in which training images are their own neighbours"
_LAST_TWO = (
    "the last two depths that can occur (a depth whose probe equals the one before it cannot)"
)


def _claim(id: str, statement: str, source: str, measure: str, threshold: Threshold) -> Claim:
    return Claim(
        chapter="difficulty",
        id=id,
        statement=statement,
        source=source,
        measure=measure,
        threshold=threshold,
    )


CLAIMS = (
    _claim(
        "accuracy-falls-with-depth",
        "The deeper an image, the less accurate the network is on it.",
        _PAPER,
        "Spearman correlation between depth and the network's accuracy at that depth, over depths "
        f"with at least {MIN_IMAGES} test images",
        Threshold(at_most=-0.9),
    ),
    _claim(
        "shallowest-are-right",
        "Images of depth 0 are almost always classified correctly.",
        _PAPER,
        "accuracy of the network on test images of depth 0",
        Threshold(at_least=0.95),
    ),
    _claim(
        "deepest-are-wrong",
        "Images of the last two depths are mostly misclassified.",
        _PAPER,
        f"accuracy of the network on test images of {_LAST_TWO}",
        Threshold(at_most=0.5),
    ),
    _claim(
        "ellipse-is-hardest",
        "The ellipse is the hardest class.",
        _COURSE,
        "mean depth of the ellipses minus the largest mean depth of another class",
        Threshold(above=0),
    ),
    _claim(
        "quarter-settled-at-input",
        "More than a quarter of the images are settled at the input.",
        _COURSE,
        "share of test images of depth 0",
        Threshold(above=0.25),
    ),
    _claim(
        "deep-fail-more-often",
        "Deep images are 5 to 20 times as likely to be misclassified as shallow ones.",
        _COURSE,
        f"error rate on test images of {_LAST_TWO}, divided by that on images of the first two",
        Threshold(at_least=5, at_most=20),
    ),
    _claim(
        "deep-are-learned-late",
        "The deeper an image, the later it is learned.",
        _PAPER,
        "Spearman correlation between depth and the iteration at which an image is learned, over "
        "test images",
        Threshold(above=0),
    ),
    _claim(
        "deep-have-small-margins",
        "The deeper an image, the smaller the network's output margin.",
        _PAPER,
        "Spearman correlation between depth and output margin, over test images",
        Threshold(below=0),
    ),
    _claim(
        "self-votes-hide-depth",
        "Training images that vote for themselves seem shallower than they are.",
        _VOTING,
        "mean depth of the training images, each left out of its own neighbours, minus their mean "
        "depth where each is counted among them",
        Threshold(above=0),
    ),
)

Tally = NDArray[np.float64]
"""shape (n_depths, 2, n_classes): images by depth, wrong or right, and class"""


def tally(runs: Sequence[Run], times: NDArray | None = None) -> Tally:
    """Count the test images of several seeds of one model by depth, correctness and class.

    Parameters
    ----------
    runs : sequence of Run
        Of one dataset and model: the same probes and classes.
    times : array, shape (n_examples,), optional
        How often each test image counts, in every run; once by default.
    """
    shape = (runs[0].n_depths, 2, len(runs[0].classes))
    counts = np.zeros(np.prod(shape))
    for run in runs:
        counts += np.bincount(_cells(run, shape), weights=times, minlength=len(counts))
    return counts.reshape(shape)


def evaluate(
    runs: Sequence[Run], *, confidence_level: float, bootstrap_samples: int, bootstrap_seed: int
) -> list[Finding]:
    """Test every claim of the chapter on the seeds of one dataset and model, pooled.

    Proportions have Wilson intervals, for as many images as the test set holds: a second seed adds
    a network and not images. The other measures have percentile bootstrap intervals over images.

    Parameters
    ----------
    runs : sequence of Run
        At least one; the same dataset, model, probes, classes and test images.
    confidence_level : float
        Between 0 and 1.
    bootstrap_samples, bootstrap_seed : int
        Samples drawn and the seed that they are drawn from.

    Returns
    -------
    list of Finding
        In the order of `CLAIMS`.

    Raises
    ------
    ValueError
        If the runs are not of one dataset and model, or their probes, classes or images differ.
    """
    first = runs[0]
    for run in runs[1:]:
        if (run.dataset, run.model, run.classes, run.probe_names) != (
            first.dataset,
            first.model,
            first.classes,
            first.probe_names,
        ) or not run.examples["example_id"].equals(first.examples["example_id"]):
            raise ValueError(
                f"runs of {first.dataset} with {first.model}: seed {run.seed} has other classes, "
                f"probes or test images than seed {first.seed}"
            )

    counts = tally(runs)
    possible = np.logical_or.reduce([run.possible for run in runs])
    shape, images = counts.shape, len(first.examples)
    cells = [_cells(run, shape) for run in runs]

    def resampled(times: NDArray) -> Tally:
        drawn = sum(np.bincount(c, weights=times, minlength=counts.size) for c in cells)
        return drawn.reshape(shape)

    def measured(claim: Claim) -> Measurement:
        if not all(run.converged for run in runs):
            raise NotTestableError("the network did not converge")
        if claim.id == "quarter-settled-at-input" and first.probe_names[0] != "input":
            raise NotTestableError("the input is not probed")
        if claim.id in _PROPORTIONS:
            successes, n = _PROPORTIONS[claim.id](counts, possible)
            seeds = len(runs)
            low, high = intervals.wilson(
                successes / seeds, n / seeds, confidence_level=confidence_level
            )
            return Measurement(value=successes / n, low=float(low), high=float(high), n=round(n))
        if claim.id in _OF_EACH:
            of_times, n = _OF_EACH[claim.id](runs)
            value = of_times(np.ones(n))
        else:
            statistic, n = _STATISTICS[claim.id](counts, possible, first.classes)
            value = statistic(counts)

            def of_times(times: NDArray) -> float:
                return statistic(resampled(times))

        low, high = intervals.bootstrap(
            of_times,
            n if claim.id in _OF_EACH else images,
            confidence_level=confidence_level,
            samples=bootstrap_samples,
            seed=bootstrap_seed,
        )
        # Resampled points are noisier than the points themselves, which pulls a rank correlation
        # away from -1: its percentile interval may end short of the value.
        return Measurement(value=value, low=min(low, value), high=max(high, value), n=round(n))

    findings = []
    for claim in CLAIMS:
        try:
            result: Measurement | NotTestableError = measured(claim)
        except NotTestableError as reason:
            result = reason
        findings.append(
            judge(claim, result, dataset=first.dataset, model=first.model, n=round(counts.sum()))
        )
    return findings


def _cells(run: Run, shape: tuple[int, ...]) -> NDArray[np.intp]:
    columns = (run.examples[name].to_numpy(np.intp) for name in ("depth", "correct", "label"))
    return np.ravel_multi_index(tuple(columns), shape)


def _right_at(counts: Tally, depths: Sequence[int]) -> tuple[float, float]:
    """Images of these depths that are right, and all of them."""
    at = counts[list(depths)]
    return float(at[:, 1].sum()), float(at.sum())


def _accuracy_at(counts: Tally, depths: Sequence[int]) -> tuple[float, float]:
    right, n = _right_at(counts, depths)
    if not n:
        raise NotTestableError(f"no test image has {_named(depths)}")
    return right, n


def _named(depths: Sequence[int]) -> str:
    return ("depth " if len(depths) == 1 else "a depth of ") + " or ".join(map(str, depths))


def _last_two(possible: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(possible)[-2:].tolist()


def _first_two(possible: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(possible)[:2].tolist()


def _rank_correlation(
    counts: Tally, possible: NDArray[np.bool_], classes: Sequence[str]
) -> tuple[Callable[[Tally], float], float]:
    per_depth = counts.sum(axis=(1, 2))
    depths = np.flatnonzero(per_depth >= MIN_IMAGES)
    if len(depths) < 3:
        raise NotTestableError(
            f"fewer than 3 depths have {MIN_IMAGES} test images or more ({len(depths)} do)"
        )

    # The depths stay those of the whole sample, so that every resample measures the same thing.
    def statistic(tally: Tally) -> float:
        n = tally[depths].sum(axis=(1, 2))
        if not n.all():
            return np.nan
        accuracy = stats.rankdata(tally[depths, 1].sum(axis=1) / n)
        if np.ptp(accuracy) == 0:
            return np.nan
        return float(np.corrcoef(np.arange(len(depths)), accuracy)[0, 1])

    if np.isnan(statistic(counts)):
        raise NotTestableError("the accuracy is the same at every depth")
    return statistic, float(per_depth[depths].sum())


def _ellipse_gap(
    counts: Tally, possible: NDArray[np.bool_], classes: Sequence[str]
) -> tuple[Callable[[Tally], float], float]:
    if "ellipse" not in classes:
        raise NotTestableError("the dataset has no class called ellipse")
    if len(classes) < 2:
        raise NotTestableError("the dataset has no other class to compare with")
    ellipse = list(classes).index("ellipse")

    def statistic(tally: Tally) -> float:
        per_class = tally.sum(axis=1)
        n = per_class.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_depth = np.arange(len(tally)) @ per_class / n
        others = np.delete(mean_depth, ellipse)
        others = others[~np.isnan(others)]
        return float(mean_depth[ellipse] - others.max()) if len(others) else np.nan

    if np.isnan(statistic(counts)):
        raise NotTestableError("the test set has no ellipse, or nothing but ellipses")
    return statistic, float(counts.sum())


def _error_ratio(
    counts: Tally, possible: NDArray[np.bool_], classes: Sequence[str]
) -> tuple[Callable[[Tally], float], float]:
    shallow, deep = _first_two(possible), _last_two(possible)
    if set(shallow) & set(deep):
        raise NotTestableError("too few depths can occur to tell deep from shallow")
    n = _accuracy_at(counts, shallow)[1] + _accuracy_at(counts, deep)[1]

    def statistic(tally: Tally) -> float:
        (shallow_right, shallow_n), (deep_right, deep_n) = (
            _right_at(tally, shallow),
            _right_at(tally, deep),
        )
        if not shallow_n or not deep_n:
            return np.nan
        shallow_error, deep_error = 1 - shallow_right / shallow_n, 1 - deep_right / deep_n
        if not shallow_error:
            return np.inf if deep_error else np.nan
        return deep_error / shallow_error

    if not np.isfinite(statistic(counts)):
        raise NotTestableError(f"no test image of {_named(shallow)} is misclassified")
    return statistic, n


def _with_score(name: str, runs: Sequence[Run]) -> tuple[Callable[[NDArray], float], int]:
    """Rank correlation of depth with a score, mean of the runs, by how often each image counts."""
    pairs = []
    for run in runs:
        if name not in run.test.scores or run.test.scores[name].isna().all():
            raise NotTestableError(f"{name.replace('_', ' ')} was not computed")
        score = run.test.scores[name].to_numpy(np.float64)
        if np.isnan(score).any():
            raise NotTestableError(f"some test images have no {name.replace('_', ' ')}")
        depth = run.test.depths["depth"].to_numpy(np.float64)
        if len(depth) < 3 or score.min() == score.max() or depth.min() == depth.max():
            raise NotTestableError(f"depth or {name.replace('_', ' ')} is the same for all images")
        pairs.append((stats.rankdata(depth), stats.rankdata(score)))

    # An example keeps its rank in every resample, as in `comparisons.rank_correlations`.
    def of_times(times: NDArray) -> float:
        return float(np.mean([_weighted_correlation(a, b, times) for a, b in pairs]))

    return of_times, len(pairs[0][0])


def _weighted_correlation(a: NDArray, b: NDArray, weights: NDArray) -> float:
    a, b = a - np.average(a, weights=weights), b - np.average(b, weights=weights)
    scale = np.sqrt((weights @ a**2) * (weights @ b**2))
    return float((weights * a) @ b / scale) if scale > 0 else np.nan


def _self_voting(runs: Sequence[Run]) -> tuple[Callable[[NDArray], float], int]:
    """Mean difference that self-votes make, by how often each training image counts."""
    if any(run.train is None for run in runs):
        raise NotTestableError("the depth of training images is not studied")
    differences = np.mean(
        [
            run.train.depths["depth"].to_numpy() - run.train.depths["depth_self_voting"].to_numpy()
            for run in runs
        ],
        axis=0,
    )
    return lambda times: float(times @ differences / times.sum()), len(differences)


_OF_EACH: dict[str, Callable[[Sequence[Run]], tuple[Callable[[NDArray], float], int]]] = {
    "deep-are-learned-late": partial(_with_score, "iteration_learned"),
    "deep-have-small-margins": partial(_with_score, "output_margin"),
    "self-votes-hide-depth": _self_voting,
}
_PROPORTIONS: dict[str, Callable[[Tally, NDArray[np.bool_]], tuple[float, float]]] = {
    "shallowest-are-right": lambda counts, possible: _accuracy_at(counts, [0]),
    "deepest-are-wrong": lambda counts, possible: _accuracy_at(counts, _last_two(possible)),
    "quarter-settled-at-input": lambda counts, possible: (
        float(counts[0].sum()),
        float(counts.sum()),
    ),
}
_STATISTICS = {
    "accuracy-falls-with-depth": _rank_correlation,
    "ellipse-is-hardest": _ellipse_gap,
    "deep-fail-more-often": _error_ratio,
}
