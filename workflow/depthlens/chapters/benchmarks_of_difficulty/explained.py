"""A gradient-boosted model of depth on what an image was made with, and what it says."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance

CLASS, RANDOM = "class", "random"
_MOST_CATEGORIES = 255
"""that scikit-learn's trees can hold apart; the numbers of more classes are taken as an order"""
_REPEATS, _POINTS, _RANGE = 5, 9, (0.1, 0.9)


class Explained(NamedTuple):
    """What the model says of images that it was not fitted on."""

    r_squared: float
    """share of the variance of depth; below 0 where the mean depth would do better"""
    importance: dict[str, float]
    """how much of it is lost when a feature is shuffled, by feature, in their order"""
    dependence: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    """of each factor: places between its 10th and 90th percentile, mean depth predicted there"""


def explain(factors: pd.DataFrame, labels: NDArray, depth: NDArray, *, seed: int) -> Explained:
    """Fit on half of the images, and measure on the other half.

    Parameters
    ----------
    factors : DataFrame, shape (n_images, n_factors)
        Named `factor_…` or otherwise; none may be called class or random.
    labels : int array, shape (n_images,)
        Class of each image: one more feature, without an order.
    depth : array, shape (n_images,)
    seed : int
        Of the halves, of the random feature, and of the shuffling.

    Returns
    -------
    Explained
        A feature `random` is drawn and treated as the others are: what it has is chance.

    References
    ----------
    Friedman (2001), Annals of Statistics 29: gradient boosting; section 8.2: partial dependence.
    Breiman (2001), Machine Learning 45: permutation importance.
    """
    features = factors.astype(np.float64).assign(**{CLASS: np.asarray(labels, np.float64)})
    features[RANDOM] = np.random.default_rng([seed, 81]).random(len(features))
    depth = np.asarray(depth, np.float64)
    order = np.random.default_rng([seed, 82]).permutation(len(depth))
    fitted, held_out = order[: len(order) // 2], order[len(order) // 2 :]
    few = features[CLASS].max() < _MOST_CATEGORIES
    model = HistGradientBoostingRegressor(
        learning_rate=0.1,
        max_iter=200,
        max_leaf_nodes=15,
        # Trees are added until a fifth of the images to fit are predicted no better.
        early_stopping=True,
        validation_fraction=0.2,
        categorical_features=[CLASS] if few else None,
        random_state=seed,
    )
    model.fit(features.iloc[fitted], depth[fitted])
    unseen = features.iloc[held_out]
    found = permutation_importance(
        model, unseen, depth[held_out], scoring="r2", n_repeats=_REPEATS, random_state=seed
    )
    return Explained(
        r_squared=float(model.score(unseen, depth[held_out])),
        importance=dict(zip(features, map(float, found.importances_mean), strict=True)),
        dependence={
            name: _dependence(model, unseen, name, factors[name].to_numpy(np.float64))
            for name in factors
        },
    )


def _dependence(
    model: HistGradientBoostingRegressor, features: pd.DataFrame, name: str, values: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean prediction with one feature set to each of some values, the others as they are."""
    # The places depend on all images: curves of several seeds then share them.
    first, last = np.nanquantile(values, _RANGE)
    places = np.linspace(first, last, _POINTS)
    return places, np.array([model.predict(features.assign(**{name: x})).mean() for x in places])
