"""k-nearest-neighbour classification with scikit-learn's interface."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from depthlens import tables
from depthlens.knn.frame import require_finite
from depthlens.knn.points import Array, Points
from depthlens.knn.search import Neighbours, Queries, nearest
from depthlens.knn.votes import count, vote
from depthlens.models import devices

log = logging.getLogger(__name__)

Data = ArrayLike | torch.Tensor | str | Path
"""Points: an array or tensor of shape (n, dims), or a Parquet file of activations."""


class KNNClassifier(ClassifierMixin, BaseEstimator):
    """Classify by the votes of the k nearest points, exactly.

    As scikit-learn's `KNeighborsClassifier(algorithm="brute")`: Euclidean distance, uniform votes,
    a tie goes to the smallest class. Distances are float32; of points at the same distance the
    first counts.

    Parameters
    ----------
    n_neighbors : int, default 30
        k.
    device : str, default "auto"
        `auto` takes a GPU where there is one; or `cpu`, `cuda`.
    memory : float, default 2.0
        GB for all working arrays together.
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
        device: str = "auto",
        memory: float = 2.0,
        precision: str = "auto",
    ):
        self.n_neighbors = n_neighbors
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
        for name in ("n_neighbors", "memory"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not greater than 0")
        self._references = self._points(X, example_id, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != len(self._references.ids):
            raise ValueError(f"{len(self._references.ids)} points, but {len(y)} classes")
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._labels = labels.astype(tables.class_type(len(self.classes_)))
        self.n_features_in_ = self._references.dims
        self.n_samples_fit_ = len(y)
        return self

    def predict(
        self,
        X: Data | None = None,  # noqa: N803
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> NDArray:
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
        prediction = vote(self._near(X, example_id, exclude_self))
        return self.classes_[prediction]

    def predict_proba(
        self,
        X: Data | None = None,  # noqa: N803
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> NDArray[np.float64]:
        """The share of votes that each class gets, shape (n_queries, n_classes); see `predict`."""
        near = self._near(X, example_id, exclude_self)
        shares = count(near, len(self.classes_), np.ones(near.shape))
        shares /= shares.sum(1, keepdims=True)
        return shares

    def predict_each_k(
        self,
        X: Data | None = None,  # noqa: N803
        *,
        n_neighbors: Sequence[int],
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> NDArray:
        """The class of each query for several k, at the price of the largest; see `predict`.

        Parameters
        ----------
        n_neighbors : sequence of int, length n_ks

        Returns
        -------
        array, shape (n_queries, n_ks), of the type of `classes_`
        """
        k = max(n_neighbors)
        found = self._search(
            X, example_id, exclude_self, n_neighbors=k, ranks=sorted(set(n_neighbors))
        )
        labels = self._labels[found.rows]
        columns = [vote(labels[:, :k]) for k in n_neighbors]
        return self.classes_[np.stack(columns, axis=1)]

    def kneighbors(
        self,
        X: Data | None = None,  # noqa: N803
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        example_id: ArrayLike | None = None,
        exclude_self: bool = False,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | NDArray[np.int64]:
        """The nearest points of each query, nearest first; see `predict`.

        Returns
        -------
        distances : float32 array, shape (n_queries, k)
            Euclidean; only if `return_distance`.
        rows : int64 array, shape (n_queries, k)
            Rows of the fitted points.
        """
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        found = self._search(X, example_id, exclude_self, n_neighbors=k, ranks=None)
        return (found.distances, found.rows) if return_distance else found.rows

    def _near(
        self, data: Data | None, example_id: ArrayLike | None, exclude_self: bool
    ) -> NDArray[np.integer]:
        """Classes of the k nearest, shape (n_queries, k), in no order."""
        k = self.n_neighbors
        found = self._search(data, example_id, exclude_self, n_neighbors=k, ranks=[k])
        return self._labels[found.rows]

    def _search(
        self,
        data: Data | None,
        example_id: ArrayLike | None,
        exclude_self: bool,
        *,
        n_neighbors: int,
        ranks: list[int] | None,
    ) -> Neighbours:
        check_is_fitted(self, "classes_")
        if data is None:
            queries = Queries(self._references, exclude_self=True)
        else:
            queries = Queries(self._points(data, example_id, reset=False), exclude_self)
        (found,) = nearest(
            [queries],
            self._references,
            n_neighbors=n_neighbors,
            ranks=ranks,
            device=devices.choose(self.device, key="device"),
            memory=self.memory * 1e9,
            precision=self.precision,
        )
        log.info("%d queries proven: %s", len(found.rows), found.proven)
        return found

    def _points(self, data: Data, example_id: ArrayLike | None, *, reset: bool) -> Points:
        if isinstance(data, str | Path):
            if example_id is not None:
                raise ValueError("example_id: a file brings its own")
            return tables.Rows(data, "activation")
        if isinstance(data, torch.Tensor):
            if data.ndim != 2 or not data.is_floating_point():
                raise ValueError(
                    f"X: a float tensor of shape (n, dims) is needed, not {data.dtype} of shape "
                    f"{tuple(data.shape)}"
                )
        else:
            # Values are checked where they are read, so that the message can name the example.
            types = ("float32", "float64", "float16")
            data = validate_data(self, data, reset=reset, dtype=types, ensure_all_finite=False)
        points = Array(data, None if example_id is None else np.asarray(example_id))
        if len(points.ids) != len(data):
            raise ValueError(f"{len(data)} points, but {len(points.ids)} example ids")
        if reset:
            require_finite(points.values, points.ids)
        return points
