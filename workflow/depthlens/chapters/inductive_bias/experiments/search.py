"""A random search over learning rate, passes over the images and kernel size: one candidate."""

from collections.abc import Mapping

import pandas as pd
from scipy.stats import loguniform
from sklearn.model_selection import ParameterSampler

from depthlens.chapters.inductive_bias.experiments import learning
from depthlens.training.stacked import Progress


def drawn(number: int, search: Mapping) -> dict[str, float | int]:
    """The settings of a candidate, by scikit-learn's ParameterSampler.

    Parameters
    ----------
    number : int
        1, 2, … The first of a larger search are those of a smaller one.
    search : mapping
        `learning_rate`: its least and largest, between which its logarithm is uniform; `epochs`,
        `kernel_size`: lists to choose from.
    """
    space = {
        "learning_rate": loguniform(*search["learning_rate"]),
        **{key: list(search[key]) for key in ("epochs", "kernel_size")},
    }
    return list(ParameterSampler(space, n_iter=number, random_state=0))[-1]


def experiment(
    images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> pd.DataFrame:
    """Train the `candidate` of a cell, and measure it as `learning` does.

    Its rows also say the candidate's `learning_rate`, `epochs` and `kernel_size`, 0 of a network
    without kernels.
    """
    candidate = drawn(cell["candidate"], settings["search"])
    rows = learning.experiment(
        images, cell=cell, settings={**settings, **candidate}, progress=progress
    )
    if cell["architecture"] == "mlp":
        candidate["kernel_size"] = 0
    return rows.assign(**candidate)
