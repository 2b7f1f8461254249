"""Image collections that torchvision knows, and what can be measured of any image."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthlens.datasets import plain_pickle
from depthlens.errors import StudyError

# What torchvision's classes keep below their root, for the message about missing files.
_FOLDERS = {"MNIST": "MNIST/raw", "FashionMNIST": "FashionMNIST/raw", "CIFAR10": "cifar-10-batches-py"}  # fmt: skip  # noqa: E501
_FILES = {
    "MNIST": "train-images-idx3-ubyte and the three files like it (unpacked)",
    "FashionMNIST": "train-images-idx3-ubyte and the three files like it (unpacked)",
    "CIFAR10": "data_batch_1 … data_batch_5, test_batch and batches.meta",
}


def load(
    name: str, split: str, data_root: Path | str
) -> tuple[NDArray[np.uint8], NDArray[np.int16], list[str]]:
    """A split of a collection, downloaded by torchvision where it is not on the disk.

    Parameters
    ----------
    name : {"MNIST", "FashionMNIST", "CIFAR10"}
    split : {"train", "test"}
    data_root : path
        torchvision's `root`.

    Returns
    -------
    images : uint8 array, shape (n_examples, channels, height, width)
    labels : int16 array, shape (n_examples,)
    classes : list of str

    Raises
    ------
    StudyError
        If the files are neither there nor to be had, saying what to put where.
    """
    # Here, not above: torchvision takes seconds to import and generated images never need it.
    from torchvision import datasets

    kind = getattr(datasets, name)
    read = _cifar10 if name == "CIFAR10" else _mnist
    try:
        images, labels, classes = read(kind, data_root, split == "train")
    except (OSError, RuntimeError) as error:
        reason = _first_line(error)
        raise StudyError(
            f"datasets: {name} is not in {data_root} and cannot be downloaded ({reason}); put "
            f"{_FILES[name]} into {Path(data_root) / _FOLDERS[name]}, or set data_root to the "
            "folder that holds them"
        ) from None
    except (ValueError, AssertionError, EOFError) as error:  # what torchvision makes of half a file
        raise StudyError(
            f"datasets: {name} in {Path(data_root) / _FOLDERS[name]} is damaged "
            f"({_first_line(error)}); delete that folder and run again"
        ) from None
    return (
        np.ascontiguousarray(images),
        np.asarray(labels).astype(np.int16),
        [str(label) for label in classes],
    )


def measure(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Properties of images that may explain why some are hard.

    Parameters
    ----------
    images : uint8 array, shape (n_examples, channels, height, width)

    Returns
    -------
    dict of float32 arrays, shape (n_examples,)
        `brightness`: mean, 0 … 1. `contrast`: standard deviation of the brightness, 0 … 0.5.
        `ink`: share of the pixels brighter than one half of the brightest, 0 … 1. `edges`: mean
        absolute difference of neighbouring pixels, 0 … 1.
    """
    grey = images.mean(axis=1, dtype=np.float64) / 255
    peak = grey.max(axis=(1, 2), keepdims=True)
    across = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    down = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
    measured = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "ink": (grey > peak / 2).mean(axis=(1, 2)),
        "edges": (across + down) / 2,
    }
    return {name: values.astype(np.float32) for name, values in measured.items()}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _mnist(kind: type, data_root: Path | str, train: bool) -> tuple[NDArray, NDArray, list]:
    """MNIST and what has its format, read by torchvision."""
    old = Path(data_root).expanduser() / kind.__name__ / "processed"
    if (old / "training.pt").exists() and (old / "test.pt").exists():
        # torchvision would take these pickles of its early days, unchecked, for the images.
        raise StudyError(
            f"datasets: {old} holds pickles of an old torchvision, which are not read; move that "
            "folder away and run again: the files in raw are enough"
        )
    collection = _present(kind, data_root, train) or kind(data_root, train=train, download=True)
    return np.asarray(collection.data)[:, None], np.asarray(collection.targets), collection.classes


def _present(kind: type, data_root: Path | str, train: bool) -> object | None:
    """The collection if its files are on the disk, else None."""
    try:
        return kind(data_root, train=train, download=False)
    except (RuntimeError, FileNotFoundError):
        return None


def _cifar10(kind: type, data_root: Path | str, train: bool) -> tuple[NDArray, list, list]:
    """CIFAR-10, whose files are pickles: torchvision would run whatever they say, so we read them.

    References
    ----------
    https://www.cs.toronto.edu/~kriz/cifar.html: a row of `data` is the red plane of 32 × 32, then
    the green, then the blue.
    """
    from torchvision.datasets.utils import check_integrity, download_and_extract_archive

    root = Path(data_root).expanduser()
    folder = root / kind.base_folder
    files = {**dict(kind.train_list + kind.test_list), kind.meta["filename"]: kind.meta["md5"]}

    def whole() -> bool:
        return all(check_integrity(folder / file, md5) for file, md5 in files.items())

    if not whole():
        download_and_extract_archive(kind.url, root, filename=kind.filename, md5=kind.tgz_md5)
        if not whole():
            raise RuntimeError("what was downloaded is not what its MD5 says")
    images, labels = [], []
    for file, _ in kind.train_list if train else kind.test_list:
        data, found = _entries(folder / file, "data", "labels")
        if getattr(data, "dtype", None) != np.uint8 or data.shape != (len(found), 3 * 32 * 32):
            raise ValueError(f"{file} has no 32 × 32 image in three colours for every label")
        images.append(data)
        labels.extend(found)
    (classes,) = _entries(folder / kind.meta["filename"], kind.meta["key"])
    return np.concatenate(images).reshape(-1, 3, 32, 32), labels, classes


def _entries(path: Path, *keys: str) -> list:
    """Values of the dictionary that a file of CIFAR-10 is; Python 2 wrote it."""
    content = plain_pickle.read_pickle(path, encoding="latin1")
    if type(content) is not dict or not content.keys() >= set(keys):
        raise ValueError(f"{path.name} has no {' and '.join(keys)}")
    return [content[key] for key in keys]
