"""Oversampling: the deep images more often than the others, in as many steps."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments import choices
from depthlens.chapters.benchmarks_of_difficulty.experiments.choices import RANDOM, Rows
from depthlens.tables import Images
from depthlens.training.loop import Progress

PLAIN, DEEPEST = "plain", "deepest"


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Train on all images, on all with the deepest several times, and on all with a lot so.

    Depth is that of a first network. All others begin with the same weights and take as many steps
    as one on every image once a pass.

    Parameters
    ----------
    cell : mapping
        `dataset`, `seed`.
    settings : mapping
        `recipe`, `n_neighbors`, `early_epoch`; `share` of the training images that come more
        often, and how many `times`.

    Returns
    -------
    DataFrame
        One row a network: `which` come more often (plain: none), `times` a pass, `n_images` that
        do, `n_steps`, `accuracy` on the test images.
    """
    recipe, seed = trial.Recipe.of(settings["recipe"]), cell["seed"]
    train, test = choices.sets_of(images, cell=cell, recipe=settings["recipe"])
    n_images = len(train.labels)
    n_steps = choices.number_of_steps(n_images, recipe)
    orders = {
        which: choices.order_by(score, train, test, settings=settings, seed=seed, progress=progress)
        for which, score in ((DEEPEST, "depth"), (RANDOM, RANDOM))
    }
    n_often = round(settings["share"] * n_images)
    rows = []
    for which, times in [
        (PLAIN, 1), *((which, times) for which in orders for times in settings["times"])
    ]:  # fmt: skip
        order = orders.get(which, np.arange(n_images))
        _, accuracy = choices.learn(
            choices.always(repeated(order, n_often, times)),
            train,
            test,
            n_steps=n_steps,
            recipe=recipe,
            seed=seed,
            progress=progress,
        )
        about = {"which": which, "times": times, "n_images": n_often if times > 1 else 0}
        rows.append({**about, "n_steps": n_steps, "accuracy": accuracy[n_steps]})
    return pd.DataFrame(rows)


def repeated(order: Rows, n_often: int, times: int) -> Rows:
    """All rows of an order once, the last of them so many times; ascending.

    Parameters
    ----------
    order : int array, shape (n,)
    n_often, times : int

    Returns
    -------
    int array, shape (n + (times - 1) · n_often,)
    """
    often = order[len(order) - n_often :]
    return np.sort(np.concatenate([order, np.repeat(often, times - 1)]))
