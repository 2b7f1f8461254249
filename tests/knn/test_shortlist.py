"""The shortlist against a partition of everything that it was offered."""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from depthlens.knn.shortlist import Shortlist

CPU = torch.device("cpu")


@st.composite
def offers(draw):
    """Scores that come in tile by tile, and how many to keep of them."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_queries, n_references = draw(st.integers(1, 4)), draw(st.integers(1, 400))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    scores = generator.normal(size=(n_queries, n_references))
    if draw(st.booleans()):
        scores = scores.round()  # many ties
    for value in draw(st.sets(st.sampled_from([np.inf, -np.inf, 0.0]))):
        scores[generator.random(scores.shape) < 0.2] = value
    if draw(st.booleans()):
        scores.sort()  # the smallest are neighbours in the tile
    cuts = draw(st.lists(st.integers(0, n_references), max_size=4))
    keep = draw(st.integers(1, min(n_references, 40)))
    return scores.astype(dtype), sorted({0, *cuts, n_references}), keep


@settings(max_examples=300, deadline=None)
@given(offers())
def test_the_smallest_of_all_offered_are_kept_whatever_the_tiles(case):
    scores, cuts, keep = case
    n_queries = len(scores)
    offered = torch.from_numpy(scores)
    shortlist = Shortlist(n_queries, keep, dtype=offered.dtype, device=CPU)
    for start, stop in pairwise(cuts):
        shortlist.offer(slice(0, n_queries), offered[:, start:stop], start)
    kept, rows = shortlist.scores.numpy(), shortlist.rows.numpy()
    expected = np.sort(np.partition(scores, keep - 1)[:, :keep])
    np.testing.assert_array_equal(np.sort(kept), expected)
    for row, score, of in zip(rows, kept, scores, strict=True):
        named = row >= 0
        assert len(set(row[named])) == named.sum()
        np.testing.assert_array_equal(of[row[named]], score[named])
        assert np.all(score[~named] == np.inf)  # a place is empty only where nothing is nearer


def test_queries_are_told_apart():
    shortlist = Shortlist(5, 1, dtype=torch.float32, device=CPU)
    shortlist.offer(slice(2, 4), torch.tensor([[3.0, 1.0], [2.0, 4.0]]), 10)
    assert shortlist.rows[:, 0].tolist() == [-1, -1, 11, 10, -1]
    shortlist.offer(slice(3, 5), torch.tensor([[1.0, 9.0], [9.0, 8.0]]), 20)
    assert shortlist.rows[:, 0].tolist() == [-1, -1, 11, 20, 21]


def test_fewer_references_than_places_leave_places_empty():
    shortlist = Shortlist(1, 5, dtype=torch.float32, device=CPU)
    shortlist.offer(slice(0, 1), torch.tensor([[3.0, 1.0]]), 0)
    assert sorted(shortlist.rows[0].tolist()) == [-1, -1, -1, 0, 1]


def test_scores_that_are_a_transposed_view_are_read_right():
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 6)))
    shortlist = Shortlist(6, 4, dtype=torch.float64, device=CPU)
    shortlist.offer(slice(0, 6), scores.T, 0)
    expected = np.sort(scores.T.numpy(), axis=1)[:, :4]
    np.testing.assert_array_equal(np.sort(shortlist.scores.numpy()), expected)
