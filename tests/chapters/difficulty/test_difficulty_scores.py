"""Depth held against its variants and against scores: scipy, brute force, arithmetic on paper."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from depthlens import intervals
from depthlens.chapters import answers
from depthlens.chapters.difficulty import choices, scores, words
from depthlens.chapters.difficulty.neighbours import by_k
from depthlens.scores.catalogue import DIFFICULTY, SCORES

LEVEL = 0.95


def test_every_score_is_turned_so_that_larger_means_harder(make_split):
    depth = np.arange(60) % 5
    split = make_split(depth, n_probes=5)
    turned = scores.oriented(split)
    assert list(turned) == [score.name for score in DIFFICULTY]
    for score in SCORES:
        # The fixture makes every score follow depth in its own direction.
        assert turned[score.name].corr(turned["depth"]) > 0, score.name
    raw = split.scores["confidence"]
    assert (turned["confidence"] == -raw).all()


def test_scores_that_say_nothing_are_left_out(make_split):
    table = pd.DataFrame(
        {"loss": np.ones(9), "entropy": np.full(9, np.nan), "confidence": np.arange(9.0)}
    )
    table.loc[2:, "el2n"] = np.nan
    table["el2n"] = np.where(np.arange(9) < 2, np.arange(9), np.nan)
    split = make_split(np.arange(9) % 3, n_probes=4, scores=table)
    left = [name for name in scores.oriented(split) if not words.is_depth(name)]
    assert left == ["confidence"]


def test_scores_are_named_in_sentences_as_in_prose():
    assert words.name_of("output_margin") == "output margin"
    assert words.name_of("el2n") == "EL2N"
    assert words.name_of("grand") == "GraNd (last layer)"
    assert words.name_of("knn_disagreement") == "k-NN disagreement"


def test_scores_are_held_against_depth_on_both_splits(make_run, make_split):
    depth = np.arange(90) % 5
    train = make_split(np.arange(50) % 4, n_probes=4, train=True, seed=1)
    run = make_run(depth, np.ones(90), train=train)
    derived = answers.with_derived(scores.section, {"run": run, "level": LEVEL})
    table = derived["scores"]
    for row in table.itertuples():
        split = run.test if row.split == "test" else train
        turned = scores.oriented(split)
        both = turned[row.score].notna()
        expected = stats.spearmanr(turned.loc[both, row.score], turned.loc[both, "depth"]).statistic
        assert row.correlation == pytest.approx(expected) and row.n == both.sum()
        assert row.low < row.correlation < row.high
    test = table[table["split"] == "test"]
    assert (np.diff(test["correlation"]) <= 0).all()
    assert set(table["split"]) == {"test", "train"}
    assert table["score"].tolist() == np.repeat(test["score"].to_numpy(), 2).tolist()


def test_other_numbers_of_neighbours_are_compared_with_the_studys_own(make_split):
    depth = [0, 1, 2, 3]
    split = make_split(depth, n_probes=4, ks=(30, 1), by_k=np.array([depth, [0, 1, 3, 2]]).T)
    table = by_k(split, LEVEL)
    assert table["k"].tolist() == [1, 30]
    assert table["mean_depth"].tolist() == [1.5, 1.5]
    assert table["changed"].tolist() == [0.5, 0.0]
    assert table["correlation"].tolist() == pytest.approx([0.8, 1.0])
    expected = intervals.wilson(2, 4, confidence_level=LEVEL)
    assert (table["changed_low"][0], table["changed_high"][0]) == pytest.approx(expected)
    flat = make_split([2, 2, 2, 2], n_probes=4, ks=(1,), by_k=[[1], [2], [2], [2]])
    assert np.isnan(by_k(flat, LEVEL)["correlation"][0])
    none = make_split(depth, n_probes=4, ks=(), by_k=np.empty((4, 0), int))
    assert by_k(none, LEVEL).empty


def test_references_are_compared_with_the_network(make_run, make_split):
    split = make_split([0, 2, 4], n_probes=4)
    split.depths["depth_last_probe"], split.depths["depth_label"] = [0, 2, 1], [4, 4, 4]
    run = make_run([0, 2, 4], [1, 1, 0], test=split)
    table = choices.references(run, LEVEL)
    assert table["reference"].tolist() == ["network", "last probe", "true label"]
    assert table["mean_depth"].tolist() == [2, 1, 4]
    assert table["same"].tolist() == pytest.approx([1, 2 / 3, 1 / 3])


def test_self_votes_are_compared_image_by_image(make_split):
    split = make_split([0, 2, 4, 1], n_probes=4, train=True)
    split.depths["depth_self_voting"] = [0, 0, 3, 2]
    found = choices.self_votes(split, LEVEL)
    assert (found["leave_one_out"], found["self_voting"]) == (7 / 4, 5 / 4)
    assert (found["shallower"], found["deeper"]) == (0.5, 0.25)
    assert (found["first_leave_one_out"], found["first_self_voting"]) == (0.25, 0.5)
    expected = intervals.mean([0, 2, 1, -1], confidence_level=LEVEL)
    assert (found["low"], found["high"]) == pytest.approx(expected)
