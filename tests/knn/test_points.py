"""Points that come in pieces, as from a file, are the points that they are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_distances

from depthlens.knn.points import Array, Normalized, Selection, read_whole

from .reference import Pieces

CPU = torch.device("cpu")


@st.composite
def tables(draw):
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, dims = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    values = generator.normal(size=(n, dims)).astype(dtype)
    return Pieces(values, np.arange(n) * 3 + 5, seed=draw(st.integers(0, 99))), values, generator


@settings(deadline=None)
@given(tables(), st.data())
def test_a_whole_is_its_pieces(case, data):
    points, values, _ = case
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    whole = read_whole(points, start, stop, CPU)
    assert whole.shape == (stop - start, points.dims)
    np.testing.assert_array_equal(whole.numpy(), values[start:stop])
    if stop > start:
        assert whole.numpy().dtype == values.dtype


@settings(max_examples=200, deadline=None)
@given(tables(), st.data())
def test_a_selection_has_its_rows_and_no_others(case, data):
    points, values, generator = case
    rows = np.flatnonzero(generator.random(len(values)) < data.draw(st.sampled_from([0.1, 0.5, 1])))
    some = Selection(points, rows)
    np.testing.assert_array_equal(some.ids, points.ids[rows])
    assert (some.dims, some.source) == (points.dims, points.source)
    np.testing.assert_array_equal(
        read_whole(some, 0, len(rows), CPU).numpy(), values[rows].reshape(-1, points.dims)
    )
    if len(rows):
        start = data.draw(st.integers(0, len(rows) - 1))
        stop = data.draw(st.integers(start + 1, len(rows)))
        piece = some.read(start, stop)
        assert 1 <= len(piece) <= stop - start
        np.testing.assert_array_equal(piece.numpy(), values[rows[start : start + len(piece)]])


def test_a_selection_of_a_selection_has_the_rows_of_both():
    values = np.arange(30.0).reshape(10, 3)
    twice = Selection(Selection(Pieces(values, np.arange(10)), [1, 4, 5, 8]), [1, 3])
    assert twice.ids.tolist() == [4, 8]
    np.testing.assert_array_equal(read_whole(twice, 0, 2, CPU).numpy(), values[[4, 8]])


def test_an_array_without_ids_is_known_by_its_rows():
    points = Array(np.zeros((4, 2), np.float32))
    assert points.ids.tolist() == [0, 1, 2, 3]
    assert (points.dims, points.source) == (2, "")


@pytest.mark.parametrize(
    "kind", ["array", "tensor", "tensor with a gradient", "other byte order", "backwards"]
)
def test_values_are_read_as_they_are_stored(kind):
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    stored = values if kind == "array" else torch.from_numpy(values)
    if kind == "other byte order":
        stored = values.astype(values.dtype.newbyteorder("S"))
    if kind == "backwards":
        stored = values[::-1].copy()[::-1]
    if kind == "tensor with a gradient":
        stored = stored.clone().requires_grad_()
    points = Array(stored, np.array([7, 8, 9]), source="here")
    piece = points.read(1, 3)
    assert not piece.requires_grad
    np.testing.assert_array_equal(piece.numpy(), values[1:])
    assert points.source == "here"


def test_distances_between_normalized_points_are_those_of_the_cosine():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(12, 4)).astype(np.float32)
    values[3] *= 1e30  # its square is beyond float32
    values[4] *= 1e-12
    values[[5, 7]] = 0
    unit = read_whole(Normalized(Array(values)), 0, 12, CPU)
    assert unit.shape == (12, 5)
    expected = cosine_distances(values.astype(np.float64))
    expected[5, 7] = expected[7, 5] = expected[5, 5] = expected[7, 7] = 0
    np.testing.assert_allclose(torch.cdist(unit, unit) ** 2 / 2, expected, atol=1e-5)


def test_float64_points_are_normalized_in_float64():
    values = np.random.default_rng(0).normal(size=(12, 4)) + 1e6
    unit = read_whole(Normalized(Array(values)), 0, 12, CPU)
    shorter = values / np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(unit[:, :4], shorter, rtol=1e-15)


def test_normalized_points_come_in_pieces_as_the_points_do():
    values = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float16)
    pieces = Normalized(Pieces(values, np.arange(40) + 7, seed=2))
    whole = Normalized(Array(values, np.arange(40) + 7))
    assert torch.equal(read_whole(pieces, 5, 33, CPU), read_whole(whole, 5, 33, CPU))
    assert pieces.ids.tolist() == whole.ids.tolist()
