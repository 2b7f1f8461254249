"""Scores of the output against arithmetic on paper, SciPy and torch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from depthlens.scores import outputs

# Softmax of ln(1), ln(2), ln(5) is 1/8, 2/8, 5/8.
LOGITS = np.log([[1.0, 2.0, 5.0], [5.0, 2.0, 1.0]]).astype(np.float32)


def test_numbers_worked_by_hand():
    loss = outputs.loss(LOGITS, np.array([1, 0], np.int16))
    assert loss == pytest.approx([math.log(4), math.log(8 / 5)], rel=1e-6)
    assert outputs.confidence(LOGITS) == pytest.approx([5 / 8, 5 / 8], rel=1e-6)
    assert outputs.output_margin(LOGITS) == pytest.approx([math.log(2.5)] * 2, rel=1e-6)
    expected = math.log(8) / 8 + math.log(4) / 4 + math.log(8 / 5) * 5 / 8
    assert outputs.entropy(LOGITS) == pytest.approx([expected] * 2, rel=1e-6)


def test_random_logits_as_torch_and_scipy_have_it():
    logits = np.random.default_rng(0).normal(scale=5, size=(40, 7))
    labels = np.random.default_rng(1).integers(0, 7, 40)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(labels), reduction="none"
    )
    np.testing.assert_allclose(outputs.loss(logits, labels), expected, rtol=1e-12)
    p = torch.tensor(logits).softmax(1).numpy()
    np.testing.assert_allclose(outputs.confidence(logits), p.max(1), rtol=1e-12)
    np.testing.assert_allclose(outputs.entropy(logits), stats.entropy(p, axis=1), rtol=1e-10)
    ranked = np.sort(logits, axis=1)
    np.testing.assert_array_equal(outputs.output_margin(logits), ranked[:, -1] - ranked[:, -2])


def test_a_network_that_is_sure_overflows_nothing():
    logits = np.array([[2000.0, 0.0, -2000.0]])
    assert outputs.loss(logits, np.array([2])).tolist() == [4000]
    assert outputs.loss(logits, np.array([0])).tolist() == [0]
    assert outputs.confidence(logits).tolist() == [1]
    assert outputs.entropy(logits).tolist() == [0]


@given(
    st.lists(st.lists(st.floats(-50, 50), min_size=4, max_size=4), min_size=1, max_size=8),
    st.floats(-100, 100),
)
def test_ranges_hold_and_a_shift_of_all_logits_changes_nothing(rows, shift):
    logits = np.array(rows)
    labels = np.zeros(len(rows), int)
    for score, low, high in (
        (lambda z: outputs.loss(z, labels), 0, math.inf),
        (outputs.confidence, 1 / 4, 1),
        (outputs.output_margin, 0, math.inf),
        (outputs.entropy, 0, math.log(4)),
    ):
        values = score(logits)
        assert np.all((values >= low - 1e-12) & (values <= high + 1e-12))
        np.testing.assert_allclose(score(logits + shift), values, atol=1e-9)


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="labels must be"):
        outputs.loss(LOGITS, np.array([1]))
    with pytest.raises(ValueError, match="logits must be"):
        outputs.entropy(LOGITS[0])
    with pytest.raises(ValueError, match="two classes"):
        outputs.output_margin(LOGITS[:, :1])
