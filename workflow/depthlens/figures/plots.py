"""Plots that more than one figure is made of: image grids, category axes, error bars, tables."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from depthlens.figures import style
from depthlens.prose import shortened

_CHARACTER = 0.6
"""width of a character of the figures' font, as a share of its size"""


def grid_shape(n: int, *, most_columns: int) -> tuple[int, int]:
    """Rows and columns for n panels: as few rows as the columns allow, as few columns as those."""
    rows = max(1, math.ceil(n / most_columns))
    return rows, max(1, math.ceil(n / rows))


def percent_axis(axis: Axis) -> None:
    """Label an axis of shares between 0 and 1 in percent."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g}\u00a0%"))


def logarithmic_axis(
    axes: Axes,
    label: Callable[[float], str],
    *,
    low: float | None = None,
    high: float | None = None,
) -> None:
    """Make the y axis logarithmic, with so few labels that none touches another.

    Up to two decades 1, 2 and 5 times a power of ten have a label, beyond that the powers alone.

    Parameters
    ----------
    axes : Axes
        With what it shows already drawn.
    label : callable
        Writes a value.
    low, high : float, optional
        Where the axis ends; where matplotlib would let it end.
    """
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    low, high = axes.get_ylim()
    steps = (1.0, 2.0, 5.0) if high / low <= 100 else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps, numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def category_axis(
    figure: Figure,
    axes: Axes,
    labels: Sequence[str],
    names: Sequence[str],
    *,
    size: float = 8.5,
) -> None:
    """Label positions 0, 1, … of the x axis by a short label and a name below it.

    Where names would run into each other, both are written in one slanted line, and the figure
    becomes higher by the room that takes.

    Parameters
    ----------
    figure, axes : Figure, Axes
        The axes are as wide as the figure, but for the labels of their y axis.
    labels, names : sequence of str
        Equally many.
    size : float
        Of the type, in points.
    """
    width, height = figure.get_size_inches()
    names = [shortened(name, 18) for name in names]
    room = (width - 0.8) / max(1, len(names)) * 72
    longest = max(map(len, names)) * _CHARACTER * size
    fits = longest < room * 1.05  # names are mostly lower case: narrower than the estimate
    joint = "\n" if fits else "  "
    axes.set_xticks(
        range(len(names)),
        [joint.join(part for part in pair if part) for pair in zip(labels, names, strict=True)],
        size=size,
        rotation=0 if fits else 45,
        ha="center" if fits else "right",
        rotation_mode="default" if fits else "anchor",
    )
    if not fits:
        figure.set_size_inches(width, height + longest / 72 * 0.6)
    axes.set_xlim(-0.6, len(names) - 0.4)


def error_bars(
    axes: Axes,
    positions: ArrayLike,
    values: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    across: bool = False,
    **options: Any,
) -> None:
    """Draw intervals low … high around values, upright or `across`; those without a number not."""
    columns = (np.asarray(column, np.float64) for column in (positions, values, low, high))
    positions, values, low, high = columns
    there = np.isfinite(values) & np.isfinite(low) & np.isfinite(high)
    # Rounding may leave a bound on the wrong side of its value, by the last bit.
    length = [np.maximum(values - low, 0)[there], np.maximum(high - values, 0)[there]]
    options = {"fmt": "none", "ecolor": style.INK, "elinewidth": 1, "capsize": 2, **options}
    if across:
        axes.errorbar(values[there], positions[there], xerr=length, **options)
    else:
        axes.errorbar(positions[there], values[there], yerr=length, **options)


def as_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image in CHW order as red, green and blue in HWC order; other than 3 channels as grey."""
    if len(image) == 3:
        return np.moveaxis(image, 0, -1)
    grey = np.round(image.mean(axis=0)).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def image_grid(
    axes: Axes,
    images: NDArray[np.uint8],
    *,
    columns: int,
    captions: Sequence[Sequence[str]],
    frames: Sequence[str],
    caption_height: float,
) -> None:
    """Images in rows, each framed in a colour, with lines of text below it.

    All lie in one axes: hundreds of axes would take minutes to lay out.

    Parameters
    ----------
    axes : Axes
        Its units become the width of an image.
    images : uint8 array, shape (n, channels, height, width)
    columns : int
    captions : sequence of sequences of str
        Lines below each image: the first is bold, the third and later ones muted.
    frames : sequence of str
        Colour of each frame.
    caption_height : float
        Room below each image, in widths of an image.
    """
    gap = 0.16
    tall = images.shape[2] / images.shape[3]
    rows = max(1, math.ceil(len(images) / columns))
    for index, (image, lines, colour) in enumerate(zip(images, captions, frames, strict=True)):
        row, column = divmod(index, columns)
        x, y = column * (1 + gap), row * (tall + caption_height)
        axes.imshow(
            as_picture(image),
            extent=(x, x + 1, y + tall, y),
            interpolation="nearest",
            aspect="equal",
        )
        axes.add_patch(
            Rectangle((x, y), 1, tall, facecolor="none", edgecolor=colour, linewidth=2.4)
        )
        for position, line in enumerate(lines):
            axes.text(
                x + 0.5,
                y + tall + 0.05 + position * (caption_height - 0.14) / len(lines),
                shortened(line, 20),
                ha="center",
                va="top",
                fontsize=7.5,
                fontweight="bold" if position == 0 else "normal",
                color=style.MUTED if position > 1 else style.INK,
            )
    axes.set_xlim(-0.04, columns * (1 + gap) - gap + 0.04)
    axes.set_ylim(rows * (tall + caption_height), -0.04)
    axes.set_axis_off()


def text_table(
    figure: Figure, axes: Axes, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """A table as a picture: columns as wide as their text, numbers to the right.

    Parameters
    ----------
    figure, axes : Figure, Axes
        The axes fill with the table.
    header : sequence of str
    rows : sequence of sequences of str
        As long as the header each.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = np.array([max(map(len, column)) + 2.0 for column in columns])
    edges = np.concatenate([[0], np.cumsum(widths / widths.sum())])
    # The type shrinks until the widest row fits the figure.
    size = min(9.0, figure.get_size_inches()[0] * 72 * 0.97 / (widths.sum() * _CHARACTER))
    for index, column in enumerate(columns):
        numeric = all(_is_number(cell) for cell in column[1:])
        x = edges[index + 1] - 0.006 if numeric else edges[index] + 0.006
        for row, cell in enumerate(column):
            axes.text(
                x,
                row + 0.5,
                cell,
                ha="right" if numeric else "left",
                va="center",
                fontsize=size,
                fontweight="bold" if row == 0 else "normal",
            )
    for row in range(2, len(rows) + 1, 2):
        axes.add_patch(Rectangle((0, row), 1, 1, facecolor="#f3f5f8", edgecolor="none", zorder=0))
    axes.axhline(1, color=style.INK, linewidth=0.9)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) + 1, 0)
    axes.set_axis_off()


def _is_number(text: str) -> bool:
    plain = (
        text.replace("\u202f", "")
        .replace("−", "")
        .replace("%", "")
        .replace("\u00a0", "")
        .replace(".", "")
    )
    return plain.strip().isdigit() or text in ("—", "")
