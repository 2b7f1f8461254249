"""Contradiction by hand, votes of copies by a loop, and thresholds where the truth is known."""

import numpy as np
import pytest

from depthlens.measuring import suspicion


def test_contradiction_is_the_margin_of_the_strongest_other_class():
    near = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 2, 2], [0, 1, 2, 2]])
    by_hand = [[-4, 4, 4], [-2, 2, 3], [2, 0, 0], [1, 1, -1]]
    np.testing.assert_array_equal(suspicion.contradictions(near, 3) * 4, by_hand)
    weights = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [0.5, 0.5, 1, 0], [0, 1, 1, 1]])
    by_hand = [[-1, 1, 1], [0, 0, 0], [1 / 2, 0, 0], [2 / 3, 1 / 3, -1 / 3]]
    np.testing.assert_allclose(suspicion.contradictions(near, 3, weights), by_hand, rtol=1e-6)


def test_a_label_is_judged_by_the_mean_over_probes(monkeypatch):
    monkeypatch.setattr(suspicion, "_VALUES_AT_ONCE", 3)  # one example at a time
    near = [np.array([[0, 0], [1, 1]]), np.array([[0, 1], [1, 2]])]
    found = suspicion.judge(near, np.array([0, 2]), 3)
    np.testing.assert_array_equal(found.suspicion, [-0.5, 0.5])  # (-1 + 0) / 2, (1 + 0) / 2
    assert found.suggested.tolist() == [0, 1]


def test_equal_images_have_one_vote_and_none_on_themselves():
    random = np.random.default_rng(0)
    near, own = random.integers(0, 6, (50, 9)), random.integers(0, 9, 50)
    found = suspicion.weights_of_others(near, own)
    for row, column in np.ndindex(near.shape):
        content = near[row, column]
        expected = 0 if content == own[row] else 1 / (near[row] == content).sum()
        assert found[row, column] == pytest.approx(expected)


def made(n: int, wrong: float, n_classes: int = 5):
    """Examples whose neighbours are, more or less, of their class; labels; which are wrong."""
    random = np.random.default_rng(0)
    truth = random.integers(0, n_classes, n)
    votes = random.dirichlet(np.ones(n_classes), n)
    votes[np.arange(n), truth] += 3 * random.beta(2, 1, n)
    is_wrong = random.random(n) < wrong
    labels = np.where(is_wrong, (truth + random.integers(1, n_classes, n)) % n_classes, truth)
    near = [np.tile(np.arange(n_classes), (n, 1))]
    return suspicion.judge(near, labels, n_classes, weights=[votes]), is_wrong


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1])
def test_a_threshold_flags_and_finds_what_it_says(share):
    judged, is_wrong = made(20_000, share)
    flagged, threshold = judged.suspect, judged.threshold
    assert 0 < flagged[~is_wrong].mean() < 1.5 * suspicion.RIGHT_FLAGGED
    assert threshold.right_flagged <= suspicion.RIGHT_FLAGGED
    assert threshold.wrong == pytest.approx(share, abs=0.02)
    if share:
        assert flagged[is_wrong].mean() == pytest.approx(threshold.wrong_found, abs=0.05)
        assert threshold.wrong_found > 0.5


def test_no_label_is_flagged_for_one_that_is_contradicted_as_much():
    # One probe for each class: every label has suspicion 1/3, and none is better.
    near = [np.full((1, 2), label) for label in range(3)]
    assert not suspicion.judge(near, np.array([0]), 3).suspect.any()


@pytest.mark.parametrize("n", [1, 2, 30])
def test_few_examples_have_a_threshold_too(n):
    threshold = made(n, 0.5)[0].threshold
    assert np.isfinite(threshold).all()
    assert -1 <= threshold.value <= 1
