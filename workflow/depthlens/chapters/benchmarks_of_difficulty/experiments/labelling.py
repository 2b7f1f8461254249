"""Active learning: which images to label first."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments import choices
from depthlens.chapters.benchmarks_of_difficulty.experiments.choices import RANDOM
from depthlens.scores import outputs
from depthlens.tables import Images
from depthlens.training.loop import Progress

MARGIN, DEPTH = "margin", "depth"
STRATEGIES = (RANDOM, MARGIN, DEPTH)
ROUNDS = 5
"""how often images are labelled after the start"""
SHARE = 0.05
"""of the training images that are labelled at the start, and in every round"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Label a few images, train, and let the network say which to label next; several times.

    The start is drawn by lot, the classes in equal shares, and is the same for all strategies.
    Every round trains a new network from the same weights, with as many steps as a training on all
    images takes, and labels the images that the strategy puts first: by lot, with the smallest
    output margin, or the deepest. The depth of an image without a label is that of a query that
    is not among the references: its k nearest labelled images vote at every probe.

    Parameters
    ----------
    cell : mapping
        `dataset`, `strategy`, `seed`.
    settings : mapping
        `recipe`, `n_neighbors`.

    Returns
    -------
    DataFrame
        One row a network: `round` 0, 1, …; `n_labelled` images that it was trained on; `n_steps`;
        `accuracy` on the test images.
    """
    recipe, seed = trial.Recipe.of(settings["recipe"]), cell["seed"]
    pool, test = choices.sets_of(images, cell=cell, recipe=settings["recipe"])
    n_images, n_classes = len(pool.labels), len(pool.classes)
    each = max(round(SHARE * n_images), n_classes)
    n_steps = choices.number_of_steps(n_images, recipe)
    start = choices.generator_of(seed, "start").permutation(n_images)
    labelled = np.sort(choices.in_turn(start, pool.labels)[:each])
    rows = []
    for number in range(ROUNDS + 1):
        part = trial.take(pool, labelled)
        network, accuracy = choices.learn(
            choices.always(np.arange(len(labelled))),
            part,
            test,
            n_steps=n_steps,
            recipe=recipe,
            seed=seed,
            order=f"batches of round {number}",
            progress=progress,
        )
        rows.append(
            {
                "round": number,
                "n_labelled": len(labelled),
                "n_steps": n_steps,
                "accuracy": accuracy[n_steps],
            }
        )
        rest = np.setdiff1d(np.arange(n_images), labelled)
        if number == ROUNDS or not len(rest):
            break
        generator = choices.generator_of(seed, f"choice of round {number}")
        if cell["strategy"] == RANDOM:
            wanted = generator.random(len(rest))
        else:
            k = neighbours(len(labelled), n_classes, most=settings["n_neighbors"])
            _, seen = trial.see(network, part, [trial.take(pool, rest)], n_neighbors=k)
            wanted = wish(seen, cell["strategy"])
        first = choices.ranked(wanted, generator)[::-1]
        labelled = np.sort(np.concatenate([labelled, rest[first[:each]]]))
    return pd.DataFrame(rows)


def wish(seen: trial.Seen, strategy: str) -> NDArray[np.floating]:
    """How much a strategy wants the label of each image, shape (n,)."""
    if strategy == MARGIN:
        return -outputs.output_margin(seen.logits).astype(np.float64)
    return seen.depth.astype(np.float64)


def neighbours(n_labelled: int, n_classes: int, *, most: int) -> int:
    """Neighbours that vote among few references: at most half as many as a class has, and `most`.

    With more of them than a class has images, every vote would go to other classes as well.
    """
    return max(1, min(most, n_labelled // (2 * n_classes)))
