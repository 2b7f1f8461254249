"""What the experiments on edges have in common: images and networks of every seed of a cell."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import nn

from depthlens.datasets import edges
from depthlens.models import devices, edge_networks
from depthlens.sweep import seeds_of
from depthlens.training import stacked

PERMUTATION_SEED = 0
"""one permutation of the pixels for all images of all seeds"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Networks of one architecture, one a seed, and the images of each."""

    seeds: list[int]
    classes: list[str]
    images: dict[str, list[edges.Edges]]
    """by split, one a seed"""
    networks: list[nn.Sequential]


def prepare(
    cell: Mapping, settings: Mapping, *, splits: Sequence[str] = ("train", "validation")
) -> Trial:
    """Draw the images and build the networks of a cell.

    Parameters
    ----------
    cell, settings : mapping
        Values of the cell go before those of the settings. `seeds`, `architecture`, `images`:
        training images a class; `validation_images` a class; `classes`: names; and, where an
        experiment has them, `kernel_size`, `location_ratio`, `permuted`.
    splits : sequence of str
        Of `datasets.edges.SPLITS`.
    """
    asked = {**settings, **cell}
    seeds, classes = seeds_of(asked["seeds"]), list(asked["classes"])

    def draw(split: str, seed: int) -> edges.Edges:
        drawn = edges.generate(
            asked["images"] if split == "train" else asked["validation_images"],
            classes=classes,
            seed=seed,
            split=split,
            location_ratio=asked.get("location_ratio"),
        )
        if not asked.get("permuted", False):
            return drawn
        moved = edges.permute_pixels(drawn.images, seed=PERMUTATION_SEED)
        return drawn._replace(images=moved)

    return Trial(
        seeds=seeds,
        classes=classes,
        images={split: [draw(split, seed) for seed in seeds] for split in splits},
        networks=[
            edge_networks.build(
                asked["architecture"],
                n_classes=len(classes),
                seed=seed,
                kernel_size=asked.get("kernel_size", 7),
            )
            for seed in seeds
        ],
    )


def train(
    trial: Trial,
    cell: Mapping,
    settings: Mapping,
    *,
    at_epochs: Sequence[int] | None = None,
    progress: stacked.Progress = lambda epochs: epochs,
) -> Iterator[stacked.Moment]:
    """Train the networks of a trial; yield what they say of all its images at some epochs.

    Parameters
    ----------
    trial : Trial
    cell, settings : mapping
        `epochs`, `batch_size`, `learning_rate`, `momentum` and, if there is one, `weight_decay`.
    at_epochs : sequence of int, optional
        The last epoch alone if not given.
    progress : callable
        Wraps the epochs.
    """
    asked = {**settings, **cell}
    yield from stacked.train(
        trial.networks,
        images=[drawn.images for drawn in trial.images["train"]],
        labels=[drawn.labels for drawn in trial.images["train"]],
        evaluated={
            split: [drawn.images for drawn in of_each] for split, of_each in trial.images.items()
        },
        at_epochs=at_epochs or [asked["epochs"]],
        batch_size=asked["batch_size"],
        learning_rate=asked["learning_rate"],
        momentum=asked["momentum"],
        weight_decay=asked.get("weight_decay", 0.0),
        seeds=trial.seeds,
        device=devices.choose("auto", key="device"),
        progress=progress,
    )


def scores_of(trial: Trial, moment: stacked.Moment) -> pd.DataFrame:
    """How well the networks do at a moment: one row a seed and split.

    Returns
    -------
    DataFrame
        `dataset`, `seed`, `epoch`, `split`, `loss` (cross-entropy, nats), `accuracy`, `examples`.
    """
    rows = []
    for split, logits in moment.logits.items():
        for seed, drawn, of_seed in zip(trial.seeds, trial.images[split], logits, strict=True):
            rows.append(
                {
                    "dataset": "edges",
                    "seed": seed,
                    "epoch": moment.epoch,
                    "split": split,
                    "loss": float(-_log_probability(of_seed, drawn.labels).mean()),
                    "accuracy": float((of_seed.argmax(1) == drawn.labels).mean()),
                    "examples": len(drawn.labels),
                }
            )
    return pd.DataFrame(rows)


def answers_of(trial: Trial, moment: stacked.Moment, *, split: str) -> pd.DataFrame:
    """What the networks say of each image of a split at a moment: one row a seed and image.

    Returns
    -------
    DataFrame
        `dataset`, `seed`, `epoch`, `example`, `label` and `prediction` (names of classes),
        `confidence` (probability of the predicted class).
    """
    classes = np.array(trial.classes)
    tables = []
    for seed, drawn, logits in zip(
        trial.seeds, trial.images[split], moment.logits[split], strict=True
    ):
        tables.append(
            pd.DataFrame(
                {
                    "dataset": "edges",
                    "seed": seed,
                    "epoch": moment.epoch,
                    "example": np.arange(len(drawn.labels)),
                    "label": classes[drawn.labels],
                    "prediction": classes[logits.argmax(1)],
                    "confidence": np.exp(_log_probability(logits, logits.argmax(1))),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def evenly(epochs: int, n: int, *, also: Iterable[int] = ()) -> list[int]:
    """Epochs to look at: 0, n more that are evenly spaced up to the last, and some others."""
    spaced = {round(epochs * place / n) for place in range(n + 1)}
    return sorted(spaced | {epoch for epoch in also if epoch <= epochs})


def _log_probability(
    logits: NDArray[np.floating], classes: NDArray[np.integer]
) -> NDArray[np.float64]:
    return log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(classes)), classes]
