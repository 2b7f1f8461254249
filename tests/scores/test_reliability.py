"""Reliability against a model in which it is known, SciPy and arithmetic on paper."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from depthlens.scores import reliability

OPTIONS = {"n_splits": 4, "confidence_level": 0.95, "bootstrap_samples": 100, "seed": 0}


def spearman_of_normals(correlation: float) -> float:
    """Spearman's correlation of a bivariate normal with Pearson's."""
    return 6 / np.pi * np.arcsin(correlation / 2)


def simulated(n_networks: int, n_examples: int, *, noise: float, seed: int = 0) -> np.ndarray:
    """A true score of variance 1 and noise: one network's reliability is 1 / (1 + noise²)."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=n_examples)
    return truth + noise * random.normal(size=(n_networks, n_examples))


def test_halves_worked_by_hand():
    measurements = np.array([[1.0, 10.0], [2.0, np.nan], [4.0, 30.0], [8.0, 50.0]])

    class Backwards:
        def permutation(self, n):
            return np.arange(n)[::-1]

    halves = reliability.split_halves(measurements, generator=Backwards())
    # The second example has three measurements: halves of one. Last network first.
    assert halves.size == 1
    assert halves.first.tolist() == [8, 50]
    assert halves.second.tolist() == [4, 30]
    every = reliability.split_halves(measurements[:, :1], generator=Backwards())
    assert every.size == 2
    assert (every.first.tolist(), every.second.tolist()) == ([6], [1.5])


def test_one_measurement_cannot_be_halved():
    with pytest.raises(ValueError, match="two measurements"):
        reliability.split_halves(
            np.array([[1.0, 1.0], [np.nan, 2.0]]), generator=np.random.default_rng(0)
        )


def test_spearman_brown_by_hand():
    # Two tests of 0.5 together have 2 · 0.5 / 1.5; half of one of 2/3 has 0.5 again.
    assert reliability.step(0.5, 2) == pytest.approx(2 / 3)
    assert reliability.step(2 / 3, 1 / 2) == pytest.approx(0.5)
    assert reliability.step([0.8, 0.0, 1.0], 3) == pytest.approx([2.4 / 2.6, 0, 1])
    assert np.isnan(reliability.step(-0.6, 3))


@given(st.floats(0.01, 0.99), st.integers(1, 50))
def test_spearman_brown_back_and_forth(value, factor):
    assert reliability.step(reliability.step(value, factor), 1 / factor) == pytest.approx(value)


def test_networks_needed_by_hand():
    # 9 networks of 0.5 have 9 · 0.5 / (1 + 8 · 0.5) = 0.9.
    assert reliability.networks_needed(0.5) == pytest.approx(9)
    assert reliability.networks_needed(0.5, target=0.75) == pytest.approx(3)
    found = reliability.networks_needed([0.95, 0.0, -0.2, 1.0, np.nan])
    assert found[:4].tolist() == [1, math.inf, math.inf, 1]
    assert np.isnan(found[4])


@given(st.floats(0.05, 0.89))
def test_as_many_networks_as_are_needed_reach_the_target(value):
    needed = float(reliability.networks_needed(value))
    assert reliability.step(value, needed) == pytest.approx(0.9)


def test_rank_correlation_is_scipys_with_ties_and_infinities():
    random = np.random.default_rng(0)
    first = random.integers(0, 5, 80).astype(float)
    second = first + random.integers(0, 4, 80)
    second[3] = np.inf
    expected = stats.spearmanr(first, second).statistic
    assert reliability.spearman(first, second) == pytest.approx(expected, abs=1e-12)
    times = random.integers(0, 4, 80)
    repeated = stats.spearmanr(np.repeat(first, times), np.repeat(second, times)).statistic
    assert reliability.spearman(first, second, times) == pytest.approx(repeated, abs=1e-12)
    assert np.isnan(reliability.spearman(first, np.ones(80)))


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("n_networks", [2, 3, 6])
def test_a_known_reliability_is_found_however_many_networks_there_are(noise, n_networks):
    found = reliability.measure(simulated(n_networks, 4000, noise=noise), **OPTIONS)
    truth = spearman_of_normals(1 / (1 + noise**2))
    assert found.reliability == pytest.approx(truth, abs=0.04)
    assert found.low < found.reliability < found.high
    assert found.high - found.low < 0.12
    assert found.n_examples == 4000 and found.measurements == n_networks
    assert found.networks_needed == pytest.approx(
        0.9 / 0.1 * (1 - found.reliability) / found.reliability
    )


def test_ragged_measurements_know_the_same_and_single_ones_are_left_out():
    measurements = simulated(8, 6000, noise=1.0)
    random = np.random.default_rng(1)
    measurements[random.random(measurements.shape) < 0.5] = np.nan
    counts = (~np.isnan(measurements)).sum(axis=0)
    found = reliability.measure(measurements, **OPTIONS)
    assert found.n_examples == (counts >= 2).sum() < 6000
    assert found.measurements == pytest.approx(counts[counts >= 2].mean())
    assert found.reliability == pytest.approx(spearman_of_normals(0.5), abs=0.04)


def test_a_network_that_shifts_all_its_scores_ranks_them_the_same():
    measurements = simulated(4, 2000, noise=0.5)
    shifted = measurements + np.array([[0.0], [30.0], [-10.0], [5.0]])
    plain = reliability.measure(measurements, **OPTIONS).reliability
    assert reliability.measure(shifted, **OPTIONS).reliability == pytest.approx(plain, abs=1e-6)


def test_the_order_of_the_examples_does_not_matter():
    measurements = simulated(5, 300, noise=1.0)
    order = np.random.default_rng(2).permutation(300)
    first = reliability.measure(measurements, **OPTIONS).reliability
    assert reliability.measure(measurements[:, order], **OPTIONS).reliability == pytest.approx(
        first
    )


def test_noise_alone_is_not_reliable_and_a_score_without_noise_is():
    noise = reliability.measure(np.random.default_rng(0).normal(size=(4, 3000)), **OPTIONS)
    assert abs(noise.reliability) < 0.05
    exact = reliability.measure(np.tile(np.arange(50.0), (4, 1)), **OPTIONS)
    assert (exact.reliability, exact.networks_needed) == pytest.approx((1, 1))


def test_nothing_is_measured_where_no_example_has_two_measurements():
    found = reliability.measure(np.array([[1.0, np.nan], [np.nan, 2.0]]), **OPTIONS)
    assert found.n_examples == 0
    assert np.isnan(found[1:]).all()


def test_infinite_measurements_are_ranked():
    measurements = simulated(4, 500, noise=0.3)
    measurements[:, measurements.mean(axis=0) > 1] = np.inf
    found = reliability.measure(measurements, **OPTIONS)
    assert found.reliability > 0.8


@pytest.mark.parametrize("most_drawn", [5000, 60])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(monkeypatch, most_drawn):
    monkeypatch.setattr(reliability, "_MOST_DRAWN", most_drawn)
    truth = spearman_of_normals(0.5)
    covered = 0
    for seed in range(60):
        measurements = simulated(2, 150, noise=1.0, seed=seed)
        found = reliability.measure(measurements, **(OPTIONS | {"confidence_level": 0.8}))
        covered += found.low <= truth <= found.high
    # 48 expected, standard deviation 3.
    assert 39 <= covered <= 57
