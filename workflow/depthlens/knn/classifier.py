"""k-nearest-neighbour classification with scikit-learn's interface."""

import logging
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from depthlens import tables
from depthlens.errors import closest
from depthlens.knn.frame import require_finite
from depthlens.knn.points import Array, Normalized, Points
from depthlens.knn.search import nearest
from depthlens.knn.sweep import Queries
from depthlens.knn.votes import count, vote
from depthlens.models import devices

log = logging.getLogger(__name__)

Data = ArrayLike | torch.Tensor | str | Path
"""Points: an array or tensor of shape (n, dims), or a Parquet file of activations."""

_CHOICES = {
    "weights": ("uniform", "distance"),
    "metric": ("euclidean", "cosine"),
    "device": ("auto", "cpu", "cuda"),
    "precision": ("auto", "bfloat16", "float32", "float64"),
}


class KNNClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # they have no types
    """Classify by the votes of the k nearest points, exactly.

    As scikit-learn's `KNeighborsClassifier(algorithm="brute")`: a tie of votes goes to the smallest
    class. Of points at the same distance the first counts. Distances are float32; of float64
    points, and of any numbers that are no floats, they are float64, and so is all that leads to
    them.

    Parameters
    ----------
    n_neighbors : int, default 30
        k, how many neighbours vote.
    weights : str, default "uniform"
        What a vote counts: 1, or with `distance` the inverse of the distance; where some are at
        distance 0, these alone vote, 1 each.
    metric : str, default "euclidean"
        Or `cosine`, the distance 1 − cos. A point of zeros is at distance 1 of all others, and at
        0, unlike in scikit-learn, of its equals.
    device : str, default "auto"
        `auto` takes a GPU where there is one; or `cpu`, `cuda`.
    memory : float, default 2.0
        GB for all working arrays together: not for the points, the neighbours and what a method
        returns.
    precision : str, default "auto"
        Of the first products: `bfloat16`, `float32` or `float64`; `auto` takes what the device is
        fastest with. The answer is the same.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
    n_features_in_ : int
        Dims.
    n_samples_fit_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from depthlens import KNNClassifier
    >>> points = np.array([[0.0], [1.0], [10.0]])
    >>> KNNClassifier(n_neighbors=1).fit(points, ["near", "near", "far"]).predict([[8.0]])
    array(['far'], dtype='<U4')
    """

    def __init__(
        self,
        n_neighbors: int = 30,
        *,
        weights: str = "uniform",
        metric: str = "euclidean",
        device: str = "auto",
        memory: float = 2.0,
        precision: str = "auto",
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric
        self.device = device
        self.memory = memory
        self.precision = precision

    def fit(self, X: Data, y: ArrayLike, *, example_id: ArrayLike | None = None) -> Self:  # noqa: N803
        """Remember the points.

        Parameters
        ----------
        X : array or tensor, shape (n, dims), or path of a Parquet file of activations
        y : array, shape (n,)
            Classes, of any type.
        example_id : int array, shape (n,), optional
            Whose point it is; row numbers if not given, the file's if X is one.

        Raises
        ------
        ValueError
            If lengths differ, or a value or a parameter is out of range.
        """
        self._check_parameters()
        points = self._points(X, example_id, reset=True)
        y = column_or_1d(_as_array(y), warn=True)
        check_classification_targets(y)
        if len(y) != len(points.ids):
            raise ValueError(f"{len(points.ids)} points, but {len(y)} classes")
        self._references = points
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._labels = labels.astype(tables.class_type(len(self.classes_)))
        self.n_features_in_ = points.dims
        self.n_samples_fit_ = len(y)
        return self

    def predict(
        self,
        X: Data | None = None,  # noqa: N803
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> NDArray[Any]:
        """The class of each query.

        Parameters
        ----------
        X : array or tensor, shape (n_queries, dims), or path; None for the fitted points, where
            none is its own neighbour
        example_id : int array, shape (n_queries,), optional
        exclude_self : bool, default False
            Leave-one-out: the fitted point with the query's example id is not its neighbour.

        Returns
        -------
        array, shape (n_queries,), of the type of `classes_`

        Raises
        ------
        ValueError
            If dims differ, a value is infinite, not a number or too large, or there are fewer
            than k points.
        """
        prediction = vote(*self._near(X, example_id, exclude_self))
        return self.classes_[prediction]

    def predict_proba(
        self,
        X: Data | None = None,  # noqa: N803
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> NDArray[np.float64]:
        """The share of votes that each class gets, shape (n_queries, n_classes); see `predict`."""
        near, weights = self._near(X, example_id, exclude_self)
        weights = np.ones(near.shape) if weights is None else weights
        shares = count(near, len(self.classes_), weights)
        return shares / shares.sum(1, keepdims=True)

    def predict_each_k(
        self,
        X: Data | None = None,  # noqa: N803
        *,
        n_neighbors: Sequence[int],
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> NDArray[Any]:
        """The class of each query for several k, at the price of the largest; see `predict`.

        Parameters
        ----------
        n_neighbors : sequence of int, length n_ks

        Returns
        -------
        array, shape (n_queries, n_ks), of the type of `classes_`
        """
        if not len(n_neighbors):
            raise ValueError("n_neighbors: at least one is needed")
        for k in n_neighbors:
            _check_k(k)
        ranks = sorted(set(n_neighbors))
        near, distances = self._search(X, example_id, exclude_self, ranks[-1], ranks=ranks)
        labels = self._labels[near]
        columns = [vote(labels[:, :k], self._weigh(distances[:, :k])) for k in n_neighbors]
        return self.classes_[np.stack(columns, axis=1)]

    def kneighbors(
        self,
        X: Data | None = None,  # noqa: N803
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> tuple[NDArray[np.floating], NDArray[np.int64]] | NDArray[np.int64]:
        """The nearest points of each query, nearest first; see `predict`.

        Returns
        -------
        distances : float32 or float64 array, shape (n_queries, k)
            Only if `return_distance`.
        rows : int64 array, shape (n_queries, k)
            Rows of the fitted points.
        """
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        rows, distances = self._search(X, example_id, exclude_self, k, ranks=None)
        return (distances, rows) if return_distance else rows

    def kneighbors_graph(
        self,
        X: Data | None = None,  # noqa: N803
        n_neighbors: int | None = None,
        mode: str = "connectivity",
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> csr_matrix:
        """The nearest points of each query as a sparse matrix; see `kneighbors`.

        Parameters
        ----------
        mode : {"connectivity", "distance"}
            What stands in row i and column j where the point j is among the nearest of query i: 1,
            or their distance.

        Returns
        -------
        sparse float array in CSR format, shape (n_queries, n_samples_fit)
        """
        _check_choice("mode", mode, ("connectivity", "distance"))
        distances, rows = self.kneighbors(
            X, n_neighbors, example_id=example_id, exclude_self=exclude_self
        )
        values = np.ones(rows.shape) if mode == "connectivity" else distances
        ends = np.arange(0, rows.size + 1, rows.shape[1])
        shape = len(rows), self.n_samples_fit_
        return csr_matrix((values.ravel(), rows.ravel(), ends), shape=shape)

    def _near(
        self, data: Data | None, example_id: ArrayLike | None, exclude_self: bool
    ) -> tuple[NDArray[np.integer], NDArray[np.float64] | None]:
        """Classes of the k nearest, shape (n_queries, k), and what their votes count."""
        k = self.n_neighbors
        rows, distances = self._search(data, example_id, exclude_self, k, ranks=[k])
        return self._labels[rows], self._weigh(distances)

    def _weigh(self, distances: NDArray[np.floating]) -> NDArray[np.float64] | None:
        if self.weights == "uniform":
            return None
        with np.errstate(divide="ignore"):
            weights = 1 / distances.astype(np.float64)
        at_once = np.isinf(weights)
        return np.where(at_once.any(1, keepdims=True), at_once, weights)

    def _search(
        self,
        data: Data | None,
        example_id: ArrayLike | None,
        exclude_self: bool,
        n_neighbors: int,
        *,
        ranks: list[int] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """Rows and distances; those of `ranks` alone are asked about, if no distance counts."""
        check_is_fitted(self, "classes_")
        self._check_parameters()
        _check_k(n_neighbors)
        references = self._as_measured(self._references)
        if data is None:
            queries = Queries(references, exclude_self=True)
        else:
            points = self._points(data, example_id, reset=False)
            queries = Queries(self._as_measured(points), exclude_self)
        (found,) = nearest(
            [queries],
            references,
            n_neighbors=int(n_neighbors),
            ranks=ranks if self.weights == "uniform" else None,
            device=devices.choose(self.device, key="device"),
            memory=self.memory * 1e9,
            precision=self.precision,
        )
        log.info("%d queries proven: %s", len(found.rows), found.proven)
        distances = found.distances
        if self.metric == "cosine":  # between points of length 1: |q - r|² = 2 (1 - cos)
            distances = (distances.astype(np.float64) ** 2 / 2).astype(distances.dtype)
        return found.rows, distances

    def _as_measured(self, points: Points) -> Points:
        return Normalized(points) if self.metric == "cosine" else points

    def _points(self, data: Data, example_id: ArrayLike | None, *, reset: bool) -> Points:
        if isinstance(data, str | Path):
            if example_id is not None:
                raise ValueError("example_id: a file brings its own")
            points = tables.Rows(data, "activation")
        else:
            values = _real(data) if isinstance(data, torch.Tensor) else self._valid(data, reset)
            points = Array(values, None if example_id is None else _ids(example_id, len(values)))
        if not reset and points.dims != self.n_features_in_:
            raise ValueError(
                f"X has {points.dims} features, but KNNClassifier is expecting "
                f"{self.n_features_in_} features as input"
            )
        if reset and isinstance(points, Array):
            require_finite(points.values, points.ids)
        return points

    def _valid(self, data: ArrayLike, reset: bool) -> NDArray[np.floating]:
        if isinstance(data, np.ndarray) and not data.dtype.isnative:
            data = data.astype(data.dtype.newbyteorder("="))
        # Values are checked where they are read, so that the message can name the example.
        types = ("float64", "float32", "float16")
        return validate_data(self, data, reset=reset, dtype=types, ensure_all_finite=False)

    def _check_parameters(self) -> None:
        _check_k(self.n_neighbors)
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        known = isinstance(self.memory, Real) and not isinstance(self.memory, bool)
        if not known or not 0 < self.memory < np.inf:
            raise ValueError(f"memory: {self.memory!r} is not a number greater than 0, in GB")
        devices.choose(self.device, key="device")


def _check_k(n_neighbors: int) -> None:
    whole = isinstance(n_neighbors, Integral) and not isinstance(n_neighbors, bool)
    if not whole or n_neighbors < 1:
        raise ValueError(f"n_neighbors: {n_neighbors!r} is not a whole number greater than 0")


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: unknown {value!r}{closest(str(value), choices)}")


def _real(points: torch.Tensor) -> torch.Tensor:
    if points.ndim != 2 or points.is_complex() or not points.numel():
        raise ValueError(
            f"X: a tensor of real numbers of shape (n, dims) is needed, not {points.dtype} of "
            f"shape {tuple(points.shape)}"
        )
    return points if points.is_floating_point() else points.double()


def _ids(example_id: ArrayLike, n_points: int) -> NDArray[np.integer]:
    ids = _as_array(example_id)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"example_id: one whole number a point is needed, not {ids.dtype}")
    if len(ids) != n_points:
        raise ValueError(f"{n_points} points, but {len(ids)} example ids")
    return ids


def _as_array(values: ArrayLike | torch.Tensor) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
