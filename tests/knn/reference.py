"""The simple version of the search, kept as the reference: every distance, then a sort."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.knn.search import Neighbours


class Expected(NamedTuple):
    """The nearest references of each query."""

    rows: NDArray[np.int64]
    distances: NDArray[np.floating]
    certain: NDArray[np.bool_]
    """shape (n_queries,): the order of a sum in float64 decides nothing: no distance is close to
    the middle of two float32 numbers, or, in float64, to that of a point that is not equal"""


def nearest(
    queries: NDArray[np.floating],
    references: NDArray[np.floating],
    k: int,
    *,
    query_ids: NDArray[np.int64] | None = None,
    reference_ids: NDArray[np.int64] | None = None,
) -> Expected:
    """The k nearest, ties by row, in float64 if some points are; with ids, not the query's own."""
    exact = np.promote_types(np.float32, np.promote_types(queries.dtype, references.dtype))
    queries, references = queries.astype(exact), references.astype(exact)
    squared = np.empty((len(queries), len(references)))
    for row, query in enumerate(queries):
        squared[row] = np.square((query - references).astype(np.float64)).sum(1)
    distances = np.sqrt(squared).astype(exact)
    if exact == np.float64:
        _, point = np.unique(references + 0.0, axis=0, return_inverse=True)
        order = np.argsort(squared, 1)
        near, point = np.take_along_axis(squared, order, 1), point.reshape(-1)[order]
        apart = np.diff(near) > 1e-12 * near[:, 1:]
        certain = (apart | (np.diff(point) == 0)).all(1)
    else:
        less, more = (np.sqrt(squared * (1 + error)).astype(exact) for error in (-1e-13, 1e-13))
        certain = (less == more).all(1)
    if query_ids is not None:
        distances[query_ids[:, None] == reference_ids] = np.inf
    rows = np.broadcast_to(np.arange(len(references)), distances.shape)
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return Expected(order, np.take_along_axis(distances, order, 1), certain)


def assert_same_neighbours(found: Neighbours, expected: Expected) -> None:
    """Rows and distances are equal wherever no machine's sums decide them, float32 to the bit."""
    some = expected.certain
    assert found.rows.shape == found.distances.shape == expected.rows.shape
    assert (found.rows.dtype, found.distances.dtype) == (np.int64, expected.distances.dtype)
    np.testing.assert_array_equal(found.rows[some], expected.rows[some])
    assert_same_distances(found.distances[some], expected.distances[some])
    assert sum(found.proven.values()) == len(found.rows)


def assert_same_distances(found: NDArray[np.floating], expected: NDArray[np.floating]) -> None:
    tolerance = 1e-13 if expected.dtype == np.float64 else 0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0)


class Pieces:
    """Points whose reads come back short, as those of a file do."""

    def __init__(
        self,
        values: NDArray[np.floating],
        ids: NDArray[np.int64],
        *,
        most: int = 10**9,
        seed: int = 0,
        source: str = "",
    ):
        self.values, self.ids, self.source = values, ids, source
        self.dims, self._most = values.shape[1], most
        self._generator = np.random.default_rng(seed)

    def read(self, start: int, stop: int) -> NDArray[np.floating]:
        """Any number of rows from `start` on, at least one, at most `most` and up to `stop`."""
        assert 0 <= start < stop <= len(self.values)
        count = self._generator.integers(1, min(stop - start, self._most) + 1)
        return self.values[start : start + int(count)]
