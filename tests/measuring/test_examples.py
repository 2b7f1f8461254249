"""Sets of examples: each row is the reader's row, whatever draws it; arrays however they lie."""

import logging

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)

from depthlens.datasets import arrays
from depthlens.errors import StudyError
from depthlens.measuring.examples import open_examples

N = 20
IMAGES = torch.arange(N * 6, dtype=torch.float32).reshape(N, 1, 2, 3)
LABELS = torch.arange(N) % 3
DATA = TensorDataset(IMAGES, LABELS)


def rows(data, *, in_order=True) -> list[int]:
    """Which of IMAGES each row is, once the labels are found to go with them."""
    batches = open_examples(data, name="train", batch_size=6, in_order=in_order).batches
    images, labels = zip(*batches, strict=True)
    found = torch.cat(images).reshape(-1, 6)[:, 0].long() // 6
    assert torch.equal(LABELS[found], torch.from_numpy(np.concatenate(labels)))
    return found.tolist()


class Backwards(torch.utils.data.Sampler):
    """A sampler of the reader's own, of no known class."""

    def __init__(self):
        pass

    def __iter__(self):
        return iter(range(N - 1, -1, -1))

    def __len__(self):
        return N


class Own(DataLoader):
    """A loader that does not draw what torch would."""

    def __iter__(self):
        return iter([(IMAGES[5:], LABELS[5:]), (IMAGES[:5], LABELS[:5])])


SHARDED = {"num_replicas": 2, "rank": 0}
OUT_OF_ORDER = {
    "DistributedSampler": {"sampler": DistributedSampler(DATA, num_replicas=1, rank=0)},
    "DistributedSampler, a share": {"sampler": DistributedSampler(DATA, **SHARDED, shuffle=False)},
    "own sampler": {"sampler": Backwards()},
    "own batch sampler": {"batch_sampler": BatchSampler(Backwards(), 6, drop_last=False)},
    "list of batches": {"batch_sampler": [[1, 0], list(range(2, N))]},
    "batches by the dataset": {"sampler": BatchSampler(Backwards(), 6, False), "batch_size": None},
    "shuffle": {"shuffle": True, "batch_size": 6},
}


@pytest.mark.parametrize("kind", OUT_OF_ORDER)
def test_a_loader_that_goes_out_of_order_is_refused_where_rows_are_matched(kind):
    loader = DataLoader(DATA, **OUT_OF_ORDER[kind])
    with pytest.raises(StudyError, match=r"^train: the DataLoader shuffles or picks .* give the"):
        rows(loader)
    # Whoever only votes may come in any order.
    assert sorted(rows(loader, in_order=False)) in (list(range(N)), list(range(0, N, 2)))


def test_a_loader_that_changes_its_mind_is_refused_where_it_does():
    loader = DataLoader(DATA, batch_sampler=[list(range(12)), [13, 12], list(range(14, N))])
    with pytest.raises(StudyError, match="image 13 of the dataset comes in place 12"):
        rows(loader)


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(DATA, batch_size=7),
        DataLoader(DATA, sampler=range(N)),
        DataLoader(DATA, sampler=BatchSampler(range(N), 6, drop_last=False), batch_size=None),
        DataLoader(DATA, 3, num_workers=2, persistent_workers=True, in_order=False),
        DataLoader(Subset(DATA, range(N)), sampler=DistributedSampler(DATA, 1, 0, shuffle=False)),
    ],
)
def test_a_loader_in_order_gives_each_row_once_and_is_left_as_it_was(loader):
    before = dict(vars(loader))
    assert rows(loader) == list(range(N))
    assert vars(loader) == before


def test_what_cannot_be_seen_or_is_dropped_underway_is_refused():
    with pytest.raises(StudyError, match=r"in which order .*Own gives images cannot be seen"):
        rows(Own(DATA))
    assert sorted(rows(Own(DATA), in_order=False)) == list(range(N))

    def without_damaged(items):
        return torch.utils.data.default_collate([item for item in items if item[1] != 2])

    with pytest.raises(StudyError, match="makes 4 images of 5, so that no row"):
        rows(DataLoader(DATA, 5, collate_fn=without_damaged))


def test_no_image_votes_twice_and_a_part_is_said(caplog):
    often = DataLoader(DATA, 6, sampler=WeightedRandomSampler([1.0] * N, 3 * N))
    with pytest.raises(StudyError, match="gives an image twice"):
        rows(often, in_order=False)
    with caplog.at_level(logging.WARNING):
        rows(DataLoader(DATA, 6, sampler=range(8)))
    assert "train: the DataLoader gives 8 of the 20 images" in caplog.text


