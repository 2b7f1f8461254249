"""The one look of all figures: type, colours, titles, and files whose bytes do not change.

Figures are made without pyplot: it keeps figures in a global registry and picks a screen backend.
"""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from depthlens import tables

WIDTH = 9.0
"""inches, of every figure: they stand in one column of a page"""

INK = "#22272e"
MUTED = "#6b7280"
FAINT = "#d5d9e0"
RIGHT = "#4a6785"
WRONG = "#d9a441"
ALERT = "#a61b29"
ANSWERS = {True: RIGHT, False: WRONG}
"""by whether the network is right"""

# Seaborn's colour-blind-safe colours, the most distinct first.
_COLOURS = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
    "#56b4e9",
    "#ca9161",
    "#949494",
    "#fbafe4",
    "#c2b515",
)
_TITLE_INCHES, _SUBTITLE_INCHES, _MARGIN_INCHES = 0.3, 0.24, 0.08
_LABEL_INCHES, _NOTE_INCHES = 0.26, 0.36


@dataclass(frozen=True)
class Drawing:
    """A figure with what is to be said about it."""

    figure: Figure
    title: str
    sentence: str
    """the finding, computed from the data"""
    alt: str
    """what is to be seen, for who does not see it"""


def palette(classes: Collection[str]) -> list[str]:
    """One colour a class, the same in every figure.

    Up to ten classes get colours that colour-blind readers tell apart. More get shades from dark to
    light: no eye tells twenty hues apart, so figures also write the names.
    """
    if len(classes) <= len(_COLOURS):
        return list(_COLOURS[: len(classes)])
    return sns.color_palette("viridis", len(classes)).as_hex()


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of the study; settings are as before when the block ends."""
    settings: dict[str, Any] = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("notebook", font_scale=0.85),
        "font.family": "sans-serif",
        # It comes with matplotlib: the same glyphs, hence the same bytes, on every machine.
        "font.sans-serif": ["DejaVu Sans"],
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "xtick.major.width": 0.8,
        "ytick.major.width": 0.8,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.8,
        "hatch.linewidth": 0.6,
        "hatch.color": FAINT,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.bbox": None,
        "svg.fonttype": "path",
        "svg.hashsalt": "depthlens",
        "path.simplify": False,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]  # it asks for each name by itself
        yield


def canvas(
    height: float, *, rows: int = 1, columns: int = 1, width: float = WIDTH, **options: Any
) -> tuple[Figure, np.ndarray]:
    """An empty figure, `height` inches of it for the axes.

    Returns
    -------
    Figure
    object array, shape (rows, columns)
        Axes.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def frame(
    figure: Figure,
    *,
    title: str,
    subtitle: str,
    xlabel: str | None = None,
    ylabel: str | None = None,
    note: str | None = None,
) -> None:
    """Add a title, a line below it, and a warning at the foot; the figure grows by what they need.

    Legends of the figure come to stand between the axes and the warning.

    Parameters
    ----------
    figure : Figure
        Made by `canvas`.
    title : str
        The subject of the finding.
    subtitle : str
        What is shown, with n and the meaning of error bars; may have several lines.
    xlabel, ylabel : str, optional
        Of axes that small multiples share.
    note : str, optional
        What a reader must know before believing the figure.
    """
    width, height = figure.get_size_inches()
    lines = subtitle.count("\n") + 1
    top = _TITLE_INCHES + _SUBTITLE_INCHES * lines + _MARGIN_INCHES
    foot = _NOTE_INCHES if note else 0.0
    # Constrained layout leaves room for a legend only at the very edge, where the warning is.
    legends = sum(legend.get_window_extent().height for legend in figure.legends) / figure.dpi
    legends += _MARGIN_INCHES if figure.legends else 0.0
    bottom = foot + legends + (_LABEL_INCHES if xlabel else 0.0)
    left = _LABEL_INCHES if ylabel else 0.0
    total = height + top + bottom
    figure.set_size_inches(width, total)
    rect = (left / width, bottom / total, 1 - left / width, height / total)
    figure.set_layout_engine("constrained", rect=rect)
    edge = _MARGIN_INCHES / width
    figure.text(edge, 1 - _MARGIN_INCHES / total, title, fontsize=13, fontweight="bold", va="top")
    figure.text(
        edge,
        1 - (_MARGIN_INCHES + _TITLE_INCHES) / total,
        subtitle,
        fontsize=9.5,
        color=MUTED,
        va="top",
        linespacing=1.35,
    )
    centre: dict[str, Any] = {"ha": "center", "va": "center"}
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, foot / total, 1, legends / total), figure.transFigure)
    if xlabel:
        y = (foot + legends + 0.6 * _LABEL_INCHES) / total
        figure.text(rect[0] + rect[2] / 2, y, xlabel, fontsize=9.5, **centre)
    if ylabel:
        y = rect[1] + rect[3] / 2
        figure.text(0.6 * left / width, y, ylabel, fontsize=9.5, rotation=90, **centre)
    if note:
        figure.text(
            0.5,
            0.5 * foot / total,
            note,
            fontsize=10,
            fontweight="bold",
            color="white",
            bbox={"boxstyle": "square,pad=0.45", "facecolor": ALERT, "edgecolor": "none"},
            **centre,
        )


def save(figure: Figure, stem: Path | str, *, dpi: int) -> tuple[Path, Path]:
    """Write a figure as SVG and PNG, the same bytes for the same figure.

    Parameters
    ----------
    figure : Figure
    stem : path
        Path without an ending.
    dpi : int
        Pixels an inch of the PNG, and of what the SVG holds as pixels.

    Returns
    -------
    (Path, Path)
        The SVG and the PNG.
    """
    stem = Path(stem)
    paths = stem.with_name(f"{stem.name}.svg"), stem.with_name(f"{stem.name}.png")
    # No date, no version of matplotlib in the file.
    metadata = {"Date": None, "Creator": None}, {"Software": None}
    with styled():
        _freeze_layout(figure)
        for path, about in zip(paths, metadata, strict=True):
            with tables.replacing(path) as partial:
                figure.savefig(partial, format=path.suffix[1:], dpi=dpi, metadata=about)
    return paths


def _freeze_layout(figure: Figure) -> None:
    """Settle where the axes are, to a millionth of the figure.

    The solver behind the layout adds in an order that changes from process to process; the last
    bits of its positions would end up in the names of the SVG's clip paths.
    """
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    figure.set_layout_engine(None)  # "none" leaves one, for which savefig draws all once more
    for axes in figure.axes:
        bounds = axes.get_position(original=True).bounds
        left, bottom, width, height = (round(value, 6) for value in bounds)
        axes.set_position((left, bottom, width, height), which="original")
