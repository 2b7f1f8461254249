"""A reader's Dataset, DataLoader or pair of arrays, as batches that are checked.

Row i of what is made of a set is example i of it: of what a DataLoader draws, the indices are noted
while it is gone through.
"""

import contextlib
import copy
import hashlib
import itertools
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, IterableDataset

from depthlens.datasets import arrays
from depthlens.errors import StudyError
from depthlens.provenance import user_code

log = logging.getLogger(__name__)

Data = Dataset | DataLoader | tuple[NDArray | torch.Tensor, Sequence[int] | NDArray | torch.Tensor]
"""Examples: a Dataset of (image, label), a DataLoader of such, or a pair (images, labels)."""

Batch = tuple[torch.Tensor, NDArray[np.int64]]

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
        If it is none of these, is empty or short, or, while it is gone through, if what it gives
        is not images of one shape with an integer label each, is out of order where it may not be,
        or comes twice.

    Warns
    -----
    In the log, of a dataset that gives another image at a second look, as one that augments does,
    and of a DataLoader that gives a part of its dataset.
    """
    batches: Iterable
    if isinstance(data, DataLoader):
        _check_whole(data, name)
        n_examples = _length(data.dataset)
        batches = _drawn(data, name, in_order=in_order)
    elif isinstance(data, tuple | list):
        images, labels = _pair(data, name)
        n_examples = len(images)
        batches = (
            (images[start : start + batch_size], labels[start : start + batch_size])
            for start in range(0, n_examples, batch_size)
        )
    elif isinstance(data, Dataset):
        n_examples = _length(data)
        loader = DataLoader(
            data,
            batch_size=batch_size,
            collate_fn=lambda items: _collate(items, name),
            generator=torch.Generator(),  # else the loader draws from the reader's own
        )
        batches = _drawn(loader, name, in_order=in_order)
    else:
        raise StudyError(f"{name}: {_kind(data)} is no set of examples; {_CURE}")
    if n_examples == 0:
        raise StudyError(f"{name}: there are no examples in it")
    n_batches = _length(data) if isinstance(data, DataLoader) else None
    if n_batches is None and n_examples is not None:
        n_batches = -(-n_examples // batch_size)
    checked = _checked(batches, name)
    if not isinstance(getattr(data, "dataset", data), IterableDataset):
        # What is wrong with a set is said before the work on another.
        checked = itertools.chain([next(checked)], checked)
    return Examples(checked, n_batches, n_examples)


def _drawn(loader: DataLoader, name: str, *, in_order: bool) -> Iterator:
    if isinstance(loader.dataset, IterableDataset):
        return _streamed(loader, name, in_order=in_order)
    return _indexed(loader, name, in_order=in_order)


class _Noting:
    """A sampler that notes what it asks for, and asks for the first twice."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self.asked: deque[list | None] = deque()

    def __len__(self) -> int:
        return len(self._sampler) + 1

    def __iter__(self) -> Iterator:
        for number, indices in enumerate(self._sampler):
            for _ in range(1 if number else 2):
                self.asked.append(_plain(indices))
                yield indices


def _indexed(loader: DataLoader, name: str, *, in_order: bool) -> Iterator:
    """Batches of a dataset with indices."""
    kind = "sampler" if loader.batch_sampler is None else "batch_sampler"
    noting = _Noting(getattr(loader, kind))
    # The reader's own loader is left alone, and a loader does not let these be set.
    twin = copy.copy(loader)
    vars(twin).update({kind: noting, "persistent_workers": False, "in_order": True})
    met: set[int] = set()
    n_met, first = 0, None
    for number, batch in enumerate(_each(twin, name)):
        is_noted = bool(noting.asked)
        indices = noting.asked.popleft() if is_noted else None
        if number == 0 and is_noted:
            first = batch
            continue
        if first is not None:
            _compare(first, batch, name, in_order=False)
            first = None
        if in_order:
            _check_order(indices, n_met, batch, loader, name)
        if indices is not None:
            if met.intersection(indices) or len(set(indices)) < len(indices):
                raise StudyError(
                    f"{name}: the DataLoader gives an image twice, which would vote twice; give "
                    "the Dataset itself, or a DataLoader without the sampler"
                )
            met.update(indices)
            n_met += len(indices)
        yield batch
    if noting.asked:
        raise StudyError(f"{name}: the dataset ends before image {noting.asked[0]}")
    n_images = _length(loader.dataset) or 0
    if met and loader.batch_sampler is not None and len(met) < n_images:
        log.warning(
            "%s: the DataLoader gives %d of the %d images of its dataset; the others are left out",
            name, len(met), n_images,
        )  # fmt: skip


