"""How well networks do at the end of their training."""

from collections.abc import Mapping

import pandas as pd

from depthlens.chapters.inductive_bias.experiments.material import prepare, scores_of, train
from depthlens.training.stacked import Progress


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: Progress
) -> pd.DataFrame:
    """Train, and measure by `material.scores_of` on `splits`: else on train and validation."""
    trial = prepare(cell, settings, splits=settings.get("splits", ("train", "validation")))
    (last,) = train(trial, cell, settings, progress=progress)
    return scores_of(trial, last)
