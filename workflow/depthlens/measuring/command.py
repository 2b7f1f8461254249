"""The command `depthlens measure`: from images and weights in files to a ranking and a page."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from depthlens import tables
from depthlens.datasets.image_folder import Channels, OnError, Resize
from depthlens.errors import StudyError
from depthlens.measuring.images import read
from depthlens.measuring.measure import measure
from depthlens.measuring.page import page, worth
from depthlens.models import checkpoints, inputs, networks
from depthlens.report.page import render_examples

log = logging.getLogger(__name__)


def run(
    *,
    network: str,
    weights: Path | None,
    train: Path,
    queries: Path | None,
    output: Path,
    classes: Sequence[str] | None,
    height: int | None,
    width: int | None,
    channels: Channels | None,
    resize: Resize,
    images: str,
    labels: str,
    on_error: OnError,
    mean: Sequence[float],
    std: Sequence[float],
    probes: str | Sequence[str],
    n_neighbors: int,
    **options: Any,
) -> None:
    """Write `examples.csv`, `examples.parquet` and `index.html` into a folder.

    Parameters
    ----------
    network : str
        As for `models.networks.build`: "package.module:function", or the name of an architecture.
        It has as many outputs as there are classes.
    weights : path or None
        See `models.checkpoints.load_weights`. A function may do without.
    train, queries, classes, height, width, channels, resize, on_error
        See `measuring.images.read`.
    images, labels : str
        Names of the arrays of archives.
    output : path
        Folder.
    mean, std : sequence of float
        One for all channels, or one each: the network takes (brightness in 0 … 1 - mean) / std.
    probes, n_neighbors, **options
        See `measuring.measure.measure`.

    Raises
    ------
    StudyError
        If anything does not fit together; then nothing is written.
    """
    tables.check_writable(output / "index.html")
    paths = {"train": train} if queries is None else {"train": train, "test": queries}
    sets, names = read(
        paths,
        classes=classes,
        size=(height, width),
        channels=channels,
        resize=resize,
        array_names=(images, labels),
        on_error=on_error,
    )
    examples = sets.get("test", sets["train"])
    shape = examples.images.shape[1:]
    model = load(network, weights, n_classes=len(names), shape=shape)
    table = measure(
        model,
        sets["train"][:2],
        None if queries is None else examples[:2],
        probes=probes,
        n_neighbors=n_neighbors,
        classes=names,
        preprocess=normalization(mean, std, n_channels=shape[0]),
        **options,
    )
    made_with = {
        "network": network,
        **{name: str(path) for name, path in (("weights", weights), ("train", train)) if path},
        "queries": "the training images themselves, leave-one-out" if not queries else str(queries),
        "images": dict(zip(("channels", "height", "width"), shape, strict=True)),
        "resize": resize,
        **({"arrays": [images, labels]} if (images, labels) != ("x", "y") else {}),
        **({"on_error": on_error} if on_error != "stop" else {}),
        "mean": list(mean),
        "std": list(std),
        "probes": probes if isinstance(probes, str) else list(probes),
        "n_neighbors": n_neighbors,
        "metric": table.attrs["metric"],
    }
    table = ranked(table, examples.files)
    html = render_examples(page(table, examples.images, options=made_with))
    write(output, table, html, made_with)
    log.info(
        "%d images, accuracy %.4f, mean depth %.2f of %d",
        len(table), table["correct"].mean(), table["depth"].mean(), len(table.attrs["probes"]),
    )  # fmt: skip
    if copies := int((table["copies"] > 0).sum()):
        log.info(
            "%d images have copies, %d of them under another label; on its label no copy votes",
            copies, (table["copies_labelled_otherwise"] > 0).sum(),
        )  # fmt: skip
    log.info(
        "%d labels are suspect, %s: %s",
        table["suspect"].sum(), worth(table.attrs["threshold"]), output / "index.html",
    )  # fmt: skip


def load(network: str, weights: Path | None, *, n_classes: int, shape: inputs.Shape) -> nn.Module:
    """The network of a function or of an architecture, with its weights.

    Raises
    ------
    StudyError
        If there is no such network, it is none, or the weights are not its own.
    """
    is_named = ":" not in network or network.startswith("timm:")
    if is_named and weights is None:
        raise StudyError(
            f"weights: {network} has none of its own; give a file of those that you "
            "trained, or name a function of yours: package.module:function"
        )
    try:
        model = networks.build(network, n_classes=n_classes, seed=0, shape=shape)
    except StudyError as error:  # which knows the name of the block in config.yaml
        raise StudyError(f"network: {str(error).removeprefix('models: ')}") from None
    if weights is not None:
        checkpoints.load_weights(model, weights, name=network)
    return model


def normalization(
    mean: Sequence[float], std: Sequence[float], *, n_channels: int
) -> inputs.Prepare:
    """What makes of bytes what a network was trained on: (x / 255 - mean) / std, by channel."""
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, n_channels) or not np.isfinite(values).all():
            raise StudyError(
                f"{name}: {', '.join(f'{value:g}' for value in values)} is not one number, nor one "
                f"for each of {n_channels} channels"
            )
    if not min(std) > 0:
        raise StudyError("std: what is divided by must be greater than 0")
    return inputs.prepare({"channels": n_channels, "mean": mean, "std": std})


def ranked(table: pd.DataFrame, files: Sequence[str]) -> pd.DataFrame:
    """The table with `file` and its ranks from 1, hardest and most suspect first.

    Harder is deeper, then less confident; more suspect is higher in suspicion, then in loss; of
    equals the first comes first.
    """
    found = table.assign(
        file=list(files),
        rank=_rank(table["depth"], -table["confidence"]),
        suspicion_rank=_rank(table["suspicion"], table["loss"]),
    )
    found.attrs = table.attrs
    first = ["rank", "file", "label", "prediction", "suggested", "confidence", "correct", "depth"]
    probes = table.attrs["probes"]
    rest = [name for name in found.columns if name not in (*first, "suspicion_rank", *probes)]
    return found[[*first, *rest, "suspicion_rank", *probes]]


def write(folder: Path, table: pd.DataFrame, html: str, made_with: Mapping) -> None:
    """Write the three files, each whole or not at all."""
    classes, probes = table.attrs["classes"], table.attrs["probes"]
    named = table.sort_values("rank")
    for column in ("label", "prediction", "suggested", *probes):
        named[column] = [classes[index] for index in named[column]]
    columns = {"example_id": np.arange(len(table), dtype=np.int32)}
    columns |= {name: table[name].to_numpy() for name in table.columns}
    columns["file"] = np.array(table["file"].tolist(), dtype=object)
    about = {"made_by": "measure", "config": made_with, "inputs": {}, **table.attrs}
    tables.write(folder / "examples.parquet", columns, about)
    csv = named.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    tables.write_text(folder / "examples.csv", csv)
    tables.write_text(folder / "index.html", html)


def _rank(*keys: pd.Series) -> NDArray[np.int32]:
    """1 for the largest of the first key, then of the next; of equals the first."""
    order = np.lexsort([-key.to_numpy().astype(np.float64) for key in reversed(keys)])
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(1, len(order) + 1)
    return rank
