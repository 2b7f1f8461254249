"""Validation accuracy by the number of training images, and one network's lead over another."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.comparing import mean_cells
from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.chapters.over_seeds import judge_each, over_seeds
from depthlens.figures import plots
from depthlens.ledger import Claim, Finding, NotTestableError
from depthlens.prose import count
from depthlens.report.page import Cell

_MOST_TICKS = 8


def validated(table: pd.DataFrame) -> pd.DataFrame:
    """The rows about validation images."""
    return table[table["split"] == "validation"]


def lead(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Validation accuracy of one network less that of another, seed by seed.

    Parameters
    ----------
    table : DataFrame
        With the columns `architecture`, `images`, `seed`, `split` and `accuracy`.
    first, second : str
        Architectures.

    Returns
    -------
    DataFrame
        A row a seed, a column a number of images with which both were trained, ascending.

    Raises
    ------
    NotTestableError
        If there is no such number.
    """
    rows = validated(table)
    ahead, behind = (
        rows[rows["architecture"] == name].pivot(index="seed", columns="images", values="accuracy")
        for name in (first, second)
    )
    images = sorted(set(ahead) & set(behind))
    if not images:
        raise NotTestableError(
            f"{NETWORKS[first]} and {NETWORKS[second]} were not trained on equally many images"
        )
    return ahead[images] - behind[images]


def with_fewest(of_lead: pd.DataFrame) -> pd.Series:
    """The lead with the fewest images, by seed."""
    return of_lead[of_lead.columns[0]]


def with_most(of_lead: pd.DataFrame) -> pd.Series:
    """The lead with the most images, by seed.

    Raises
    ------
    NotTestableError
        If there is only one number of images: then few are not told from many.
    """
    if len(of_lead.columns) < 2:
        raise NotTestableError("networks were trained on one number of images only")
    return of_lead[of_lead.columns[-1]]


def judge_lead(
    claims: Sequence[Claim],
    table: pd.DataFrame,
    first: str,
    second: str,
    *,
    measures: Mapping[str, Callable[[pd.DataFrame], pd.Series]],
    confidence_level: float,
) -> list[Finding]:
    """Hold claims against the lead of one network over another.

    Parameters
    ----------
    claims : sequence of Claim
    table : DataFrame
        See `lead`, and `dataset`.
    first, second : str
        Architectures.
    measures : mapping of claim to callable
        Makes of what `lead` gives one value a seed; seeds whose value is NaN do not count.
    confidence_level : float
    """
    return judge_each(
        claims,
        lambda claim, rows: measures[claim.id](lead(rows, first, second)).dropna().tolist(),
        table[table["architecture"].isin([first, second])],
        confidence_level=confidence_level,
    )


def as_rows(of_lead: pd.DataFrame) -> pd.DataFrame:
    """What `lead` gives as a tidy table: `images`, `seed`, `lead`."""
    return of_lead.melt(ignore_index=False, var_name="images", value_name="lead").reset_index()


def dodges(images: Sequence[int], n: int) -> list[float]:
    """How far n series stand beside the numbers of images, so that none hides another."""
    step = _step(images)
    return [float(place * step) for place in (np.linspace(-0.08, 0.08, n) if n > 1 else [0])]


def _step(images: Sequence[int]) -> int:
    return int(min(np.diff(sorted(set(images))), default=1))


def draw_points(
    axes: Axes,
    table: pd.DataFrame,
    column: str,
    *,
    colour: str,
    dodge: float,
    confidence_level: float,
    label: str | None = None,
    bounds: tuple[float, float] = (-1, 1),
) -> None:
    """Means over seeds by the number of images, with their intervals; faint dots are single seeds.

    Parameters
    ----------
    axes : Axes
    table : DataFrame
        With the columns `images` and `column`.
    column : str
        A share.
    colour : str
    dodge : float
        See `dodges`.
    confidence_level : float
    label : str, optional
    bounds : (float, float)
        Between which the share lies, though Student's interval does not know it.
    """
    points = over_seeds(table, ["images"], column, confidence_level=confidence_level)
    points = points.sort_values("images")
    places = points["images"] + dodge
    axes.plot(
        table["images"] + dodge, table[column], "o", color=colour, markersize=3.5, alpha=0.25,
        markeredgewidth=0,
    )  # fmt: skip
    plots.error_bars(
        axes, places, points["mean"], points["low"].clip(*bounds), points["high"].clip(*bounds),
        ecolor=colour, elinewidth=1.3, capsize=3,
    )  # fmt: skip
    axes.plot(places, points["mean"], "-o", color=colour, label=label, markersize=5)


def label_lead(axes: Axes, over: str) -> None:
    """Name the y axis of a lead over what is called so, in percentage points with their sign."""
    axes.yaxis.set_major_formatter(
        lambda value, _: f"{100 * value:+g}".replace("-", "−") if value else "0"
    )
    axes.set_ylabel(f"ahead of {over},\npercentage points")


def label_images(axes: Axes, images: Sequence[int]) -> None:
    """Mark the numbers of images on the x axis, and name it."""
    tried = sorted(set(images))
    if len(tried) <= _MOST_TICKS:
        axes.set_xticks(tried)
    axes.xaxis.set_major_formatter(lambda value, _: count(value))
    # Around a single number of images matplotlib would stretch the dodges to the whole width.
    axes.set_xlim(tried[0] - 0.3 * _step(tried), tried[-1] + 0.3 * _step(tried))
    axes.set_xlabel("training images a class")


def standing(of_lead: pd.DataFrame) -> str:
    """In words, with how many numbers of images the mean lead is positive."""
    # The last bits of a mean are no lead.
    ahead, tried = int((of_lead.mean().round(12) > 0).sum()), len(of_lead.columns)
    if tried == 1:
        return "ahead" if ahead else "not ahead"
    if ahead == tried:
        return f"ahead with all {count(tried)} numbers of images"
    return f"ahead with {count(ahead) if ahead else 'none'} of {count(tried)} numbers of images"


def accuracy_rows(
    table: pd.DataFrame, names: Mapping[str, str], *, confidence_level: float
) -> list[list[Cell]]:
    """Rows for the page: images, name of the network, mean validation accuracy, interval, seeds."""
    return comparing.mean_rows(
        validated(table).sort_values("images", kind="stable"),
        ["images", "architecture"],
        [lambda value: Cell(count(value), int(value)), lambda value: Cell(names[value])],
        confidence_level=confidence_level,
    )


def lead_rows(of_lead: pd.DataFrame, *, confidence_level: float) -> list[list[Cell]]:
    """Rows for the page: images, mean lead, its interval, seeds with a lead, number of seeds."""
    found = over_seeds(as_rows(of_lead), ["images"], "lead", confidence_level=confidence_level)
    rows = []
    for _, row in found.iterrows():
        ahead = int((of_lead[row["images"]] > 0).sum())
        rows.append(
            [
                Cell(count(row["images"]), int(row["images"])),
                *mean_cells(row),
                Cell(count(ahead), ahead),
                Cell(count(row["n"]), int(row["n"])),
            ]
        )
    return rows
