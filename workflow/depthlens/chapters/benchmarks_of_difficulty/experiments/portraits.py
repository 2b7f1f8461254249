"""Networks of several architectures on the same images: depth and scores of every test image."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens import trial
from depthlens.models import inputs, macs
from depthlens.probes.plan import plan
from depthlens.tables import Images
from depthlens.training.loop import Progress

_PROBES = "children"
_DRAW = 71
"""of the images: the same for every seed and architecture, so that images can be compared"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Train one network and describe every test image.

    All cells of a dataset see the same training and test images.

    Parameters
    ----------
    cell : mapping
        `dataset`, `architecture`, `seed`: of the weights and of the order of the images.
    settings : mapping
        `recipe`, whose architecture is replaced by the cell's; `n_neighbors`, `early_epoch`.

    Returns
    -------
    DataFrame
        One row a test image: the columns of `trial.scores`; `n_probes`; `relative_depth`, depth
        over the number of probes; `computation`, the share of the network's multiply-accumulates
        that are made when the image is settled, 1 if it never is; `factor_…` for each factor of
        the dataset; and of the network `train_accuracy`.
    """
    recipe = settings["recipe"]
    train, test = (
        trial.draw(split, recipe[f"{name}_examples"], np.random.default_rng([_DRAW, place]))
        for place, (name, split) in enumerate(
            zip(("train", "test"), images[cell["dataset"]], strict=True)
        )
    )
    trained = trial.fit(
        train,
        test,
        recipe=trial.Recipe.of(recipe, architecture=cell["architecture"]),
        seed=cell["seed"],
        progress=progress,
    )
    seen_train, seen = trial.see(
        trained.network, train, [test], n_neighbors=settings["n_neighbors"], probes=_PROBES
    )
    rows = trial.scores(
        trained,
        train,
        seen_train,
        early_epoch=settings["early_epoch"],
        queries=test,
        seen=seen,
    )
    done = np.append(shares_of_computation(trained.network, test.images.shape[1:]), 1.0)
    n_probes = len(seen.probes)
    return rows.assign(
        n_probes=n_probes,
        relative_depth=seen.depth / n_probes,
        computation=done[seen.depth],
        train_accuracy=float(np.mean(seen_train.prediction == train.labels)),
        **{f"factor_{name}": values for name, values in test.factors.items()},
    )


def shares_of_computation(
    network: nn.Module, image_shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Share of a forward pass's multiply-accumulates that are made when each probe is reached.

    Convolutions and linear layers count, as torch's counter has it.

    Parameters
    ----------
    network : torch.nn.Module
    image_shape : (channels, height, width)

    Returns
    -------
    float array, shape (n_probes,)
        0 at the input, ascending; probes are the children of the network.
    """
    device = trial.device_of(network)
    image = inputs.network_input(torch.zeros((1, *image_shape), dtype=torch.uint8, device=device))
    probes = plan(network, _PROBES, image)
    modules = [probe.module for probe in probes if probe.kind == "module"]
    made = dict(zip(modules, macs.up_to_modules(network, image, modules), strict=True))
    total = macs.count(lambda: network(image))
    return np.array([made.get(probe.module, 0) for probe in probes]) / total
