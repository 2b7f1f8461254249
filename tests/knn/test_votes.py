"""Votes against counting by hand and against scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from depthlens.knn import votes
from depthlens.knn.points import Array
from depthlens.knn.search import Queries, nearest
from depthlens.knn.votes import count, vote
from depthlens.tables import class_type

LABELS = st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=20)


@given(LABELS, st.integers(5, 7))
def test_votes_are_counted_and_a_tie_goes_to_the_smallest_class(labels, n_classes):
    labels = np.array(labels, np.int16)
    prediction, counted = vote(labels), count(labels, n_classes)
    for row, winner, counts in zip(labels, prediction, counted, strict=True):
        expected = [(row == c).sum() for c in range(n_classes)]
        assert counts.tolist() == expected
        assert winner == expected.index(max(expected))
    assert prediction.dtype == np.int16
    assert counted.dtype == np.uint16


def test_a_tie_worked_by_hand():
    prediction = vote(np.array([[2, 1, 2, 1], [3, 3, 0, 1], [5, 5, 0, 0]]))
    assert prediction.tolist() == [1, 3, 0]


def test_no_queries_have_no_votes():
    labels = np.empty((0, 5), np.int16)
    assert vote(labels).shape == (0,)
    assert count(labels, 3).shape == (0, 3)


@given(LABELS, st.integers(0, 99), st.integers(1, 30))
def test_weighted_votes_are_summed(labels, seed, at_once):
    labels = np.array(labels)
    weights = np.random.default_rng(seed).integers(0, 4, labels.shape).astype(float)
    expected = np.stack([(weights * (labels == c)).sum(1) for c in range(6)], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(votes, "_VALUES_AT_ONCE", at_once)
        np.testing.assert_array_equal(count(labels, 6, weights), expected)
        some = weights.any(1)  # where nobody's vote counts any class will do
        np.testing.assert_array_equal(vote(labels, weights)[some], expected[some].argmax(1))


@pytest.mark.parametrize("n_classes", [32_768, 32_769, 100_000])
def test_every_class_number_fits_its_type(n_classes):
    labels = np.array([[n_classes - 1, 0, n_classes - 1]], class_type(n_classes))
    assert vote(labels).tolist() == [n_classes - 1]
    assert np.flatnonzero(count(labels, n_classes)).tolist() == [0, n_classes - 1]
    assert class_type(n_classes) == (np.int16 if n_classes == 32_768 else np.int32)


def test_more_neighbours_than_16_bits_are_counted():
    assert count(np.zeros((1, 70_000), np.int16), 2).tolist() == [[70_000, 0]]


def test_of_thousands_of_classes_only_the_voted_are_held():
    labels = np.arange(100_000).reshape(20_000, 5) % 9_140
    tracemalloc.start()
    try:
        vote(labels)
        assert tracemalloc.get_traced_memory()[1] < 20 * labels.nbytes  # 0.7 GB as a table
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_classes_are_those_of_scikit_learn_with_its_ties(k):
    generator = np.random.default_rng(0)
    references, queries = generator.normal(size=(150, 4)), generator.normal(size=(80, 4))
    labels = generator.integers(0, 3, 150).astype(np.int16)
    (found,) = nearest([Queries(Array(queries))], Array(references), n_neighbors=k, ranks=[k])
    prediction = vote(labels[found.rows])
    oracle = KNeighborsClassifier(n_neighbors=k, algorithm="brute").fit(references, labels)
    np.testing.assert_array_equal(prediction, oracle.predict(queries))
