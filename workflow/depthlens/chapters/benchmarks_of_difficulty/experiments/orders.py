"""Curricula: the same images in another order."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments import choices
from depthlens.chapters.benchmarks_of_difficulty.experiments.choices import RANDOM, Rows
from depthlens.tables import Images
from depthlens.training.loop import Progress

STANDARD, EASY_TO_HARD, HARD_TO_EASY = "standard", "easy_to_hard", "hard_to_easy"
ORDERS = (STANDARD, RANDOM, EASY_TO_HARD, HARD_TO_EASY)
FIRST_SHARE, WHOLE_AFTER = 0.2, 0.8
"""linear pacing: the share of the images at the start, and the share of the steps after which all
images are used (b and a of Wu, Dyer, Neyshabur)"""
LONG, SHORT = 1.0, 0.2
"""lengths of a training, as shares of the epochs of the recipe"""
_LEAST_BATCHES = 2


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Train on images that come in an order, in a long and in a short training.

    The order is by the depth that a first network gives the training images, the classes taking
    turns. Images are drawn from the first of the order, whose number grows linearly; each pass
    shuffles those that are there when it begins. The order "random" grows as the others do; in
    "standard" all images are there from the start, as in any training. All orders take the same
    number of steps from the same weights.

    Parameters
    ----------
    cell : mapping
        `dataset`, `order`, `seed`.
    settings : mapping
        `recipe`, `n_neighbors`, `early_epoch`.

    Returns
    -------
    DataFrame
        One row a measurement of the test images: `length` of the training, 1 or 0.2 of the epochs;
        `step`, of `n_steps`; `accuracy`.

    References
    ----------
    Wu, Dyer, Neyshabur (2021), arXiv 2012.03107, algorithm 1 and their code, whose orders and
    pacing these are.
    """
    recipe, seed = trial.Recipe.of(settings["recipe"]), cell["seed"]
    train, test = choices.sets_of(images, cell=cell, recipe=settings["recipe"])
    n_images = len(train.labels)
    score = "depth" if cell["order"] in (EASY_TO_HARD, HARD_TO_EASY) else RANDOM
    order = choices.order_by(score, train, test, settings=settings, seed=seed, progress=progress)
    if cell["order"] == HARD_TO_EASY:
        order = order[::-1]
    order = choices.in_turn(order, train.labels)
    rows = []
    for length in (LONG, SHORT):
        epochs = max(1, round(length * recipe.epochs))
        n_steps = choices.number_of_steps(n_images, recipe) * epochs // recipe.epochs
        _, accuracy = choices.learn(
            partial(
                available,
                order,
                n_steps=n_steps,
                batch_size=recipe.batch_size,
                kind=cell["order"],
            ),
            train,
            test,
            n_steps=n_steps,
            recipe=recipe,
            seed=seed,
            n_measured=recipe.epochs,
            progress=progress,
        )
        rows += [
            {"length": length, "step": step, "n_steps": n_steps, "accuracy": value}
            for step, value in accuracy.items()
        ]
    return pd.DataFrame(rows)


def available(
    order: Rows, step: int, *, n_steps: int, batch_size: int, kind: str
) -> NDArray[np.intp]:
    """Rows that may be drawn at a step: all in the standard training, else the first of the order.

    Parameters
    ----------
    order : int array, shape (n,)
    step : int
        0 … n_steps - 1.
    n_steps, batch_size : int
        Of the training; there are never fewer rows than two batches, or than there are.
    kind : str
        One of `ORDERS`.
    """
    if kind == STANDARD:
        return order
    n = len(order)
    share = FIRST_SHARE + (1 - FIRST_SHARE) * step / (WHOLE_AFTER * n_steps)
    return order[: min(n, max(int(share * n), _LEAST_BATCHES * batch_size))]
