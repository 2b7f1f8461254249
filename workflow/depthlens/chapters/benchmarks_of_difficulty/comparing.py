"""Ways of training compared: their differences seed by seed, and lines with intervals."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from depthlens import intervals
from depthlens.chapters.benchmarks_of_difficulty.over_seeds import by_dataset, over_seeds
from depthlens.figures import style
from depthlens.ledger import Claim, Finding, Measurement, NotTestableError, Threshold, judge
from depthlens.prose import number
from depthlens.report.page import Cell

Terms = Sequence[tuple[float, object]]
"""what a value is made of: weight and way, a column of a table with one row a seed"""


def claim_of(id: str, statement: str, source: str, measure: str, **bounds: float) -> Claim:
    """A claim of this chapter about a mean over seeds."""
    return Claim(
        chapter="benchmarks_of_difficulty",
        id=id,
        statement=statement,
        source=source,
        measure=f"{measure}, mean over seeds",
        threshold=Threshold(**bounds),
    )


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
    findings = []
    for dataset in by_dataset(table):
        rows = table[table["dataset"] == dataset]
        found = by_seed(rows)
        for claim in claims:
            try:
                measured = difference(
                    found, terms[claim.id](found), confidence_level=confidence_level
                )
            except NotTestableError as reason:
                measured = reason
            model = rows["architecture"].iloc[0]
            findings.append(judge(claim, measured, dataset=dataset, model=model, n=len(found)))
    return findings


def difference(found: pd.DataFrame, terms: Terms, *, confidence_level: float) -> Measurement:
    """A weighted sum of ways, seed by seed: its mean, and Student's t interval over the seeds.

    Seeds in which one of the ways was not made do not count.

    Parameters
    ----------
    found : DataFrame
        One row a seed, one column a way.
    terms : sequence of (weight, column)
    confidence_level : float

    Raises
    ------
    NotTestableError
        If a way is missing, or is there in fewer than two seeds.
    """
    for _, way in terms:
        if way not in found:
            words = way if isinstance(way, tuple) else (way,)
            # A flag of a way, such as `balanced`, says nothing to a reader without its name.
            words = [str(word) for word in words if not isinstance(word, bool)]
            raise NotTestableError(f"the sweep has no networks of {' '.join(words)}")
    values = sum(weight * found[way] for weight, way in terms).dropna()
    if len(values) < 2:
        raise NotTestableError("fewer than two seeds were measured")
    low, high = intervals.mean(values, confidence_level=confidence_level)
    return Measurement(value=float(values.mean()), low=low, high=high, n=len(values))


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
            Cell(number(row["mean"], 3), float(row["mean"])),
            Cell(f"{number(row['low'], 3)} … {number(row['high'], 3)}", float(row["low"])),
            Cell(str(row["n"]), int(row["n"])),
        ]
        for _, row in found.iterrows()
    ]
