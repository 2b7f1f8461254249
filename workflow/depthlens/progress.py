"""Progress bars that also read well in a log."""

import sys
from collections.abc import Iterable

from tqdm import tqdm


def bar(
    items: Iterable[object] | None = None,
    *,
    label: str,
    total: int | None = None,
    unit: str = "it",
    hidden: bool = False,
) -> tqdm:
    """Wrap an iterable, or nothing yet, in a progress bar on standard error.

    On a terminal it moves twice a second; in a log it says every ten seconds where it stands.
    A hidden one says nothing: for what will not take long.
    """
    return tqdm(
        items,
        desc=label,
        total=total,
        unit=unit,
        leave=False,
        disable=hidden,
        mininterval=0.5 if sys.stderr.isatty() else 10,
        file=sys.stderr,
    )
