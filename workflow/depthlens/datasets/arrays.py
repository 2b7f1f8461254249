"""Images and labels that others keep as arrays: which arrays can be meant, and files of them."""

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from depthlens.datasets import plain_pickle
from depthlens.errors import StudyError
from depthlens.tables import class_type

_BLOCK = 1024  # images converted at once
_SHOWN = 10


def read_homework(train: Path, test: Path) -> dict[str, tuple[object, object]]:
    """What two files hold, each a dictionary with `x` and `y` that `numpy.save` wrote.

    Returns
    -------
    dict of split to (x, y)

    Raises
    ------
    ArtifactError
        If a file is missing, damaged, or holds more than plain data.
    StudyError
        If it is no such dictionary.
    """
    found = {}
    for split, path in (("train", train), ("test", test)):
        content = plain_pickle.read_npy(path)
        if type(content) is not dict or not {"x", "y"} <= content.keys():
            what = _keys(content) if type(content) is dict else f"holds {_kind(content)}"
            raise StudyError(
                f"datasets: {path}: {what}; it must hold a dictionary of the images x and the "
                "labels y"
            )
        found[split] = content["x"], content["y"]
    return found


def read_npz(
    paths: Mapping[str, Path], *, images: str, labels: str
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Two arrays a split out of NumPy archives; nothing pickled is read.

    Parameters
    ----------
    paths : mapping of split to path
        The same for both, or one each.
    images, labels : str
        Names of the arrays; {split} in them stands for train and test.

    Raises
    ------
    StudyError
        If a file is missing, damaged or no archive, or has no such array.
    """
    return {
        split: _from_npz(path, [name.replace("{split}", split) for name in (images, labels)])
        for split, path in paths.items()
    }


def to_images(values: object, name: str) -> NDArray[np.uint8]:
    """Images as the study keeps them, if there is only one way to read an array as images.

    Parameters
    ----------
    values : array
        Shape (n, height, width), (n, height, width, channels) or (n, channels, height, width)
        with 1 or 3 channels. Integers or whole numbers in 0 … 255, or numbers in 0 … 1, which
        are multiplied by 255 and rounded; truth values are black and white.
    name : str
        What it is, for messages.

    Returns
    -------
    uint8 array, shape (n, channels, height, width)

    Raises
    ------
    StudyError
        If the array is anything else, or could be two things: 3 or 1 both first and last of the
        axes behind n; integers of which none is above 1; numbers of which the largest is above 1
        and below 2.
    """
    array = _array(values, name)
    return np.ascontiguousarray(_channels_first(_bytes(array, name), name))


def as_array(values: object) -> NDArray[Any]:
    """An array of what may be a tensor with a history, or an array of Python objects.

    Its type is `object` only where objects are something else than numbers, texts, or arrays of
    one shape.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        If NumPy makes no array of it.
    """
    if hasattr(values, "detach"):  # a tensor, of a library that need not be here
        values = values.detach().cpu()
    array = np.asarray(values)
    if array.dtype != object or not array.size:
        return array
    try:
        found = np.array([as_array(value) for value in array] if array.ndim else array.tolist())
    except (ValueError, TypeError, RuntimeError):  # of several shapes
        return array
    is_mixed = found.dtype.kind == "U" and not all(isinstance(value, str) for value in array.flat)
    return array if is_mixed else found


def check_scales(values: Mapping[str, object], name: str) -> None:
    """Raise `StudyError` if the splits are numbers of which only one lies in 0 … 1."""
    plain = {split: _array(value, f"{split} images of {name}") for split, value in values.items()}
    highest = {
        split: float(array.max())
        for split, array in plain.items()
        if array.size and array.dtype.kind == "f"
    }
    if highest and min(highest.values()) <= 1 < max(highest.values()):
        said = ", ".join(f"{split} has values up to {high:g}" for split, high in highest.items())
        raise StudyError(f"datasets: {name}: {said}; bring both to 0 … 1 or to 0 … 255")


def to_labels(
    values: Mapping[str, object], classes: Sequence[str] | None, name: str
) -> tuple[dict[str, NDArray[np.integer]], list[str]]:
    """Labels of both splits as indices into one list of classes.

    Parameters
    ----------
    values : mapping of split to array
        Whole numbers, shape (n,) or (n, 1); one-hot rows, shape (n, n_classes); or texts.
    classes : list of str or None
        Names. With them, numbers are indices and texts are names. Without, classes are what the
        training labels are, in order: the numbers, or the texts by alphabet. One text can be
        written in several ways in Unicode: all names are brought to NFC.
    name : str
        Where they are from, for messages.

    Raises
    ------
    StudyError
        If labels are of another kind, negative, or, in the test split, of a class that the
        training split does not have; or if `classes` has one twice.
    """
    if classes is not None:
        classes = [normalize("NFC", one) for one in classes]
        if len(set(classes)) < len(classes):
            twice = [one for one, n in Counter(classes).items() if n > 1]
            raise StudyError(f"datasets: {name}: the key classes names {_some(twice)} twice")
    plain = {
        split: _one_each(array, f"{split} labels of {name}") for split, array in values.items()
    }
    kinds = {array.dtype.kind for array in plain.values()}
    if len(kinds) > 1:
        raise StudyError(f"datasets: {name}: numbers label one split, texts the other")
    if classes is not None and kinds == {"i"}:
        known = np.arange(len(classes))
        names = list(classes)
    elif classes is not None:
        known, names = np.array(classes), list(classes)
    else:
        known = np.unique(plain["train"])
        names = [str(value) for value in known]
    order = np.argsort(known, kind="stable")
    found = {}
    for split, array in plain.items():
        place = np.searchsorted(known, array, sorter=order).clip(max=len(known) - 1)
        labels = order[place]
        if (strange := np.unique(array[known[labels] != array])).size:
            among = "the key classes" if classes is not None else "the training labels"
            raise StudyError(
                f"datasets: {name}: {split} labels {_some(strange)} are not among {among} "
                f"({_some(names if classes is None or kinds == {'U'} else known)})"
            )
        found[split] = labels.astype(class_type(len(names)))
    return found, names


def _from_npz(path: Path, names: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        if path.is_file() and not zipfile.is_zipfile(path):
            raise StudyError(
                f"datasets: {path}: not a whole NumPy archive (.npz); save arrays with numpy.savez"
            )
        with np.load(path, allow_pickle=False) as archive:
            for name in names:
                if name not in archive:
                    has = ", ".join(archive.files[:_SHOWN]) or "nothing"
                    raise StudyError(
                        f"datasets: {path}: has no array {name!r}, it has {has}; set images and "
                        "labels to the names of two of them"
                    )
            return archive[names[0]], archive[names[1]]
    except StudyError:
        raise
    except FileNotFoundError:
        raise StudyError(f"datasets: {path}: no such file") from None
    except MemoryError:
        raise StudyError(f"datasets: {path}: holds more than this machine's memory") from None
    # A damaged archive can raise anything: zipfile.BadZipFile, zlib.error, ValueError, …
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            raise StudyError(f"datasets: {path}: cannot be read ({error.strerror})") from None
        if "allow_pickle" in reason:
            raise StudyError(
                f"datasets: {path}: refused, and nothing of it was run: it holds Python objects; "
                "save arrays of numbers or texts with numpy.savez"
            ) from None
        raise StudyError(
            f"datasets: {path}: damaged ({reason}); put a whole copy in its place"
        ) from None


def _array(values: object, name: str) -> NDArray[Any]:
    try:
        array = as_array(values)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise StudyError(f"datasets: {name}: not an array ({reason})") from None
    if array.dtype.kind == "O":
        raise StudyError(
            f"datasets: {name}: not an array of numbers or texts, but of Python objects, or of "
            "images of different sizes; an image folder may have those"
        )
    return array


def _channels_first(images: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    shape = images.shape
    if 0 in shape:
        raise StudyError(f"datasets: {name}: an array of shape {shape} holds no image")
    if len(shape) == 3:
        return images[:, None]
    if len(shape) == 4:
        first, last = shape[1] in (1, 3), shape[3] in (1, 3)
        if first and last:
            raise StudyError(
                f"datasets: {name}: of shape {shape} either axis may be the channels; leave out "
                "an axis of 1, or make the images larger than 3 pixels"
            )
        if first or last:
            return images if first else images.transpose(0, 3, 1, 2)
    raise StudyError(
        f"datasets: {name}: shape {shape} is not n × height × width, nor that with 1 or 3 channels "
        "behind n or at the end"
    )


def _bytes(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    kind = array.dtype.kind
    if kind == "b":
        return array.view(np.uint8) * np.uint8(255)
    if kind not in "iuf":
        raise StudyError(f"datasets: {name}: values of type {array.dtype} are no pixels")
    if array.size == 0:
        return array.astype(np.uint8)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # with NaN, neither comparison holds
        raise StudyError(
            f"datasets: {name}: values from {low:g} to {high:g} are no pixels, which lie in "
            "0 … 255 or 0 … 1; undo the standardisation"
        )
    if kind != "f":
        if high <= 1:
            raise StudyError(
                f"datasets: {name}: whole numbers of which none is above {high} can be nearly "
                "black, or black and white; multiply by 255, or save them as bool"
            )
        return array.astype(np.uint8, copy=False)
    if 1 < high < 2:
        raise StudyError(
            f"datasets: {name}: values up to {high:g} are neither in 0 … 1 nor likely in 0 … 255; "
            "clip them to 1, or multiply by 255 and round"
        )
    scale = 255.0 if high <= 1 else 1.0
    pixels = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), _BLOCK):
        block = array[start : start + _BLOCK].astype(np.float64) * scale
        rounded = np.floor(block + 0.5)
        if scale == 1 and (rounded != block).any():
            raise StudyError(
                f"datasets: {name}: values up to {high:g} that are not whole; round them, or "
                "divide by 255"
            )
        pixels[start : start + _BLOCK] = rounded
    return pixels


def _one_each(values: object, name: str) -> NDArray[Any]:
    """Labels of shape (n,): int64, or texts."""
    array = _array(values, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    kind = array.dtype.kind
    if array.ndim == 1 and kind in "US":
        texts = array if kind == "U" else np.char.decode(array, "utf-8", "replace")
        return np.array([normalize("NFC", text) for text in texts.tolist()], np.str_)
    if kind not in "biuf":
        raise StudyError(f"datasets: {name}: values of type {array.dtype} are no labels")
    if array.ndim == 2:
        is_hot = ((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()
        if not is_hot:
            raise StudyError(
                f"datasets: {name}: of shape {array.shape}, but not with one 1 in each row and 0 "
                "elsewhere; take the class of each image"
            )
        return array.argmax(axis=1).astype(np.int64)
    if array.ndim != 1:
        raise StudyError(f"datasets: {name}: shape {array.shape} is not one label an image")
    whole = array.astype(np.int64) if np.isfinite(array).all() else np.zeros(0, np.int64)
    if whole.shape != array.shape or (whole != array).any():
        raise StudyError(f"datasets: {name}: not whole numbers")
    if whole.size and whole.min() < 0:
        raise StudyError(
            f"datasets: {name}: {whole.min()} is no class; leave out images without a label"
        )
    return whole


def _keys(content: dict[object, object]) -> str:
    keys = ", ".join(map(repr, list(content)[:_SHOWN])) or "nothing"
    return f"holds a dictionary of {keys}"[:200]


def _kind(content: object) -> str:
    if isinstance(content, np.ndarray):
        return f"an array of shape {content.shape}"
    return f"a {type(content).__name__}"


def _some(values: Sequence[object] | NDArray[Any]) -> str:
    shown = ", ".join(str(value) for value in values[:_SHOWN])
    return f"{shown}, …" if len(values) > _SHOWN else shown
