"""Prediction depth of images of edges, in convolutional networks and in MLPs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from depthlens import trial as one_network
from depthlens.chapters.inductive_bias.experiments.material import prepare, train
from depthlens.datasets import edges
from depthlens.models import inputs
from depthlens.tables import Images
from depthlens.training.stacked import Progress


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> pd.DataFrame:
    """Train, and compute the depth of every validation image by its `n_neighbors` nearest.

    Returns
    -------
    DataFrame
        One row a seed and validation image: `example`, `label` and `prediction` (names of
        classes), `correct`, `depth`, `n_probes`; `factor_background` and, of the edge that the
        image has, `factor_start`, `factor_width`, `factor_intensity` and `factor_contrast`
        (intensity less background), NaN where there is no edge.
    """
    trial = prepare(cell, settings)
    for _ in train(trial, cell, settings, progress=progress):
        pass
    classes = np.array(trial.classes)
    found = []
    for place, seed in enumerate(trial.seeds):
        network = trial.networks[place].eval()
        train_images, validation = (
            _images_of(trial.images[split][place], trial.classes)
            for split in ("train", "validation")
        )
        _, seen = one_network.see(
            network,
            train_images,
            [validation],
            n_neighbors=settings["n_neighbors"],
            prepare=inputs.prepare({"channels": 1}),
        )
        found.append(
            pd.DataFrame(
                {
                    "dataset": "edges",
                    "seed": seed,
                    "example": validation.example_id,
                    "label": classes[validation.labels],
                    "prediction": classes[seen.prediction],
                    "correct": seen.prediction == validation.labels,
                    "depth": seen.depth,
                    "n_probes": len(seen.probes),
                    **_factors(validation),
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def _images_of(drawn: edges.Edges, classes: list[str]) -> Images:
    return Images(
        example_id=np.arange(len(drawn.labels), dtype=np.int32),
        images=drawn.images,
        labels=drawn.labels,
        classes=classes,
        factors=drawn.factors,
    )


def _factors(images: Images) -> dict[str, np.ndarray]:
    factors = images.factors
    own = {
        # Whichever edge an image has: the others are NaN.
        name: np.fmax(factors[f"horizontal_{name}"], factors[f"vertical_{name}"])
        for name in ("start", "width", "intensity")
    }
    own["contrast"] = own["intensity"] - factors["background"]
    return {f"factor_{name}": values for name, values in own.items()} | {
        "factor_background": factors["background"]
    }
