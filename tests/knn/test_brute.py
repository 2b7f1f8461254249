"""k nearest neighbours against scikit-learn and against brute force in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from depthlens.knn import brute

CPU = torch.device("cpu")


def streamed(points, rows, ids=None):
    """A callable that gives the points in blocks."""
    ids = np.arange(len(points)) if ids is None else ids

    def blocks():
        for start in range(0, len(points), rows):
            yield ids[start : start + rows], points[start : start + rows]

    return blocks


def nearest(queries, references, k, *, rows=7, query_ids=None, ids=None, exclude_self=False):
    query_ids = np.arange(len(queries)) if query_ids is None else query_ids
    return brute.nearest(
        query_ids,
        queries,
        streamed(references, rows, ids),
        n_neighbors=k,
        device=CPU,
        exclude_self=exclude_self,
    )


def random_points(n, dims, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(dtype)


def distances_in_float64(queries, references):
    return np.linalg.norm(
        queries[:, None].astype(np.float64) - references[None].astype(np.float64), axis=2
    )


@pytest.mark.parametrize("rows", [1, 7, 50, 1000])
@pytest.mark.parametrize("k", [1, 5, 200])
def test_neighbours_are_those_of_scikit_learn(rows, k):
    references, queries = random_points(200, 12), random_points(40, 12, seed=1)
    found = nearest(queries, references, k, rows=rows)
    distances, expected = (
        NearestNeighbors(n_neighbors=k, algorithm="brute").fit(references).kneighbors(queries)
    )
    np.testing.assert_array_equal(found.rows, expected)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4)
    assert found.distances.dtype == np.float32


@pytest.mark.parametrize("rows", [1, 9, 1000])
def test_leave_one_out_neighbours_are_those_of_scikit_learn(rows):
    points = random_points(90, 5)
    found = nearest(points, points, 8, rows=rows, exclude_self=True)
    # Without queries scikit-learn leaves every point out of its own neighbours.
    distances, expected = (
        NearestNeighbors(n_neighbors=8, algorithm="brute").fit(points).kneighbors()
    )
    np.testing.assert_array_equal(found.rows, expected)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4)


@st.composite
def clouds(draw):
    """Whole-number points, where many distances tie and many points are the same."""
    dims = draw(st.integers(1, 4))
    n_references = draw(st.integers(2, 30))
    n_queries = draw(st.integers(1, 6))
    largest = draw(st.sampled_from([1, 3, 50]))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    dtype = draw(st.sampled_from([np.float16, np.float32]))
    references = generator.integers(-largest, largest + 1, (n_references, dims)).astype(dtype)
    queries = generator.integers(-largest, largest + 1, (n_queries, dims)).astype(dtype)
    k = draw(st.integers(1, n_references))
    rows = draw(st.integers(1, n_references + 2))
    return references, queries, k, rows


@given(clouds())
def test_no_nearer_reference_is_left_out_whatever_the_blocks(case):
    references, queries, k, rows = case
    found = nearest(queries, references, k, rows=rows)
    exact = distances_in_float64(queries, references)
    assert found.rows.shape == (len(queries), k)
    # Where distances tie any of the tied may be named: compare distances, then what was named.
    np.testing.assert_allclose(found.distances, np.sort(exact, axis=1)[:, :k], atol=0.02)
    named = np.take_along_axis(exact, found.rows, axis=1)
    np.testing.assert_allclose(named, np.sort(exact, axis=1)[:, :k], atol=1e-9)
    assert all(len(set(row)) == k for row in found.rows.tolist())


@given(clouds())
def test_query_is_never_its_own_neighbour(case):
    points, _, k, rows = case
    k = min(k, len(points) - 1)
    ids = np.arange(len(points)) * 3 + 100
    found = nearest(points, points, k, rows=rows, query_ids=ids, ids=ids, exclude_self=True)
    assert not (found.rows == np.arange(len(points))[:, None]).any()
    exact = distances_in_float64(points, points)
    np.fill_diagonal(exact, np.inf)
    named = np.take_along_axis(exact, found.rows, axis=1)
    np.testing.assert_allclose(named, np.sort(exact, axis=1)[:, :k], atol=1e-9)


def test_a_twin_of_the_query_is_its_neighbour():
    points = np.array([[0.0], [0.0], [5.0]], np.float32)
    found = nearest(points, points, 1, exclude_self=True)
    assert found.rows[:2].tolist() == [[1], [0]]
    np.testing.assert_allclose(found.distances[:2], 0, atol=1e-6)


def test_self_is_known_by_its_id_not_by_its_row():
    references = np.array([[0.0], [1.0], [2.0]], np.float32)
    found = nearest(
        references[1:], references, 1, query_ids=np.array([7, 9]), ids=np.array([9, 7, 8]),
        exclude_self=True,
    )  # fmt: skip
    # Query 7 is reference row 1, and query 9 is called like row 0.
    assert found.rows[0, 0] in (0, 2)
    assert found.rows[1, 0] == 2


def test_far_from_the_origin_distances_keep_their_digits():
    near, queries = random_points(80, 6), random_points(20, 6, seed=1)
    far = np.float32(1000)
    found = nearest(queries + far, near + far, 5)
    exact = distances_in_float64(queries + far, near + far)
    np.testing.assert_allclose(found.distances, np.sort(exact, axis=1)[:, :5], rtol=1e-3)


def test_half_precision_is_computed_with_as_float32():
    references = random_points(60, 8, dtype=np.float16)
    queries = random_points(9, 8, seed=1, dtype=np.float16)
    found = nearest(queries, references, 4)
    exact = distances_in_float64(queries, references)
    np.testing.assert_array_equal(found.rows, np.argsort(exact, axis=1)[:, :4])
    np.testing.assert_allclose(found.distances, np.sort(exact, axis=1)[:, :4], rtol=1e-4)


def test_inputs_are_not_changed():
    references, queries = random_points(20, 3), random_points(5, 3, seed=1)
    before = references.copy(), queries.copy()
    nearest(queries, references, 3)
    np.testing.assert_array_equal(references, before[0])
    np.testing.assert_array_equal(queries, before[1])


@pytest.mark.parametrize(("exclude_self", "k"), [(False, 11), (True, 10)])
def test_too_few_references_are_refused(exclude_self, k):
    points = random_points(10, 2)
    with pytest.raises(ValueError, match=rf"{k} neighbours asked for, but there are {k - 1} ref"):
        nearest(points, points, k, rows=3, exclude_self=exclude_self)
    nearest(points, points, k - 1, rows=3, exclude_self=exclude_self)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_no_number_names_its_example(value):
    references, queries = random_points(20, 3), random_points(5, 3, seed=1)
    broken = references.copy()
    broken[13, 1] = value
    ids = np.arange(20) + 1000
    with pytest.raises(ValueError, match="example 1013 is infinite or not a number"):
        nearest(queries, broken, 2, rows=4, ids=ids)
    broken = queries.copy()
    broken[3, 0] = value
    with pytest.raises(ValueError, match="example 503 is infinite or not a number"):
        nearest(broken, references, 2, query_ids=np.arange(5) + 500)


def test_a_value_that_is_no_number_in_the_first_block_names_its_example():
    references = random_points(20, 3)
    references[2, 1] = np.inf
    with pytest.raises(ValueError, match="example 2 is infinite"):
        nearest(random_points(5, 3), references, 2, query_ids=np.arange(5) + 500)


def test_a_value_whose_square_overflows_names_its_example():
    # Finite, but every distance from it would be infinite and any reference its neighbour.
    points = random_points(20, 3)
    broken = points.copy()
    broken[5] = 3e19
    with pytest.raises(ValueError, match="example 5 is too large"):
        nearest(points[:4], broken, 2, rows=6, query_ids=np.arange(4) + 500, ids=np.arange(20))
    with pytest.raises(ValueError, match="example 505 is too large"):
        nearest(broken[:6], points, 2, rows=6, query_ids=np.arange(6) + 500)


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=20),
    st.integers(5, 7),
)
def test_votes_are_counted_and_a_tie_goes_to_the_smallest_class(labels, n_classes):
    prediction, votes = brute.vote(np.array(labels, np.int16), n_classes)
    for row, winner, counts in zip(labels, prediction, votes, strict=True):
        expected = [row.count(c) for c in range(n_classes)]
        assert counts.tolist() == expected
        assert winner == expected.index(max(expected))
    assert prediction.dtype == np.int16
    assert votes.dtype == np.uint16


def test_a_tie_worked_by_hand():
    prediction, _ = brute.vote(np.array([[2, 1, 2, 1], [3, 3, 0, 1], [5, 5, 0, 0]]), 6)
    assert prediction.tolist() == [1, 3, 0]


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_classes_are_those_of_scikit_learn_with_its_ties(k):
    references, queries = random_points(150, 4), random_points(80, 4, seed=1)
    labels = np.random.default_rng(2).integers(0, 3, 150).astype(np.int16)
    found = nearest(queries, references, k)
    prediction, _ = brute.vote(labels[found.rows], 3)
    oracle = KNeighborsClassifier(n_neighbors=k, algorithm="brute").fit(references, labels)
    np.testing.assert_array_equal(prediction, oracle.predict(queries))


@given(memory=st.floats(1e6, 1e11), dims=st.integers(1, 200_000), n_queries=st.integers(1, 10**7))
def test_blocks_stay_within_the_memory_and_always_make_progress(memory, dims, n_queries):
    plan = brute.plan_memory(memory, dims=dims, n_queries=n_queries)
    assert 1 <= plan.queries <= n_queries
    assert plan.references >= 1
    assert 1 <= plan.tile <= plan.queries
    if min(plan) > 1:
        # Both blocks as stored and as centred float32, and the squares with their sort.
        points = 8 * dims * (plan.queries + plan.references)
        assert points + 12 * plan.tile * plan.references <= memory


def test_more_memory_means_larger_blocks():
    small = brute.plan_memory(1e7, dims=1000, n_queries=10**6)
    large = brute.plan_memory(1e9, dims=1000, n_queries=10**6)
    assert large.queries > small.queries
    assert large.references > small.references
