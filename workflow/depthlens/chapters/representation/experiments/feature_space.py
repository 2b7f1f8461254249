"""What a network's features know of test images: neighbours, clusters, a map, distances."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_samples
from torch import nn

from depthlens import trial
from depthlens.knn.points import Array
from depthlens.knn.search import nearest
from depthlens.knn.sweep import Queries
from depthlens.models import inputs
from depthlens.probes.calls import module_of
from depthlens.probes.plan import feature_probe, plan
from depthlens.tables import Images

N_NEIGHBOURS = 8
LAST, BEFORE_RELU = "last", "before_relu"
"""features: what the last layer sees, and the same before the ReLU that it may stand behind"""
ALL, EMBEDDED = "all", "embedded"
"""test images among which neighbours are looked for"""
Features = Mapping[str, NDArray[np.float32]]
"""by name, shape (n_images, n_features)"""


def features_of(network: nn.Module, test: Images, prepare: inputs.Prepare) -> Features:
    """Features of test images, those before the ReLU first where there are such."""
    few = torch.tensor(test.images[:3], device=trial.device_of(network))
    points = plan(network, "children", prepare(few))
    last = [point.name for point in points].index(feature_probe(points))
    wanted = {LAST: points[last]}
    if isinstance(network.get_submodule(module_of(points[last].module)), nn.ReLU):
        wanted = {BEFORE_RELU: points[last - 1], **wanted}
    _, found = trial.record(network, [*wanted.values()], test.images, prepare=prepare)
    return {name: of.float().numpy() for name, of in zip(wanted, found, strict=True)}


def embedding(
    features: Features, test: Images, embedded: Images, prediction: NDArray[np.integer]
) -> pd.DataFrame:
    """Where test images lie in feature space.

    Parameters
    ----------
    features : Features
        Of the test images; there may be none.
    test, embedded : Images
        The test images, and some of them.
    prediction : int array, shape (n_test,)

    Returns
    -------
    DataFrame
        One row a test image, of each `features` and `among` which others: `example_id`, `label`,
        `prediction` (names of classes), `silhouette` by class, `neighbours`: the 8 nearest others,
        example ids, `purity`: the share of them with the label; `x` and `y` of a t-SNE, of the
        first features of all images, else NaN.
    """
    some = np.searchsorted(test.example_id, embedded.example_id)
    chart = TSNE(random_state=0, init="pca", perplexity=30, n_jobs=1)
    tables = [_NO_EMBEDDING]
    for name, values in features.items():
        for among, rows in ((ALL, np.arange(len(test.labels))), (EMBEDDED, some)):
            found = _neighbourhoods(trial.take(test, rows), prediction[rows], values[rows])
            is_map = len(tables) == 1
            x, y = chart.fit_transform(values[rows]).T if is_map else (np.nan, np.nan)
            tables.append(found.assign(features=name, among=among, x=x, y=y))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _neighbourhoods(
    split: Images, prediction: NDArray[np.integer], features: NDArray[np.float32]
) -> pd.DataFrame:
    classes = np.array(split.classes)
    points = Array(torch.tensor(features))
    (near,) = nearest(
        [Queries(points, exclude_self=True)],
        points,
        n_neighbors=N_NEIGHBOURS,
        ranks=[N_NEIGHBOURS],
        device=torch.device("cpu"),
    )
    same = split.labels[near.rows] == split.labels[:, None]
    return pd.DataFrame(
        {
            "example_id": split.example_id,
            "label": classes[split.labels],
            "prediction": classes[prediction],
            "silhouette": silhouette_samples(features, split.labels),
            "purity": same.mean(1),
            "neighbours": list(split.example_id[near.rows]),
        }
    )


def distances(features: Features, test: Images) -> pd.DataFrame:
    """How far apart classes lie in feature space.

    Returns
    -------
    DataFrame
        Of each `features` and pair of classes, `label` and `other`, the Euclidean `distance` of
        the means of their test images.
    """
    rows = []
    for name, values in features.items():
        means = {label: values[test.labels == label].mean(0) for label in np.unique(test.labels)}
        for one, two in combinations(means, 2):
            apart = float(np.linalg.norm(means[one] - means[two]))
            rows.append((name, test.classes[one], test.classes[two], apart))
    columns = {"features": object, "label": object, "other": object, "distance": np.float64}
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


_NO_EMBEDDING = pd.DataFrame(
    {
        name: np.array([], kind)
        for name, kind in {
            "example_id": np.int32, "label": object, "prediction": object,
            "silhouette": np.float32, "purity": np.float64, "neighbours": object,
            "features": object, "among": object, "x": np.float32, "y": np.float32,
        }.items()
    }
)  # fmt: skip
