"""The seeds of one dataset and model, pooled: what claims are held against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from depthlens import intervals
from depthlens.chapters.difficulty.run import Run
from depthlens.ledger import Measurement, NotTestableError

Tally = NDArray[np.float64]
"""shape (n_depths, 2, n_classes): images by depth, wrong or right, and class"""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The seeds of one dataset and model: what claims are held against.

    Most measures are functions of one tally: how many test images there are of each depth, right or
    wrong, and class. Resampling the images then only means to tally them again.

    Raises
    ------
    ValueError
        If they are not of one dataset and model, or their probes, classes or images differ.
    """

    runs: Sequence[Run]
    confidence_level: float
    bootstrap_samples: int
    bootstrap_seed: int

    def __post_init__(self) -> None:
        def fixed(run: Run) -> tuple:
            ids = run.examples["example_id"].tolist()
            return run.dataset, run.model, run.classes, run.probe_names, ids

        for run in self.runs:
            if fixed(run) != fixed(self.first):
                raise ValueError(
                    f"runs of {self.first.dataset} with {self.first.model}: seed {run.seed} has "
                    f"other classes, probes or test images than seed {self.first.seed}"
                )

    @property
    def first(self) -> Run:
        """The first seed: classes, probes and images are alike in all."""
        return self.runs[0]

    @property
    def untestable(self) -> str | None:
        """Why no claim can be held against them; None where one can."""
        every = all(run.converged for run in self.runs)
        return None if every else "the network did not converge"

    @cached_property
    def possible(self) -> list[int]:
        """Depths that can occur."""
        return np.flatnonzero(np.logical_or.reduce([run.possible for run in self.runs])).tolist()

    @cached_property
    def counts(self) -> Tally:
        """Test images of all seeds."""
        return self.tally(np.ones(len(self.first.examples)))

    def tally(self, times: NDArray) -> Tally:
        """The same, where each image counts, in every seed, as many `times`."""
        every = np.tile(times, len(self.runs))
        counts = np.bincount(self._cells, weights=every, minlength=self._shape.prod())
        return np.asarray(counts, np.float64).reshape(self._shape)

    @property
    def _shape(self) -> NDArray[np.intp]:
        return np.array([self.first.n_depths, 2, len(self.first.classes)])

    @cached_property
    def _cells(self) -> NDArray[np.intp]:
        """The place of each test image in the tally, seed after seed."""
        columns = ["depth", "correct", "label"]
        every = np.concatenate([run.examples[columns].to_numpy(np.intp) for run in self.runs])
        return np.ravel_multi_index(every.T, self._shape)

    def share(self, successes: float, n: float) -> Measurement:
        """A proportion with its Wilson interval.

        It is as wide as for one test set: a second seed adds a network and not images.
        """
        seeds, level = len(self.runs), self.confidence_level
        low, high = intervals.wilson(successes / seeds, n / seeds, confidence_level=level)
        return Measurement(value=successes / n, low=float(low), high=float(high), n=round(n))

    def estimate(
        self,
        of_times: Callable[[NDArray], float],
        *,
        n_images: int | None = None,
        n: float | None = None,
        undefined: str = "",
    ) -> Measurement:
        """A statistic with its percentile bootstrap interval over images.

        Parameters
        ----------
        of_times : callable
            The statistic, of how often each image counts; NaN where it is not defined.
        n_images : int, optional
            Images that are drawn from; those of the test set, if not given.
        n : float, optional
            Observations behind the value, where they are others.
        undefined : str
            Why it is not defined on the images as they are, should that be so.
        """
        n_images = n_images or len(self.first.examples)
        value = of_times(np.ones(n_images))
        if not np.isfinite(value):
            raise NotTestableError(undefined)
        low, high = intervals.bootstrap(
            of_times,
            n_images,
            confidence_level=self.confidence_level,
            samples=self.bootstrap_samples,
            seed=self.bootstrap_seed,
        )
        # Resampled points are noisier than the points themselves, which pulls a rank correlation
        # away from -1: its percentile interval may end short of the value.
        low, high = min(low, value), max(high, value)
        return Measurement(value=value, low=low, high=high, n=round(n or n_images))
