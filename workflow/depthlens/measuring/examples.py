"""A reader's Dataset, DataLoader or pair of arrays, as batches that are checked."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import (
    DataLoader,
    Dataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from depthlens.errors import StudyError

Data = Dataset | DataLoader | tuple[NDArray | torch.Tensor, Sequence[int] | NDArray | torch.Tensor]
"""Examples: a Dataset of (image, label), a DataLoader of such, or a pair (images, labels)."""

Batch = tuple[torch.Tensor, NDArray[np.int64]]

_RANDOM = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
_CURE = "give a torch Dataset of (image, label), a DataLoader of one, or a pair (images, labels)"


class Examples(NamedTuple):
    """A set of examples that can be gone through once."""

    batches: Iterator[Batch]
    """images, shape (n, …), of any type but the same shape throughout; labels, shape (n,)"""
    n_batches: int | None
    """None where the length is not known beforehand"""
    n_examples: int | None


def open_examples(data: Data, *, name: str, batch_size: int, in_order: bool) -> Examples:
    """Batches of a set of examples, in the order in which it gives them.

    Parameters
    ----------
    data : Dataset, DataLoader, or pair of images, shape (n, …), and labels, shape (n,)
        A DataLoader keeps its own batches.
    name : str
        Of the argument, for messages.
    batch_size : int
    in_order : bool
        Whether a row of the result is to be found in `data` again: then nothing may be shuffled.

    Raises
    ------
    StudyError
        If it is none of these, is empty, shuffled or short where it may not be, or, while it is
        gone through, if what it gives is not images of one shape with an integer label each.
    """
    if isinstance(data, DataLoader):
        _check_loader(data, name, in_order=in_order)
        n_examples = _length(data.dataset)
        batches: Iterable = data
    elif isinstance(data, tuple | list):
        images, labels = _pair(data, name)
        n_examples = len(images)
        batches = (
            (images[start : start + batch_size], labels[start : start + batch_size])
            for start in range(0, n_examples, batch_size)
        )
    elif isinstance(data, Dataset):
        n_examples = _length(data)
        batches = DataLoader(
            data,
            batch_size=batch_size,
            collate_fn=lambda items: _collate(items, name),
            generator=torch.Generator(),  # else the loader draws from the reader's own
        )
    else:
        raise StudyError(f"{name}: {_kind(data)} is no set of examples; {_CURE}")
    if n_examples == 0:
        raise StudyError(f"{name}: there are no examples in it")
    n_batches = _length(batches)
    if n_batches is None and n_examples is not None and not isinstance(data, DataLoader):
        n_batches = -(-n_examples // batch_size)
    return Examples(_checked(batches, name), n_batches, n_examples)


def _check_loader(loader: DataLoader, name: str, *, in_order: bool) -> None:
    sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)
    if in_order and isinstance(sampler, _RANDOM):
        raise StudyError(
            f"{name}: the DataLoader shuffles, so that no row of the result could be matched with "
            "its example; give the Dataset itself, or a DataLoader with shuffle=False"
        )
    n_examples, size = _length(loader.dataset), loader.batch_size
    if loader.drop_last and size and n_examples is not None and n_examples % size:
        raise StudyError(
            f"{name}: drop_last of the DataLoader would leave {n_examples % size} examples out; "
            "set it to False"
        )


def _pair(data: Sequence, name: str) -> tuple[NDArray | torch.Tensor, NDArray]:
    if len(data) != 2:
        raise StudyError(f"{name}: a {_kind(data)} of {len(data)} things; {_CURE}")
    images, labels = data
    if not isinstance(images, np.ndarray | torch.Tensor):
        raise StudyError(
            f"{name}: the images of a pair are an array or a tensor, not {_kind(images)}; {_CURE}"
        )
    labels = _labels(labels, name)
    if images.ndim < 2 or len(images) != len(labels):
        raise StudyError(
            f"{name}: images of shape {tuple(images.shape)} and {len(labels)} labels; there is one "
            "label an image, and the first axis of the images counts them"
        )
    return images, labels


def _collate(items: Sequence, name: str) -> Batch:
    pairs = [_item(item, name) for item in items]
    images = [torch.as_tensor(image) for image, _ in pairs]
    for image in images:
        if image.shape != images[0].shape:
            raise StudyError(
                f"{name}: images of {tuple(images[0].shape)} and of {tuple(image.shape)}; the "
                "network takes one size: give the dataset a transform that makes it"
            )
    return torch.stack(images), np.concatenate([_labels([label], name) for _, label in pairs])


def _item(item: object, name: str) -> tuple[NDArray | torch.Tensor, object]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        many = f" of {len(item)} things" if isinstance(item, tuple | list) else ""
        raise StudyError(
            f"{name}: the dataset gives {_kind(item)}{many}, not a pair (image, label); wrap it "
            "in a Dataset that does"
        )
    if not isinstance(item[0], np.ndarray | torch.Tensor):
        raise StudyError(
            f"{name}: the images of the dataset are {_kind(item[0])}, not tensors; give it the "
            "transform that the network was trained with, ending in a tensor"
        )
    return item[0], item[1]


def _checked(batches: Iterable, name: str) -> Iterator[Batch]:
    shape, met = None, 0
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise StudyError(
                f"{name}: the DataLoader gives {_kind(batch)}, not a pair (images, labels); give "
                "it a collate_fn that does"
            )
        images, labels = batch[0], _labels(batch[1], name, first=met)
        if isinstance(images, np.ndarray):
            images = torch.tensor(images)  # a copy: a mapped file cannot be written to
        if not isinstance(images, torch.Tensor) or images.ndim < 2 or len(images) != len(labels):
            what = tuple(images.shape) if isinstance(images, torch.Tensor) else _kind(images)
            raise StudyError(
                f"{name}: a batch with images {what} and {len(labels)} labels; there is one label "
                "an image, and the first axis of the images counts them"
            )
        if not len(images):
            continue
        shape = shape or images.shape[1:]
        if images.shape[1:] != shape:
            raise StudyError(
                f"{name}: images of {tuple(shape)} and of {tuple(images.shape[1:])}; the network "
                "takes one size"
            )
        if images.is_floating_point() and not images.isfinite().all():
            row = int(images.flatten(1).isfinite().all(1).logical_not().nonzero()[0, 0])
            raise StudyError(f"{name}: image {met + row} holds an infinite value or NaN")
        met += len(images)
        yield images, labels
    if not met:
        raise StudyError(f"{name}: there are no examples in it")


def _labels(values: object, name: str, first: int | None = None) -> NDArray[np.int64]:
    """Whole numbers from 0, shape (n,); a second axis of length 1 is taken away."""
    if isinstance(values, torch.Tensor):
        found = values.detach().cpu().numpy()
    elif isinstance(values, tuple | list):
        single = [v.item() if isinstance(v, torch.Tensor) and v.numel() == 1 else v for v in values]
        try:
            found = np.asarray(single)
        except ValueError:  # lists of several lengths
            found = np.asarray(single, dtype=object)
    else:
        found = np.asarray(values)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or not (np.issubdtype(found.dtype, np.integer) or not found.size):
        raise StudyError(
            f"{name}: labels are whole numbers, one an image, each the index of an output of the "
            f"network; not {found.dtype} of shape {found.shape}"
        )
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        where = "" if first is None else f" of image {first + row}"
        raise StudyError(f"{name}: the label{where} is {found[row]}; labels count from 0")
    return found.astype(np.int64)


def _length(sized: object) -> int | None:
    try:
        return len(sized)
    except TypeError:  # an IterableDataset, or a generator
        return None


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
