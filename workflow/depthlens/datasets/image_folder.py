"""Images in folders: one folder a class, any size, made one size by one of three policies."""

import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthlens.errors import StudyError
from depthlens.tables import class_type

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
SPLITS = ("train", "test")
# Folders that tools leave among images.
_NO_CLASSES = ("__MACOSX", "__pycache__")
_BEHIND_ALPHA = (255, 255, 255)


class Listing(NamedTuple):
    """What a folder of images holds."""

    classes: list[str]
    """names of the class folders, sorted"""
    splits: dict[str, list[str]]
    """paths of the images below the folder, of each split, in the order of their examples"""
    labels: dict[str, NDArray[np.integer]]
    """index into `classes` of each of these"""
    ignored: list[str]
    """files that are no images by their names; hidden ones are not listed"""


class Decoded(NamedTuple):
    """Images of one size, and the contents that they were decoded from."""

    images: NDArray[np.uint8]
    """shape (n_examples, channels, height, width)"""
    sha256: list[str]
    """of each file"""


def files(folder: Path) -> dict[str, Path]:
    """Every image below a folder, by its path below it; raises `StudyError` if it is none."""
    return {name: folder / name for name in sorted(_walk(folder)) if _is_image(name)}


def listing(folder: Path, *, test_share: float | None, seed: int) -> Listing:
    """Find classes, splits and images.

    `train/CLASS/…` and `test/CLASS/…`, images at any depth below their class. Without `test`, a
    share of each class becomes the test split, and then the classes may lie in `folder` itself.
    Which images are chosen depends on `seed` and their own names alone, so that further images
    move few of those that are there. In a split, classes take turns in proportion to their sizes:
    the first so many examples hold about the same share of each class as all do.

    Parameters
    ----------
    folder : path
    test_share : float or None
        Above 0, below 1. Each class keeps at least one image on both sides.
    seed : int
        Of the choice of test images.

    Raises
    ------
    StudyError
        If the folders are not as above: what is missing, lies elsewhere, or differs.
    """
    names = sorted(_walk(folder))
    tops = sorted({name.split("/")[0] for name in names if "/" in name})
    images = [name for name in names if _is_image(name)]
    ignored = [name for name in names if not _is_image(name)]
    if "test" in tops and test_share is not None:
        raise StudyError(
            f"datasets: {folder} has a folder test, and test_share asks to take test images from "
            "the training images; set test_share to null"
        )
    if test_share is None:
        if missing := [split for split in SPLITS if split not in tops]:
            raise StudyError(
                f"datasets: {folder} has no folder {' and none '.join(missing)}; images belong "
                "into train/CLASS and test/CLASS, or set test_share to take that share of the "
                "images of train/CLASS for the test"
            )
        by_split = {split: _by_class(folder, split, images) for split in SPLITS}
        ignored += [name for name in images if name.split("/")[0] not in SPLITS]
        if set(by_split["train"]) != set(by_split["test"]):
            raise StudyError(_differing(folder, *map(set, by_split.values())))
    else:
        if "train" in tops and len(tops) > 1:
            others = ", ".join(name for name in tops if name != "train")
            raise StudyError(
                f"datasets: {folder} has a folder train and others ({others}): is train a class, "
                "or the folder of the classes? Move the others away, or set path to the folder "
                "that holds the classes and nothing else"
            )
        every = _by_class(folder, "train" if "train" in tops else "", images)
        by_split = _divided(folder, every, test_share, seed)
    classes = sorted(by_split["train"])
    if len(classes) < 2:
        raise StudyError(f"datasets: {folder} has images of {len(classes)} class; it needs two")
    turns = {split: _in_turns(classes, by_split[split]) for split in SPLITS}
    return Listing(
        classes,
        {split: [name for _, name in found] for split, found in turns.items()},
        {
            split: np.array([label for label, _ in found], class_type(len(classes)))
            for split, found in turns.items()
        },
        ignored,
    )


def decode(
    folder: Path,
    names: list[str],
    *,
    size: tuple[int, int],
    channels: Literal[1, 3],
    resize: Literal["stretch", "crop", "pad"],
    each: Callable[[], object] = lambda: None,
) -> Decoded:
    """Read images and bring them to one size, on all cores.

    The orientation that a camera noted (EXIF) is applied, transparent pixels are laid on white,
    16-bit greys keep their high byte, of an animation the first frame is taken. Grey is ITU-R 601
    luma (0.299 R + 0.587 G + 0.114 B). Sizes change by Pillow's bilinear filter, whose support
    grows with the reduction (no aliasing), in integer arithmetic.

    Parameters
    ----------
    folder : path
    names : list of str
        Paths below `folder`.
    size : (height, width)
        Pixels.
    channels : {1, 3}
        Grey, or red, green and blue.
    resize : {"stretch", "crop", "pad"}
        Change the proportions; or cover the whole and cut what is over on both sides; or fit in
        and fill with black on both sides.
    each : function, optional
        Called after each image.

    Returns
    -------
    Decoded

    Raises
    ------
    StudyError
        That names the first file that is not a whole image.
    """
    try:
        images = np.empty((len(names), channels, *size), np.uint8)
    except MemoryError:
        needed = len(names) * channels * size[0] * size[1] / 1e9
        raise StudyError(
            f"datasets: {folder}: {len(names)} images need {needed:.0f} GB of memory; lower height "
            "and width, train_examples or test_examples"
        ) from None

    def one(row: int) -> str:
        content = _content(folder / names[row])
        images[row] = _pixels(folder / names[row], content, size, channels, resize)
        return hashlib.sha256(content).hexdigest()

    threads = ThreadPoolExecutor()  # Pillow decodes and resizes outside of Python's lock
    digests = []
    try:
        for digest in threads.map(one, range(len(names))):
            digests.append(digest)
            each()
    finally:
        threads.shutdown(cancel_futures=True)
    return Decoded(images, digests)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"datasets: {path}: cannot be read ({error.strerror})") from None


