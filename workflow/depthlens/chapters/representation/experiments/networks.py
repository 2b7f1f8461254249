"""One network on a part of the training images: its answers, depth, kernels and features."""

from collections.abc import Mapping

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
from depthlens.models import devices, inputs, networks
from depthlens.tables import Images
from depthlens.training import loop

N_NEIGHBOURS = 8
"""of the embedding, of each test image"""
_WORST = 40
_FORWARD_BATCH = 500


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: loop.Progress,
) -> dict[str, pd.DataFrame]:
    """Train on a share of the images, and look at the network from all sides.

    Parameters
    ----------
    images : mapping of dataset to (train, test)
    cell : mapping
        `dataset`, `share` of the training images, the classes in equal shares, `seed`.
    settings : mapping
        `name` of the sweep; `recipe`; `n_neighbors`: k of prediction depth; `embedded`: test
        images whose depth and whose place in the embedding are computed; `references`: training
        images that vote for depth, as many whatever the share.
    progress : callable
        Wraps the batches of an epoch.

    Returns
    -------
    dict of DataFrame
        {name}: one row a test image: `example_id`, `label`, `prediction` (names of classes),
        `loss` (nats), `depth` (NaN where it was not computed), `n_probes`; and of
        the network `images` it was trained on, `train_loss`, `train_accuracy` on them at the end.

        Of networks that saw all images, and without a row of others: {name}_kernels: of the first
        convolution, `moment` (before, after), `filter`, `channel`, `row`, `column`, `weight`.
        {name}_embedding: one row an embedded test image: `example_id`, `label`, `prediction`, `x`
        and `y` of a t-SNE of the features, `silhouette` by class, `neighbours`: the 8 nearest
        other embedded images in feature space, example ids, and `purity`: the share of them with
        the label. {name}_pictures: `example_id`, `label`, `height`, `width`, `pixels` of the worst
        errors and of one image a class with its neighbours; grey values.
    """
    recipe, seed, name = settings["recipe"], cell["seed"], settings["name"]
    full, test = images[cell["dataset"]]
    generator = np.random.default_rng([seed, 0])
    pool = trial.draw(full, recipe["train_examples"], generator)
    test = trial.draw(test, recipe["test_examples"], generator)
    # One order, of which a share is the beginning: larger ones hold the smaller ones.
    train = _part(pool, round(cell["share"] * len(pool.labels)), seed)
    channels = train.images.shape[1]
    prepare = inputs.prepare({"channels": channels})
    network = networks.build(
        recipe["architecture"],
        n_classes=len(train.classes),
        seed=seed,
        shape=(channels, *train.images.shape[2:]),
    ).to(devices.choose("auto", key="device"))
    network.to(memory_format=torch.channels_last)
    kernels = [_kernels(network, "before")]
    trial.fit(
        train,
        trial.take(test, np.arange(min(100, len(test.labels)))),  # not looked at: keep it quick
        recipe=trial.Recipe.of(recipe),
        seed=seed,
        network=network,
        prepare=prepare,
        progress=progress,
    )
    kernels.append(_kernels(network, "after"))
    of_train, of_test = (_outcomes(network, split, prepare) for split in (train, test))
    embedded = trial.draw(test, settings["embedded"], np.random.default_rng([seed, 1]))
    references = _part(train, settings["references"], seed)
    _, seen = trial.see(
        network, references, [embedded], n_neighbors=settings["n_neighbors"], prepare=prepare
    )
    answers = _answers(test, of_test).assign(
        depth=_of_some(test, embedded, seen.depth),
        n_probes=len(seen.probes),
        images=len(train.labels),
        train_loss=float(of_train.loss.mean(dtype=np.float64)),
        train_accuracy=float((of_train.prediction == train.labels).mean()),
    )
    whole = cell["share"] == 1
    features = _features_of(embedded, seen) if whole else _NO_FEATURES
    return {
        name: answers,
        f"{name}_kernels": pd.concat(kernels, ignore_index=True) if whole else _NO_KERNELS,
        f"{name}_embedding": features,
        f"{name}_pictures": _shown(test, answers, features) if whole else _NO_PICTURES,
    }