def _check_order(
    indices: list | None, n_met: int, batch: object, loader: DataLoader, name: str
) -> None:
    cure = (
        "no row of the result could be matched with its example; give the Dataset itself, "
        "torch.utils.data.Subset(dataset, indices), or a DataLoader with shuffle=False"
    )
    if indices is None:
        raise StudyError(
            f"{name}: in which order {_kind(loader)} gives images cannot be seen, so that {cure}"
        )
    if indices != list(range(n_met, n_met + len(indices))):
        sampler = getattr(loader.batch_sampler, "sampler", loader.batch_sampler or loader.sampler)
        raise StudyError(
            f"{name}: the DataLoader shuffles or picks ({_kind(sampler)}: image {indices[0]} of "
            f"the dataset comes in place {n_met}), so that {cure}"
        )
    images = batch[0] if isinstance(batch, tuple | list) and batch else ()
    n_images = _length(images)
    if loader.batch_sampler is not None and n_images not in (None, 0, len(indices)):
        raise StudyError(
            f"{name}: the collate_fn of the DataLoader makes {n_images} images of {len(indices)}, "
            f"so that {cure}"
        )


def _streamed(loader: DataLoader, name: str, *, in_order: bool) -> Iterator:
    """Batches of a dataset without indices; that it has given all twice is found by content."""
    n_workers, n_met, first = loader.num_workers, 0, None
    met: set[bytes] = set()
    for number, batch in enumerate(_each(loader, name), 1):
        first = batch if first is None else first
        if n_workers > 1:
            digests = _digests(batch, name)
            met.update(digests)
            n_met += len(digests)
            if number % n_workers == 0:
                _check_divided(met, n_met, loader, name)
        yield batch
    _check_divided(met, n_met, loader, name)
    again = None
    with contextlib.suppress(Exception):  # of a stream that can be read once nothing is known
        again = next(iter(loader))
    if again is not None:
        _compare(first, again, name, in_order=in_order)


def _check_divided(met: set[bytes], n_met: int, loader: DataLoader, name: str) -> None:
    if n_met and 2 * len(met) <= n_met:
        raise StudyError(
            f"{name}: each of the {loader.num_workers} workers of the DataLoader gives the same "
            "images; set num_workers to 0, or let the IterableDataset divide them by "
            "torch.utils.data.get_worker_info()"
        )


def _compare(first: Any, again: Any, name: str, *, in_order: bool) -> None:
    try:
        looks = [_tensor(batch[0], name).nan_to_num() for batch in (first, again)]
    except (StudyError, TypeError, IndexError, KeyError):  # no images; whoever needs them says so
        return
    if torch.equal(*looks):
        return
    if in_order:
        raise StudyError(
            f"{name}: at a second look the IterableDataset gives other images, so that no row of "
            "the result could be matched with its example; let it neither shuffle nor augment"
        )
    log.warning(
        "%s: at a second look the dataset gives other images, as with augmentation: what is "
        "measured is the look that was met; give it the transform of the evaluation",
        name,
    )


def _each(batches: Iterable, name: str) -> Iterator:
    """What a reader's code gives, one by one."""
    with user_code.guarded(f"{name}: going through it failed"):
        stream = iter(batches)
    while True:
        with user_code.guarded(f"{name}: going through it failed"):
            try:
                batch = next(stream)
            except StopIteration:
                return
        yield batch


def _plain(indices: object) -> list[int] | None:
    """Indices that a sampler asks for; None if they are something else."""
    try:
        found = np.asarray(indices)
    except (ValueError, TypeError, RuntimeError):
        return None
    return found.reshape(-1).tolist() if found.dtype.kind in "iu" else None


def _digests(batch: Any, name: str) -> list[bytes]:
    try:
        images = _tensor(batch[0], name).cpu().flatten(1).contiguous().view(torch.uint8).numpy()
    except (StudyError, TypeError, IndexError, KeyError):  # no images; whoever needs them says so
        return []
    return [hashlib.sha256(image).digest() for image in images]


def _check_whole(loader: DataLoader, name: str) -> None:
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
    if images.dtype == object:
        images = arrays.as_array(images)
    if images.ndim < 2 or len(images) != len(labels):
        raise StudyError(
            f"{name}: images of shape {tuple(images.shape)} and {len(labels)} labels; there is one "
            "label an image, and the first axis of the images counts them"
        )
    return images, labels


def _collate(items: Sequence, name: str) -> Batch:
    pairs = [_item(item, name) for item in items]
    images = [_tensor(image, name) for image, _ in pairs]
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
        if isinstance(images, np.ndarray | torch.Tensor):
            images = _tensor(images, name)
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


def _tensor(values: NDArray | torch.Tensor, name: str) -> torch.Tensor:
    """A tensor without history; of an array a copy, whatever its strides and the order of bytes."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    if not isinstance(values, np.ndarray):
        raise TypeError(_kind(values))
    values = arrays.as_array(values)
    try:
        return torch.from_numpy(np.array(values, values.dtype.newbyteorder("="), order="C"))
    except TypeError:
        raise StudyError(
            f"{name}: images of type {values.dtype} are no tensors; make float32 of them"
        ) from None


def _labels(values: object, name: str, first: int | None = None) -> NDArray[np.int64]:
    """Whole numbers from 0, shape (n,); a second axis of length 1 is taken away."""
    if isinstance(values, tuple | list):
        values = [v.item() if isinstance(v, torch.Tensor) and v.numel() == 1 else v for v in values]
    try:
        found = arrays.as_array(values)
    except ValueError:  # lists of several lengths
        found = np.asarray(values, dtype=object)
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


def _length(sized: Any) -> int | None:
    try:
        return len(sized)
    except TypeError:  # an IterableDataset, or a generator
        return None


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
