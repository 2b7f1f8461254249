"""What one trained network left."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
