"""How networks are called and coloured in this chapter, and what was trained on how much."""

from collections.abc import Mapping

import pandas as pd

from depthlens.figures.sheet import Column
from depthlens.prose import count, some

COURSE = "course material on inductive biases"
BOTH = ("cnn", "mlp")

NETWORKS = {
    "cnn": "convolutional network",
    "mlp": "MLP",
    "cnn_average": "average pooling",
    "cnn_wider": "six filters",
    "cnn_deeper": "four convolutions",
    "cnn_2x2": "2×2 detectors",
    "cnn_sobel": "Sobel's detectors",
}
COLOURS = {
    "cnn": "#0173b2",
    "mlp": "#de8f05",
    "cnn_average": "#56b4e9",
    "cnn_wider": "#029e73",
    "cnn_deeper": "#cc78bc",
    "cnn_2x2": "#029e73",
    "cnn_sobel": "#d55e00",
}


WAYS = {False: "pixels in place", True: "pixels moved"}
COLUMNS = {
    "architecture": Column("network", NETWORKS.__getitem__, COLOURS),
    "permuted": Column("images", WAYS.__getitem__),
    "images": Column("training images a class", count),
    "kernel_size": Column("kernels, pixels", lambda size: f"{size}×{size}"),
    "accuracy": Column("images answered right", share=True),
}


def of_course(block: Mapping) -> dict:
    """Settings that the sweeps on images of three classes have in common."""
    return {
        **{key: block[key] for key in ("validation_images", "batch_size", "momentum")},
        "classes": ("horizontal", "vertical", "none"),
    }


def validated(table: pd.DataFrame) -> pd.DataFrame:
    """The rows about validation images."""
    return table[table["split"] == "validation"]


def sizes_of(table: pd.DataFrame, split: str = "train") -> str:
    """How many images there were and how many seeds: "30 training images, 10 seeds".

    Parameters
    ----------
    table : DataFrame
        With the columns `split`, `examples` and `seed`.
    split : str
        Whose images are counted.
    """
    examples = sorted(set(table.loc[table["split"] == split, "examples"]))
    numbers = count(examples[0])
    if len(examples) > 1:
        numbers += f" to {count(examples[-1])}"
    kind = "training" if split == "train" else split
    return f"{numbers} {kind} images, {some(table['seed'].nunique(), 'seed')}"
