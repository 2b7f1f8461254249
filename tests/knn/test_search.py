"""The search against the simple version and scikit-learn, on points that try to mislead it."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from depthlens.knn import screens, sweep
from depthlens.knn.points import Array, Selection
from depthlens.knn.search import Neighbours, Queries, merge, nearest
from depthlens.knn.votes import vote

from . import reference
from .reference import Pieces, assert_same_distances, assert_same_neighbours

PRECISIONS = ["bfloat16", "float32", "float64", "auto"]
ROWS_AT_ONCE = [6, 20, 64, 10**6]
"""What memory is allowed for: from pieces of everything to everything at once."""
TINIEST = 2.0**-149


@pytest.fixture(scope="module", params=["symmetric", "one-sided"])
def sides(request):
    """Leave-one-out with each product made once and made twice: long and short points differ.

    For tests in which references ask about themselves; others never come near it.
    """
    least = 0 if request.param == "symmetric" else 10**9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_SYMMETRIC_POINT_BYTES", least)
        yield request.param


def memory_for(rows: int, dims: int) -> float:
    """Bytes with which a sweep takes so many rows of float32 at a time."""
    return max(3e4, rows * 4 * dims / 0.15)


def search(queries, references, k, *, exclude_self=False, **how) -> Neighbours:
    """Neighbours of one set of queries; arrays are known by their rows."""
    queries, references = (
        Array(points) if isinstance(points, np.ndarray) else points
        for points in (queries, references)
    )
    (found,) = nearest([Queries(queries, exclude_self)], references, n_neighbors=k, **how)
    return found


def normal(n, dims, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)


def sorted_by_class(generator, n, dims):
    centres = generator.normal(size=(3, dims)) * 5
    return centres[np.sort(generator.integers(0, 3, n))] + generator.normal(size=(n, dims))


def with_some_far_away(generator, n, dims):
    """Lengths from 1 to more than float32 can square."""
    points = generator.normal(size=(n, dims))
    points[generator.random(n) < 0.1] *= 10.0 ** generator.uniform(5, 25)
    return points


KINDS = {
    "normal": lambda generator, n, dims: generator.normal(size=(n, dims)),
    "whole": lambda generator, n, dims: generator.integers(-2, 3, (n, dims)),
    "binary": lambda generator, n, dims: generator.integers(0, 2, (n, dims)),
    "rectified": lambda generator, n, dims: np.maximum(generator.normal(size=(n, dims)) - 1, 0),
    "constant": lambda generator, n, dims: np.full((n, dims), 0.3),
    "zero": lambda generator, n, dims: np.zeros((n, dims)),
    "far from the origin": lambda generator, n, dims: generator.normal(size=(n, dims)) + 1000,
    "narrow": lambda generator, n, dims: generator.normal(size=(n, dims)) * 1e-4 + 7,
    "by class": sorted_by_class,
    "some far away": with_some_far_away,
    "few distinct": lambda generator, n, dims: generator.normal(size=(3, dims))[
        generator.integers(0, 3, n)
    ],
}


@st.composite
def clouds(draw, least=1, most=100):
    """Queries, references and a generator for more; every fourth query is a reference."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    make = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    dims = draw(st.one_of(st.integers(1, 8), st.integers(60, 70), st.integers(1, 700)))
    n_queries = draw(st.sampled_from([0, 1, 2, 9, 20]))
    n_references = draw(st.integers(least, most))
    points = make(generator, n_queries + n_references, dims).astype(np.float64)
    scale = draw(st.sampled_from([1, 1, 1, 1, 1e30, 1e-30, 1e-40, "largest"]))
    if scale == "largest":
        scale = 3e37 / max(1e-30, np.linalg.norm(points, axis=1).max())
    points *= min(scale, 3e37 / max(1e-30, np.linalg.norm(points, axis=1).max()))
    dtype = draw(st.sampled_from([np.float32, np.float32, np.float64, np.float16]))
    if dtype != np.float16 or (np.abs(points).max() < 1e4 and scale == 1):
        points = points.astype(dtype)
    queries, references = points[:n_queries], points[n_queries:]
    queries[::4] = references[generator.integers(0, n_references, len(queries[::4]))]
    return queries, references, generator


def neighbours_among(n: int) -> st.SearchStrategy[int]:
    return st.sampled_from([1, 2, 5, 30, n]).map(lambda k: min(k, n))


