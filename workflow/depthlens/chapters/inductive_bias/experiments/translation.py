"""What becomes of answers and of features when an image is shifted."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens.chapters.inductive_bias.experiments.material import Trial, prepare, train
from depthlens.datasets import edges
from depthlens.models.edge_networks import IMAGE_SIZE
from depthlens.training.stacked import Progress

_PROBES = ("conv1", "pool1", "conv2", "pool2", "avgpool")


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> dict[str, pd.DataFrame]:
    """Train on edges near the upper left, and shift images of such edges right and down.

    Returns
    -------
    dict of DataFrame
        `translation`: `seed`, `shift`, `accuracy`, `examples`, of new images that are drawn as the
        training images are. `equivariance`, of networks that convolve: `seed`, `shift`, `probe`,
        `error`: how far the features of the shifted image are from the shifted features of the
        image, see `relative_error`.
    """
    asked = {**settings, **cell}
    trial = prepare(cell, settings, splits=("train",))
    for _ in train(trial, cell, settings, progress=progress):
        pass
    accuracies, errors = [], []
    for place, seed in enumerate(trial.seeds):
        network = trial.networks[place].eval()
        fresh = _fresh(trial, seed, asked)
        for shift in asked["shifts"]:
            moved = _see(shifted(fresh.images, shift))
            with torch.inference_mode():
                right = network(moved).argmax(1).numpy() == fresh.labels
            about = {"dataset": "edges", "seed": seed, "shift": shift}
            accuracies.append({**about, "accuracy": right.mean(), "examples": len(right)})
            if hasattr(network, "conv1"):
                found = _errors(network, _see(fresh.images), moved, shift)
                errors += [{**about, "probe": name, "error": error} for name, error in found]
    columns = ["dataset", "seed", "shift", "probe", "error"]
    return {
        "translation": pd.DataFrame(accuracies),
        "equivariance": pd.DataFrame(errors, columns=columns).astype(
            {"seed": np.int64, "shift": np.int64, "error": np.float64}
        ),
    }


def shifted(images: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """Images moved right and down; what comes in repeats the first column and row.

    Parameters
    ----------
    images : array, shape (n, channels, height, width)
    shift : int
        Pixels, 0 … size of the image - 1.
    """
    padded = np.pad(images, ((0, 0), (0, 0), (shift, 0), (shift, 0)), mode="edge")
    return padded[:, :, : images.shape[2], : images.shape[3]]


def relative_error(before: torch.Tensor, after: torch.Tensor, shift: int) -> float:
    """How far features of shifted images are from the shifted features of the images.

    Parameters
    ----------
    before, after : tensors, shape (n, channels, size, size)
        Features of the images, and of the images shifted by `shift` pixels of the image.
    shift : int

    Returns
    -------
    float
        Root of the mean squared difference over the root of the mean square, both of the part that
        the shift moves from inside the image to inside the image. Features of a grid k times as
        coarse are shifted by shift / k, rounded down, which is exact where k divides the shift.
    """
    coarse = IMAGE_SIZE // before.shape[-1]
    steps = shift // coarse
    size = before.shape[-1]
    # At each border a quarter is left out, which also sees what lies beyond the image; less
    # where a shift by half the image would leave nothing. Behind conv2 features still see borders.
    border = min(size // 4, (size - steps - 1) // 2)
    kept = slice(border, size - border - steps)
    there = slice(border + steps, size - border)
    expected, found = before[:, :, kept, kept], after[:, :, there, there]
    scale = expected.square().mean().sqrt()
    return float((found - expected).square().mean().sqrt() / scale.clamp_min(1e-12))


def _errors(
    network: nn.Sequential, images: torch.Tensor, moved: torch.Tensor, shift: int
) -> list[tuple[str, float]]:
    found = []
    with torch.inference_mode():
        for name, module in network.named_children():
            if name == "flatten":
                break
            images, moved = module(images), module(moved)
            if name in _PROBES:
                found.append((name, relative_error(images, moved, shift)))
    return found


def _fresh(trial: Trial, seed: int, asked: Mapping) -> edges.Edges:
    """New images whose edges lie where those of the training images do."""
    n_train = len(trial.images["train"][0].labels)
    n_per_class = asked["images"] + asked["validation_images"]
    drawn = edges.generate(
        n_per_class,
        classes=trial.classes,
        seed=seed,
        split="train",
        location_ratio=asked["location_ratio"],
    )
    # An image depends on its number alone: the first are the training images.
    return edges.Edges(
        drawn.images[n_train:],
        drawn.labels[n_train:],
        {name: values[n_train:] for name, values in drawn.factors.items()},
    )


def _see(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.tensor(images).float() / 255
