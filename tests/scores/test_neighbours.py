"""Neighbours and prototypes against counting and brute force."""

import numpy as np
import pytest

from depthlens.knn.points import Array
from depthlens.scores import neighbours


def test_disagreement_counted_by_hand():
    votes = np.array([[3, 1, 0], [0, 0, 4], [2, 2, 0]], np.uint16)
    found = neighbours.knn_disagreement(votes, np.array([0, 1, 1], np.int16))
    assert found.tolist() == [0.25, 1, 0.5]


def distances(points, labels, queries=None, query_labels=None, **options):
    return neighbours.prototype_distance(
        Array(points if queries is None else queries),
        labels if query_labels is None else query_labels,
        Array(points),
        labels,
        **options,
    )


def test_distance_worked_by_hand():
    points = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 6.0], [9.0, 9.0]])
    labels = np.array([0, 0, 0, 1])
    # The mean of class 0 is (2, 2); of the two other examples of the first it is (3, 3).
    queries, query_labels = np.array([[2.0, 5.0], [9.0, 5.0]]), np.array([0, 1])
    held_out = distances(points, labels, queries, query_labels, n_classes=3, leave_one_out=False)
    assert held_out == pytest.approx([3, 4])
    own = distances(points, labels, n_classes=3, leave_one_out=True)
    assert own[:3] == pytest.approx([np.hypot(3, 3), np.hypot(3, 3), 6])
    assert np.isnan(own[3]), "nothing is left of a class without its only example"


def test_a_class_without_training_examples_has_no_prototype():
    found = distances(
        np.zeros((2, 2)),
        np.array([0, 0]),
        np.zeros((2, 2)),
        np.array([0, 1]),
        n_classes=2,
        leave_one_out=False,
    )
    assert found[0] == 0 and np.isnan(found[1])


@pytest.mark.parametrize("block_bytes", [2**25, 200, 1])
def test_leave_one_out_is_brute_force_whatever_the_blocks(monkeypatch, block_bytes):
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", block_bytes)
    generator = np.random.default_rng(0)
    points = generator.normal(size=(60, 5)).astype(np.float32)
    labels = generator.integers(0, 4, 60)
    found = distances(points, labels, n_classes=4, leave_one_out=True)
    for row in range(60):
        others = np.delete(np.arange(60), row)
        others = others[labels[others] == labels[row]]
        mean = points[others].astype(np.float64).mean(axis=0)
        assert found[row] == pytest.approx(np.linalg.norm(points[row] - mean), rel=1e-9)


def test_half_precision_activations_are_summed_in_double():
    # In float16 a sum of 4,096 ones ends at 2,048.
    points = np.ones((4096, 1), np.float16)
    labels = np.zeros(4096, int)
    assert distances(points, labels, n_classes=1, leave_one_out=True) == pytest.approx(0)
