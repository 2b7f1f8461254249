"""What one trained network left, and the seeds of one dataset and model, pooled."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens import intervals
from depthlens.ledger import Measurement, NotTestableError
from depthlens.prose import percent


@dataclass(frozen=True, kw_only=True)
class Split:
    """What one network gave each example of one split: depths of several kinds, and scores."""

    depths: pd.DataFrame
    """one row an example: example_id, depth, depth_last_probe, depth_label (what the probes are to
    agree with: the network, the last probe, the true label); of training images also
    depth_self_voting, the depth if each were among its own neighbours"""
    depth_by_k: NDArray[np.integer]
    """shape (n_examples, len(ks)), depth with other numbers of neighbours"""
    ks: tuple[int, ...]
    n_neighbors: int
    """the study's own number of neighbours"""
    scores: pd.DataFrame
    """one row an example, one column a score, NaN where it was not computed"""

    def __len__(self) -> int:
        return len(self.depths)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is known about the images that one trained network was tested on, and trained on."""

    dataset: str
    model: str
    seed: int
    classes: list[str]
    examples: pd.DataFrame
    """one row a test image: example_id, label, prediction, confidence, correct, depth"""
    test: Split
    train: Split | None = None
    """None where the depth of training images is not studied"""
    knn: NDArray[np.integer]
    """shape (n_examples, n_probes), class given by the k-NN classifier of each probe"""
    probes: pd.DataFrame
    """one row a probe, in forward order: name, kind, shape (text), dims, parameters,
    receptive_field (NaN: the whole image), duplicate_of (None: of no other)"""
    train_accuracy: float
    test_accuracy: float
    min_train_accuracy: float
    converged: bool

    @property
    def name(self) -> str:
        """With which ids on the page begin."""
        return f"{self.dataset}-{self.model}-seed{self.seed}"

    @property
    def warning(self) -> str | None:
        """What to write on figures of a network that did not converge; None where it did."""
        if self.converged:
            return None
        return (
            f"Network not converged: {percent(self.train_accuracy, 1)} of the training set, "
            f"{self.min_train_accuracy * 100:g}\u00a0% required"
        )

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that are studied, by name."""
        return {"test": self.test} | ({"train": self.train} if self.train is not None else {})

    @property
    def n_depths(self) -> int:
        """Depths 0 … number of probes: the last one means that no probe agrees at the end."""
        return len(self.probes) + 1

    @property
    def probe_names(self) -> list[str]:
        """Names without the number that orders their files: "layer1" for "05-layer1"."""
        return [display_name(name) for name in self.probes["name"]]

    @property
    def first_probe(self) -> str:
        """Where an image of depth 0 is settled, for a sentence."""
        first = self.probe_names[0]
        return "the input" if first == "input" else f"{first}, the first probe"

    @property
    def depth_names(self) -> list[str]:
        """Where an example of each depth settles: a probe, or never."""
        return [*self.probe_names, "never"]

    @property
    def possible(self) -> NDArray[np.bool_]:
        """shape (n_depths,), which depths can occur; see `possible_depths`."""
        possible = possible_depths(self.probes["name"], self.probes["duplicate_of"])
        # What was observed is possible, whatever the table of probes says.
        return possible | (np.bincount(self.examples["depth"], minlength=self.n_depths) > 0)

    @property
    def last_two(self) -> NDArray[np.intp]:
        """The two deepest depths that can occur."""
        return np.flatnonzero(self.possible)[-2:]


def display_name(probe: str) -> str:
    """A probe's name without the number that orders its file."""
    number, dash, name = probe.partition("-")
    return name if dash and number.isdigit() and name else probe


def possible_depths(names: Sequence[str], duplicate_of: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which depths can occur, given which probes hold the same activations.

    An example has depth j if probe j - 1 disagrees with the network and every probe from j on
    agrees. Where probe j equals probe j - 1 their k-NN classes are equal, so depth j never occurs.

    Parameters
    ----------
    names : sequence of str
        Probes in forward order.
    duplicate_of : sequence of str or None
        For each probe the name of an earlier one that it equals.

    Returns
    -------
    bool array, shape (n_probes + 1,)
    """
    origin: dict[str, str] = {}
    for name, earlier in zip(names, duplicate_of, strict=True):
        origin[name] = origin.get(earlier, earlier) if isinstance(earlier, str) else name
    origins = [origin[name] for name in names]
    same = [here == before for before, here in itertools.pairwise(origins)]
    return ~np.array([False, *same, False])


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
            ids = tuple(run.examples["example_id"])
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
        cells = [np.bincount(of, weights=times, minlength=self._shape.prod()) for of in self._cells]
        return sum(cells).reshape(self._shape)

    @property
    def _shape(self) -> NDArray[np.intp]:
        return np.array([self.first.n_depths, 2, len(self.first.classes)])

    @cached_property
    def _cells(self) -> list[NDArray[np.intp]]:
        """For each seed the place of each test image in the tally."""
        columns = ["depth", "correct", "label"]
        return [
            np.ravel_multi_index(run.examples[columns].to_numpy(np.intp).T, self._shape)
            for run in self.runs
        ]

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
