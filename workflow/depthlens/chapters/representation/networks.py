"""The two networks of the chapter: how they are called, and what sections do alike with them."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.prose import count, number, percent, some

NETWORKS = ("convnet", "resnet")
"""blocks of the config, and tables"""
FEATURES = {"before_relu": "before the ReLU", "last": "what the last layer sees"}
AMONG = {"all": "all test images", "embedded": "images with a depth"}
SPLITS = {"train": "training images", "test": "test images"}
COLUMNS = {
    "network": Column("network"),
    "images": Column("training images", count),
    "share": Column("share of the training images", percent),
    "label": Column("class"),
    "other": Column("and class"),
    "confused": Column("images a seed", partial(number, digits=1)),
    "split": Column("images", SPLITS.__getitem__, {"train": style.MUTED, "test": "#0173b2"}),
    "loss": Column("cross-entropy, nats"),
    "features": Column("features", FEATURES.__getitem__),
    "among": Column("neighbours among", AMONG.__getitem__),
    "distance": Column("distance of their means"),
    "place": Column("place"),
    "exponent": Column("exponent"),
    "ten_times": Column("left by ten times the images"),
    "explained": Column("R²"),
    "purity": Column("neighbours with the label", partial(percent, digits=1)),
    "silhouette": Column("silhouette"),
    "answer": Column(
        "answers", colours={"all": style.INK, "right": style.RIGHT, "wrong": style.WRONG}
    ),
    "depth": Column("mean depth, probes", number),
    "error": Column("images that are wrong"),
    "train_loss": Column("training loss", partial(number, digits=4)),
    "test_loss": Column("test loss", partial(number, digits=4)),
    "train_accuracy": Column("training accuracy", partial(percent, digits=2)),
    "test_accuracy": Column("test accuracy", partial(percent, digits=2)),
}


def both(convnet: pd.DataFrame, resnet: pd.DataFrame) -> pd.DataFrame:
    """Rows of both networks, each with the title of its own: "small_convnet on mnist"."""
    table = pd.concat([convnet, resnet], ignore_index=True)
    return table.assign(network=table["architecture"] + " on " + table["dataset"])


def sizes(table: pd.DataFrame) -> str:
    """How much was trained on, and how often, of each network."""
    return "; ".join(
        f"{network}: {count(rows['train_examples'].max())} training images, "
        f"{some(rows['seed'].nunique(), 'seed')}"
        for network, rows in table.groupby("network", sort=False)
    )


def sweep_settings(block: Mapping, network: str) -> dict:
    """What every cell of a network's sweep reads besides."""
    recipe = {key: value for key, value in block[network].items() if key != "dataset"}
    return {
        "name": network,
        "recipe": recipe,
        "references": round(min(block["shares"]) * recipe["train_examples"]),
        **{key: block[key] for key in ("n_neighbors", "embedded")},
    }


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first seed, whose images are shown."""
    return table[table["seed"] == table["seed"].min()]


def show_images(ax: Axes, pictures: pd.DataFrame, examples: Iterable[int], **options: Any) -> None:
    """A grid of some of the images that the experiment kept; see `plots.image_grid`."""
    known = pictures.set_index("example_id")
    rows = [known.loc[example] for example in examples]
    if rows:
        shape = (1, rows[0]["height"], rows[0]["width"])
        images = np.stack([np.asarray(row["pixels"], np.uint8).reshape(shape) for row in rows])
        plots.image_grid(ax, images, **options)
    ax.set_axis_off()