def _pixels(
    path: Path, content: bytes, size: tuple[int, int], channels: int, resize: str
) -> NDArray[np.uint8]:
    """Shape (channels, height, width)."""
    from PIL import Image, ImageOps

    wide = (size[1], size[0])
    bilinear = Image.Resampling.BILINEAR
    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = _plain(ImageOps.exif_transpose(opened), "L" if channels == 1 else "RGB")
    except Image.DecompressionBombError:
        raise StudyError(
            f"datasets: {path}: says that it has more pixels than {2 * Image.MAX_IMAGE_PIXELS:,}; "
            "make it smaller, or move it away"
        ) from None
    # A file that is no image can make its decoder raise nearly anything.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = "not an image that Pillow knows" if "BytesIO" in reason else reason[:120]
        raise StudyError(
            f"datasets: {path}: not a whole image ({reason}); replace it, or move it away"
        ) from None
    if resize == "stretch":
        image = image.resize(wide, bilinear)
    elif resize == "crop":
        image = ImageOps.fit(image, wide, bilinear)
    else:
        scale = min(size[0] / image.height, size[1] / image.width)
        inner = [max(1, round(side * scale)) for side in image.size]
        black = Image.new(image.mode, wide)
        left_top = tuple((there - side) // 2 for there, side in zip(wide, inner, strict=True))
        black.paste(image.resize(inner, bilinear), left_top)
        image = black
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _plain(image: object, mode: str) -> object:
    """An image in mode L or RGB."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        # Pillow's own conversion makes 255 of everything above 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert(mode)
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers; save it with 8 or 16 bits")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (*_BEHIND_ALPHA, 255))
        image = Image.alpha_composite(behind, image).convert("RGB")
    return image.convert(mode)


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122  a path for each is slow


def _is_text(name: str) -> bool:
    """Whether a name can stand in a table: bytes that are not UTF-8 cannot."""
    return not any(sign < " " or "\ud800" <= sign <= "\udfff" for sign in name)


def _walk(folder: Path) -> Iterator[str]:
    """Paths of all files below a folder, as they are written below it; hidden ones are not."""
    if not folder.is_dir():
        raise StudyError(f"datasets: {folder} is not a folder; path is that of train and test")

    def below(path: str, prefix: str, above: tuple[str, ...]) -> Iterator[str]:
        real = os.path.realpath(path)
        if real in above:
            raise StudyError(f"datasets: {path} is a link to a folder that holds it; remove it")
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _NO_CLASSES:
                    continue
                if not _is_text(entry.name):
                    raise StudyError(
                        f"datasets: {path} holds a name that is no line of text: {entry.name!a}; "
                        "rename it"
                    )
                if entry.is_dir():
                    yield from below(entry.path, f"{prefix}{entry.name}/", (*above, real))
                else:
                    yield prefix + entry.name

    try:
        yield from below(str(folder), "", ())
    except OSError as error:
        raise StudyError(
            f"datasets: {error.filename or folder}: cannot be read ({error.strerror})"
        ) from None


def _by_class(folder: Path, top: str, images: list[str]) -> dict[str, list[str]]:
    """Images below `top` by the folder that they are in there."""
    prefix = f"{top}/" if top else ""
    found: dict[str, list[str]] = {}
    for name in images:
        if name.startswith(prefix):
            label, slash, _ = name.removeprefix(prefix).partition("/")
            if not slash:
                raise StudyError(
                    f"datasets: {folder / name} lies in no folder of a class; move it into "
                    f"{folder / prefix}CLASS"
                )
            found.setdefault(label, []).append(name)
    return found


def _differing(folder: Path, train: set[str], test: set[str]) -> str:
    said = [
        f"{split} has no image of {', '.join(sorted(missing)[:10])}"
        + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
        for split, missing in (("train", test - train), ("test", train - test))
        if missing
    ]
    return f"datasets: {folder}: {', and '.join(said)}; both splits need the same classes"


def _divided(
    folder: Path, by_class: dict[str, list[str]], share: float, seed: int
) -> dict[str, dict[str, list[str]]]:
    """Some of each class for the test: those whose names have the smallest digests."""
    split: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for label, names in by_class.items():
        if len(names) < 2:
            raise StudyError(
                f"datasets: {folder}: {label} has one image only, and both splits need one"
            )
        n_test = min(max(math.floor(share * len(names) + 0.5), 1), len(names) - 1)
        drawn = set(sorted(names, key=lambda name: _lot(seed, name))[:n_test])
        split["test"][label] = [name for name in names if name in drawn]
        split["train"][label] = [name for name in names if name not in drawn]
    return split


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()


def _in_turns(classes: list[str], by_class: dict[str, list[str]]) -> list[tuple[int, str]]:
    """Label and name of every image, classes mixed evenly."""
    places = [
        ((rank + 0.5) / len(by_class[name]), label, image)
        for label, name in enumerate(classes)
        for rank, image in enumerate(by_class[name])
    ]
    return [(label, image) for _, label, image in sorted(places)]
