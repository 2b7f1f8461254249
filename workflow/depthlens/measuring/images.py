"""Image folders and NumPy archives of a reader, as bytes and labels."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.datasets import arrays, image_folder
from depthlens.datasets.image_folder import Channels, OnError, Resize
from depthlens.errors import StudyError
from depthlens.progress import bar

log = logging.getLogger(__name__)

_FEW = 1000
# What messages call a key of config.yaml, and the option that a reader has.
_OPTIONS = {
    "set on_error to skip": "give --on-error skip",
    "set images and labels to the names of two of them": "name two of them with --images and "
    "--labels",
    "the key classes": "--classes",
    "lower height and width": "lower --height and --width",
}


class Labelled(NamedTuple):
    """Images of one size with their labels."""

    images: NDArray[np.uint8]
    """shape (n_examples, channels, height, width)"""
    labels: NDArray[np.integer]
    """shape (n_examples,), indexes of the classes"""
    files: list[str]
    """of each image: its path below the folder, or the archive's name and its row, "x.npz[3]" """


def read(
    paths: Mapping[str, Path],
    *,
    classes: Sequence[str] | None,
    size: tuple[int | None, int | None],
    channels: Channels | None,
    resize: Resize,
    array_names: tuple[str, str] = ("x", "y"),
    on_error: OnError = "stop",
) -> tuple[dict[str, Labelled], list[str]]:
    """Images of each set.

    Parameters
    ----------
    paths : mapping of "train" and, if there are others to measure, "test" to a path
        A folder that holds a folder of images for each class, as torchvision's ImageFolder reads
        it; or a .npz file of images, as `datasets.arrays.to_images` takes them, and labels.
    classes : sequence of str or None
        Names of the network's outputs, in their order; without it, the classes of the training
        images in alphabetical (of numbers, ascending) order.
    size : (height, width)
        Pixels. Needed for folders, whose images are brought to it; archives must have it.
    channels : {1, 3} or None
        Grey, or red, green and blue. None is 3 for folders, and what an archive holds. A grey
        archive becomes three equal channels.
    resize : {"stretch", "crop", "pad"}
        How images of a folder are brought to the size; see `datasets.image_folder.decode`.
    array_names : (images, labels)
        Of an archive; {split} in them stands for train and test.
    on_error : {"stop", "skip"}
        What becomes of images of a folder that are damaged.

    Returns
    -------
    sets : dict of the same keys to Labelled
    classes : list of str

    Raises
    ------
    StudyError
        That names the file or the option.
    """
    with _as_options():
        if paths["train"] == paths.get("test") and "{split}" not in array_names[0]:
            raise StudyError(
                f"{paths['train']}: the same for --train and --queries; leave --queries out to "
                "measure the training images, each left out of its own vote"
            )
        folders = {name: path for name, path in paths.items() if path.is_dir()}
        found = {
            name: _archive(path, name, array_names, size, channels)
            for name, path in paths.items()
            if name not in folders
        }
        if folders:
            found |= _folders(folders, size, channels or 3, resize, on_error)
        shapes = {name: part[0].shape[1:] for name, part in found.items()}
        if len(set(shapes.values())) > 1:
            raise StudyError(
                f"train has images of (channels, height, width) {shapes['train']}, queries of "
                f"{shapes['test']}; they must be alike"
            )
        where = " and ".join(str(path) for path in paths.values())
        given = {name: part[1] for name, part in found.items()}
        labels, names = arrays.to_labels(given, classes, where)
        if len(names) < 2:
            raise StudyError(f"{where} has images of {len(names)} class; it needs two")
    sets = {
        name: Labelled(images, labels[name], files) for name, (images, _, files) in found.items()
    }
    return sets, names


@contextmanager
def _as_options() -> Iterator[None]:
    """Messages that do not name the block of config.yaml, which a reader does not have."""
    try:
        yield
    except StudyError as error:
        message = "\n".join(line.removeprefix("datasets: ") for line in str(error).splitlines())
        for key, option in _OPTIONS.items():
            message = message.replace(key, option)
        raise StudyError(message) from None


def _folders(
    paths: Mapping[str, Path],
    size: tuple[int | None, int | None],
    channels: Channels,
    resize: Resize,
    on_error: OnError,
) -> dict[str, tuple[NDArray[np.uint8], NDArray, list[str]]]:
    """Of each folder the images, the names of their classes, and their paths below it."""
    height, width = size
    if height is None or width is None:
        raise StudyError(
            f"{next(iter(paths.values()))}: give --height and --width, the size in pixels that the "
            "network takes"
        )
    files, labels, notes = {}, {}, []
    for name, path in paths.items():
        classes, said = image_folder.by_class(path)
        if not classes:
            raise StudyError(f"{path}: no image in it; images belong into {path}/CLASS")
        files[name] = [file for images in classes.values() for file in images]
        labels[name] = np.array([label for label, images in classes.items() for _ in images])
        notes += said
    total = sum(map(len, files.values()))
    with bar(label="images", total=total, unit="image", hidden=total < _FEW) as shown:
        decoded = image_folder.decode(
            {name: [path / file for file in files[name]] for name, path in paths.items()},
            size=(height, width),
            channels=channels,
            resize=resize,
            on_error=on_error,
            each=shown.update,
        )
    found = {}
    for name, (images, rows, _, said) in decoded.items():
        found[name] = images, labels[name][rows], [files[name][row] for row in rows]
        notes += said
        if lost := sorted(set(labels[name]) - set(found[name][1])):
            raise StudyError(
                f"{paths[name]}: no image of {', '.join(lost)} is whole, and the class would be "
                "lost; replace one, or move its folder away"
            )
    for note in notes:
        log.info(note)
    return found


def _archive(
    path: Path,
    split: str,
    names: tuple[str, str],
    size: tuple[int | None, int | None],
    channels: int | None,
) -> tuple[NDArray[np.uint8], NDArray, list[str]]:
    values, labels = arrays.read_npz({split: path}, images=names[0], labels=names[1])[split]
    images = arrays.to_images(values, f"{names[0].replace('{split}', split)} of {path}")
    if len(images) != len(labels):
        raise StudyError(f"{path}: {len(images)} images and {len(labels)} labels")
    for name, wanted, has in zip(("height", "width"), size, images.shape[2:], strict=True):
        if wanted not in (None, has):
            raise StudyError(
                f"{path}: its images have a {name} of {has}, not {wanted}; images of an archive "
                f"keep their size: leave --{name} out"
            )
    if channels not in (None, images.shape[1]):
        if images.shape[1] != 1:
            raise StudyError(f"{path}: its images have 3 channels; leave --channels out")
        images = np.broadcast_to(images, (len(images), channels, *images.shape[2:]))
    return images, labels, [f"{path.name}[{row}]" for row in range(len(images))]
