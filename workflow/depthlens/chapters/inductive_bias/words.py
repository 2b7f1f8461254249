"""How networks are called and coloured in this chapter, and what was trained on how much."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from depthlens.chapters.section import Section
from depthlens.figures.sheet import Column
from depthlens.prose import count, percent, some
from depthlens.sweep import Cell, grid, together

Setting = Callable[[Mapping], Any]
"""of the chapter's block of the config"""
Axis = Setting | Sequence[str | bool]
"""values of one key of the cells"""

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
SPLITS = {
    "train": "training images",
    "validation": "validation images",
    "test": "test images",
}
WAYS = {False: "pixels in place", True: "pixels moved"}
COLUMNS = {
    "architecture": Column("network", NETWORKS.__getitem__, COLOURS),
    "permuted": Column("images", WAYS.__getitem__),
    "images": Column("training images a class", count),
    "kernel_size": Column("kernels, pixels", lambda size: f"{size}×{size}"),
    "split": Column("asked about", SPLITS.__getitem__),
    "examples": Column("images", count),
    "epoch": Column("passes over the training images", count),
    "accuracy": Column("images answered right", share=True),
    "loss": Column("cross-entropy, nats"),
    "lead": Column("lead", share=True, bounds=(-1, 1)),
    "ahead": Column("seeds ahead", percent),
}


def with_three_classes(block: Mapping) -> dict:
    """Settings that sweeps on images of an edge along a row, along a column or none share."""
    return _common(block) | {"classes": ("horizontal", "vertical", "none")}


def with_five_classes(block: Mapping) -> dict:
    """The same, with a slanted edge and both edges as two classes more."""
    classes = ("horizontal", "vertical", "none", "diagonal", "both")
    return _common(block) | {"classes": classes}


def of_few_images(block: Mapping) -> dict:
    """Settings of the sweeps that train as long as those on few images."""
    own = block["few_images"]
    return with_three_classes(block) | {key: own[key] for key in ("learning_rate", "epochs")}


def _common(block: Mapping) -> dict:
    return {key: block[key] for key in ("validation_images", "batch_size", "momentum")}


def learning(section: Section, name: str, *, settings: Setting, **axes: Axis) -> None:
    """Declare a sweep of networks of which the end of the training counts.

    Parameters
    ----------
    section : Section
    name : str
    settings : callable
        Of the chapter's block.
    **axes : sequence, or callable of the block
        Values of the cells, but for the seeds.
    """
    section.sweep(name, "learning", cells=lambda block: _cells(block, axes), settings=settings)


def course(
    section: Section, name: str, *, settings: Setting, tables: Sequence[str] = (), **axes: Axis
) -> None:
    """Declare a sweep of networks that are looked at along the training; see `learning`.

    Parameters
    ----------
    tables : sequence of str
        What is kept besides the scores: answers, kernels.
    """
    section.sweep(
        name,
        "course",
        cells=lambda block: _cells(block, axes),
        settings=lambda block: settings(block) | {"name": name},
        tables=[name, *(f"{name}_{table}" for table in tables)],
    )


def _cells(block: Mapping, axes: Mapping) -> list[Cell]:
    values = {key: axis(block) if callable(axis) else axis for key, axis in axes.items()}
    return grid(**values, seeds=seeds(block))


def seeds(block: Mapping) -> list[str]:
    """Seeds in the groups that one cell trains at once."""
    return together(block["seeds"], block["seeds_at_once"])


def at_the_end(table: pd.DataFrame, *splits: str) -> pd.DataFrame:
    """Rows of some splits at the last epoch of each network."""
    rows = table[table["split"].isin(splits)]
    return rows[rows["epoch"] == rows.groupby("architecture")["epoch"].transform("max")]


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
