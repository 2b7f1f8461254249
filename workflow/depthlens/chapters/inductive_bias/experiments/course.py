"""The course of a training: curves, what is said of each image at some times, and kernels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from torch import nn

from depthlens.chapters.inductive_bias.experiments.material import (
    Trial,
    answers_of,
    evenly,
    prepare,
    scores_of,
    train,
)
from depthlens.training.stacked import Progress

_MOMENTS = 30


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> dict[str, pd.DataFrame]:
    """Train, and look at the networks now and then.

    Parameters
    ----------
    settings : mapping
        `name` of the sweep; `recipes`, by the cell's `recipe`, where there is a choice;
        `answers_at`: epochs whose answers are kept besides the last one's.

    Returns
    -------
    dict of DataFrame
        {name}: see `material.scores_of`, at 31 epochs, 0 among them. {name}_answers: see
        `material.answers_of`, of validation images. {name}_kernels: of the first convolution, if
        there is one, `seed`, `moment` (before, after), `filter`, `row`, `column`, `weight`.
    """
    settings = {**settings, **settings.get("recipes", {}).get(cell.get("recipe"), {})}
    last = settings["epochs"]
    answered = {*settings.get("answers_at", ()), last}
    trial = prepare(cell, settings)
    kernels = [_kernels(trial, "before")]
    scores, answers = [], []
    for moment in train(
        trial, cell, settings, at_epochs=evenly(last, _MOMENTS, also=answered), progress=progress
    ):
        scores.append(scores_of(trial, moment))
        if moment.epoch in answered:
            answers.append(answers_of(trial, moment, split="validation"))
    kernels.append(_kernels(trial, "after"))
    name = settings["name"]
    return {
        name: pd.concat(scores, ignore_index=True),
        f"{name}_answers": pd.concat(answers, ignore_index=True),
        f"{name}_kernels": pd.concat(kernels, ignore_index=True),
    }


def _kernels(trial: Trial, moment: str) -> pd.DataFrame:
    """Weights of the first convolution; no rows where there is none."""
    found = [
        _weights(network.get_parameter("conv1.weight"), seed=seed, moment=moment)
        for seed, network in zip(trial.seeds, trial.networks, strict=True)
        if hasattr(network, "conv1")
    ]
    none = pd.DataFrame(
        {
            "dataset": np.array([], object),
            "seed": np.array([], np.int64),
            "moment": np.array([], object),
            **{name: np.array([], np.int64) for name in ("filter", "row", "column")},
            "weight": np.array([], np.float32),
        }
    )
    return pd.concat(found, ignore_index=True) if found else none


def _weights(kernels: nn.Parameter, *, seed: int, moment: str) -> pd.DataFrame:
    weights = kernels.detach().numpy()[:, 0]
    places = np.indices(weights.shape).reshape(3, -1)
    return pd.DataFrame(
        {
            "dataset": "edges",
            "seed": seed,
            "moment": moment,
            **dict(zip(("filter", "row", "column"), places, strict=True)),
            "weight": weights.ravel(),
        }
    )
