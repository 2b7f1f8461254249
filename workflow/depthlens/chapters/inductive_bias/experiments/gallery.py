"""Images as the networks see them: in all classes, with their pixels moved, and in halves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from depthlens.chapters.inductive_bias.experiments.material import PERMUTATION_SEED
from depthlens.datasets import edges
from depthlens.training.stacked import Progress

SHOWN = 3
"""images of a class"""


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> dict[str, pd.DataFrame]:
    """Draw some training images of every kind, and permute their pixels and back.

    Parameters
    ----------
    cell : mapping
        `seed` of the images.
    settings : mapping
        `location_ratio` of the images with a domain shift.

    Returns
    -------
    dict of DataFrame
        gallery: one row a pixel: `kind` of images, `class`, `example`, `row`, `column`,
        `brightness` (0 … 255). restored: one row an image, `same`: share of its pixels that are
        as they were when the permutation was undone.
    """
    seed, ratio = cell["seed"], settings["location_ratio"]
    plain = edges.generate(SHOWN, classes=edges.KINDS, seed=seed, split="train")
    moved = edges.permute_pixels(plain.images, seed=PERMUTATION_SEED)
    halves = {
        split: edges.generate(SHOWN, seed=seed, split=split, location_ratio=ratio)
        for split in ("train", "validation")
    }
    kinds = {"plain": plain, "permuted": plain._replace(images=moved)} | halves
    places = np.arange(moved[0].size, dtype=np.int64).reshape(1, *moved[0].shape)
    order = edges.permute_pixels(places, seed=PERMUTATION_SEED)
    restored = np.empty_like(moved).reshape(len(moved), -1)
    restored[:, order.ravel()] = moved.reshape(len(moved), -1)
    same = (restored == plain.images.reshape(len(moved), -1)).mean(axis=1)
    about = {"dataset": "edges", "architecture": "no network"}
    return {
        "gallery": pd.concat(
            [_pixels(drawn).assign(kind=kind, **about) for kind, drawn in kinds.items()],
            ignore_index=True,
        ),
        "restored": pd.DataFrame({**about, "example": np.arange(len(same)), "same": same}),
    }


def _pixels(drawn: edges.Edges) -> pd.DataFrame:
    example, _, row, column = (places.ravel() for places in np.indices(drawn.images.shape))
    return pd.DataFrame(
        {
            "class": np.array(edges.KINDS)[drawn.labels[example]],
            "example": example,
            "row": row,
            "column": column,
            "brightness": drawn.images.ravel(),
        }
    )
