"""Depth along the training of a network, and by linear classifiers in place of neighbours."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from depthlens import trial
from depthlens.depth import prediction_depth
from depthlens.models import inputs
from depthlens.probes.plan import plan
from depthlens.tables import Images
from depthlens.training.loop import Progress

_PROBES = "children"
FEW = 30
"""images that a depth needs for its accuracy to count, as in the chapter on difficulty"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> dict[str, pd.DataFrame]:
    """Train one network, and ask for the depth of the test images after some of its epochs.

    Parameters
    ----------
    cell : mapping
        `dataset`, `seed`.
    settings : mapping
        `recipe`, `n_neighbors`; `epochs`, ascending, the last of which is the training's; and
        `components` that activations are reduced to for the linear classifiers.

    Returns
    -------
    mapping of str to DataFrame
        `along`, one row an epoch: `epoch`, `train_accuracy`, `test_accuracy`, `mean_depth`;
        `likeness`, Spearman's correlation with the depth at the end; `falls`, that of the
        network's accuracy with depth, over depths of at least 30 test images.
        `linear`, one row a probe and classifier, at the end: `probe`, `classifier` (knn or linear)
        and its `accuracy` on test images; `likeness` of the depths by the two classifiers.
        What is constant has no correlation: NaN.
    """
    recipe, seed = settings["recipe"], cell["seed"]
    train, test = (
        trial.draw(split, recipe[f"{name}_examples"], np.random.default_rng([seed, place]))
        for place, (name, split) in enumerate(
            zip(("train", "test"), images[cell["dataset"]], strict=True)
        )
    )
    how = trial.Recipe.of(recipe)
    trained = trial.fit(
        train, test, recipe=how, seed=seed, n_snapshots=how.epochs, progress=progress
    )
    rows = []
    for epoch in settings["epochs"]:
        trained.network.load_state_dict(trained.snapshots[epoch - 1])
        seen_train, seen = trial.see(
            trained.network, train, [test], n_neighbors=settings["n_neighbors"], probes=_PROBES
        )
        right = seen.prediction == test.labels
        rows.append(
            {
                "epoch": epoch,
                "train_accuracy": float(np.mean(seen_train.prediction == train.labels)),
                "test_accuracy": float(right.mean()),
                "mean_depth": float(seen.depth.mean()),
                "falls": accuracy_by_depth(seen.depth, right),
                "depth": seen.depth,
            }
        )
    likeness = [correlation(row.pop("depth"), seen.depth) for row in rows]
    linear = linear_classes(
        trained.network, train, test, n_components=settings["components"], seed=seed
    )
    by_classifier = {"knn": seen.knn, "linear": linear}
    alike = correlation(seen.depth, prediction_depth(linear, seen.prediction))
    return {
        "along": pd.DataFrame(rows).assign(likeness=likeness),
        "linear": pd.DataFrame(
            [
                {"probe": name, "classifier": classifier, "accuracy": accuracy, "likeness": alike}
                for classifier, classes in by_classifier.items()
                for name, accuracy in zip(
                    seen.probes, (classes == test.labels[:, None]).mean(axis=0), strict=True
                )
            ]
        ),
    }


def correlation(one: NDArray[np.number], other: NDArray[np.number]) -> float:
    """Spearman's rank correlation; NaN where one of the two is constant."""
    varies = len(one) > 1 and np.ptp(one) > 0 and np.ptp(other) > 0
    return float(stats.spearmanr(one, other).statistic) if varies else np.nan


def accuracy_by_depth(depth: NDArray[np.integer], right: NDArray[np.bool_]) -> float:
    """Spearman's correlation of depth with the accuracy at that depth.

    Over depths with at least 30 images; NaN where there are fewer than three, or the accuracy is
    the same at all.
    """
    n = np.bincount(depth)
    depths = np.flatnonzero(n >= FEW)
    if len(depths) < 3:
        return np.nan
    return correlation(depths, np.bincount(depth, weights=right)[depths] / n[depths])


def linear_classes(
    network: torch.nn.Module, train: Images, test: Images, *, n_components: int, seed: int
) -> NDArray[np.integer]:
    """Class that a linear classifier on each probe gives the test images.

    Activations of the training images are reduced to principal components of equal variance, on
    which a multinomial logistic regression (L2 penalty, C = 1) learns the labels.

    Parameters
    ----------
    network : torch.nn.Module
    train, test : Images
    n_components : int
        As many as there are, where activations or images are fewer.
    seed : int
        Of the randomised decomposition.

    Returns
    -------
    int array, shape (n_test, n_probes)
    """
    few = torch.tensor(train.images[:3], device=trial.device_of(network))
    points = plan(network, _PROBES, inputs.network_input(few))
    (_, references), (_, queries) = (
        trial.record(network, points, split.images) for split in (train, test)
    )
    classes = []
    for known, asked in zip(references, queries, strict=True):
        classifier = make_pipeline(
            PCA(min(n_components, *known.shape), svd_solver="randomized", random_state=seed),
            StandardScaler(),
            LogisticRegression(max_iter=1000),
        )
        classifier.fit(known.float().numpy(), train.labels)
        classes.append(classifier.predict(asked.float().numpy()))
    return np.stack(classes, axis=1)
