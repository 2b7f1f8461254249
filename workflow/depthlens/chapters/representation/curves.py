"""Loss and accuracy by number of training images, and what CS 148 printed of them."""

import math

import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters.representation.networks import COLUMNS, both
from depthlens.chapters.sources import MNIST
from depthlens.figures.sheet import Sheet

COURSE = f"{MNIST}, parts of the training images"
PRINTED = pd.DataFrame(
    {
        "network": "as CS 148 printed it",
        "seed": 1,
        "share": [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1],
        "images": [3750, 7500, 15_000, 30_000, 60_000],
        "train_loss": [0.068028, 0.043260, 0.029463, 0.018189, 0.005586],
        "train_accuracy": [0.979867, 0.987483, 0.991600, 0.995233, 0.998500],
        "test_loss": [0.060229, 0.037765, 0.030815, 0.024652, 0.020920],
        "test_accuracy": [0.9815, 0.9879, 0.9898, 0.9925, 0.9932],
    }
)
"""one network a share of the training images, seed 1"""


def scores(convnet: pd.DataFrame, resnet: pd.DataFrame) -> pd.DataFrame:
    """Loss and accuracy on training and test images, a row a network, seed and share."""
    answers = both(convnet, resnet)
    keys = ["network", "dataset", "architecture", "train_examples", "seed", "share", "images"]
    keys += ["train_loss", "train_accuracy"]
    right = answers["label"] == answers["prediction"]
    found = answers.assign(test_accuracy=right).groupby(keys, sort=False)
    found = found.agg(test_loss=("loss", "mean"), test_accuracy=("test_accuracy", "mean"))
    return found.reset_index()


def beside(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of networks, and below them the printed ones if some are of MNIST."""
    return pd.concat([scores, PRINTED]) if "mnist" in set(scores["dataset"]) else scores


def by_split(scores: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A row a network, seed, size and split: `images` and the measure."""
    columns = {f"{split}_{measure}": split for split in ("train", "test")}
    keys = ["network", "dataset", "seed", "images"]
    errors = {f"{split}_error": 1 - scores[f"{split}_accuracy"] for split in ("train", "test")}
    renamed = scores.assign(**errors).rename(columns=columns)[[*keys, *columns.values()]]
    return renamed.melt(keys, var_name="split", value_name=measure)


def show_printed(sheet: Sheet, ax: Axes, own: pd.DataFrame, measure: str) -> float:
    """Show the points of CS 148 among those of networks on MNIST; the lowest, or infinity."""
    if set(own["dataset"]) != {"mnist"}:
        return math.inf
    sheet.facts.append("hollow: as CS 148 printed it, one network a size")
    points = by_split(PRINTED.assign(dataset="mnist"), measure)
    for split, rows in points.groupby("split"):
        colour = COLUMNS["split"].colours[split]
        ax.plot(rows["images"], rows[measure], "D", color=colour, fillstyle="none", zorder=3)
    return float(points[measure].min())
