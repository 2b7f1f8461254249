"""Rank correlations and their bootstrap: scipy, brute force, arithmetic on paper."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.cluster import hierarchy

from depthlens.scores import correlations

LEVEL = {"confidence_level": 0.95}


def columns(n=120, m=4, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, m)).cumsum(axis=1)
    values[:, 1] = np.round(values[:, 1])  # ties
    return values


def test_correlations_are_scipys_over_the_examples_that_both_columns_have():
    values = columns()
    values[10:, 2] = np.nan
    values[:100, 3] = np.nan
    values[::3, 0] = np.inf
    found = correlations.rank_correlations(values, **LEVEL, samples=20)
    for a, b in itertools.combinations(range(4), 2):
        both = ~np.isnan(values[:, a]) & ~np.isnan(values[:, b])
        assert found.n[a, b] == found.n[b, a] == both.sum()
        if both.sum() < 3:
            assert np.isnan(found.rho[a, b])
            continue
        expected = stats.spearmanr(values[both, a], values[both, b]).statistic
        assert found.rho[a, b] == found.rho[b, a] == pytest.approx(expected)
    assert (np.diag(found.rho) == 1).all()


def test_bootstrap_counts_an_image_as_often_as_it_was_drawn():
    values = columns(n=40, m=2)
    ranks = stats.rankdata(values, axis=0)
    random = np.random.default_rng(7)
    drawn = [random.integers(0, 40, 40) for _ in range(200)]
    expected = [np.corrcoef(ranks[rows].T)[0, 1] for rows in drawn]
    tail = (1 - LEVEL["confidence_level"]) / 2
    low, high = np.quantile(expected, [tail, 1 - tail], method="inverted_cdf")
    found = correlations.rank_correlations(values, **LEVEL, samples=200, seed=7)
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx((low, high))


def test_bootstrap_interval_covers_as_often_as_it_says():
    random, covered, true = np.random.default_rng(1), 0, 0.6
    rho = 6 / np.pi * np.arcsin(true / 2)  # Spearman's of a normal distribution with Pearson's 0.6
    for seed in range(100):
        values = random.multivariate_normal([0, 0], [[1, true], [true, 1]], 150)
        found = correlations.rank_correlations(values, **LEVEL, samples=200, seed=seed)
        covered += found.low[0, 1] <= rho <= found.high[0, 1]
    assert 86 <= covered <= 99


def test_only_the_pairs_that_are_asked_for_are_correlated():
    found = correlations.rank_correlations(columns(), **LEVEL, samples=5, pairs=[(0, 2)])
    assert np.isfinite(found.rho[0, 2]) and np.isnan(found.rho[0, 1]) and found.n[0, 1] == 0
    everything = correlations.rank_correlations(columns(), **LEVEL, samples=5)
    for asked, all_pairs in zip(found[:3], everything[:3], strict=True):
        assert asked[0, 2] == pytest.approx(all_pairs[0, 2])


def test_what_does_not_vary_has_no_correlation_and_nothing_warns():
    values = columns(n=8, m=4)
    values[:, 0] = np.inf
    values[:, 1] = np.nan
    values[2:, 2] = np.nan
    with np.errstate(all="raise"):
        found = correlations.rank_correlations(values, **LEVEL, samples=10)
    assert np.isnan(found.rho[0]).all() and np.isnan(found.rho[1]).all()
    assert np.isnan(found.rho[2, 3]) and found.n[2, 3] == 2
    assert found.rho[3, 3] == 1


def test_similar_columns_stand_together():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 200))
    values = np.stack([a, b, a + 0.1 * random.normal(size=200), b + 0.1 * a], axis=1)
    order, tree = correlations.clustered(np.corrcoef(values.T))
    assert {frozenset(order[:2].tolist()), frozenset(order[2:].tolist())} == {
        frozenset({0, 2}),
        frozenset({1, 3}),
    }
    assert hierarchy.is_valid_linkage(tree)
    alone, nothing = correlations.clustered(np.ones((1, 1)))
    assert alone.tolist() == [0] and len(nothing) == 0
    unknown, _ = correlations.clustered(np.full((3, 3), np.nan))
    assert sorted(unknown) == [0, 1, 2]


def test_pairs_are_listed_once_the_strongest_first():
    found = correlations.rank_correlations(columns(), **LEVEL, samples=10)
    table = correlations.by_pair(["a", "b", "c", "d"], found)
    assert len(table) == 6
    assert (np.diff(table["correlation"].abs()) <= 0).all()
    row = table[(table["a"] == "b") & (table["b"] == "d")].iloc[0]
    assert (row["correlation"], row["low"]) == (found.rho[1, 3], found.low[1, 3])
