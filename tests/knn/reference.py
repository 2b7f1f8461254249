"""The simple version of the search, kept as the reference: every distance, then a sort."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.knn.search import Neighbours


class Expected(NamedTuple):
    """The nearest references of each query."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float32]
    certain: NDArray[np.bool_]
    """shape (n_queries,): no distance to a reference is so close to the middle of two float32
    numbers that the order of a sum in float64 decides which it becomes"""


def nearest(
    queries: NDArray[np.floating],
    references: NDArray[np.floating],
    k: int,
    *,
    query_ids: NDArray[np.int64] | None = None,
    reference_ids: NDArray[np.int64] | None = None,
) -> Expected:
    """The k nearest by float32 distance, ties by row; with ids, none with the query's own."""
    queries, references = queries.astype(np.float32), references.astype(np.float32)
    squared = np.empty((len(queries), len(references)))
    for row, query in enumerate(queries):
        squared[row] = np.square((query - references).astype(np.float64)).sum(1)
    distances = np.sqrt(squared).astype(np.float32)
    less, more = (np.sqrt(squared * (1 + error)).astype(np.float32) for error in (-1e-13, 1e-13))
    if query_ids is not None:
        distances[query_ids[:, None] == reference_ids] = np.inf
    rows = np.broadcast_to(np.arange(len(references)), distances.shape)
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return Expected(order, np.take_along_axis(distances, order, 1), (less == more).all(1))


def assert_same_neighbours(found: Neighbours, expected: Expected) -> None:
    """Rows and distances are equal to the last bit wherever one machine's sums decide them."""
    some = expected.certain
    assert found.rows.shape == found.distances.shape == expected.rows.shape
    assert (found.rows.dtype, found.distances.dtype) == (np.int64, np.float32)
    np.testing.assert_array_equal(found.rows[some], expected.rows[some])
    np.testing.assert_array_equal(found.distances[some], expected.distances[some])
    assert sum(found.proven.values()) == len(found.rows)


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
