"""Intervals against SciPy, closed forms and simulation."""

import numpy as np
import pytest
from scipy import stats

from depthlens import intervals


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 10), (95, 100), (2500, 6000)])
@pytest.mark.parametrize("confidence_level", [0.8, 0.95])
def test_wilson_is_scipys(successes, n, confidence_level):
    expected = stats.binomtest(successes, n).proportion_ci(confidence_level, method="wilson")
    low, high = intervals.wilson(successes, n, confidence_level=confidence_level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_takes_arrays_and_has_no_interval_for_no_example():
    low, high = intervals.wilson([0, 5], [0, 5], confidence_level=0.95)
    assert np.isnan([low[0], high[0]]).all()
    assert high[1] == 1 and 0.4 < low[1] < 0.7


def test_mean_interval_is_students():
    values = [1.0, 2.0, 4.0, 9.0]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert intervals.mean(values, confidence_level=0.9) == pytest.approx(tuple(expected))


def test_mean_of_one_value_has_no_interval():
    assert np.isnan(intervals.mean([3.0], confidence_level=0.95)).all()


def test_spearman_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(0)
    # Ranks of a bivariate normal: Spearman's correlation is 6/π · arcsin(r/2).
    r = 0.5
    truth = 6 / np.pi * np.arcsin(r / 2)
    covered = 0
    for _ in range(300):
        x, e = random.normal(size=(2, 80))
        rho = stats.spearmanr(x, r * x + np.sqrt(1 - r**2) * e).statistic
        low, high = intervals.spearman(rho, 80, confidence_level=0.9)
        covered += low <= truth <= high
    assert 0.85 <= covered / 300 <= 0.95


def test_spearman_interval_needs_four_pairs():
    assert np.isnan(intervals.spearman(0.5, 3, confidence_level=0.95)).all()


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    values = np.random.default_rng(1).normal(size=400)
    low, high = intervals.bootstrap(
        lambda times: times @ values / times.sum(),
        len(values),
        confidence_level=0.95,
        samples=2000,
        seed=0,
    )
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_of_fewer_draws_is_scaled_to_the_same_interval():
    values = np.random.default_rng(1).exponential(size=4000)
    low, high = intervals.bootstrap(
        lambda times: times @ values / times.sum(),
        len(values),
        confidence_level=0.95,
        samples=2000,
        seed=0,
        size=250,
    )
    half = 1.96 * values.std() / np.sqrt(4000)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_bootstrap_repeats_with_its_seed_and_leaves_out_undefined_samples():
    def statistic(times):
        return np.nan if times[0] == 0 else float(times[0])

    options = {"confidence_level": 0.9, "samples": 50}
    first = intervals.bootstrap(statistic, 5, seed=3, **options)
    assert first == intervals.bootstrap(statistic, 5, seed=3, **options)
    assert first[0] >= 1
    none = intervals.bootstrap(lambda times: np.nan, 5, seed=3, **options)
    assert np.isnan(none).all()


def test_bootstrap_may_be_unbounded_but_never_undefined():
    low, high = intervals.bootstrap(
        lambda times: np.inf if times[0] == 0 else 1.0,
        3,
        confidence_level=0.9,
        samples=200,
        seed=0,
    )
    assert (low, high) == (1.0, np.inf)
