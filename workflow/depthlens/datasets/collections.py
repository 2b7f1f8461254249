"""Image collections that torchvision knows, and what can be measured of any image."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.datasets import plain_pickle
from depthlens.errors import StudyError

_MEASURED = 512  # images at a time: the temporaries are eight times as large as they
_EMNIST = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
_IDX = "train-images-idx3-ubyte and the three files like it (unpacked)"
_EMNIST_FILES = "emnist-{}-train-images-idx3-ubyte and the three files like it (unpacked)"
_STL10_CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip

Split = tuple[NDArray[Any], NDArray[Any], Sequence[str]]
"""Images, labels and classes of a split, as a collection has them."""


def load(
    name: str, split: str, data_root: Path | str
) -> tuple[NDArray[np.uint8], NDArray[np.int16], list[str]]:
    """A split of a collection, downloaded by torchvision where it is not on the disk.

    Parameters
    ----------
    name : str
        One of `COLLECTIONS`.
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

    collection = COLLECTIONS[name]
    kind = getattr(datasets, name.partition("-")[0])
    folder = Path(data_root).expanduser() / collection.folder
    try:
        images, labels, classes = collection.read(kind, Path(data_root), name, split)
    except (OSError, RuntimeError) as error:
        reason = _first_line(error)
        raise StudyError(
            f"datasets: {name} is not in {data_root} and cannot be downloaded ({reason}); put "
            f"{collection.files} into {folder}, or set data_root to the folder that holds them"
        ) from None
    # What torchvision makes of half a file.
    except (ValueError, TypeError, AssertionError, EOFError, KeyError) as error:
        raise StudyError(
            f"datasets: {name} in {folder} is damaged ({_first_line(error)}); delete "
            f"{collection.delete or 'that folder'} and run again"
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
    if len(images) > _MEASURED:
        blocks = [
            measure(images[start : start + _MEASURED]) for start in range(0, len(images), _MEASURED)
        ]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
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


def _mnist(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """MNIST and what has its format, read by torchvision."""
    old = data_root.expanduser() / kind.__name__ / "processed"
    if any(old.glob("*.pt")):
        # torchvision would take these pickles of its early days, unchecked, for the images.
        raise StudyError(
            f"datasets: {old} holds pickles of an old torchvision, which are not read; move that "
            "folder away and run again: the files in raw are enough"
        )
    part = {"split": name.partition("-")[2]} if kind.__name__ == "EMNIST" else {}
    which = {"train": split == "train", **part}
    found = _present(kind, data_root, **which) or kind(data_root, download=True, **which)
    return np.asarray(found.data)[:, None], np.asarray(found.targets), found.classes


def _qmnist(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """QMNIST, whose labels are rows: the class, then writer, form and place of the digit."""
    images, labels, classes = _mnist(kind, data_root, name, split)
    return images, labels[:, 0], classes


def _emnist(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """EMNIST, made upright, as its files hold columns for rows.

    References
    ----------
    Cohen, Afshar, Tapson, van Schaik (2017), arXiv 1702.05373. Labels of the letters begin at 1.
    """
    images, labels, classes = _mnist(kind, data_root, name, split)
    if name == "EMNIST-letters":
        labels, classes = labels - 1, classes[1:]
    return images.transpose(0, 1, 3, 2), labels, classes


def _present(kind: type[Any], data_root: Path, **which: object) -> Any:
    """The collection if its files are on the disk, else None."""
    try:
        return kind(data_root, download=False, **which)
    except (RuntimeError, FileNotFoundError):
        return None


def _cifar(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """CIFAR-10 and -100, pickles: torchvision would run whatever they say, so we read them.

    References
    ----------
    https://www.cs.toronto.edu/~kriz/cifar.html: a row of `data` is the red plane of 32 × 32, then
    the green, then the blue.
    """
    meta = (kind.meta["filename"], kind.meta["md5"])
    folder = _whole_archive(kind, data_root, [*kind.train_list, *kind.test_list, meta])
    key = "labels" if name == "CIFAR10" else "fine_labels"
    images, labels = [], []
    for file, _ in kind.train_list if split == "train" else kind.test_list:
        data, found = _entries(folder / file, "data", key)
        if getattr(data, "dtype", None) != np.uint8 or data.shape != (len(found), 3 * 32 * 32):
            raise ValueError(f"{file} has no 32 × 32 image in three colours for every label")
        images.append(data)
        labels.extend(found)
    (classes,) = _entries(folder / kind.meta["filename"], kind.meta["key"])
    return np.concatenate(images).reshape(-1, 3, 32, 32), np.array(labels), classes


def _entries(path: Path, *keys: str) -> list[Any]:
    """Values of the dictionary that a file of CIFAR is; Python 2 wrote it."""
    content = plain_pickle.read_pickle(path, encoding="latin1")
    if type(content) is not dict or not content.keys() >= set(keys):
        raise ValueError(f"{path.name} has no {' and '.join(keys)}")
    return [content[key] for key in keys]


def _stl10(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """STL-10 without its unlabelled images, of which torchvision would read 2.7 GB.

    References
    ----------
    https://cs.stanford.edu/~acoates/stl10/: red, green, blue plane, each by columns; labels from 1.
    """
    listed = [entry for entry in kind.train_list if not entry[0].startswith("unlabeled")]
    folder = _whole_archive(kind, data_root, [*listed, *kind.test_list])
    pixels = np.fromfile(folder / f"{split}_X.bin", np.uint8).reshape(-1, 3, 96, 96)
    labels = np.fromfile(folder / f"{split}_y.bin", np.uint8).astype(np.int16) - 1
    return pixels.transpose(0, 1, 3, 2), labels, _STL10_CLASSES


def _whole_archive(kind: type[Any], data_root: Path, files: Sequence[Sequence[str]]) -> Path:
    """The folder of a collection whose files are those of the MD5s, downloaded if they are not."""
    from torchvision.datasets.utils import check_integrity, download_and_extract_archive

    root = data_root.expanduser()
    folder = root / kind.base_folder

    def whole() -> bool:
        return all(check_integrity(folder / file, md5) for file, md5 in files)

    if not whole():
        download_and_extract_archive(kind.url, root, filename=kind.filename, md5=kind.tgz_md5)
        if not whole():
            raise RuntimeError("what was downloaded is not what its MD5 says")
    return folder


def _whole_file(kind: type[Any], data_root: Path, split: str) -> Path:
    """The file of a split, if it is that of the MD5, downloaded if there is none."""
    from torchvision.datasets.utils import check_integrity, download_url

    url, file, md5 = kind.split_list[split]
    path = data_root.expanduser() / file
    if not path.exists():
        download_url(url, path.parent, file, md5)
    if not check_integrity(path, md5):
        raise ValueError(f"{file} is not what its MD5 says")
    return path


def _svhn(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """SVHN, cropped digits.

    References
    ----------
    http://ufldl.stanford.edu/housenumbers: height × width × colours × n; 10 is the label of 0.
    """
    from scipy.io import loadmat

    content = loadmat(_whole_file(kind, data_root, split), variable_names=("X", "y"))
    labels = content["y"].reshape(-1).astype(np.int16) % 10
    return content["X"].transpose(3, 2, 0, 1), labels, list("0123456789")


def _usps(kind: type[Any], data_root: Path, name: str, split: str) -> Split:
    """USPS, read by torchvision from lines of text, once the file is what it should be."""
    _whole_file(kind, data_root, split)
    found = kind(data_root, train=split == "train")
    return found.data[:, None], found.targets, list("0123456789")


class Collection(NamedTuple):
    """How a collection is read, and what is said where it is missing."""

    read: Callable[[type[Any], Path, str, str], Split]
    """of torchvision's class, root, name and split"""
    folder: str
    """below the root"""
    files: str
    """what belongs there"""
    delete: str = ""
    """what to delete if it is damaged; the folder if empty"""


COLLECTIONS: Mapping[str, Collection] = {
    "MNIST": Collection(_mnist, "MNIST/raw", _IDX),
    "FashionMNIST": Collection(_mnist, "FashionMNIST/raw", _IDX),
    "KMNIST": Collection(_mnist, "KMNIST/raw", _IDX),
    "QMNIST": Collection(
        _qmnist,
        "QMNIST/raw",
        "qmnist-train-images-idx3-ubyte and the three like it (unpacked)",
    ),
    **{
        f"EMNIST-{part}": Collection(_emnist, "EMNIST/raw", _EMNIST_FILES.format(part))
        for part in _EMNIST
    },
    "CIFAR10": Collection(
        _cifar, "cifar-10-batches-py", "data_batch_1 … data_batch_5, test_batch and batches.meta"
    ),
    "CIFAR100": Collection(_cifar, "cifar-100-python", "train, test and meta"),
    "SVHN": Collection(_svhn, ".", "train_32x32.mat and test_32x32.mat", "that file"),
    "STL10": Collection(_stl10, "stl10_binary", "train_X.bin, train_y.bin, test_X.bin, test_y.bin"),
    "USPS": Collection(_usps, ".", "usps.bz2 and usps.t.bz2", "that file"),
}
"""Collections by the name that config.yaml has for them."""
