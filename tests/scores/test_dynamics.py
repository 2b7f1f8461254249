"""Scores of the training against histories worked by hand and their definitions read literally."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens.scores import dynamics


@pytest.mark.parametrize(
    ("history", "final", "label", "iteration", "first", "forgotten"),
    [
        ([1, 1, 1, 1], 1, 1, 1, 1, 0),  # easy
        ([0, 1, 1, 1], 1, 1, 2, 2, 0),
        ([1, 0, 1, 1], 1, 1, 3, 1, 1),  # learned, forgotten, learned again
        ([1, 0, 1, 0], 1, 1, 5, 1, 2),  # the last epoch's is not the final class
        ([0, 0, 0, 0], 0, 1, 1, 5, 4),  # never right, but never in doubt
        ([2, 0, 2, 0], 0, 1, 4, 5, 4),
        ([1, 1, 0, 0], 0, 1, 3, 1, 1),  # ends in a mistake
        ([1], 1, 1, 1, 1, 0),
        ([0], 1, 1, 2, 2, 1),
    ],
)
def test_hand_worked_histories(history, final, label, iteration, first, forgotten):
    predictions = np.array(history, np.int16)[:, None]
    final, label = np.array([final], np.int16), np.array([label], np.int16)
    assert dynamics.iteration_learned(predictions, final).tolist() == [iteration]
    assert dynamics.first_learned(predictions, label).tolist() == [first]
    assert dynamics.forgetting_events(predictions, label).tolist() == [forgotten]


def test_margins_and_maps_worked_by_hand():
    margins = np.array([[-1.0, 8.0], [2.0, 0.0], [5.0, 1.0]], np.float32)
    assert dynamics.area_under_margin(margins).tolist() == [2, 3]
    losses = -np.log(np.array([[0.2, 0.5], [0.4, 0.5], [0.9, 0.5]]))
    assert dynamics.datamap_confidence(losses) == pytest.approx([0.5, 0.5])
    # Deviations -0.3, -0.1, 0.4: squares sum to 0.26, of three epochs.
    assert dynamics.datamap_variability(losses) == pytest.approx([(0.26 / 3) ** 0.5, 0])


def test_variability_is_largest_for_an_example_that_is_half_the_time_certain():
    assert dynamics.datamap_variability(np.array([[0.0], [1000.0]])) == pytest.approx([0.5])


@st.composite
def histories(draw):
    n_epochs, n_examples = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    classes = st.lists(st.integers(0, 2), min_size=n_examples, max_size=n_examples)
    rows = [draw(classes) for _ in range(n_epochs)]
    return np.array(rows, np.int16), np.array(draw(classes)), np.array(draw(classes))


@given(histories())
def test_equal_their_definitions_read_literally_and_keep_their_ranges(case):
    predictions, final, labels = case
    n_epochs = len(predictions)
    iteration = dynamics.iteration_learned(predictions, final)
    first = dynamics.first_learned(predictions, labels)
    forgotten = dynamics.forgetting_events(predictions, labels)
    for example, history in enumerate(predictions.T.tolist()):
        stable = [
            epoch
            for epoch in range(1, n_epochs + 1)
            if all(later == final[example] for later in history[epoch - 1 :])
        ]
        assert iteration[example] == min(stable, default=n_epochs + 1)
        right = [answer == labels[example] for answer in history]
        assert first[example] == (right.index(True) + 1 if any(right) else n_epochs + 1)
        if any(right):
            events = sum(a and not b for a, b in pairwise(right))
            assert forgotten[example] == events <= n_epochs // 2
        else:
            assert forgotten[example] == n_epochs


@given(histories(), st.randoms())
def test_the_order_of_the_examples_does_not_matter(case, random):
    predictions, final, labels = case
    order = list(range(len(labels)))
    random.shuffle(order)
    margins = predictions * 0.5 - labels
    for score, arrays in (
        (dynamics.iteration_learned, (predictions, final)),
        (dynamics.first_learned, (predictions, labels)),
        (dynamics.forgetting_events, (predictions, labels)),
        (dynamics.area_under_margin, (margins,)),
        (dynamics.datamap_confidence, (margins + 3,)),
        (dynamics.datamap_variability, (margins + 3,)),
    ):
        shuffled = [array[..., order] for array in arrays]
        np.testing.assert_array_equal(score(*shuffled), score(*arrays)[order])


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.zeros(3)])
def test_no_epoch_is_refused(values):
    with pytest.raises(ValueError, match="at least one epoch"):
        dynamics.area_under_margin(values)


def test_labels_of_other_examples_are_refused():
    with pytest.raises(ValueError, match="labels must be"):
        dynamics.first_learned(np.zeros((2, 3)), np.zeros(2))
