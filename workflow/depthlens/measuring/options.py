"""The options of `depthlens measure`, and faults in their words."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from depthlens.errors import StudyError

_FILE = click.Path(path_type=Path)


def _words(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list | None:
    return None if value is None else [word.strip() for word in value.split(",")]


def _numbers(_context: click.Context, _parameter: click.Parameter, value: str) -> list[float]:
    try:
        return [float(word) for word in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not one number, or some with commas") from None


@click.command()
@click.option(
    "--network",
    required=True,
    help="package.module:function that gives a torch network, or the name of an architecture.",
)
@click.option("--weights", type=_FILE, help="The network's weights: a safetensors or .pt file.")
@click.option(
    "--train",
    type=_FILE,
    required=True,
    help="Images it was trained on: folder of class folders, or .npz file of arrays.",
)
@click.option(
    "--queries", type=_FILE, help="Other images; without it, those of --train, leave-one-out."
)
@click.option(
    "--output",
    type=_FILE,
    required=True,
    help="Folder for examples.csv, examples.parquet and index.html.",
)
@click.option("--classes", callback=_words, help="Names of the outputs, with commas between.")
@click.option("--height", type=click.IntRange(min=1), help="Pixels that the network takes.")
@click.option("--width", type=click.IntRange(min=1), help="Pixels that the network takes.")
@click.option("--channels", type=click.Choice([1, 3]), help="Grey, or colour (of folders).")
@click.option(
    "--resize",
    type=click.Choice(["stretch", "crop", "pad"]),
    default="stretch",
    show_default=True,
    help="How images of a folder become one size.",
)
@click.option(
    "--images",
    default="x",
    show_default=True,
    help="Array of the images in a .npz file; {split} stands for train and test (queries).",
)
@click.option(
    "--labels", default="y", show_default=True, help="Array of the labels in a .npz file; likewise."
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Damaged images of a folder: name them all and stop, or leave them out.",
)
@click.option(
    "--mean",
    default="0",
    show_default=True,
    callback=_numbers,
    help="Subtracted of brightness in 0 … 1: one number, or one a channel.",
)
@click.option(
    "--std", default="1", show_default=True, callback=_numbers, help="By which it is then divided."
)
@click.option(
    "--probes",
    default="blocks",
    show_default=True,
    callback=_words,
    help="blocks, children, or names of modules with commas between.",
)
@click.option(
    "--n-neighbors",
    "--k",
    "n_neighbors",
    default=30,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="Neighbours that vote.",
)
@click.option(
    "--metric",
    type=click.Choice(["euclidean", "cosine"]),
    default="euclidean",
    show_default=True,
    help="Distance between activations.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 65_535),
    default=64,
    show_default=True,
    help="Images a forward pass.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Of the activations on disk.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes a GPU where there is one.",
)
@click.option(
    "--memory", type=float, default=2.0, show_default=True, help="GB for the search of neighbours."
)
@click.option("--workdir", type=_FILE, help="Where the activations lie while they are needed.")
def measure(probes: list[str], **arguments: Any) -> None:
    """Rank images by how hard they are for a network of yours, and by how suspect their label is.

    The images that the network was trained on are the neighbours that vote.
    """
    from depthlens.measuring import command

    plan = probes[0] if probes in (["blocks"], ["children"]) else probes
    with _as_options():
        command.run(probes=plan, **arguments)


@contextlib.contextmanager
def _as_options() -> Iterator[None]:
    """What is wrong with an argument, or what to set it to, in the words of this command."""
    options = {option.name: option.opts[0] for option in click.get_current_context().command.params}
    names = "|".join([*options, "model"])
    try:
        yield
    except MemoryError:
        raise StudyError("out of memory; lower --memory or --batch-size") from None
    except StudyError as error:
        raise StudyError(
            re.sub(
                rf"(^(?=\w+:)|\b(?:set|lower|raise) |(?:\bthe key ))({names})\b",
                lambda found: (
                    found[1].removeprefix("the key ") + options.get(found[2], "--network")
                ),
                str(error),
            )
        ) from None
