"""Images, labels and factors that a user's own function gives."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.datasets.arrays import as_array
from depthlens.errors import StudyError
from depthlens.provenance import user_code
from depthlens.tables import class_type

_TAKEN = ("example_id", "label", "image", "file")
_GIVES = "it must return (images, labels, classes), or these and a dictionary of factors"


class Given(NamedTuple):
    """What the function returned for one split, checked."""

    images: NDArray[np.uint8]
    """shape (n_examples, channels, height, width)"""
    labels: NDArray[np.integer]
    """shape (n_examples,), of their `tables.class_type`"""
    classes: list[str]
    factors: dict[str, NDArray[np.float32]]
    """one array of shape (n_examples,) each"""


def read(function: str, arguments: Mapping[str, object], split: str) -> Given:
    """Call a function "package.module:function" as `function(split, **arguments)`.

    It returns images, uint8 of shape (n, channels, height, width) with 1 or 3 channels or
    (n, height, width); labels, n whole numbers from 0; the names of the classes; and, if it
    likes, a mapping from names to n finite numbers each.

    Raises
    ------
    StudyError
        If there is no such function, if it raises, or if it returns anything else.
    """
    given = user_code.call("datasets", function, split, **arguments)
    what = f"datasets: {function}({split!r})"
    if not isinstance(given, tuple | list) or len(given) not in (3, 4):
        n = f" of {len(given)}" if isinstance(given, tuple | list) else ""
        raise StudyError(f"{what} returned a {type(given).__name__}{n}; {_GIVES}")
    images = _images(given[0], what)
    classes = _classes(given[2], what)
    factors = given[3] if len(given) == 4 else {}
    if not isinstance(factors, Mapping):
        raise StudyError(f"{what} returned factors as a {type(factors).__name__}; {_GIVES}")
    return Given(
        images,
        _labels(given[1], len(images), classes, what),
        classes,
        {_factor_name(name, what): _factor(values, name, len(images), what)
         for name, values in factors.items()},
    )  # fmt: skip


def _array(values: object, what: str) -> NDArray[Any]:
    try:
        return as_array(values)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise StudyError(f"{what} that are no array ({reason})") from None


def _images(values: object, what: str) -> NDArray[np.uint8]:
    images = _array(values, f"{what} returned images")
    shape = images.shape
    if images.dtype != np.uint8:
        raise StudyError(
            f"{what} returned images of type {images.dtype}; return uint8, 0 is black and 255 white"
        )
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise StudyError(
            f"{what} returned images of shape {shape}; return n × height × width, or "
            "n × channels × height × width with 1 or 3 channels"
        )
    return np.ascontiguousarray(images)


def _classes(values: object, what: str) -> list[str]:
    names = values if isinstance(values, list | tuple | np.ndarray) else []
    classes = [str(name) if isinstance(name, str) else name for name in names]
    if len(classes) < 2 or not all(type(name) is str and name for name in classes):
        raise StudyError(f"{what} returned classes that are not a list of two or more names")
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise StudyError(f"{what} returned the class {twice!r} twice")
    return classes


def _labels(values: object, n: int, classes: list[str], what: str) -> NDArray[np.integer]:
    labels = _array(values, f"{what} returned labels")
    if labels.dtype.kind not in "iu":
        raise StudyError(f"{what} returned labels of type {labels.dtype}; return whole numbers")
    if labels.shape != (n,):
        raise StudyError(f"{what} returned labels of shape {labels.shape} for {n} images")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise StudyError(
            f"{what} returned labels from {labels.min()} to {labels.max()}; with {len(classes)} "
            f"classes they are 0 … {len(classes) - 1}"
        )
    return labels.astype(class_type(len(classes)))


def _factor_name(name: object, what: str) -> str:
    if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN:
        raise StudyError(
            f"{what} returned a factor {name!r}; a name is letters, digits and _, and none of "
            f"{', '.join(_TAKEN)}"
        )
    return name


def _factor(values: object, name: str, n: int, what: str) -> NDArray[np.float32]:
    factor = _array(values, f"{what} returned values of {name}")
    if factor.dtype.kind not in "biuf" or factor.shape != (n,):
        raise StudyError(
            f"{what} returned {name} as {factor.dtype} of shape {factor.shape}; return {n} numbers"
        )
    factor = factor.astype(np.float32)
    if not np.isfinite(factor).all():
        raise StudyError(f"{what} returned values of {name} that are not finite")
    return factor
