"""Pruning: train on the images that a score chooses."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments import choices
from depthlens.chapters.benchmarks_of_difficulty.experiments.choices import RANDOM, Rows
from depthlens.tables import Images
from depthlens.training.loop import Progress

ALL, EASIEST, HARDEST = "all", "easiest", "hardest"
_MIDDLE = 0.5
"""the share at which classes are kept in balance too, or the nearest to it"""


class Choice(NamedTuple):
    """A way to keep a share of the images."""

    share: float
    direction: str
    """easiest, hardest, random, or all"""
    balanced: bool
    """whether the share is that of every class"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Rank the training images by a score, and train a new network on each part of them.

    All parts are in one cell, as all of them need the one network that gives the scores. Every
    network takes as many steps as one on all images does, so that a small part is passed over more
    often: what is compared is images, not computation. All networks of a seed begin with the same
    weights; the one that gives the scores has others.

    Parameters
    ----------
    cell : mapping
        `dataset`, `score`, `seed`; the score "random" chooses by lot and also trains on all images.
    settings : mapping
        `recipe`, `n_neighbors`, `early_epoch`, `shares`.

    Returns
    -------
    DataFrame
        One row a network: `share`, `direction` and `balanced` of its choice, `n_images`,
        `fewest_of_a_class` among them, `n_steps`, `accuracy` on the test images.

    References
    ----------
    Paul, Ganguli, Dziugaite (2021), arXiv 2107.07075, whose code gives every part equally many
    steps.
    """
    recipe, seed, score = trial.Recipe.of(settings["recipe"]), cell["seed"], cell["score"]
    train, test = choices.sets_of(images, cell=cell, recipe=settings["recipe"])
    order = choices.order_by(score, train, test, settings=settings, seed=seed, progress=progress)
    n_steps = choices.number_of_steps(len(train.labels), recipe)
    rows = []
    for choice in made_choices(settings["shares"], by_lot=score == RANDOM):
        rows_kept = kept(order, train.labels, choice)
        _, accuracy = choices.learn(
            choices.always(rows_kept),
            train,
            test,
            n_steps=n_steps,
            recipe=recipe,
            seed=seed,
            progress=progress,
        )
        members = np.bincount(train.labels[rows_kept], minlength=len(train.classes))
        rows.append(
            {
                **choice._asdict(),
                "n_images": len(rows_kept),
                "fewest_of_a_class": int(members.min()),
                "n_steps": n_steps,
                "accuracy": accuracy[n_steps],
            }
        )
    return pd.DataFrame(rows)


def made_choices(shares: list[float], *, by_lot: bool) -> Iterator[Choice]:
    """The choices of a cell: every share from both ends of the ranking, or by lot.

    Balanced classes double the work, and so are tried at one share only, the nearest to a half.
    """
    for share in shares:
        if by_lot:
            yield Choice(share, RANDOM, False)
            continue
        for direction in (EASIEST, HARDEST):
            yield Choice(share, direction, False)
            if share == middle(shares):
                yield Choice(share, direction, True)
    if by_lot:
        yield Choice(1.0, ALL, False)


def middle(shares: list[float]) -> float:
    """The share nearest to a half, the smaller of two."""
    return min(shares, key=lambda share: (abs(share - _MIDDLE), share))


def kept(order: Rows, labels: NDArray[np.integer], choice: Choice) -> Rows:
    """Rows that a choice keeps.

    Parameters
    ----------
    order : int array, shape (n,)
        Rows from the easiest to the hardest.
    labels : int array, shape (n,)
    choice : Choice

    Returns
    -------
    int array, shape (max(2, round(share · n)),), ascending
        Batch statistics need two images.
    """
    if choice.direction == HARDEST:
        order = order[::-1]
    if choice.balanced:
        order = choices.in_turn(order, labels)
    return np.sort(order[: max(2, round(choice.share * len(order)))])
