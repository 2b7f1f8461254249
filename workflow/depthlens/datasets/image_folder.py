"""Images in folders: one folder a class, any size, made one size by one of three policies."""

import contextlib
import functools
import hashlib
import io
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from depthlens.errors import StudyError
from depthlens.tables import class_type

if TYPE_CHECKING:  # a study of generated images never needs it
    from PIL import Image

# So called, a file is an image and need not be opened to know it; of others its beginning decides.
SUFFIXES = frozenset((
    ".png", ".apng", ".jpg", ".jpeg", ".jfif", ".jpe", ".jp2", ".j2k", ".bmp", ".gif", ".webp",
    ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".avif", ".heic", ".heif", ".hif",
))  # fmt: skip
SPLITS = ("train", "test")
Channels = Literal[1, 3]
Resize = Literal["stretch", "crop", "pad"]
OnError = Literal["stop", "skip"]
# What a folder of classes may be called; one that holds images itself is a class all the same.
_SPLIT_NAMES = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev")
)
# Formats that Pillow names and does not decode by itself.
_NO_PICTURES = frozenset(("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"))
# Formats whose first bytes say enough. A text may begin as a BMP does.
_UNMISTAKABLE = frozenset(("AVIF", "GIF", "JPEG", "PNG", "TIFF", "WEBP"))
_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
# The range of 16-bit pixels of which the high byte is kept.
_HIGH_BYTE = (0, 2**16 - 1)
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
    notes: list[str]
    """what is left out and which class folders are empty, a sentence each, for the log"""


class Decoded(NamedTuple):
    """Images of one size, and the contents that they were decoded from."""

    images: NDArray[np.uint8]
    """shape (n_examples, channels, height, width)"""
    rows: NDArray[np.intp]
    """shape (n_examples,): which of the paths each is of, ascending"""
    sha256: list[str]
    """of each file"""
    notes: list[str]
    """what was left out, and how 16 bits were read, a sentence each, for the log"""


class _Read(NamedTuple):
    """What is known of a file that was decoded."""

    sha256: str
    grey16: tuple[int, int] | None
    """smallest and largest of its 16-bit pixels"""
    colour16: int | None
    """largest high byte, where that is all that Pillow keeps of 16 bits"""


class _Files(NamedTuple):
    """What lies below a folder, by path below it, sorted."""

    images: list[str]
    others: list[str]
    folders: list[str]
    """with a slash at the end"""


def files(folder: Path) -> dict[str, Path]:
    """Every image below a folder, by its path below it; raises `StudyError` if it is none."""
    return {name: folder / name for name in _scan(folder).images}


