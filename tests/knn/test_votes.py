"""Votes against counting by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from depthlens.knn.points import Array
from depthlens.knn.search import Queries, nearest
from depthlens.knn.votes import vote


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=20),
    st.integers(5, 7),
)
def test_votes_are_counted_and_a_tie_goes_to_the_smallest_class(labels, n_classes):
    prediction, votes = vote(np.array(labels, np.int16), n_classes)
    for row, winner, counts in zip(labels, prediction, votes, strict=True):
        expected = [row.count(c) for c in range(n_classes)]
        assert counts.tolist() == expected
        assert winner == expected.index(max(expected))
    assert prediction.dtype == np.int16
    assert votes.dtype == np.uint16


def test_a_tie_worked_by_hand():
    prediction, _ = vote(np.array([[2, 1, 2, 1], [3, 3, 0, 1], [5, 5, 0, 0]]), 6)
    assert prediction.tolist() == [1, 3, 0]


def test_no_queries_have_no_votes():
    prediction, votes = vote(np.empty((0, 5), np.int16), 3)
    assert prediction.shape == (0,)
    assert votes.shape == (0, 3)


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_classes_are_those_of_scikit_learn_with_its_ties(k):
    generator = np.random.default_rng(0)
    references, queries = generator.normal(size=(150, 4)), generator.normal(size=(80, 4))
    labels = generator.integers(0, 3, 150).astype(np.int16)
    (found,) = nearest([Queries(Array(queries))], Array(references), n_neighbors=k, ranks=[k])
    prediction, _ = vote(labels[found.rows], 3)
    oracle = KNeighborsClassifier(n_neighbors=k, algorithm="brute").fit(references, labels)
    np.testing.assert_array_equal(prediction, oracle.predict(queries))
