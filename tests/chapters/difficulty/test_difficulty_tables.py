"""The tables behind the figures, on runs computed by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from depthlens.chapters.difficulty.classes import classes, mix
from depthlens.chapters.difficulty.depth import depths
from depthlens.chapters.difficulty.factors import bins, factors, quantile_bins
from depthlens.chapters.difficulty.galleries import easiest, hardest
from depthlens.chapters.difficulty.probes import probes
from depthlens.chapters.difficulty.run import display_name, possible_depths
from depthlens.tables import Images

LEVEL = 0.95


def images(**known):
    """Of which nothing is looked at but their factors."""
    n = len(next(iter(known.values())))
    return Images(np.arange(n), np.zeros((n, 1, 2, 2), np.uint8), np.zeros(n, int), [], known)


@pytest.mark.parametrize(
    ("duplicate_of", "possible"),
    [
        ([None, None, None], [1, 1, 1, 1]),
        ([None, "a", None], [1, 0, 1, 1]),
        ([None, "a", "b"], [1, 0, 0, 1]),  # c equals b, which equals a
        ([None, "a", "a"], [1, 0, 0, 1]),  # c equals b because both equal a
        ([None, None, "a"], [1, 1, 1, 1]),  # b lies between and may disagree
    ],
)
def test_depth_of_a_probe_that_equals_the_one_before_is_impossible(duplicate_of, possible):
    found = possible_depths(["a", "b", "c"], duplicate_of)
    assert found.tolist() == [bool(value) for value in possible]


def test_impossible_depths_are_those_that_no_predictions_can_produce():
    # Every way three probes can agree or not, where the third equals the second.
    seen = set()
    for first, second in itertools.product([True, False], repeat=2):
        agrees = [first, second, second]
        seen.add(max((i + 1 for i, a in enumerate(agrees) if not a), default=0))
    possible = possible_depths(["a", "b", "c"], [None, None, "b"])
    assert set(np.flatnonzero(possible)) == seen


def test_last_two_depths_skip_the_impossible_one(make_run):
    run = make_run([0, 1], [1, 1], duplicate_of=[None, None, None, "02-p2"])
    assert run.last_two.tolist() == [2, 4]


def test_a_depth_that_was_observed_is_possible(make_run):
    run = make_run([3], [1], duplicate_of=[None, None, None, "02-p2"])
    assert run.possible.all()


def test_by_depth_counts_every_depth_even_empty_ones(make_run):
    table = depths(make_run([0, 0, 0, 2], [1, 1, 0, 0]), LEVEL)
    assert table["n"].tolist() == [3, 0, 1, 0, 0]
    assert table["correct"].tolist() == [2, 0, 0, 0, 0]
    assert table["accuracy"][0] == pytest.approx(2 / 3)
    assert table.loc[[1, 3, 4], ["accuracy", "low", "high"]].isna().all(axis=None)
    assert table["share"].sum() == 1
    wilson = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert (table["low"][0], table["high"][0]) == pytest.approx((wilson.low, wilson.high))


def test_by_class_ranks_the_deepest_first_and_names_its_confusion(make_run):
    run = make_run(
        [0, 0, 4, 3, 2],
        [1, 1, 0, 0, 1],
        [0, 0, 2, 2, 2],
        prediction=[0, 0, 1, 1, 2],
        classes=["a", "b", "c"],
    )
    table = classes(run, LEVEL)
    assert table["class"].tolist() == ["c", "a"]  # no test image of class b
    hard = table.iloc[0]
    assert (hard["mean_depth"], hard["n"], hard["mistaken_for"]) == (3, 3, "b")
    assert hard["accuracy"] == pytest.approx(1 / 3)
    assert hard["share_last"] == pytest.approx(2 / 3)
    assert table.iloc[1]["mistaken_for"] is None or table.iloc[1].isna()["mistaken_for"]
    assert table.iloc[1]["share_first"] == 1


def test_class_shares_add_up_both_ways(make_run):
    run = make_run([0, 1, 1, 4, 4, 4], [1] * 6, [0, 0, 1, 1, 1, 0])
    table = mix(run, LEVEL)
    assert np.allclose(table.groupby("label")["of_class"].sum(), 1)
    of_depth = table.groupby("depth")["of_depth"].sum()
    assert np.allclose(of_depth[[0, 1, 4]], 1)
    cell = table[(table["label"] == 1) & (table["depth"] == 4)].iloc[0]
    assert (cell["n"], cell["of_class"], cell["of_depth"]) == (2, 2 / 3, 2 / 3)


def test_by_probe_compares_with_the_truth_and_with_the_network(make_run):
    run = make_run(
        [0, 2],
        [1, 0],
        [0, 0],
        prediction=[0, 1],
        knn=[[0, 0], [0, 1]],
        duplicate_of=[None, None],
    )
    table = probes(run, LEVEL)
    assert table["probe"].tolist() == ["input", "p1"]
    assert table["accuracy"].tolist() == [1, 0.5]
    assert table["agreement"].tolist() == [0.5, 1]


def test_factor_correlations_are_scipys_and_sorted_by_strength(make_run):
    random = np.random.default_rng(0)
    depth = random.integers(0, 5, 300)
    known = {"weak": depth + random.normal(0, 9, 300), "strong": -depth + random.random(300)}
    table = factors(make_run(depth, depth < 3), images(**known), LEVEL)
    assert table["factor"].tolist() == ["strong", "weak"]
    for row in table.itertuples():
        expected = stats.spearmanr(known[row.factor], depth).statistic
        assert row.correlation == pytest.approx(expected)
        assert row.low < expected < row.high


def test_factor_is_judged_only_in_classes_where_it_varies(make_run):
    # The first class is deep and has the factor fixed: taken along, it would hide that the factor
    # and depth rise together in the second.
    depth = np.array([4] * 20 + list(range(4)) * 5)
    factor = np.array([0.0] * 20 + [1.0, 2.0, 3.0, 4.0] * 5)
    run = make_run(depth, depth < 2, [0] * 20 + [1] * 20)
    row = factors(run, images(aspect=factor), LEVEL).iloc[0]
    assert (row["n"], row["classes"]) == (20, ["ellipse"])
    assert row["correlation"] == pytest.approx(1)
    assert stats.spearmanr(factor, depth).statistic < 0


def test_constant_factor_and_constant_depth_have_no_correlation(make_run):
    run = make_run([0, 1, 2, 3], [1] * 4)
    assert factors(run, images(fixed=np.ones(4)), LEVEL).empty
    flat = make_run([2] * 4, [1] * 4)
    assert factors(flat, images(size=np.arange(4)), LEVEL).empty


def test_explained_variance_sees_what_rises_and_falls_again(make_run):
    x = np.linspace(-1, 1, 400)
    depth = np.round(4 * x**2).astype(int)
    row = factors(make_run(depth, depth < 2), images(x=x), LEVEL).iloc[0]
    assert abs(row["correlation"]) < 0.05
    assert row["explained"] > 0.8


def test_quantile_bins_are_equal_in_count_and_never_split_equal_values():
    assert np.bincount(quantile_bins(np.arange(80), 8)).tolist() == [10] * 8
    found = quantile_bins(np.array([1.0] * 50 + list(range(2, 52))), 8)
    assert len(set(found[:50])) == 1


def test_factor_bins_average_the_depths_of_their_images(make_run):
    depth = np.array([0] * 8 + [4] * 8)
    table = bins(make_run(depth, [1] * 16), images(x=np.arange(16)), LEVEL)
    assert table["n"].sum() == 16
    assert table["mean_depth"].tolist() == [0] * 4 + [4] * 4


def test_hardest_is_deepest_then_least_confident_then_first(make_run):
    run = make_run([1, 4, 4, 4], [1, 1, 0, 0], confidence=[0.1, 0.9, 0.3, 0.3])
    assert hardest(run, 3).tolist() == [2, 3, 1]


def test_easiest_takes_turns_between_classes_and_only_what_is_right(make_run):
    run = make_run(
        [0, 0, 0, 2, 0, 1],
        [1, 1, 0, 1, 1, 1],
        [0, 0, 0, 1, 0, 1],
        confidence=[0.8, 0.9, 1.0, 0.99, 0.9, 0.6],
    )
    assert easiest(run, 10).tolist() == [1, 5, 4, 3, 0]
    assert easiest(run, 2).tolist() == [1, 5]


def test_easiest_leaves_out_a_class_without_a_correct_image(make_run):
    run = make_run([0, 1], [1, 0], [0, 1])
    assert easiest(run, 5).tolist() == [0]
    assert easiest(make_run([0], [0]), 5).tolist() == []


@pytest.mark.parametrize(
    ("file", "name"),
    [("05-layer1.0", "layer1.0"), ("input", "input"), ("a-b", "a-b"), ("1-", "1-")],
)
def test_probe_is_shown_without_its_number(file, name):
    assert display_name(file) == name