def by_class(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Images below a folder of classes, or below the only folder of a split in it.

    Returns
    -------
    images : dict of class name (NFC) to paths below the folder
    notes : list of str
        As of a `Listing`.

    Raises
    ------
    StudyError
        If it holds folders of splits beside others, images in no class, or a class without one.
    """
    found = _scan(folder)
    images, notes = _classes(folder, _top(folder, found), found)
    return images, _left_out(folder, found.others, "no images that Pillow opens") + notes


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
    found = _scan(folder)
    notes = _left_out(folder, found.others, "no images that Pillow opens")
    if test_share is None:
        tops = {name.split("/")[0] for name in found.folders}
        if missing := [split for split in SPLITS if split not in tops]:
            raise StudyError(
                f"datasets: {folder} has no folder {' and none '.join(missing)}; images belong "
                "into train/CLASS and test/CLASS, or set test_share to take that share of the "
                "images of train/CLASS for the test"
            )
        by_split = {}
        for split in SPLITS:
            by_split[split], empty = _classes(folder, f"{split}/", found)
            notes += empty
        elsewhere = [name for name in found.images if name.split("/")[0] not in SPLITS]
        notes += _left_out(folder, elsewhere, "not in train or test")
        if set(by_split["train"]) != set(by_split["test"]):
            raise StudyError(_differing(folder, *map(set, by_split.values())))
    else:
        if "test" in _splits(found):
            raise StudyError(
                f"datasets: {folder} has a folder test, and test_share asks to take test images "
                "from the training images; set test_share to null"
            )
        every, empty = _classes(folder, _top(folder, found), found)
        notes += empty
        by_split = _divided(folder, every, test_share, seed)
    classes = sorted(by_split["train"])
    if len(classes) < 2:
        raise StudyError(f"datasets: {folder} has images of {len(classes)} class; it needs two")
    turns = {split: _in_turns(classes, by_split[split]) for split in SPLITS}
    return Listing(
        classes,
        {split: [name for _, name in images] for split, images in turns.items()},
        {
            split: np.array([label for label, _ in images], class_type(len(classes)))
            for split, images in turns.items()
        },
        notes,
    )


def decode(
    sets: Mapping[str, Sequence[Path]],
    *,
    size: tuple[int, int],
    channels: Channels,
    resize: Resize,
    on_error: OnError = "stop",
    each: Callable[[], object] = lambda: None,
) -> dict[str, Decoded]:
    """Read images and bring them to one size, on all cores.

    The orientation that a camera noted (EXIF) is applied, transparent pixels are laid on white,
    of an animation the first frame is taken. Grey is ITU-R 601 luma (0.299 R + 0.587 G + 0.114 B).
    16-bit greys keep their high byte; but if those of the training images span less than half of
    what 16 bits hold, that range becomes 0 … 255 in every set, and what is outside is clipped.
    Sizes change by Pillow's bilinear filter, whose support grows with the reduction (no aliasing),
    in integer arithmetic.

    Parameters
    ----------
    sets : mapping of str to sequence of paths
        The training images come first.
    size : (height, width)
        Pixels.
    channels : {1, 3}
        Grey, or red, green and blue.
    resize : {"stretch", "crop", "pad"}
        Change the proportions; or cover the whole and cut what is over on both sides; or fit in
        and fill with black on both sides.
    on_error : {"stop", "skip"}
        What becomes of files that are not whole images.
    each : function, optional
        Called after each image.

    Returns
    -------
    dict of the same keys to Decoded

    Raises
    ------
    StudyError
        With a line for each file of any set that is not a whole image, unless they are skipped.
    """
    _learn_heic()
    pixels = functools.partial(_pixels, size=size, channels=channels, resize=resize)
    found, faults, levels = {}, [], None
    for name, paths in sets.items():
        images = _room(name, (len(paths), channels, *size))
        read, torn = {}, []
        for row, file in enumerate(
            _fill(images, paths, range(len(paths)), pixels, levels or _HIGH_BYTE)
        ):
            each()
            if isinstance(file, StudyError):
                torn.append(str(file))
            else:
                read[row] = file
        known = levels
        levels, notes = _levels(name, list(read.values()), known)
        if levels and levels not in (known, _HIGH_BYTE):
            again = [row for row, file in read.items() if file.grey16]
            list(_fill(images, paths, again, pixels, levels))
        if torn:
            images = images[list(read)]
            notes.append(f"{len(torn)} of {len(paths)} {name} images are left out:")
            notes += [fault.removeprefix("datasets: ") for fault in torn]
        sha256 = [file.sha256 for file in read.values()]
        found[name] = Decoded(images, np.array(list(read), np.intp), sha256, notes)
        faults += torn
    if faults and on_error == "stop":
        raise StudyError("\n".join(faults) + ", or set on_error to skip")
    return found


def _room(name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        return np.empty(shape, np.uint8)
    except MemoryError:
        raise StudyError(
            f"datasets: {shape[0]} {name} images need {math.prod(shape) / 1e9:.0f} GB of memory; "
            "lower height and width, or take fewer images"
        ) from None


def _fill(
    images: NDArray[np.uint8],
    paths: Sequence[Path],
    rows: Iterable[int],
    pixels: Callable[..., tuple[NDArray[np.uint8], tuple[int, int] | None, int | None]],
    levels: tuple[int, int],
) -> Iterator[_Read | StudyError]:
    """Read files into some rows, and give what is known of each, or what is wrong with it."""

    def one(row: int) -> _Read | StudyError:
        try:
            content = _content(paths[row])
            images[row], grey16, colour16 = pixels(paths[row], content, levels=levels)
        except StudyError as fault:
            return fault
        return _Read(hashlib.sha256(content).hexdigest(), grey16, colour16)

    threads = ThreadPoolExecutor()  # Pillow decodes and resizes outside of Python's lock
    try:
        yield from threads.map(one, rows)
    finally:
        threads.shutdown(cancel_futures=True)


def _levels(
    name: str, read: list[_Read], levels: tuple[int, int] | None
) -> tuple[tuple[int, int] | None, list[str]]:
    """What of 16-bit pixels becomes black and white, unless it is known; and notes on them."""
    notes = []
    if ranges := [file.grey16 for file in read if file.grey16]:
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        levels = levels or ((low, high) if high - low < 2**15 else _HIGH_BYTE)
        if levels != _HIGH_BYTE:
            notes.append(
                f"{len(ranges)} {name} images have 16 bits, {low} … {high}: {levels[0]} … "
                f"{levels[1]}, the range of the training images, becomes 0 … 255"
            )
    deep = [file.colour16 for file in read if file.colour16 is not None]
    if deep and max(deep) < 128:
        notes.append(
            f"{len(deep)} {name} images have 16 bits a colour, of which Pillow keeps the high "
            f"byte, here at most {max(deep)} of 255: save them with 8 bits"
        )
    return levels, notes


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"datasets: {path}: cannot be read ({error.strerror})") from None


def _pixels(
    path: Path,
    content: bytes,
    *,
    size: tuple[int, int],
    channels: int,
    resize: str,
    levels: tuple[int, int],
) -> tuple[NDArray[np.uint8], tuple[int, int] | None, int | None]:
    """Shape (channels, height, width); then what `_Read` says of 16 bits."""
    from PIL import Image, ImageOps

    wide = (size[1], size[0])
    bilinear = Image.Resampling.BILINEAR
    try:
        with Image.open(io.BytesIO(content)) as opened:
            # Pillow's reader of PGM gives 16 bits in a mode of 32.
            is_wide = opened.mode.startswith("I;16") or (opened.mode, opened.format) == ("I", "PPM")
            is_deep = not is_wide and ";16" in str(getattr(opened, "tile", ""))
            image = ImageOps.exif_transpose(opened)
            grey16 = colour16 = None
            if is_wide:
                values = np.asarray(image)
                grey16 = int(values.min()), int(values.max())
                image = Image.fromarray(_low_byte(values, levels))
            image = _plain(image, "L" if channels == 1 else "RGB")
            if is_deep:
                colour16 = int(np.asarray(image).max())
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise StudyError(
            f"datasets: {path}: says that it has more pixels than {most:,}; "
            "make it smaller, or move it away"
        ) from None
    # A file that is no image can make its decoder raise nearly anything.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = _unknown(content) if "BytesIO" in reason else reason[:120]
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
        left, top = ((there - side) // 2 for there, side in zip(wide, inner, strict=True))
        black.paste(image.resize(inner, bilinear), (left, top))
        image = black
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1), grey16, colour16


def _low_byte(values: NDArray[Any], levels: tuple[int, int]) -> NDArray[np.uint8]:
    """Levels from low to high in 256 equal steps; of all that 16 bits hold, the high byte."""
    low, high = levels
    above = values.clip(low, high).astype(np.uint32) - np.uint32(low)
    return (above * 256 // (high - low + 1)).astype(np.uint8)


def _unknown(content: bytes) -> str:
    """Why Pillow does not know a content, with what would help."""
    if _is_heic(content):
        return "HEIC, which can be read after `pip install pillow-heif`"
    if content[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF, which can be read after `pip install --upgrade pillow`"
    return "not an image that Pillow knows"


def _is_heic(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and content[8:12] in _HEIC


@functools.cache
def _learn_heic() -> None:
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


@functools.cache
def _signatures() -> dict[str, Callable[[bytes], bool | str]]:
    """Whether 16 bytes begin a format, for each that Pillow decodes and that can be told so."""
    from PIL import Image

    _learn_heic()
    Image.init()
    known = {name: begins for name, (_, begins) in Image.OPEN.items() if begins}
    return {name: begins for name, begins in known.items() if name not in _NO_PICTURES}


def _plain(image: "Image.Image", mode: str) -> "Image.Image":
    """An image in mode L or RGB."""
    from PIL import Image

    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers; save it with 8 or 16 bits")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (*_BEHIND_ALPHA, 255))
        image = Image.alpha_composite(behind, image).convert("RGB")
    return image.convert(mode)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  a path for each is slow


def _opens(path: str) -> bool:
    """Whether Pillow finds an image in a file, whatever its name."""
    from PIL import Image

    if not os.path.isfile(path):  # noqa: PTH113  opening a pipe would wait for ever
        return False
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  a path for each is slow
            beginning = file.read(16).ljust(16, b"\0")
        formats = [name for name, begins in _signatures().items() if begins(beginning)]
        if _is_heic(beginning) or _UNMISTAKABLE.intersection(formats):
            return True
        if not formats:
            return False
        with Image.open(path, formats=formats):
            return True
    except Exception as error:  # a file that is no image can make readers raise nearly anything
        return isinstance(error, Image.DecompressionBombError)


def _scan(folder: Path) -> _Files:
    found = _Files([], [], [])
    for name in sorted(_walk(folder)):
        if name.endswith("/"):
            found.folders.append(name)
        elif _suffix(name) in SUFFIXES or _opens(f"{folder}/{name}"):
            found.images.append(name)
        else:
            found.others.append(name)
    return found


def _left_out(folder: Path, names: list[str], why: str) -> list[str]:
    """A sentence on files that are left out, if there are any."""
    if not names:
        return []
    kinds = Counter(_suffix(name) or "without suffix" for name in names).most_common(5)
    counted = ", ".join(f"{n} {kind}" for kind, n in kinds)
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [f"{len(names)} files of {folder} are left out, {why} ({counted}): {shown}"]


def _is_text(name: str) -> bool:
    """Whether a name can stand in a table: bytes that are not UTF-8 cannot."""
    return not any(sign < " " or "\ud800" <= sign <= "\udfff" for sign in name)


def _walk(folder: Path) -> Iterator[str]:
    """Paths of all files and folders/ below a folder, as they are written; of hidden ones none."""
    if not os.path.isdir(folder):  # noqa: PTH112  Path's own raises where a name is too long
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
                    yield f"{prefix}{entry.name}/"
                    yield from below(entry.path, f"{prefix}{entry.name}/", (*above, real))
                else:
                    yield prefix + entry.name

    try:
        yield from below(str(folder), "", ())
    except OSError as error:
        raise StudyError(
            f"datasets: {error.filename or folder}: cannot be read ({error.strerror})"
        ) from None


def _splits(found: _Files) -> list[str]:
    """Folders at the top that are called like a split and are no class: no image lies in them."""
    deep = {name.split("/")[0] for name in found.images + found.others if name.count("/") > 1}
    classes = {name.split("/")[0] for name in found.images if name.count("/") == 1}
    return sorted(top for top in deep - classes if top.lower() in _SPLIT_NAMES)


def _top(folder: Path, found: _Files) -> str:
    """Where the classes are: in the folder itself (""), or in the only folder in it ("train/")."""
    tops = sorted({name.split("/")[0] for name in found.images + found.others if "/" in name})
    splits = _splits(found)
    if not splits:
        return ""
    if tops == splits[:1]:
        return f"{tops[0]}/"
    split = "train" if "train" in splits else splits[0]
    raise StudyError(
        f"datasets: {folder} has a folder {split} and others "
        f"({', '.join(name for name in tops if name != split)}): is {split} a class, or the folder "
        f"of the classes? Name {folder / split}, or move the others away; a class has images of "
        "its own, not only in folders below it"
    )


def _classes(folder: Path, top: str, found: _Files) -> tuple[dict[str, list[str]], list[str]]:
    """Images below `top` by the name (NFC) of the folder that they are in there, and notes."""

    def grouped(names: list[str]) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for name in names:
            if name.startswith(top):
                label, slash, _ = name.removeprefix(top).partition("/")
                groups.setdefault(normalize("NFC", label) if slash else "", []).append(name)
        return groups

    images, others = grouped(found.images), grouped(found.others)
    if loose := images.get(""):
        raise StudyError(
            f"datasets: {folder / loose[0]} lies in no folder of a class; move it into "
            f"{folder / top}/CLASS"
        )
    if lost := others.keys() - images.keys() - {""}:
        raise StudyError(
            "\n".join(
                f"datasets: {folder / top / label}: none of its {len(others[label])} files is an "
                f"image that Pillow opens, such as {others[label][0]}, and the class would be "
                "lost; convert them, or move the folder away"
                for label in sorted(lost)
            )
        )
    empty = sorted(grouped(found.folders).keys() - images.keys() - {""})
    return images, [f"{folder / top / label} is empty, and no class" for label in empty]


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