@settings(max_examples=120, deadline=None)
@given(clouds(), st.data(), st.sampled_from(PRECISIONS), st.sampled_from(ROWS_AT_ONCE))
def test_neighbours_are_those_of_brute_force(case, data, precision, rows):
    queries, references, _ = case
    k = data.draw(neighbours_among(len(references)))
    how = {"precision": precision, "memory": memory_for(rows, references.shape[1])}
    if data.draw(st.booleans()):
        found = search(Array(torch.from_numpy(queries)), Array(references), k, **how)
    else:
        ids = np.arange(len(queries)), np.arange(len(references))
        found = search(Pieces(queries, ids[0]), Pieces(references, ids[1]), k, **how)
    assert_same_neighbours(found, reference.nearest(queries, references, k))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dims", [3, 100, 700])
@pytest.mark.parametrize("k", [1, 5, 30])
def test_distances_and_votes_are_those_of_scikit_learn(precision, dims, k):
    queries, references = normal(60, dims), normal(300, dims, seed=1)
    labels = np.random.default_rng(2).integers(0, 3, 300).astype(np.int16)
    found = search(queries, references, k, precision=precision)
    double = queries.astype(np.float64), references.astype(np.float64)
    oracle = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(double[1])
    distances, rows = oracle.kneighbors(double[0])
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)
    classifier = KNeighborsClassifier(n_neighbors=k, algorithm="brute").fit(double[1], labels)
    np.testing.assert_array_equal(vote(labels[found.rows]), classifier.predict(double[0]))


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_leave_one_out_neighbours_are_those_of_scikit_learn(precision):
    points = normal(200, 50)
    found = search(same := Array(points), same, 8, exclude_self=True, precision=precision)
    # Without queries scikit-learn leaves every point out of its own neighbours.
    oracle = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(points.astype(np.float64))
    distances, rows = oracle.kneighbors()
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(sorted(KINDS)), st.integers(1, 300),
    st.sampled_from([0, 1e4, 1.7e9, 1e14]), st.sampled_from([0, 1e3, 1e8]),
    st.sampled_from([0, 0, 60, -60, 400, -400]), st.sampled_from(PRECISIONS),
    st.sampled_from([np.float32, np.float64]), st.booleans(),
)  # fmt: skip
def test_float64_points_are_told_apart_where_float32_cannot(
    seed, kind, dims, offset, away, power, precision, of_queries, swapped
):
    generator = np.random.default_rng(seed)
    points = KINDS[kind](generator, 70, dims).clip(-1e9, 1e9) + offset
    # Scaled so that nothing is rounded; queries lie beside the references, or far from them all.
    queries, references = (points[:9] + away) * 2.0**power, points[9:] * 2.0**power
    queries[::4] = references[:3]
    if abs(power) < 100:
        queries = queries.astype(of_queries)
    queries, references = (references, queries) if swapped else (queries, references)
    found = search(queries, references, 5, precision=precision)
    expected = reference.nearest(queries, references, 5)
    assert expected.distances.dtype == np.float64
    assert_same_neighbours(found, expected)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("away", [0, 1e9])
def test_neighbours_of_seconds_are_those_of_scikit_learn(away, precision):
    generator = np.random.default_rng(0)
    seconds = 1.7e9 + generator.normal(size=(500, 3)) * 50
    queries = seconds[:40] + generator.normal(size=(40, 3)) + away
    found = search(queries, seconds, 5, precision=precision)
    centre = seconds.mean(0)  # where its own arithmetic is sound
    oracle = NearestNeighbors(n_neighbors=5, algorithm="kd_tree").fit(seconds - centre)
    distances, rows = oracle.kneighbors(queries - centre)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)


@settings(max_examples=80, deadline=None)
@given(clouds(least=2), st.data(), st.sampled_from(PRECISIONS), st.sampled_from(ROWS_AT_ONCE))
def test_query_is_never_its_own_neighbour(case, data, precision, rows):
    queries, references, generator = case
    k = data.draw(neighbours_among(len(references) - 1))
    reference_ids = generator.permutation(len(references) * 3)[: len(references)]
    # Some are the id of a reference in another row, whose point differs; some of none.
    query_ids = generator.permutation(len(queries) + len(references) * 3)[: len(queries)]
    found = search(
        Array(queries, query_ids), Array(references, reference_ids), k,
        exclude_self=True, precision=precision, memory=memory_for(rows, references.shape[1]),
    )  # fmt: skip
    assert not (reference_ids[found.rows] == query_ids[:, None]).any()
    expected = reference.nearest(
        queries, references, k, query_ids=query_ids, reference_ids=reference_ids
    )
    assert_same_neighbours(found, expected)


