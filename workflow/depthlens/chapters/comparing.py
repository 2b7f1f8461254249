"""Ways of training compared: their differences seed by seed, and lines with intervals."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from depthlens.chapters.over_seeds import judge_each, over_seeds
from depthlens.figures import style
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import number
from depthlens.report.page import Cell

Terms = Sequence[tuple[float, object]]
"""what a value is made of: weight and way, a column of a table with one row a seed"""


def claims_of(chapter: str) -> Callable[..., Claim]:
    """A function that makes the claims of a chapter about means over seeds.

    It takes the claim's `id`, `statement`, `source`, `measure` and, by name, the bounds of its
    threshold.
    """

    def claim(id: str, statement: str, source: str, measure: str, **bounds: float) -> Claim:
        return Claim(
            chapter=chapter,
            id=id,
            statement=statement,
            source=source,
            measure=f"{measure}, mean over seeds",
            threshold=Threshold(**bounds),
        )

    return claim


def judged(
    claims: Sequence[Claim],
    table: pd.DataFrame,
    *,
    by_seed: Callable[[pd.DataFrame], pd.DataFrame],
    terms: Mapping[str, Callable[[pd.DataFrame], Terms]],
    confidence_level: float,
) -> list[Finding]:
    """The verdict on each claim, dataset by dataset.

    Parameters
    ----------
    claims : sequence of Claim
    table : DataFrame
        With the columns `dataset`, `architecture` and `seed`.
    by_seed : callable
        Makes of the rows of a dataset a table with one row a seed and one column a way.
    terms : mapping of claim to callable
        Makes of that table what the value of the claim is made of; raises `NotTestableError`.
    confidence_level : float
    """

    def measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
        found = by_seed(rows)
        return difference(found, terms[claim.id](found))

    return judge_each(claims, measure, table, confidence_level=confidence_level)


def difference(found: pd.DataFrame, terms: Terms) -> list[float]:
    """A weighted sum of ways, seed by seed.

    Seeds in which one of the ways was not made do not count.

    Parameters
    ----------
    found : DataFrame
        One row a seed, one column a way.
    terms : sequence of (weight, column)

    Raises
    ------
    NotTestableError
        If a way is missing.
    """
    for _, way in terms:
        if way not in found:
            words = way if isinstance(way, tuple) else (way,)
            # A flag of a way, such as `balanced`, says nothing to a reader without its name.
            words = [str(word) for word in words if not isinstance(word, bool)]
            raise NotTestableError(f"the sweep has no networks of {' '.join(words)}")
    return sum(weight * found[way] for weight, way in terms).dropna().tolist()


def line(
    axes: Axes,
    points: pd.DataFrame,
    x: str,
    *,
    label: str,
    colour: str,
    dashed: bool = False,
    marker: str | None = "o",
) -> None:
    """A line of means over seeds with the band of their intervals.

    Parameters
    ----------
    axes : Axes
    points : DataFrame
        As `over_seeds` gives them, of shares between 0 and 1: the band ends there.
    x : str
        Its column.
    label, colour : str
    dashed : bool
        For what the others are compared with.
    marker : str, optional
    """
    points = points.sort_values(x)
    low, high = points["low"].clip(0, 1), points["high"].clip(0, 1)
    axes.fill_between(points[x], low, high, color=colour, alpha=0.13, linewidth=0)
    axes.plot(
        points[x],
        points["mean"],
        "--" if dashed else "-",
        color=colour,
        label=label,
        marker=marker,
        markersize=4,
        zorder=2.5 if dashed else 2,
    )


def label_below(axes: NDArray, text: str) -> None:
    """Name the x axis of the lowest row of panels; a legend may then stand below the figure."""
    for ax in axes[-1]:
        ax.set_xlabel(text)


def colours_of(ways: Sequence[str], *, plain: str = "random") -> dict[str, str]:
    """A colour for each way; the one that the others are compared with is grey."""
    others = [way for way in ways if way != plain]
    return dict(zip(others, style.palette(others), strict=True)) | {plain: style.MUTED}


def fit_to_means(rows: Sequence[Axes], means: pd.Series) -> None:
    """Let axes show all means and their surroundings; wide bands are cut off where they end."""
    least, most = float(means.min()), float(means.max())
    room = max(0.02, 0.18 * (most - least))
    for axes in rows:
        axes.set_ylim(max(0.0, least - room), min(1.0, most + room))


def mean_cells(found: pd.Series) -> tuple[Cell, Cell]:
    """What a table of the page shows of a mean over seeds: the mean, and its interval.

    Parameters
    ----------
    found : Series
        A row of what `over_seeds` gives.
    """
    return (
        Cell(number(found["mean"], 3), float(found["mean"])),
        Cell(f"{number(found['low'], 3)} … {number(found['high'], 3)}", float(found["low"])),
    )


def mean_rows(
    table: pd.DataFrame,
    keys: Sequence[str],
    written: Sequence[Callable[[object], Cell]],
    *,
    confidence_level: float,
) -> list[list[Cell]]:
    """Rows for the page: the keys, mean accuracy over seeds, its interval, number of seeds.

    Parameters
    ----------
    table : DataFrame
        With a column `accuracy`.
    keys : sequence of str
    written : sequence of callables
        How the value of each key is shown.
    confidence_level : float
    """
    found = over_seeds(table, keys, "accuracy", confidence_level=confidence_level)
    return [
        [
            *(write(row[key]) for key, write in zip(keys, written, strict=True)),
            *mean_cells(row),
            Cell(str(row["n"]), int(row["n"])),
        ]
        for _, row in found.iterrows()
    ]
