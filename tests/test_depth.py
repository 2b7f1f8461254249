"""Prediction depth against cases on paper and a literal reading of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens.depth import prediction_depth


@pytest.mark.parametrize(
    ("knn", "reference", "depth"),
    [
        ([2, 2, 2], 2, 0),  # settled at the first probe
        ([1, 2, 2], 2, 1),
        ([2, 1, 2], 2, 2),  # agreeing early does not count if it changes its mind
        ([1, 1, 2], 2, 2),
        ([2, 2, 1], 2, 3),  # not even the last probe agrees
        ([1, 1, 1], 2, 3),
        ([0], 0, 0),
        ([1], 0, 1),
        ([3, 0, 3, 0, 0, 0], 0, 3),
    ],
)
def test_hand_worked_cases(knn, reference, depth):
    assert prediction_depth(np.array([knn]), np.array([reference])).tolist() == [depth]


def literally(row: list[int], reference: int) -> int:
    """The first probe from which on every probe gives the reference."""
    for probe in range(len(row)):
        if all(later == reference for later in row[probe:]):
            return probe
    return len(row)


@st.composite
def answers(draw):
    n_examples = draw(st.integers(0, 12))
    n_probes = draw(st.integers(1, 7))
    classes = st.integers(0, draw(st.integers(0, 3)))
    rows = st.lists(classes, min_size=n_probes, max_size=n_probes)
    knn = draw(st.lists(rows, min_size=n_examples, max_size=n_examples))
    reference = draw(st.lists(classes, min_size=n_examples, max_size=n_examples))
    return np.array(knn, np.int16).reshape(n_examples, n_probes), np.array(reference, np.int16)


@given(answers())
def test_equals_the_definition_read_literally(case):
    knn, reference = case
    expected = [literally(row, r) for row, r in zip(knn.tolist(), reference.tolist(), strict=True)]
    depth = prediction_depth(knn, reference)
    assert depth.tolist() == expected
    assert depth.dtype == np.int16


@given(answers())
def test_with_the_last_probe_as_reference_depth_is_below_the_number_of_probes(case):
    knn, _ = case
    depth = prediction_depth(knn, knn[:, -1])
    assert np.all(depth < knn.shape[1])


@given(answers())
def test_both_references_give_one_depth_where_they_agree_and_the_last_one_otherwise(case):
    knn, reference = case
    agree = knn[:, -1] == reference
    network, last = prediction_depth(knn, reference), prediction_depth(knn, knn[:, -1])
    np.testing.assert_array_equal(network[agree], last[agree])
    assert np.all(network[~agree] == knn.shape[1])


def test_inputs_are_not_changed():
    knn, reference = np.array([[1, 0]]), np.array([0])
    prediction_depth(knn, reference)
    assert knn.tolist() == [[1, 0]]
    assert reference.tolist() == [0]


@pytest.mark.parametrize(
    ("knn", "reference"),
    [
        (np.zeros(3), np.zeros(3)),
        (np.zeros((3, 2)), np.zeros(2)),
        (np.zeros((3, 2)), np.zeros((3, 1))),
        (np.zeros((3, 2, 1)), np.zeros(3)),
    ],
)
def test_shapes_that_do_not_match_are_refused(knn, reference):
    with pytest.raises(ValueError, match="must be"):
        prediction_depth(knn, reference)


def test_no_probe_is_refused():
    with pytest.raises(ValueError, match="at least one probe"):
        prediction_depth(np.zeros((3, 0)), np.zeros(3))