@pytest.mark.usefixtures("sides")
@settings(max_examples=60, deadline=None)
@given(
    clouds(least=2, most=50), st.data(), st.sampled_from(PRECISIONS), st.sampled_from(ROWS_AT_ONCE)
)
def test_references_that_ask_about_themselves_are_told_what_a_copy_is_told(
    case, data, precision, rows
):
    queries, points, generator = case
    k = data.draw(neighbours_among(len(points) - 1))
    ids = generator.permutation(1000)[: len(points)]
    references, others = Array(points, ids), Array(queries, np.arange(len(queries)) + 5000)
    memory = memory_for(rows, references.dims)
    how = {"n_neighbors": k, "precision": precision, "memory": memory}
    sets = [Queries(others), Queries(references, exclude_self=True)]
    if data.draw(st.booleans()):
        sets.reverse()
    found = dict(zip(map(id, sets), nearest(sets, references, **how), strict=True))
    of_others, of_themselves = (
        found[id(some)] for some in sorted(sets, key=lambda some: some.exclude_self)
    )
    (of_copy,) = nearest([Queries(Array(points, ids), exclude_self=True)], references, **how)
    np.testing.assert_array_equal(of_themselves.rows, of_copy.rows)
    np.testing.assert_array_equal(of_themselves.distances, of_copy.distances)
    assert_same_neighbours(
        of_themselves, reference.nearest(points, points, k, query_ids=ids, reference_ids=ids)
    )
    assert_same_neighbours(of_others, reference.nearest(queries, points, k))


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("rows", [7, 40, 10**6])
def test_half_of_the_products_among_the_references_are_enough(monkeypatch, sides, rows, precision):
    points, others = Array(normal(150, 2000), np.arange(150)[::-1]), Array(normal(9, 2000, seed=1))
    products = []
    product = screens.Screen.product

    def counted(screen, a, b, buffer):
        products.append(len(a) * len(b))
        return product(screen, a, b, buffer)

    sets = [Queries(others), Queries(points, exclude_self=True)]
    how = {"n_neighbors": 2, "precision": precision, "memory": memory_for(rows, 2000)}
    with monkeypatch.context() as patch:
        patch.setattr(screens.Screen, "product", counted)
        found = nearest(sets, points, **how)
    ids = {"query_ids": points.ids, "reference_ids": points.ids}
    assert_same_neighbours(
        found[0], reference.nearest(others.values.numpy(), points.values.numpy(), 2)
    )
    of_themselves = reference.nearest(points.values.numpy(), points.values.numpy(), 2, **ids)
    assert_same_neighbours(found[1], of_themselves)
    if precision == "float32" and rows < 150:
        # Blocks on the diagonal are computed whole.
        half = 150 * 9 + 150 * (150 + rows) / 2 + rows**2
        assert sum(products) <= half if sides == "symmetric" else sum(products) == 150 * 159


@pytest.mark.usefixtures("sides")
def test_a_twin_of_the_query_is_its_neighbour():
    points = Array(np.array([[0.0], [0.0], [5.0]], np.float32))
    found = search(points, points, 1, exclude_self=True)
    assert found.rows[:2].tolist() == [[1], [0]]
    assert found.distances[:2].tolist() == [[0], [0]]


def test_self_is_known_by_its_id_not_by_its_row():
    values = np.array([[0.0], [1.0], [2.0]], np.float32)
    found = search(
        Array(values[1:], np.array([7, 9])), Array(values, np.array([9, 7, 8])), 1,
        exclude_self=True,
    )  # fmt: skip
    # Query 7 is reference row 1, and query 9 is called like row 0.
    assert found.rows.tolist() == [[0], [2]]


