"""Digests of files, computed again only for files that may have changed."""

import stat
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from depthlens.progress import bar
from depthlens.tables import sha256

# A file system's clock ticks every few milliseconds: a file that changed so recently may change
# again without another time.
_SETTLED_NANOSECONDS = 10**9
_BAR_BYTES = 10**9

Identity = tuple[int, int, int, int]


class Fingerprints:
    """SHA-256 of files by path.

    A file keeps its digest as long as its size, inode, time of modification and time of change
    are the same. The last cannot be set by a program, so that a file that was replaced by another
    of the same size and date is noticed.

    Parameters
    ----------
    known : mapping of path to [size, inode, mtime, ctime, digest]
        What an earlier `known` was.
    """

    def __init__(self, known: Mapping[str, list[Any]]):
        self._known = dict(known)

    def of(self, paths: Iterable[str]) -> dict[str, str]:
        """Digest of each file that exists, as 64 hexadecimal digits."""
        found, new = {}, {}
        for path in paths:
            if (identity := _identity(path)) is None:
                self._known.pop(path, None)
            elif self._known.get(path, [])[:4] == list(identity):
                found[path] = self._known[path][4]
            else:
                new[path] = identity
        begin = time.time_ns()
        n_bytes = sum(identity[0] for identity in new.values())
        is_quick = n_bytes < _BAR_BYTES
        waiting = bar(label="checking files", total=len(new), unit="file", hidden=is_quick)
        # Digests are computed outside of Python's lock: threads use all cores.
        with ThreadPoolExecutor() as threads, waiting:
            for (path, identity), digest in zip(new.items(), threads.map(sha256, new), strict=True):
                waiting.update()
                found[path] = digest
                if max(identity[2:]) < begin - _SETTLED_NANOSECONDS and _identity(path) == identity:
                    self._known[path] = [*identity, digest]
        return found

    @property
    def known(self) -> dict[str, list[Any]]:
        """What to give to the next."""
        return dict(sorted(self._known.items()))


def changed_after(path: Path | str, record: Path | str) -> bool:
    """Whether a file's content, owner or name changed after another file was written."""
    return Path(path).stat().st_ctime_ns > Path(record).stat().st_mtime_ns


def _identity(path: str) -> Identity | None:
    try:
        about = Path(path).stat()
    except OSError:  # it is not there, or cannot be: its name is too long
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    return about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns
