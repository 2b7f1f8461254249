"""A figure as a section draws it: seaborn on tidy tables, in our style, with our intervals."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from pandas.api.types import is_float_dtype, is_numeric_dtype

from depthlens import intervals
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import joined, percent

_LINE = 117
"""characters of a line below the title"""
_MOST_TICKS = 12
_HEADING = "column of "
"""begins names of columns that no level is called by"""
_CATEGORY = "category"
"""column of what is written beside an axis"""


class Column(NamedTuple):
    """How a column of tidy tables is called, and how its values are written and coloured."""

    title: str
    write: Callable[[Any], str] = str
    colours: Mapping[Any, str] = {}
    """of its values, in the order in which they are shown; the palette, where it is empty"""
    share: bool = False
    """between 0 and 1: axes are in percent"""
    bounds: tuple[float, float] | None = None
    """where intervals end, though Student's does not know it; 0 and 1 of a share, if not given"""

    @property
    def limits(self) -> tuple[float, float]:
        """Where intervals end; infinite where nothing limits them."""
        return self.bounds or ((0.0, 1.0) if self.share else (-np.inf, np.inf))


class Sheet:
    """A figure that is being drawn.

    Parameters
    ----------
    title : str
        The subject of the finding.
    shows : str
        What is shown; may have several lines.
    confidence_level : float
        Of the intervals around means.
    columns : mapping of str to Column
        How columns are called and coloured.
    """

    def __init__(
        self, title: str, shows: str, *, confidence_level: float, columns: Mapping[str, Column]
    ) -> None:
        self.title, self.shows, self.confidence_level = title, shows, confidence_level
        self.facts: list[str] = []
        """what was trained and how often, and what else stands below what is shown"""
        self.labels: dict[str, str] = {}
        """`xlabel` and `ylabel` of axes that panels share, and a `note`; see `style.frame`"""
        self.figure: Figure | None = None
        self._columns = columns
        self.intervals_of = " of the mean over seeds"
        """what is said of intervals after their level"""
        self._intervals: dict[str, None] = {}
        self._legend: dict = {}

    def axes(
        self, height: float, *, rows: int | None = None, columns: int | None = None, **options: Any
    ) -> Any:
        """Empty axes, `height` inches in all: one, or an array where rows or columns are given."""
        self.figure, axes = style.canvas(height, rows=rows or 1, columns=columns or 1, **options)
        return axes if rows or columns else axes[0, 0]

    def panels(
        self, table: pd.DataFrame, by: str, height: float, *, most_columns: int = 3, **options: Any
    ) -> Iterator[tuple[Axes, Any, pd.DataFrame]]:
        """A panel for each value of a column: axes, value and its rows.

        Parameters
        ----------
        table : DataFrame
        by : str
        height : float
            Inches of a row of panels.
        most_columns : int
        **options
            See matplotlib's `subplots`.
        """
        values = self.levels(table, by)
        rows, columns = plots.grid_shape(len(values), most_columns=most_columns)
        options = {"sharey": True, **options}
        self.figure, axes = style.canvas(height * rows, rows=rows, columns=columns, **options)
        for ax in axes.flat[len(values) :]:
            ax.set_axis_off()
        # Whoever stands above an empty panel carries the axis of its column.
        for ax in axes.flat[max(0, len(values) - columns) : len(values)]:
            ax.tick_params(labelbottom=True)
        for ax, value in zip(axes.flat, values, strict=False):
            ax.set_title(self.column(by).write(value))
            yield ax, value, table[table[by] == value]

    def column(self, name: str) -> Column:
        """How a column is called; by its name, where nothing is declared."""
        return self._columns.get(name, Column(name.replace("_", " ")))

    def levels(self, table: pd.DataFrame, column: str) -> list:
        """Values of a column as they are shown: as their colours, numbers ascending, or as met."""
        there = list(dict.fromkeys(table[column]))
        known = [value for value in self.column(column).colours if value in there]
        rest = [value for value in there if value not in known]
        is_text = any(isinstance(value, str) for value in rest)
        return known + (rest if is_text else sorted(rest))

    def colours(self, table: pd.DataFrame, column: str) -> dict[str, str]:
        """Colour of each value of a column, by how it is written."""
        declared, levels = self.column(column), self.levels(table, column)
        rest = [value for value in levels if value not in declared.colours]
        colours = {**declared.colours, **dict(zip(rest, style.palette(rest), strict=True))}
        return {declared.write(value): colours[value] for value in levels}

    def interval(self, values: pd.Series) -> tuple[float, float]:
        """Student's t interval of the mean, as seaborn's `errorbar` takes it."""
        low, high = intervals.mean(values, confidence_level=self.confidence_level)
        # Rounding may leave a bound on the wrong side of its mean, by the last bit.
        mean = pd.Series(values).mean()
        return float(np.minimum(low, mean)), float(np.maximum(high, mean))

    def lines(self, ax: Axes, table: pd.DataFrame, x: str, y: str, **roles: Any) -> None:
        """Means over seeds as lines, with the bands of their intervals.

        Parameters
        ----------
        ax : Axes
        table : DataFrame
            One row an observation.
        x, y : str
        **roles
            Columns as `hue` and `style`; `interval`, the columns where intervals begin and end if
            rows are no observations but already have one; other options of seaborn's `lineplot`.
        """
        options = {"markers": True} if "style" in roles else {"marker": "o"}
        options |= {"markersize": 4.5, "markeredgewidth": 0} | roles
        drawn_as = "bars" if options.get("err_style") == "bars" else "bands"
        look: dict[str, dict[str, Any]] = {
            "bands": {"alpha": 0.14, "linewidth": 0},
            "bars": {"elinewidth": 1.1, "capsize": 2},
        }
        if options.get("drawstyle") == "steps-post":
            look["bands"]["step"] = "post"
        self._draw(sns.lineplot, ax, table, x, y, drawn_as, err_kws=look[drawn_as], **options)
        places = sorted(set(table[x]))
        # Fractions that nothing says how to write are no names of places.
        named = self.column(x).write is not str or not is_float_dtype(table[x])
        if named and len(places) <= _MOST_TICKS:
            ax.set_xticks(places, [self.column(x).write(place) for place in places])
            ax.xaxis.set_minor_locator(NullLocator())

    def points(self, ax: Axes, table: pd.DataFrame, x: str, y: str, **roles: Any) -> None:
        """Means over seeds as points with bars of intervals, one place a category; see `lines`."""
        several = "hue" in roles and table[roles["hue"]].nunique() > 1
        options = {"dodge": 0.45 if several else False, "linestyle": "none"} | roles
        options = {"markersize": 4.5, "err_kws": {"linewidth": 1.1}} | options
        self._draw_categories(sns.pointplot, ax, table, x, y, **options)

    def bars(self, ax: Axes, table: pd.DataFrame, x: str, y: str, **roles: Any) -> None:
        """Means over seeds as bars, with their intervals, one place a category; see `lines`."""
        options = {"err_kws": {"linewidth": 1.1, "color": style.INK}, "saturation": 1} | roles
        self._draw_categories(sns.barplot, ax, table, x, y, **options)

    def scatter(self, ax: Axes, table: pd.DataFrame, x: str, y: str, **roles: Any) -> None:
        """A point a row."""
        self._draw(sns.scatterplot, ax, table, x, y, "", **roles)

    def fit(self, ax: Axes, table: pd.DataFrame, keys: list[str], y: str) -> None:
        """Let an axis of shares show all means and their surroundings; wide bands are cut off."""
        means = table.groupby(keys)[y].mean()
        room = max(0.02, 0.18 * (means.max() - means.min()))
        ax.set_ylim(max(0.0, means.min() - room), min(1.0, means.max() + room))

    def _draw_categories(
        self, plot: Callable, ax: Axes, table: pd.DataFrame, x: str, y: str, **options: Any
    ) -> None:
        """Draw means of one column by the other, whose values are called as they are written.

        With `native_scale` numbers stand where they are, and not side by side as names do.
        """
        if options.get("native_scale"):
            self._draw(plot, ax, table, x, y, drawn_as="bars", **options)
            return
        name = x if is_numeric_dtype(table[y]) else y
        write = self.column(name).write
        order = [write(value) for value in options.pop("order", self.levels(table, name))]
        table = table.assign(**{_CATEGORY: table[name].map(write)})
        across, up = (_CATEGORY, y) if name == x else (x, _CATEGORY)
        self._draw(plot, ax, table, across, up, drawn_as="bars", order=order, **options)
        self.label(ax, x=x, y=y)
        if name == y:
            # Names of rows say what they are.
            ax.set_ylabel("")
            ax.grid(True, axis="x")
            ax.grid(False, axis="y")

    def _draw(
        self,
        plot: Callable,
        ax: Axes,
        table: pd.DataFrame,
        x: str,
        y: str,
        drawn_as: str,
        *,
        interval: tuple[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Draw with a function of seaborn; `drawn_as`: what intervals are, "" if there are none."""
        table = table.reset_index(drop=True)
        # Seaborn asks for the interval of two observations or more.
        shown = pd.concat([table, table], ignore_index=True) if interval else table.copy()
        for role in ("hue", "style"):
            if name := options.get(role):
                levels = [self.column(name).write(value) for value in self.levels(table, name)]
                options[f"{role}_order"] = levels
                if role == "hue":
                    options.setdefault("palette", self.colours(table, name))
                shown[_HEADING + name] = shown[name].map(self.column(name).write)
                options[role] = _HEADING + name
        if drawn_as and "errorbar" not in options:
            self._intervals[drawn_as] = None
            value = y if is_numeric_dtype(table[y]) else x
            options["errorbar"] = self._interval_of(shown, value, interval)
        # On a logarithmic axis seaborn would show means, and their intervals, of logarithms.
        scales = {"xscale": ax.get_xscale(), "yscale": ax.get_yscale()}
        # To set a scale again would take the names of categories away.
        scales = {name: scale for name, scale in scales.items() if scale != "linear"}
        ax.set(**dict.fromkeys(scales, "linear"))
        plot(shown, x=x, y=y, ax=ax, **options)
        ax.set(**scales)
        self.label(ax, x=x, y=y)

    def _interval_of(
        self, table: pd.DataFrame, value: str, ends: tuple[str, str] | None
    ) -> Callable[[pd.Series], tuple[float, float]]:
        """What seaborn asks for the interval of a place: computed, or as the table has it."""
        if not ends:
            limits = self.column(value).limits
            return lambda values: tuple(np.clip(self.interval(values), *limits))
        low = np.minimum(table[ends[0]].astype(float), table[value])
        high = np.maximum(table[ends[1]].astype(float), table[value])
        return lambda values: (low[values.index[0]], high[values.index[0]])

    def label(self, ax: Axes, *, x: str, y: str) -> None:
        """Name axes after the columns that they show; shares are in percent."""
        for name, axis in ((x, ax.xaxis), (y, ax.yaxis)):
            axis.set_label_text(self.column(name).title)
            if self.column(name).share:
                plots.percent_axis(axis)

    def legend(self, **options: Any) -> None:
        """How the legend below the axes is made: options of matplotlib's, such as `ncols`."""
        self._legend = options

    def drawing(self, sentence: str, alt: str) -> Drawing:
        """The finished figure, with its title, what it shows, and one legend for all axes."""
        figure = self.figure
        if figure is None:
            raise ValueError(f"{self.title}: draw on axes or panels of the sheet")
        _name_axes_once(figure)
        entries: dict[str, Any] = {}
        for ax in figure.axes:
            if legend := ax.get_legend():
                names = [text.get_text() for text in legend.get_texts()]
                entries |= dict(zip(names, legend.legend_handles, strict=True))
                legend.remove()
        # Seaborn heads the entries of each role with the name of its column.
        entries = {name: made for name, made in entries.items() if not name.startswith(_HEADING)}
        # Lines so long that dashes are seen beside a marker.
        options = {"loc": "center", "ncols": 4, "handlelength": 2.8}
        if "handles" not in self._legend:
            options |= {"handles": list(entries.values()), "labels": list(entries)}
        if entries or self._legend:
            figure.legend(**options | self._legend)
        facts = list(self.facts)
        if self._intervals:
            marks = joined(list(self._intervals))
            facts.append(
                f"{marks if facts else marks.capitalize()}: {percent(self.confidence_level)} "
                f"intervals{self.intervals_of}"
            )
        # Not at the spaces that glue a number to its unit.
        lines = [*self.shows.splitlines(), " · ".join(facts)]
        subtitle = "\n".join(_wrapped(line) for line in lines if line)
        style.frame(figure, title=self.title, subtitle=subtitle, **self.labels)
        return Drawing(figure, self.title, sentence, alt)


def _wrapped(text: str) -> str:
    """Lines that end between what dots separate, where that is short enough."""
    lines = [""]
    for part in text.split(" · "):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) <= _LINE:
            lines[-1] = longer
        else:
            lines.append(part)
    return "\n".join(textwrap.fill(line, _LINE) for line in lines if line)


def _name_axes_once(figure: Figure) -> None:
    """Leave a label out where the panel at the edge of the row or column says the same."""
    placed = {}
    for ax in figure.axes:
        if spec := ax.get_subplotspec():
            placed[spec.rowspan.start, spec.colspan.start] = ax
    for (row, column), ax in placed.items():
        first = placed.get((row, 0))
        last = placed[max(place for place in placed if place[1] == column)]
        if column and first and ax.get_ylabel() == first.get_ylabel():
            ax.set_ylabel("")
        if ax is not last and ax.get_xlabel() == last.get_xlabel():
            ax.set_xlabel("")