def _part(split: Images, n: int, seed: int) -> Images:
    """Some images, the classes in equal shares; more of them hold the fewer."""
    return trial.draw(split, n, np.random.default_rng([seed, 2]))


def _answers(test: Images, said: loop.Outcomes) -> pd.DataFrame:
    classes = np.array(test.classes)
    return pd.DataFrame(
        {
            "example_id": test.example_id,
            "label": classes[test.labels],
            "prediction": classes[said.prediction],
            "loss": said.loss,
        }
    )


def _outcomes(network: nn.Module, split: Images, prepare: inputs.Prepare) -> loop.Outcomes:
    device = trial.device_of(network)
    images, labels = (torch.tensor(of, device=device) for of in (split.images, split.labels))
    return loop.evaluate(network, images, labels, batch_size=_FORWARD_BATCH, prepare=prepare)


def _of_some(test: Images, some: Images, values: NDArray[np.integer]) -> NDArray[np.float64]:
    """Values of some of the test images at their places among all, NaN elsewhere."""
    found = np.full(len(test.labels), np.nan)
    found[np.searchsorted(test.example_id, some.example_id)] = values
    return found


def _features_of(embedded: Images, seen: trial.Seen) -> pd.DataFrame:
    """Where images lie in feature space: its map, its neighbours, its clusters."""
    classes = np.array(embedded.classes)
    features = seen.features
    points = Array(torch.tensor(features))
    (near,) = nearest(
        [Queries(points, exclude_self=True)],
        points,
        n_neighbors=N_NEIGHBOURS,
        ranks=[N_NEIGHBOURS],
        device=torch.device("cpu"),
    )
    same = embedded.labels[near.rows] == embedded.labels[:, None]
    chart = TSNE(random_state=0, init="pca", perplexity=30, n_jobs=1).fit_transform(features)
    return pd.DataFrame(
        {
            "example_id": embedded.example_id,
            "label": classes[embedded.labels],
            "prediction": classes[seen.prediction],
            "x": chart[:, 0],
            "y": chart[:, 1],
            "silhouette": silhouette_samples(features, embedded.labels),
            "purity": same.mean(1),
            "neighbours": list(embedded.example_id[near.rows]),
        }
    )


def _shown(test: Images, answers: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Pixels of the worst errors, and of one image a class with its neighbours."""
    wrong = answers[answers["label"] != answers["prediction"]]
    worst = wrong.sort_values("loss", ascending=False)["example_id"][:_WORST]
    chosen = features.groupby("label").head(1)
    wanted = np.unique(
        np.concatenate([worst, chosen["example_id"], *chosen["neighbours"]]).astype(np.int64)
    )
    rows = np.searchsorted(test.example_id, wanted)
    grey = np.round(test.images[rows].mean(axis=1)).astype(np.uint8)
    return pd.DataFrame(
        {
            "example_id": wanted.astype(np.int32),
            "label": np.array(test.classes)[test.labels[rows]],
            "height": grey.shape[1],
            "width": grey.shape[2],
            "pixels": list(grey.reshape(len(grey), -1)),
        }
    )


def _kernels(network: nn.Module, moment: str) -> pd.DataFrame:
    """Weights of the first convolution."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    weights = first.weight.detach().cpu().numpy()
    places = np.indices(weights.shape).reshape(4, -1)
    names = ("filter", "channel", "row", "column")
    return pd.DataFrame(
        {"moment": moment, **dict(zip(names, places, strict=True)), "weight": weights.ravel()}
    )


def _none(**columns: type) -> pd.DataFrame:
    return pd.DataFrame({name: np.array([], kind) for name, kind in columns.items()})


_NO_KERNELS = _none(
    moment=object, filter=np.int64, channel=np.int64, row=np.int64, column=np.int64,
    weight=np.float32,
)  # fmt: skip
_NO_FEATURES = _none(
    example_id=np.int32, label=object, prediction=object, x=np.float32, y=np.float32,
    silhouette=np.float32, purity=np.float64, neighbours=object,
)  # fmt: skip
_NO_PICTURES = _none(
    example_id=np.int32, label=object, height=np.int64, width=np.int64, pixels=object
)
