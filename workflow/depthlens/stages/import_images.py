"""Bring a dataset that others made into the study's own tables."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens import tables
from depthlens.datasets import arrays, collections, image_folder, sources, user_function
from depthlens.errors import StudyError
from depthlens.progress import bar

log = logging.getLogger(__name__)

SPLITS = ("train", "test")
_BAR_IMAGES = 1000
# Where files lay, and what becomes of damaged ones, is no property of the images: it stays out of
# the bytes.
_PLACES = ("data_root", "path", "train", "test", "files", "on_error")


class _Split(NamedTuple):
    images: NDArray[np.uint8]
    labels: NDArray[np.integer]
    factors: Mapping[str, NDArray[np.float32]] = {}
    files: list[str] | None = None
    n_all: int | None = None
    """images that the split has, if more than those that were read"""


class _Dataset(NamedTuple):
    name: str
    """for messages"""
    classes: list[str]
    splits: dict[str, _Split]
    sha256: dict[str, str]
    """of each file that was read, by a name that does not say where it lies"""


def run(*, train_output: Path, test_output: Path, cfg: dict) -> None:
    """Write both tables of images of a dataset from a block of `datasets`.

    Parameters
    ----------
    train_output, test_output : path
        Usually `data/{dataset}/{split}.parquet`.
    cfg : dict
        Block of `datasets` of any source but `shapes`.

    Raises
    ------
    StudyError
        If the source cannot be read, or the splits do not fit each other and the config.
    """
    dataset = _READERS[cfg["source"]](cfg)
    shapes = {split: part.images.shape[1:] for split, part in dataset.splits.items()}
    if shapes["train"] != shapes["test"]:
        raise StudyError(
            f"datasets: {dataset.name} has training images of (channels, height, width) "
            f"{shapes['train']} and test images of {shapes['test']}"
        )
    about = {key: value for key, value in cfg.items() if key not in _PLACES}
    metadata = tables.describe("import_images", about, {})
    metadata["source_sha256"] = sources.digest(dataset.sha256)
    found = {
        split: _table(part, split, cfg[f"{split}_examples"], dataset)
        for split, part in dataset.splits.items()
    }
    for split, output in (("train", train_output), ("test", test_output)):
        tables.write_images(output, found[split], metadata)
        log.info(
            "imported %d %s images of %d classes: %s",
            len(found[split].labels), split, len(dataset.classes), output,
        )  # fmt: skip


def _table(part: _Split, split: str, wanted: int | None, dataset: _Dataset) -> tables.Images:
    """The first so many of a split, measured; every class must be among them."""
    if len(part.labels) != len(part.images):
        raise StudyError(
            f"datasets: {dataset.name} has {len(part.images)} {split} images and "
            f"{len(part.labels)} labels"
        )
    n_all = part.n_all or len(part.images)
    wanted = _number(wanted, n_all, split, dataset.name)
    images, labels = part.images[:wanted], part.labels[:wanted]
    counts = np.bincount(labels, minlength=len(dataset.classes))
    if absent := [name for name, n in zip(dataset.classes, counts, strict=True) if not n]:
        shown = ", ".join(absent[:10]) + (", …" if len(absent) > 10 else "")
        some = wanted < n_all
        where = f"among the first {wanted} of" if some else "in"
        do = f"raise {split}_examples" if some else "both splits need every class"
        raise StudyError(f"datasets: no {split} example of {shown} {where} {dataset.name}; {do}")
    measured = collections.measure(images)
    if twice := part.factors.keys() & measured.keys():
        raise StudyError(
            f"datasets: {dataset.name}: a factor called {', '.join(sorted(twice))} is measured "
            "of every image; give yours another name"
        )
    return tables.Images(
        example_id=np.arange(len(labels), dtype=np.int32),
        images=images,
        labels=labels,
        classes=dataset.classes,
        factors={name: values[:wanted] for name, values in part.factors.items()} | measured,
        files=part.files and part.files[:wanted],
    )


def _number(wanted: int | None, there: int, split: str, name: str) -> int:
    if wanted is not None and wanted > there:
        raise StudyError(f"datasets: {split}_examples is {wanted}, but {name} has {there}")
    return wanted or there


def _torchvision(cfg: dict) -> _Dataset:
    splits: dict[str, _Split] = {}
    classes: list[str] = []
    for split in SPLITS:
        images, labels, classes = collections.load(cfg["name"], split, cfg["data_root"])
        splits[split] = _Split(images, labels)
    return _Dataset(cfg["name"], classes, splits, {})


def _image_folder(cfg: dict) -> _Dataset:
    folder = Path(cfg["path"])
    found = image_folder.listing(folder, test_share=cfg["test_share"], seed=cfg["seed"])
    names = {
        split: every[: _number(cfg[f"{split}_examples"], len(every), split, str(folder))]
        for split, every in found.splits.items()
    }
    total = sum(map(len, names.values()))
    with bar(label="images", total=total, unit="image", hidden=total < _BAR_IMAGES) as shown:
        decoded = image_folder.decode(
            {split: [folder / name for name in some] for split, some in names.items()},
            size=(cfg["height"], cfg["width"]),
            channels=cfg["channels"],
            resize=cfg["resize"],
            on_error=cfg.get("on_error", "stop"),
            each=shown.update,
        )
    splits: dict[str, _Split] = {}
    sha256: dict[str, str] = {}
    for split, (images, rows, digests, notes) in decoded.items():
        read = [names[split][row] for row in rows]
        sha256 |= dict(zip(read, digests, strict=True))
        labels = found.labels[split][rows]
        splits[split] = _Split(images, labels, {}, read, len(found.splits[split]))
        found.notes.extend(notes)
    for note in found.notes:
        log.info(note)
    return _Dataset(str(folder), found.classes, splits, sha256)


def _homework(cfg: dict) -> _Dataset:
    paths = {split: Path(cfg[split]) for split in SPLITS}
    return _of_arrays(arrays.read_homework(paths["train"], paths["test"]), paths, cfg)


def _npz(cfg: dict) -> _Dataset:
    paths = {split: Path(cfg[split]) for split in SPLITS}
    read = arrays.read_npz(paths, images=cfg["images"], labels=cfg["labels"])
    return _of_arrays(read, paths, cfg)


def _of_arrays(
    read: Mapping[str, tuple[object, object]], paths: dict[str, Path], cfg: dict
) -> _Dataset:
    name = " and ".join(dict.fromkeys(str(path) for path in paths.values()))
    arrays.check_scales({split: pair[0] for split, pair in read.items()}, name)
    labels, classes = arrays.to_labels(
        {split: pair[1] for split, pair in read.items()}, cfg["classes"], name
    )
    splits = {
        split: _Split(arrays.to_images(pair[0], f"{split} images of {paths[split]}"), labels[split])
        for split, pair in read.items()
    }
    sha256 = {split: tables.sha256(path) for split, path in paths.items()}
    return _Dataset(name, classes, splits, sha256)


def _function(cfg: dict) -> _Dataset:
    files = sources.files(cfg) or {}
    for name, path in files.items():
        if not path.is_file():
            raise StudyError(f"datasets: files: {path}: no such file ({name})")
    given = {
        split: user_function.read(cfg["function"], cfg["arguments"], split) for split in SPLITS
    }
    train, test = given["train"], given["test"]
    for what, one, other in (
        ("classes", train.classes, test.classes),
        ("factors", list(train.factors), list(test.factors)),
    ):
        if one != other:
            raise StudyError(
                f"datasets: {cfg['function']} returned other {what} for train than for test: "
                f"{one[:10]} and {other[:10]}"
            )
    splits = {
        split: _Split(part.images, part.labels, part.factors) for split, part in given.items()
    }
    sha256 = {name: tables.sha256(path) for name, path in files.items()}
    return _Dataset(cfg["function"], train.classes, splits, sha256)


_READERS = {
    "torchvision": _torchvision,
    "image_folder": _image_folder,
    "homework": _homework,
    "npz": _npz,
    "function": _function,
}