@settings(max_examples=60, deadline=None)
@given(
    clouds(), st.data(), st.sampled_from(PRECISIONS), st.sampled_from(ROWS_AT_ONCE), st.booleans()
)
def test_the_first_neighbours_up_to_a_rank_that_is_asked_about_are_the_nearest(
    case, data, precision, rows, exclude_self
):
    queries, references, _ = case
    most = len(references) - exclude_self
    if most == 0:
        return
    k = data.draw(neighbours_among(most))
    ranks = data.draw(
        st.one_of(st.just({k}), st.just({1, k}), st.sets(st.integers(1, k), min_size=1))
    )
    ids = np.arange(len(queries))
    known = {"query_ids": ids, "reference_ids": np.arange(len(references))} if exclude_self else {}
    expected = reference.nearest(queries, references, k, **known)
    how = {"precision": precision, "memory": memory_for(rows, references.shape[1])}
    found = search(queries, references, k, exclude_self=exclude_self, ranks=sorted(ranks), **how)
    assert found.rows.shape == (len(queries), k)
    some = expected.certain
    for rank in ranks:
        np.testing.assert_array_equal(
            np.sort(found.rows[some, :rank]), np.sort(expected.rows[some, :rank])
        )
        assert_same_distances(found.distances[some, rank - 1], expected.distances[some, rank - 1])
    # What was not computed is said to be so, not guessed: the others are those of their rows.
    everyone = reference.nearest(queries, references, most, **known)
    place = (everyone.rows[:, None] == found.rows[..., None]).argmax(2)
    true = np.take_along_axis(everyone.distances, place, 1)
    some = everyone.certain[:, None] & ~np.isnan(found.distances)
    assert_same_distances(found.distances[some], true[some])


