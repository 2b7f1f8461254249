"""Which files an imported dataset is read from, and one digest of all their contents."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthlens.datasets import image_folder
from depthlens.provenance import user_code


def files(cfg: Mapping[str, Any]) -> dict[str, Path] | None:
    """Every file that decides what a dataset is, under names that do not say where it lies.

    Parameters
    ----------
    cfg : mapping
        A block of `datasets` with any source.

    Returns
    -------
    dict of name to path, or None
        Some files may be missing; None where nothing of the source is there. Empty for generated
        images, and for torchvision's collections, whose bytes are fixed by their names.

    Raises
    ------
    StudyError
        If a folder of images cannot be read.
    """
    match cfg["source"]:
        case "image_folder":
            folder = Path(cfg["path"])
            return image_folder.files(folder) if _exists(folder) else None
        case "homework" | "npz":
            found = {split: Path(cfg[split]) for split in ("train", "test")}
            return found if any(map(_exists, found.values())) else None
        case "function":
            modules = user_code.source_files(cfg["function"])
            read = {f"files {i}": Path(path) for i, path in enumerate(cfg["files"])}
            return {**modules, **read} if modules else None
    return {}


def digest(digests: Mapping[str, str]) -> str:
    """One digest of named contents, whatever their order.

    Parameters
    ----------
    digests : mapping of name to SHA-256

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for name, one in sorted(digests.items()):
        total.update(f"{len(name.encode())} {name} {one}\n".encode())
    return total.hexdigest()


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  Path's own raises where a name is too long
