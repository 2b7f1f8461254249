"""Wrong labels by four rules, put into clean data."""

import numpy as np
from numpy.typing import NDArray

from depthlens.tables import class_type

_TRUNCATION = 0.1
"""standard deviation of the images' own flip rates under feature-dependent noise"""


def corrupt(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    *,
    kind: str,
    rate: float,
    n_classes: int,
    generator: np.random.Generator,
) -> NDArray[np.integer]:
    """Labels of which a share is wrong.

    Parameters
    ----------
    images : uint8 array, shape (n, channels, height, width)
    labels : int array, shape (n,)
    kind : {"uniform", "asymmetric", "adjacent", "feature"}
        How the wrong label is chosen. `uniform`: any other class. `asymmetric`: the class whose
        mean image is nearest to that of the image's own class. `adjacent`: the class before or
        after, the last and the first being neighbours. `feature`: depends on the image, as Xia et
        al. have it: each image has a flip rate of its own, and pixels it resembles by a random
        projection of its class decide where it goes.
    rate : float, 0 … 1
        Share of wrong labels: exactly round(n · rate) images; under `feature`, in expectation.
    n_classes : int
    generator : numpy.random.Generator

    Returns
    -------
    int array, shape (n,), of their `tables.class_type`

    References
    ----------
    Xia et al. (2020), arXiv 2006.07836, algorithm 2.
    """
    kept = class_type(n_classes)
    if kind == "feature":
        return _by_features(images, labels, rate, n_classes, generator).astype(kept)
    rows = generator.permutation(len(labels))[: round(rate * len(labels))]
    wrong = labels.astype(np.int64)  # the sum of two classes may be beyond their type
    if kind == "uniform":
        wrong[rows] += generator.integers(1, n_classes, len(rows), dtype=kept)
    elif kind == "adjacent":
        wrong[rows] += generator.choice(np.array([-1, 1], np.int16), len(rows))
    else:
        wrong[rows] = nearest_class(images, labels, n_classes)[labels[rows]]
    return (wrong % n_classes).astype(kept)


def nearest_class(
    images: NDArray[np.uint8], labels: NDArray[np.integer], n_classes: int
) -> NDArray[np.integer]:
    """Of each class the other whose mean image is nearest, Euclidean; shape (n_classes,)."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    means = np.stack([pixels[labels == label].mean(0) for label in range(n_classes)])
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return apart.argmin(1).astype(class_type(n_classes))


def _by_features(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    rate: float,
    n_classes: int,
    generator: np.random.Generator,
) -> NDArray[np.integer]:
    pixels = images.reshape(len(images), -1).astype(np.float64)
    # As torchvision's transforms do for the authors: an image of mean 0 and deviation 1.
    pixels = (pixels - pixels.mean()) / pixels.std()
    projections = generator.standard_normal((n_classes, pixels.shape[1], n_classes))
    flip = _truncated_normal(rate, len(labels), generator)
    wrong = labels.copy()
    for label in range(n_classes):
        rows = np.flatnonzero(labels == label)
        pull = pixels[rows] @ projections[label]
        pull[:, label] = -np.inf
        share = np.exp(pull - pull.max(1, keepdims=True))
        share *= (flip[rows] / share.sum(1))[:, None]
        share[:, label] = 1 - flip[rows]
        # One draw an image from its own distribution.
        drawn = generator.random(len(rows))[:, None]
        wrong[rows] = (share.cumsum(1) < drawn).sum(1).clip(max=n_classes - 1)
    return wrong


def _truncated_normal(rate: float, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draws around `rate`, those outside [0, 1] drawn again."""
    found = generator.normal(rate, _TRUNCATION, n)
    while (outside := (found < 0) | (found > 1)).any():
        found[outside] = generator.normal(rate, _TRUNCATION, outside.sum())
    return found
