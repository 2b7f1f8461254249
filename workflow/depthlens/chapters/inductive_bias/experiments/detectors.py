"""Networks of which the last layer alone learns: what is before it is computed once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens.chapters.inductive_bias.experiments.material import prepare, scores_of, train
from depthlens.training.stacked import Progress


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> pd.DataFrame:
    """Train the linear layer on the features before it, and measure by `material.scores_of`."""
    trial = prepare(cell, settings)
    seen = {
        split: [
            drawn._replace(images=features(network, drawn.images))
            for network, drawn in zip(trial.networks, of_seeds, strict=True)
        ]
        for split, of_seeds in trial.images.items()
    }
    # Flattening and the linear layer are what is left.
    heads = replace(trial, images=seen, networks=[network[-2:] for network in trial.networks])
    (last,) = train(heads, cell, settings, progress=progress)
    return scores_of(heads, last)


@torch.inference_mode()
def features(network: nn.Sequential, images: NDArray[np.uint8]) -> NDArray[Any]:
    """What a network makes of images before its last two layers, float32 (n, channels, 1, 1)."""
    return network[:-2](torch.tensor(images).float() / 255).numpy()
