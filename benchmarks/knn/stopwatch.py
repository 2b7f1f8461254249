"""Where the time of a run goes: each second belongs to the innermost part that is running."""

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from unittest import mock

from depthlens import tables
from depthlens.knn import search
from depthlens.knn.frame import Frame
from depthlens.knn.screens import Screen
from depthlens.knn.sweep import Candidates
from depthlens.stages import knn

PARTS = {
    "products": (Screen, "product"),
    "selection": (Candidates, "consider"),
    "decisions": (search, "decide"),
    "preparing": (Frame, "prepare"),
    "reading": (tables.Rows, "read"),
    "checksums of the inputs": (tables, "sha256"),
    "votes and writing": (knn, "write"),
}
REST = "the rest"


class Stopwatch:
    """Seconds by part; see `PARTS`."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._running = [REST]
        self._since = time.perf_counter()

    def measured(self, part: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **options):
            self._settle()
            self._running.append(part)
            try:
                return function(*args, **options)
            finally:
                self._settle()
                self._running.pop()

        return call

    def _settle(self) -> None:
        now = time.perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


@contextlib.contextmanager
def watching() -> Iterator[Stopwatch]:
    """Time the parts of the engine while the block runs."""
    watch = Stopwatch()
    with contextlib.ExitStack() as patches:
        for part, (owner, name) in PARTS.items():
            function = watch.measured(part, getattr(owner, name))
            patches.enter_context(mock.patch.object(owner, name, function))
        yield watch
        watch._settle()