@settings(max_examples=80, deadline=None)
@given(clouds(least=4), st.data(), st.sampled_from(PRECISIONS), st.booleans())
def test_shards_of_the_references_together_are_the_references(case, data, precision, exclude_self):
    queries, points, generator = case
    n = len(points)
    points[n // 2 :] = points[: n - n // 2]  # ties across shards
    ids = generator.permutation(n)
    references, asking = Array(points, ids), Array(queries, np.arange(len(queries)))
    pieces = np.array_split(np.arange(n), data.draw(st.integers(1, n // 2)))
    # With a query's own reference left out, a shard has one neighbour less to give.
    k = data.draw(st.integers(1, len(pieces[-1]) - 1 if exclude_self else n))
    shards = []
    for rows in pieces:
        shard, most = Selection(references, rows), min(k, len(rows))
        found = search(asking, shard, most, exclude_self=exclude_self, precision=precision)
        shards.append(found._replace(rows=found.rows + rows[0]))
    whole = search(asking, references, k, exclude_self=exclude_self, precision=precision)
    merged = merge(shards, n_neighbors=k)
    np.testing.assert_array_equal(merged.rows, whole.rows)
    np.testing.assert_array_equal(merged.distances, whole.distances)
    assert sum(merged.proven.values()) == len(shards) * len(queries)


@pytest.mark.parametrize("exclude_self", [False, True])
def test_of_equally_far_references_the_first_rows_of_all_shards_count(exclude_self):
    points, n_shards, k = np.zeros((40, 3), np.float32), 4, 7
    references = Array(points)
    shards = []
    for rows in np.split(np.arange(40), n_shards):
        shard = Selection(references, rows)
        found = search(references, shard, k, exclude_self=exclude_self)
        shards.append(found._replace(rows=found.rows + rows[0]))
    # The order in which shards are done must not matter.
    merged = merge(shards[::-1], n_neighbors=k)
    known = {"query_ids": references.ids, "reference_ids": references.ids} if exclude_self else {}
    expected = reference.nearest(points, points, k, **known)
    np.testing.assert_array_equal(merged.rows, expected.rows)


def test_a_merge_worked_by_hand():
    near = Neighbours(np.array([[5, 6]]), np.array([[1, 3]], np.float32), {"float32": 1})
    far = Neighbours(np.array([[0, 1]]), np.array([[1, 2]], np.float32), {"float64": 1})
    merged = merge([near, far], n_neighbors=3)
    assert merged.rows.tolist() == [[0, 5, 1]]
    assert merged.distances.tolist() == [[1, 1, 2]]
    assert merged.proven == {"float32": 1, "float64": 1}


# Points that defeat a screen


def ring(n, dims, spread, seed=0):
    """Points whose distances from the origin differ by less than a screen can tell."""
    points = np.random.default_rng(seed).normal(size=(n, dims))
    lengths = 1 + spread * np.random.default_rng(seed + 1).random((n, 1))
    return (points / np.linalg.norm(points, axis=1, keepdims=True) * lengths).astype(np.float32)


def proven_by(found: Neighbours) -> set[str]:
    return {name for name, count in found.proven.items() if count}


@pytest.mark.parametrize("unit", [1, 1e-6, 1e6])
@pytest.mark.parametrize("memory", [3e4, 1e9])
@pytest.mark.parametrize(("spread", "needed"), [(3e-3, {"float32"}), (1e-6, {"float64"})])
def test_neighbours_closer_together_than_bfloat16_can_tell_are_told_apart(
    spread, needed, memory, unit
):
    queries, references = 1e-6 * unit * normal(6, 300), unit * ring(500, 300, spread)
    found = search(queries, references, 5, precision="bfloat16", memory=memory)
    assert proven_by(found) == needed
    assert_same_neighbours(found, reference.nearest(queries, references, 5))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_references_that_float32_says_are_nearly_all_equally_far_are_all_compared(precision):
    # More of them than the longest shortlist that float64 begins with.
    queries, references = np.zeros((2, 30)), ring(500, 30, 0.0)
    found = search(queries, references, 5, precision=precision)
    assert proven_by(found) == {"float64"}
    assert_same_neighbours(found, reference.nearest(queries, references, 5))


def test_bfloat16_proves_what_is_easy():
    centres = 10 * normal(20, 300)
    references = np.repeat(centres, 10, 0) + np.linspace(0, 9, 200, dtype=np.float32)[:, None] % 1
    queries = centres + normal(20, 300, seed=1) * 0.01
    found = search(queries, references, 5, precision="bfloat16")
    assert found.proven == {"bfloat16": 20, "float32": 0}
    assert_same_neighbours(found, reference.nearest(queries, references, 5))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_narrow_clusters_far_from_each_other_and_from_the_origin(precision):
    generator = np.random.default_rng(0)
    centres = 1000 + 100 * generator.normal(size=(4, 300))
    references = np.repeat(centres, 60, 0) + 1e-3 * generator.normal(size=(240, 300))
    queries = centres + 1e-3 * generator.normal(size=(4, 300))
    found = search(queries, references, 7, precision=precision)
    assert proven_by(found) == {"float64"}
    assert_same_neighbours(found, reference.nearest(queries, references, 7))


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_binary_points_with_masses_of_ties(precision, exclude_self):
    points = np.random.default_rng(0).integers(0, 2, (400, 9)).astype(np.float32)
    references = Array(points)
    found = search(references, references, 9, precision=precision, exclude_self=exclude_self)
    known = {"query_ids": references.ids, "reference_ids": references.ids} if exclude_self else {}
    assert_same_neighbours(found, reference.nearest(points, points, 9, **known))
    assert found.proven["float64"] > 0  # where more tie for rank k than a shortlist holds


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("k", [1, 3, 20])
def test_references_that_are_all_equal_are_taken_by_row(k, precision, exclude_self):
    references = Array(np.full((150, 5), 0.1, np.float32))
    found = search(references, references, k, precision=precision, exclude_self=exclude_self)
    for query, rows in enumerate(found.rows.tolist()):
        assert rows == [row for row in range(150) if not (exclude_self and row == query)][:k]
    assert not found.distances.any()


def test_zero_and_minus_zero_are_the_same_point():
    references = np.zeros((50, 2), np.float32)
    references[::2] *= -1
    found = search(np.ones((1, 2)), references, 6)
    assert found.rows.tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("k", [1, 4])
def test_distances_that_differ_only_in_float64_are_a_tie(k):
    # 1 + n · 1e-9 in float32 is 1: of references that far the first rows are the nearest.
    references = np.zeros((60, 2), np.float32)
    references[:, 0], references[:, 1] = 1, np.sqrt(np.arange(60)[::-1] * 1e-10)
    found = search(np.zeros((1, 2), np.float32), references, k)
    assert found.rows.tolist() == [list(range(k))]
    assert found.distances.tolist() == [[1.0] * k]
    double = search(np.zeros((1, 2)), references, k)
    assert double.rows.tolist() == [list(range(60))[: -k - 1 : -1]]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("n", [3, 300])
def test_distances_too_small_for_all_digits_of_float32_may_tie(precision, n):
    # The first is √2 times as far as the second, but neither is more than the smallest float32.
    references = np.full((n, 2), 50 * TINIEST, np.float32)
    references[:2] = [[TINIEST, TINIEST], [TINIEST, 0]]
    found = search(np.zeros((1, 2), np.float32), references, 1, precision=precision)
    assert found.rows.tolist() == [[0]]
    assert found.distances.tolist() == [[TINIEST]]
    assert search(np.zeros((1, 2)), references, 1, precision=precision).rows.tolist() == [[1]]


# Points so much longer than the others that products overflow


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("query", "near", "step"), [(1e19, 1.87e19, 1e17), (1.1e18, 1.2e18, 1e16)])
def test_a_reference_whose_square_overflows_is_found(query, near, step, precision):
    # The second query's own square does not.
    references = np.concatenate(
        [np.resize([-1, 1], 40), np.arange(1, 13) * step, [near], np.resize([-1, 1], 360)]
    )[:, None]
    found = search(np.array([[query]]), references.astype(np.float32), 1, precision=precision)
    assert found.rows.tolist() == [[52]]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_reference_that_overflows_hides_no_other(precision):
    references = np.stack([normal(600, 1)[:, 0] * np.float32(1e-35), np.zeros(600)], 1)
    references[40] = [0, 1e10]  # with the zeros of a query: not a number
    queries = references[::5].copy()
    found = search(queries, references, 3, precision=precision)
    assert_same_neighbours(found, reference.nearest(queries, references, 3))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("n", [5, 200])
@pytest.mark.parametrize("exclude_self", [False, True])
def test_a_query_that_overflows_has_the_neighbours_that_it_has(precision, n, exclude_self):
    references = normal(n, 2) * np.float32(1e-36)
    queries = np.array([[1e10, 0], [0, 1e-10], [1e30, 1e30], [3e-36, 0]], np.float32)
    found = search(queries, references, 2, precision=precision, exclude_self=exclude_self)
    ids = {"query_ids": np.arange(4), "reference_ids": np.arange(n)} if exclude_self else {}
    assert_same_neighbours(found, reference.nearest(queries, references, 2, **ids))


@pytest.mark.usefixtures("sides")
def test_few_references_need_no_proof_beyond_the_first_screen():
    points = Array(normal(15, 4))
    found = search(points, points, 5, exclude_self=True, precision="bfloat16")
    assert found.proven == {"bfloat16": 15, "float32": 0}


# What is refused


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize(("exclude_self", "k"), [(False, 11), (True, 10)])
def test_too_few_references_are_refused(exclude_self, k):
    points = Array(normal(10, 2))
    with pytest.raises(ValueError, match=rf"{k} neighbours asked for, but there are {k - 1} ref"):
        search(points, points, k, exclude_self=exclude_self)
    assert search(points, points, k - 1, exclude_self=exclude_self).rows.shape == (10, k - 1)


def test_other_dims_are_refused():
    with pytest.raises(ValueError, match="queries have 3 dims, references 2"):
        search(normal(4, 3), normal(9, 2), 1)


def test_two_references_of_one_id_are_refused():
    with pytest.raises(ValueError, match="two references have the id 7"):
        search(normal(4, 2), Array(normal(4, 2), np.array([7, 3, 2, 7])), 1)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("n", [20, 2000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_no_number_names_its_example(value, dtype, n, precision):
    points = normal(n, 3).astype(dtype)
    broken = points.copy()
    broken[13, 1] = broken[15, 2] = value
    how = {"precision": precision, "memory": 3e4}
    with pytest.raises(ValueError, match=r"^here: .* example 1013 is infinite or not a number"):
        search(points[:5], Array(broken, np.arange(n) + 1000, source="here"), 2, **how)
    with pytest.raises(ValueError, match="example 513 is infinite or not a number"):
        search(Array(broken, np.arange(n) + 500), points, 2, **how)
    with pytest.raises(ValueError, match="example 13 is infinite or not a number"):
        search(Pieces(broken, np.arange(n), most=4), points, 2, **how)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("others", [1.0, 1e-30, 5e37])
def test_a_point_too_large_to_have_distances_names_its_example(others, dtype, precision):
    # Finite, but distances to it might not fit in float32.
    points = (normal(400, 3) * others / 3).astype(dtype)
    broken = points.copy()
    broken[45] = 2e38 if dtype == np.float32 else 1e300
    with pytest.raises(ValueError, match="example 45 is too large"):
        search(points[:4], broken, 2, precision=precision)
    with pytest.raises(ValueError, match="example 545 is too large"):
        search(Array(broken, np.arange(400) + 500), points, 2, precision=precision)


def test_points_that_are_all_too_large_are_refused():
    # 1.2e38 in each of three coordinates.
    with pytest.raises(ValueError, match="example 0 is too large"):
        search(normal(4, 3), np.full((30, 3), 1.2e38, np.float32), 1)
    near = np.full((30, 3), 0.5e38, np.float32)
    assert search(near, -near, 1).distances.ravel().tolist() == [np.float32(3**0.5 * 1e38)] * 30


# What a caller may rely on


@pytest.mark.parametrize("precision", PRECISIONS)
def test_products_are_not_shortened_while_they_are_made(monkeypatch, precision):
    before, seen = torch.get_float32_matmul_precision(), set()
    product = screens.Screen.product

    def watched(*operands):
        cuda, cpu = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
        seen.add((cuda.fp32_precision, cpu.fp32_precision))
        return product(*operands)

    monkeypatch.setattr(screens.Screen, "product", watched)
    try:
        torch.set_float32_matmul_precision("medium")
        search(normal(5, 3), normal(60, 3), 2, precision=precision)
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == {("ieee", "ieee")}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("allowed", ["medium", "high", "highest"])
def test_what_torch_may_shorten_changes_nothing_and_is_as_before_afterwards(allowed, precision):
    queries, references = normal(40, 300), normal(300, 300, seed=1)
    expected = reference.nearest(queries, references, 5)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(allowed)
        cuda, cpu = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
        settings_before = cuda.fp32_precision, cpu.fp32_precision
        found = search(queries, references, 5, precision=precision)
        with pytest.raises(ValueError, match="infinite"):
            search(queries * np.inf, references, 5, precision=precision)
        assert torch.get_float32_matmul_precision() == allowed
        assert (cuda.fp32_precision, cpu.fp32_precision) == settings_before
    finally:
        torch.set_float32_matmul_precision(before)
    assert_same_neighbours(found, expected)


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_inputs_are_not_changed(precision):
    for kind in sorted(KINDS):
        points = KINDS[kind](np.random.default_rng(0), 70, 6).astype(np.float32)
        before, references = points.copy(), Array(points)
        search(points[:9], references, 3, precision=precision)
        search(references, references, 3, precision=precision, exclude_self=True)
        np.testing.assert_array_equal(points, before)


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("memory", [2e4, 1e5, 1e9])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_progress_rises_to_all_that_there_is_to_do(memory, precision):
    references = Array(normal(150, 20))
    shares: list[float] = []
    nearest(
        [Queries(references, exclude_self=True), Queries(Array(normal(30, 20, seed=1)))],
        references, n_neighbors=3, memory=memory, precision=precision, progress=shares.append,
    )  # fmt: skip
    if precision == "float64":  # it has no sweep of its own
        return
    n_screens = 2 if precision == "bfloat16" else 1
    assert sum(abs(share - 1) < 1e-9 for share in shares) >= 1
    assert sum(later < earlier for earlier, later in pairwise(shares)) <= n_screens - 1
    assert all(0 < share <= 1 + 1e-9 for share in shares)


def test_no_queries_have_no_neighbours():
    references = Array(normal(20, 3))
    empty = Array(np.empty((0, 3), np.float32))
    none, some = nearest([Queries(empty), Queries(references)], references, n_neighbors=4)
    assert none.rows.shape == none.distances.shape == (0, 4)
    assert sum(none.proven.values()) == 0
    assert len(some.rows) == 20
    assert nearest([], references, n_neighbors=4) == []


@pytest.mark.parametrize(("k", "ranks"), [(0, None), (-1, None), (3, []), (3, [0]), (3, [4])])
def test_neighbours_or_ranks_out_of_range_are_refused(k, ranks):
    points = Array(np.eye(9, dtype=np.float32))
    with pytest.raises(ValueError, match=f"{k} neighbours asked for, with ranks"):
        nearest([Queries(points)], points, n_neighbors=k, ranks=ranks)
