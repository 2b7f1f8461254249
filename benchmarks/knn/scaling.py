"""How the time grows with references, queries and dims, and a picture of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import NDArray

from benchmarks.knn.engines import FLOAT32, OURS, ours, shortest
from depthlens import tables
from depthlens.figures import style

PRECISIONS = {OURS: "auto", FLOAT32: "float32"}
COLOURS = {OURS: style.RIGHT, FLOAT32: style.WRONG}
_HALVINGS = 5


def measure(
    queries: NDArray[np.float32],
    references: NDArray[np.float32],
    *,
    dims: int,
    log: Callable[[str], None],
) -> dict[str, dict]:
    """Seconds along three axes, each of which begins with everything and is halved five times.

    Parameters
    ----------
    queries, references : float32 array, shape (n, all dims)
    dims : int
        The first so many coordinates are used where another axis varies.
    log : callable
    """
    whole = {"references": len(references), "queries": len(queries), "dims": dims}
    most = whole | {"dims": queries.shape[1]}
    axes = {}
    for axis in whole:
        # More references than neighbours are needed, and more than a kernel's worth of the rest.
        sizes = sorted({max(64, most[axis] >> times) for times in range(_HALVINGS + 1)})
        problems = [whole | {axis: size} for size in sizes]
        seconds = {name: [] for name in PRECISIONS}
        for problem in problems:
            for name, precision in PRECISIONS.items():
                seconds[name].append(_seconds(queries, references, problem, precision))
            log(
                f"  {problem}: " + ", ".join(f"{name} {s[-1]:.2f} s" for name, s in seconds.items())
            )
        slopes = {name: slope(sizes, values) for name, values in seconds.items()}
        fixed = {other: size for other, size in whole.items() if other != axis}
        axes[axis] = {"sizes": sizes, "seconds": seconds, "slopes": slopes, "fixed": fixed}
    return axes


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Exponent of the power law through all points, by least squares of logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def draw(measured: dict[str, dict], path: Path, *, subtitle: str) -> None:
    """Write the three panels as PNG."""
    with style.styled():
        figure, axes = style.canvas(3.1, columns=3, sharey=True)
        for panel, (axis, found) in zip(axes[0], measured.items(), strict=True):
            _panel(panel, axis, found)
        style.frame(
            figure, title="Time of a search by its size", subtitle=subtitle, ylabel="seconds"
        )
        with tables.replacing(path) as partial:
            figure.savefig(partial, format="png", dpi=160, metadata={"Software": None})


def _panel(panel: Axes, axis: str, found: dict) -> None:
    for name, seconds in found["seconds"].items():
        label = f"{name}: slope {found['slopes'][name]:.2f}"
        panel.loglog(found["sizes"], seconds, "o-", markersize=4, color=COLOURS[name], label=label)
    panel.set_xlabel(axis)
    panel.set_title(", ".join(f"{size:,} {name}" for name, size in found["fixed"].items()))
    panel.set_xticks(found["sizes"][1::2], [f"{size:,}" for size in found["sizes"][1::2]])
    panel.xaxis.minorticks_off()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.legend(loc="upper left", handlelength=1.2)


def _seconds(
    queries: NDArray[np.float32], references: NDArray[np.float32], problem: dict, precision: str
) -> float:
    some = queries[: problem["queries"], : problem["dims"]]
    others = references[: problem["references"], : problem["dims"]]
    some, others = np.ascontiguousarray(some), np.ascontiguousarray(others)
    return shortest(lambda: ours(some, others, precision), 1)