class Stream(IterableDataset):
    def __init__(self, *, divides: bool = False, shuffles: bool = False):
        self.divides, self.shuffles = divides, shuffles

    def __iter__(self):
        info = get_worker_info()
        order = torch.randperm(N) if self.shuffles else torch.arange(N)
        if self.divides and info is not None:
            order = order[info.id :: info.num_workers]
        return ((IMAGES[row], LABELS[row]) for row in order)


def test_a_stream_that_every_worker_gives_is_refused():
    for stream in (Stream(), Stream(shuffles=True)):
        with pytest.raises(StudyError, match=r"each of the 2 workers .* num_workers to 0"):
            rows(DataLoader(stream, 5, num_workers=2), in_order=False)
    divided = rows(DataLoader(Stream(divides=True), 5, num_workers=2))
    assert sorted(divided) == list(range(N))


def test_a_stream_that_shuffles_is_refused_where_rows_are_matched(caplog):
    assert rows(Stream()) == list(range(N))
    with pytest.raises(StudyError, match="at a second look the IterableDataset gives other images"):
        rows(Stream(shuffles=True))
    assert not caplog.records


class Augmented(Dataset):
    """Flips every other image it is asked for, wherever."""

    def __init__(self):
        self.looks = 0

    def __len__(self):
        return N

    def __getitem__(self, index):
        self.looks += 1
        flipped = torch.rand(1) < 0.5
        return IMAGES[index].flip(-1) if flipped else IMAGES[index], LABELS[index]


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: DataLoader(data, 6)])
def test_a_dataset_that_augments_is_said(caplog, wrap):
    torch.manual_seed(0)
    data = Augmented()
    examples = open_examples(wrap(data), name="train", batch_size=6, in_order=True)
    assert sum(len(labels) for _, labels in examples.batches) == N
    assert "train: at a second look the dataset gives other images" in caplog.text
    assert data.looks == N + 6
    caplog.clear()
    assert rows(wrap(DATA)) == list(range(N))
    assert not caplog.records


class Boxed(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return N

    def __getitem__(self, index):
        return self.images[index], LABELS[index]


def boxes(images: np.ndarray) -> np.ndarray:
    found = np.empty(N, object)
    found[:] = list(images)
    return found


def read_only(images: np.ndarray) -> np.ndarray:
    found = images.copy()
    found.flags.writeable = False
    return found


LAID_OUT = {
    "strides": lambda images: np.flip(np.flip(images).copy()),
    "bytes": lambda images: images.astype(images.dtype.newbyteorder(">")),
    "objects": lambda images: images.astype(object),
    "objects that are arrays": boxes,
    "read only": read_only,
    "Fortran": np.asfortranarray,
}


@pytest.mark.parametrize("kind", LAID_OUT)
def test_arrays_are_taken_however_they_lie(kind, recwarn):
    images, labels = LAID_OUT[kind](IMAGES.numpy()), LABELS.numpy()
    if kind != "objects that are arrays":
        labels = LAID_OUT[kind](labels)
    assert rows((images, labels)) == list(range(N))
    assert rows(Boxed(images)) == list(range(N))
    assert not recwarn.list


@pytest.mark.parametrize("kind", LAID_OUT)
def test_the_study_takes_arrays_however_they_lie(kind):
    whole = (IMAGES * 2).numpy()[:, 0].repeat(2, axis=1)[..., :2]
    expected = arrays.to_images(whole, "x")
    np.testing.assert_array_equal(arrays.to_images(LAID_OUT[kind](whole), "x"), expected)
    tensor = torch.from_numpy(whole).requires_grad_()
    np.testing.assert_array_equal(arrays.to_images(tensor, "x"), expected)


def test_tensors_that_require_grad_are_taken():
    images = IMAGES.clone().requires_grad_()
    for data in ((images, LABELS), Boxed(images), DataLoader(Boxed(images), 6)):
        assert rows(data) == list(range(N))
        for batch, _ in open_examples(data, name="train", batch_size=6, in_order=True).batches:
            assert not batch.requires_grad


def test_objects_that_are_no_images_are_named():
    words = np.array([["a"]] * N, object)
    with pytest.raises(StudyError, match="train: images of type <U1 are no tensors"):
        rows((words, LABELS))
