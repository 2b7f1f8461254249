"""Image folders and NumPy archives of a reader, as bytes and labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.datasets import arrays, image_folder
from depthlens.errors import StudyError
from depthlens.progress import bar

_FEW = 1000


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
    channels: int | None,
    resize: str,
) -> tuple[dict[str, Labelled], list[str]]:
    """Images of each set.

    Parameters
    ----------
    paths : mapping of "train" and, if there are others to measure, "test" to a path
        A folder that holds a folder of images for each class, as torchvision's ImageFolder reads
        it; or a .npz file of `x`, images as `datasets.arrays.to_images` takes them, and `y`,
        labels.
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
        found = {
            name: _folder(path, size, channels or 3, resize)
            if path.is_dir()
            else _archive(path, size, channels)
            for name, path in paths.items()
        }
        shapes = {name: part[0].shape[1:] for name, part in found.items()}
        if len(set(shapes.values())) > 1:
            raise StudyError(
                f"train has images of (channels, height, width) {shapes['train']}, queries of "
                f"{shapes['test']}; they must be alike"
            )
        where = " and ".join(str(path) for path in paths.values())
        given = {name: part[1] for name, part in found.items()}
        labels, names = arrays.to_labels(given, classes, where)
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
        raise StudyError(str(error).removeprefix("datasets: ")) from None


def _folder(
    path: Path, size: tuple[int | None, int | None], channels: int, resize: str
) -> tuple[NDArray[np.uint8], NDArray, list[str]]:
    height, width = size
    if height is None or width is None:
        raise StudyError(
            f"{path}: give --height and --width, the size in pixels that the network takes"
        )
    names = list(image_folder.files(path))
    if not names:
        raise StudyError(f"{path}: no image in it; images belong into {path}/CLASS")
    if loose := next((name for name in names if "/" not in name), None):
        raise StudyError(f"{path}: {loose} lies in no folder of a class; move it into {path}/CLASS")
    with _shown(f"images of {path.name}", len(names)) as each:
        decoded = image_folder.decode(
            path, names, size=(height, width), channels=channels, resize=resize, each=each
        )
    labels = np.array([name.split("/")[0] for name in names])
    return decoded.images, labels, names


@contextmanager
def _shown(label: str, n: int) -> Iterator[Callable[[], object]]:
    with bar(label=label, total=n, unit="image", hidden=n < _FEW) as shown:
        yield shown.update


def _archive(
    path: Path, size: tuple[int | None, int | None], channels: int | None
) -> tuple[NDArray[np.uint8], NDArray, list[str]]:
    values, labels = arrays.read_npz({"train": path}, images="x", labels="y")["train"]
    images = arrays.to_images(values, f"x of {path}")
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
