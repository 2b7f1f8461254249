"""Bounds hold where a sample of the references says too little about the others."""

import numpy as np
import pytest
import torch

from depthlens.knn import screens
from depthlens.knn.frame import Frame
from depthlens.knn.points import Array
from depthlens.knn.sweep import Queries, sweep

CPU = torch.device("cpu")


@pytest.fixture
def awkward() -> tuple[np.ndarray, np.ndarray]:
    """Queries and references; every coordinate of some lies between two bfloat16 numbers."""
    generator = np.random.Generator(np.random.Philox(9))
    references = generator.normal(size=(1992, 300)).astype(np.float32)
    references[100:140] = np.sign(references[100:140]) * (1 + 0.99 * 2.0**-8)
    references[1::2] = -references[::2]  # means of samples are 0: nothing is shifted
    queries = references[[3, 101, 500, 130]] * np.float32(1.5)
    return queries, references


def test_true_distances_lie_within_their_bounds(awkward):
    queries, references = awkward
    frame = Frame(Array(references), CPU)
    screen = screens.choose(CPU, 300, "bfloat16")[0]
    assert frame.lost(screen) < screen.unit_input / 1.5
    (candidates,) = sweep(
        [Queries(Array(queries))], frame, screen, keep=128, memory=2e9, progress=lambda _: None
    )
    rows, lower, upper = (values.numpy() for values in candidates.bounds(slice(0, 4)))
    difference = queries[:, None].astype(np.float64) - references[rows].astype(np.float64)
    true = (difference**2).sum(2) * frame.scale**2
    assert (lower <= true).all() and (true <= upper).all()
    # Of those that rounding hurts more than the sample, nothing is known.
    hurt = (rows >= 100) & (rows < 140)
    assert hurt.sum(1).tolist() == [40, 40, 40, 40]
    assert np.isinf(upper[hurt]).all()
    assert np.isfinite(upper[[0, 2]][~hurt[[0, 2]]]).all()
