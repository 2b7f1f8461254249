"""Depth held against its variants and against scores: scipy, brute force, arithmetic on paper."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.cluster import hierarchy

from depthlens import intervals
from depthlens.chapters.difficulty import comparisons
from depthlens.scores.catalogue import DIFFICULTY, SCORES

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
    found = comparisons.rank_correlations(values, **LEVEL, samples=20)
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
    found = comparisons.rank_correlations(values, **LEVEL, samples=200, seed=7)
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx((low, high))


def test_bootstrap_interval_covers_as_often_as_it_says():
    random, covered, true = np.random.default_rng(1), 0, 0.6
    rho = 6 / np.pi * np.arcsin(true / 2)  # Spearman's of a normal distribution with Pearson's 0.6
    for seed in range(100):
        values = random.multivariate_normal([0, 0], [[1, true], [true, 1]], 150)
        found = comparisons.rank_correlations(values, **LEVEL, samples=200, seed=seed)
        covered += found.low[0, 1] <= rho <= found.high[0, 1]
    assert 86 <= covered <= 99


def test_only_the_pairs_that_are_asked_for_are_correlated():
    found = comparisons.rank_correlations(columns(), **LEVEL, samples=5, pairs=[(0, 2)])
    assert np.isfinite(found.rho[0, 2]) and np.isnan(found.rho[0, 1]) and found.n[0, 1] == 0
    everything = comparisons.rank_correlations(columns(), **LEVEL, samples=5)
    for asked, all_pairs in zip(found[:3], everything[:3], strict=True):
        assert asked[0, 2] == pytest.approx(all_pairs[0, 2])


def test_what_does_not_vary_has_no_correlation_and_nothing_warns():
    values = columns(n=8, m=4)
    values[:, 0] = np.inf
    values[:, 1] = np.nan
    values[2:, 2] = np.nan
    with np.errstate(all="raise"):
        found = comparisons.rank_correlations(values, **LEVEL, samples=10)
    assert np.isnan(found.rho[0]).all() and np.isnan(found.rho[1]).all()
    assert np.isnan(found.rho[2, 3]) and found.n[2, 3] == 2
    assert found.rho[3, 3] == 1


def test_similar_columns_stand_together():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 200))
    values = np.stack([a, b, a + 0.1 * random.normal(size=200), b + 0.1 * a], axis=1)
    order, tree = comparisons.clustered(np.corrcoef(values.T))
    assert {frozenset(order[:2].tolist()), frozenset(order[2:].tolist())} == {
        frozenset({0, 2}),
        frozenset({1, 3}),
    }
    assert hierarchy.is_valid_linkage(tree)
    alone, nothing = comparisons.clustered(np.ones((1, 1)))
    assert alone.tolist() == [0] and len(nothing) == 0
    unknown, _ = comparisons.clustered(np.full((3, 3), np.nan))
    assert sorted(unknown) == [0, 1, 2]


def test_every_score_is_turned_so_that_larger_means_harder(make_split):
    depth = np.arange(60) % 5
    split = make_split(depth, n_probes=5)
    turned = comparisons.oriented(split)
    assert list(turned) == [score.name for score in DIFFICULTY]
    for score in SCORES:
        # The fixture makes every score follow depth in its own direction.
        assert turned[score.name].corr(turned["depth"]) > 0, score.name
    raw = split.scores["confidence"]
    assert (turned["confidence"] == -raw).all()


def test_scores_that_say_nothing_are_left_out(make_split):
    scores = pd.DataFrame(
        {"loss": np.ones(9), "entropy": np.full(9, np.nan), "confidence": np.arange(9.0)}
    )
    scores.loc[2:, "el2n"] = np.nan
    scores["el2n"] = np.where(np.arange(9) < 2, np.arange(9), np.nan)
    split = make_split(np.arange(9) % 3, n_probes=4, scores=scores)
    scores = [name for name in comparisons.oriented(split) if not comparisons.is_depth(name)]
    assert scores == ["confidence"]


def test_scores_are_named_in_sentences_as_in_prose():
    assert comparisons.name_of("output_margin") == "output margin"
    assert comparisons.name_of("el2n") == "EL2N"
    assert comparisons.name_of("grand") == "GraNd (last layer)"
    assert comparisons.name_of("knn_disagreement") == "k-NN disagreement"


def test_scores_are_held_against_depth_on_both_splits(make_run, make_split):
    depth = np.arange(90) % 5
    train = make_split(np.arange(50) % 4, n_probes=4, train=True, seed=1)
    run = make_run(depth, np.ones(90), train=train)
    table = comparisons.with_depth(run, **LEVEL)
    for row in table.itertuples():
        split = run.test if row.split == "test" else train
        turned = comparisons.oriented(split)
        both = turned[row.score].notna()
        expected = stats.spearmanr(turned.loc[both, row.score], turned.loc[both, "depth"]).statistic
        assert row.correlation == pytest.approx(expected) and row.n == both.sum()
        assert row.low < row.correlation < row.high
    test = table[table["split"] == "test"]
    assert (np.diff(test["correlation"]) <= 0).all()
    assert set(table["split"]) == {"test", "train"}
    assert table["score"].tolist() == np.repeat(test["score"].to_numpy(), 2).tolist()


def test_pairs_are_listed_once_the_strongest_first():
    found = comparisons.rank_correlations(columns(), **LEVEL, samples=10)
    table = comparisons.by_pair(["a", "b", "c", "d"], found)
    assert len(table) == 6
    assert (np.diff(table["correlation"].abs()) <= 0).all()
    row = table[(table["a"] == "b") & (table["b"] == "d")].iloc[0]
    assert (row["correlation"], row["low"]) == (found.rho[1, 3], found.low[1, 3])


def test_other_numbers_of_neighbours_are_compared_with_the_studys_own(make_split):
    depth = [0, 1, 2, 3]
    split = make_split(depth, n_probes=4, ks=(30, 1), by_k=np.array([depth, [0, 1, 3, 2]]).T)
    table = comparisons.by_k(split, **LEVEL)
    assert table["k"].tolist() == [1, 30]
    assert table["mean_depth"].tolist() == [1.5, 1.5]
    assert table["changed"].tolist() == [0.5, 0.0]
    assert table["correlation"].tolist() == pytest.approx([0.8, 1.0])
    expected = intervals.wilson(2, 4, **LEVEL)
    assert (table["changed_low"][0], table["changed_high"][0]) == pytest.approx(expected)
    flat = make_split([2, 2, 2, 2], n_probes=4, ks=(1,), by_k=[[1], [2], [2], [2]])
    assert np.isnan(comparisons.by_k(flat, **LEVEL)["correlation"][0])
    none = make_split(depth, n_probes=4, ks=(), by_k=np.empty((4, 0), int))
    assert comparisons.by_k(none, **LEVEL).empty


def test_references_are_compared_with_the_network(make_run, make_split):
    split = make_split([0, 2, 4], n_probes=4)
    split.depths["depth_last_probe"], split.depths["depth_label"] = [0, 2, 1], [4, 4, 4]
    run = make_run([0, 2, 4], [1, 1, 0], test=split)
    table = comparisons.by_reference(run, **LEVEL)
    assert table["reference"].tolist() == ["network", "last probe", "true label"]
    assert table["mean_depth"].tolist() == [2, 1, 4]
    assert table["same"].tolist() == pytest.approx([1, 2 / 3, 1 / 3])


def test_self_votes_are_compared_image_by_image(make_split):
    split = make_split([0, 2, 4, 1], n_probes=4, train=True)
    split.depths["depth_self_voting"] = [0, 0, 3, 2]
    found = comparisons.self_voting(split, **LEVEL)
    assert (found.leave_one_out, found.self_voting) == (7 / 4, 5 / 4)
    assert (found.shallower, found.deeper) == (0.5, 0.25)
    assert (found.first_leave_one_out, found.first_self_voting) == (0.25, 0.5)
    expected = intervals.mean([0, 2, 1, -1], **LEVEL)
    assert (found.low, found.high) == pytest.approx(expected)
