"""What pruning, curricula and labelling share: ranking images, and training on chosen ones."""

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens import trial
from depthlens.scores.catalogue import BY_NAME
from depthlens.tables import Images
from depthlens.training import loop, schedules

RANDOM = "random"
"""in the place of a score, an order or a strategy"""

Rows = NDArray[np.intp]


def generator_of(seed: int, purpose: str) -> np.random.Generator:
    """Random numbers of their own for every purpose of every seed."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def seed_of(seed: int, purpose: str) -> int:
    """A seed of its own for every purpose of every seed, 0 … 2³¹ - 1."""
    return int(generator_of(seed, purpose).integers(2**31))


def sets_of(
    images: Mapping[str, tuple[Images, Images]], *, cell: Mapping, recipe: Mapping
) -> tuple[Images, Images]:
    """Training and test images of a cell: the same for all cells of a dataset and seed.

    Parameters
    ----------
    images : mapping of dataset to (train, test)
    cell : mapping
        Its `dataset` and `seed`.
    recipe : mapping
        Its `train_examples` and `test_examples`.
    """
    train, test = images[cell["dataset"]]
    generator = generator_of(cell["seed"], "images")
    return (
        trial.draw(train, recipe["train_examples"], generator),
        trial.draw(test, recipe["test_examples"], generator),
    )


def hardness(
    score: str,
    train: Images,
    test: Images,
    *,
    settings: Mapping,
    seed: int,
    progress: loop.Progress,
) -> NDArray[np.float64]:
    """How hard each training image is by a score of a network that is trained on all of them.

    Parameters
    ----------
    score : str
        A column of `trial.scores` that needs no gradients of the images.
    settings : mapping
        `recipe`, `n_neighbors`, `early_epoch`.

    Returns
    -------
    float array, shape (n_train,)
        The score, with its sign turned where smaller values are harder.
    """
    how = trial.Recipe.of(settings["recipe"])
    trained = trial.fit(train, test, recipe=how, seed=seed, progress=progress)
    (seen,) = trial.see(trained.network, train, n_neighbors=settings["n_neighbors"])
    scores = trial.scores(trained, train, seen, early_epoch=settings["early_epoch"])
    return BY_NAME[score].harder * scores[score].to_numpy(np.float64)


def order_by(
    score: str,
    train: Images,
    test: Images,
    *,
    settings: Mapping,
    seed: int,
    progress: loop.Progress,
) -> Rows:
    """Rows of the training images from the easiest to the hardest by a score, or by lot."""
    if score == RANDOM:
        found = generator_of(seed, "lot").random(len(train.labels))
    else:
        own = seed_of(seed, "scores")
        found = hardness(score, train, test, settings=settings, seed=own, progress=progress)
    return ranked(found, generator_of(seed, "ties"))


def ranked(hardness: NDArray[np.floating], generator: np.random.Generator) -> Rows:
    """Rows from the easiest to the hardest; those that tie in random order.

    Parameters
    ----------
    hardness : float array, shape (n,)
    generator : numpy.random.Generator

    Returns
    -------
    int array, shape (n,)
    """
    return np.lexsort([generator.random(len(hardness)), hardness])


def in_turn(order: Rows, labels: NDArray[np.integer]) -> Rows:
    """The same rows, classes taking turns: the first of every class, then the second, …

    Parameters
    ----------
    order : int array, shape (n,)
        Rows of `labels`.
    labels : int array

    Returns
    -------
    int array, shape (n,)
        Within a class in the order that was given, and so are the classes in every turn. Any
        first rows of it hold the classes in equal shares, as far as they have images.
    """
    turn = np.empty(len(order), np.intp)
    of_order = labels[order]
    for label in np.unique(of_order):
        members = np.flatnonzero(of_order == label)
        turn[members] = np.arange(len(members))
    return order[np.argsort(turn, kind="stable")]


def number_of_steps(n_images: int, recipe: trial.Recipe) -> int:
    """Steps of a training on so many images, as `trial.fit` takes them."""
    return recipe.epochs * len(loop.batches_of(n_images, recipe.batch_size, 0, 1))


def always(rows: Rows) -> Callable[[int], Rows]:
    """The same rows at every step, for `passes`."""
    return lambda _: rows


def learn(
    available: Callable[[int], Rows],
    train: Images,
    test: Images,
    *,
    n_steps: int,
    recipe: trial.Recipe,
    seed: int,
    order: str = "batches",
    n_measured: int = 1,
    progress: loop.Progress,
) -> tuple[nn.Module, dict[int, float]]:
    """Train a new network on shuffled passes over what is available; see `passes`, `train_on`.

    Networks of one seed begin with the same weights; `order` names the draw of their order.
    """
    batches = passes(
        available, n_steps=n_steps, batch_size=recipe.batch_size, seed=seed_of(seed, order)
    )
    return train_on(
        batches,
        train,
        test,
        recipe=recipe,
        seed=seed_of(seed, "network"),
        n_measured=n_measured,
        progress=progress,
    )


def passes(
    available: Callable[[int], Rows], *, n_steps: int, batch_size: int, seed: int
) -> list[torch.Tensor]:
    """Batches of shuffled passes over what is available when a pass begins.

    Parameters
    ----------
    available : callable
        Gives the rows at a step 0 … n_steps - 1; at least two.
    n_steps : int
        Batches in all; the last pass ends where they do.
    batch_size : int
        See `training.loop.batches_of`.
    seed : int

    Returns
    -------
    list of int tensors, length n_steps
    """
    batches: list[torch.Tensor] = []
    number = 0
    while len(batches) < n_steps:
        number += 1
        rows = torch.from_numpy(available(len(batches)))
        batches += [rows[batch] for batch in loop.batches_of(len(rows), batch_size, seed, number)]
    return batches[:n_steps]


def train_on(
    batches: Sequence[torch.Tensor],
    train: Images,
    test: Images,
    *,
    recipe: trial.Recipe,
    seed: int,
    n_measured: int = 1,
    progress: loop.Progress,
) -> tuple[nn.Module, dict[int, float]]:
    """Train a new network on given batches, and measure it along the way.

    As `trial.fit` does it, learning rate included, but for the order of the images and for the
    number of measurements.

    Parameters
    ----------
    batches : sequence of int tensors
        Rows of `train` of each step.
    train, test : Images
    recipe : Recipe
    seed : int
        Of the initial weights and of dropout.
    n_measured : int
        Measurements of the test images, evenly spaced, the last at the end.
    progress : callable
        Wraps the iterable of batches before each measurement.

    Returns
    -------
    torch.nn.Module
    dict of int to float
        Share of the test images that are classified right, by number of steps.
    """
    network = trial.new_network(train, recipe=recipe, seed=seed)
    device, n_steps = trial.device_of(network), len(batches)
    optimizer = trial.new_optimizer(network, recipe=recipe)
    train_images, train_labels, test_images, test_labels = (
        torch.tensor(array, device=device)
        for array in (train.images, train.labels, test.images, test.labels)
    )
    ends = sorted({-(-n_steps * number // n_measured) for number in range(1, n_measured + 1)})
    accuracy, start = {}, 0
    for end in ends:
        loop.take_steps(
            network,
            optimizer,
            train_images,
            train_labels,
            list(batches[start:end]),
            rates=[
                recipe.learning_rate * schedules.linear(step, n_steps, decay=recipe.decay)
                for step in range(start, end)
            ],
            seed=loop.epoch_seed(seed, end),
            progress=progress,
        )
        seen = loop.evaluate(network, test_images, test_labels, batch_size=recipe.batch_size)
        accuracy[end] = float((seen.prediction == test.labels).mean())
        start = end
    return network, accuracy
