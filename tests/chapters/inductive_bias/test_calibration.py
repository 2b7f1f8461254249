"""The expected calibration error against its definition and numbers from paper."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters.inductive_bias import calibration
from depthlens.chapters.inductive_bias.calibration import expected_calibration_error


def test_the_error_is_the_mean_distance_weighted_by_the_answers():
    # Bins: two of 0.95 with one right, one of 0.85 right, one of 0.55 wrong.
    error = expected_calibration_error([0.95, 0.95, 0.85, 0.55], [True, False, True, False])
    assert error == pytest.approx((2 * 0.45 + 0.15 + 0.55) / 4)


def test_distances_cancel_within_a_bin_but_not_between_bins():
    assert expected_calibration_error([0.5, 0.5], [True, False]) == 0
    assert expected_calibration_error([0.45, 0.55], [True, False]) == pytest.approx(0.55)


@pytest.mark.parametrize("place", range(1, 11))
def test_a_bin_holds_its_upper_bound_and_not_its_lower(place):
    found = calibration.bins([place / 10], [True])
    assert found.n.tolist() == [int(i == place - 1) for i in range(10)]


def test_no_confidence_is_without_a_bin():
    assert calibration.bins([0.0, 1.0, 1.0 + 1e-12], [True] * 3).n.tolist() == [1] + [0] * 8 + [2]


def test_the_error_is_that_of_the_paper_on_random_answers():
    random = np.random.default_rng(1)
    confidence, correct = random.random(500), random.random(500) < 0.7
    expected = 0.0
    for place in range(10):
        inside = (confidence > place / 10) & (confidence <= (place + 1) / 10)
        gap = abs(correct[inside].mean() - confidence[inside].mean())
        expected += inside.sum() / 500 * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


def test_without_answers_there_is_no_error_and_without_numbers_none_is_made_up():
    with pytest.raises(ValueError, match="no answer"):
        expected_calibration_error([], [])
    assert np.isnan(expected_calibration_error([np.nan, 0.9], [True, True]))


def answers(*rows):
    columns = ["architecture", "seed", "epoch", "label", "prediction", "confidence"]
    return pd.DataFrame(rows, columns=columns).assign(dataset="edges")


def test_networks_and_times_are_kept_apart():
    table = answers(
        ("cnn", 1, 5, "none", "none", 0.9),
        ("cnn", 1, 5, "none", "vertical", 0.5),
        ("cnn", 2, 5, "none", "none", 0.8),
        ("mlp", 1, 5, "none", "none", 0.6),
        ("mlp", 1, 9, "none", "vertical", 1.0),
    )
    found = calibration.by_network(table).set_index(["architecture", "seed", "epoch"])
    assert found["calibration_error"].to_dict() == pytest.approx(
        {("cnn", 1, 5): 0.3, ("cnn", 2, 5): 0.2, ("mlp", 1, 5): 0.4, ("mlp", 1, 9): 1.0}
    )
    assert found["confidence"]["cnn", 1, 5] == pytest.approx(0.7)


def test_bins_of_seeds_hold_nothing_where_no_answer_is():
    table = answers(("cnn", 1, 5, "none", "none", 0.95), ("cnn", 2, 5, "none", "both", 0.45))
    found = calibration.bins_by_seed(table).set_index(["seed", "bin"])
    assert found["n"].sum() == 2
    assert found.loc[(1, 9), ["n", "confidence", "accuracy"]].tolist() == [1, 0.95, 1]
    assert found.loc[(2, 4), "accuracy"] == 0
    assert np.isnan(found.loc[(2, 9), "accuracy"])
