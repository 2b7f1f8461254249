"""Answers of several networks against counting."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens.scores import ensembles

PREDICTIONS = np.array([[2, 0, 1, 0], [2, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], np.int16)
MEMBERS = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0]], bool)
LABELS = np.array([1, 1, 1, 0])


def test_answers_counted_by_hand():
    asked = {"predictions": PREDICTIONS, "members": MEMBERS}
    # 2, 2, 1 | a tie of 0 and 1 | 1, 1 | nobody
    assert ensembles.consensus(**asked, n_classes=3).tolist() == [2, 0, 1, -1]
    consistency = ensembles.consensus_consistency(**asked, n_classes=3)
    assert consistency[:3] == pytest.approx([2 / 3, 1 / 2, 1])
    labels = ensembles.label_consistency(**asked, labels=LABELS)
    assert labels[:3] == pytest.approx([1 / 3, 1 / 2, 1])
    assert np.isnan([consistency[3], labels[3]]).all()
    everyone = np.ones_like(MEMBERS)
    agreement = ensembles.ensemble_agreement(PREDICTIONS, everyone, n_classes=3)
    assert agreement == pytest.approx([1 / 2, 1 / 2, 1 / 2, 1])


@st.composite
def answers(draw):
    n_networks, n_examples = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    size = n_networks * n_examples
    flat = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    mask = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    shape = (n_networks, n_examples)
    return np.array(flat).reshape(shape), np.array(mask).reshape(shape)


@given(answers())
def test_equal_a_count_of_those_who_are_asked(case):
    predictions, members = case
    found = ensembles.consensus(predictions, members, n_classes=4)
    share = ensembles.consensus_consistency(predictions, members, n_classes=4)
    for example in range(predictions.shape[1]):
        counts = Counter(predictions[members[:, example], example].tolist())
        if not counts:
            assert found[example] == -1 and np.isnan(share[example])
            continue
        most = max(counts.values())
        assert found[example] == min(c for c, n in counts.items() if n == most)
        assert share[example] == pytest.approx(most / sum(counts.values()))


@given(answers())
def test_what_a_network_says_that_is_no_member_does_not_count(case):
    predictions, members = case
    other = np.where(members, predictions, -9)
    for score in (ensembles.consensus, ensembles.consensus_consistency):
        np.testing.assert_array_equal(
            score(predictions, members, n_classes=4), score(other, members, n_classes=4)
        )


def test_mean_and_spread_are_of_those_who_measured():
    nan = np.nan
    values = np.array([[1.0, 5.0, nan, 2.0], [2.0, nan, nan, np.inf], [6.0, nan, nan, nan]])
    found = ensembles.mean(values)
    assert found[[0, 1, 3]].tolist() == [3, 5, np.inf]
    spread = ensembles.spread(values[:, :3])
    assert spread[0] == pytest.approx(np.sqrt((4 + 1 + 9) / 2))
    assert np.isnan([found[2], spread[1], spread[2]]).all()


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="must both be"):
        ensembles.consensus(PREDICTIONS, MEMBERS[:2], n_classes=3)
