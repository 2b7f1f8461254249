"""What is said about difficulty, tested: how early images settle, and what goes with depth."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from depthlens.chapters.benchmarks_of_difficulty.portrait_tables import (
    networks,
    of_first_architecture,
    rank_correlation,
)
from depthlens.chapters.over_seeds import (
    by_dataset,
    judge_each,
    over_seeds,
    sizes,
)
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import count, joined, number, percent
from depthlens.report.page import Cell, Table
from depthlens.scores.catalogue import SCORES

FIFTH, ALMOST_ALL = 0.2, 0.9
"""shares of a network's multiply-accumulates"""

_SAID = "commonly said of prediction depth; course material on prediction depth"
_HARDER = {score.name: score.harder for score in SCORES} | {"random": 1}
_TITLES = {score.name: score.title for score in SCORES} | {"random": "Random"}
_NAMES = {
    "forgetting_events": "forgetting events",
    "output_margin": "output margin",
    "grand": "GraNd",
    "random": "a random number",
}
"""of what depth is compared with, in a sentence"""


def _claim(id: str, statement: str, measure: str, threshold: Threshold) -> Claim:
    return Claim(
        chapter="benchmarks_of_difficulty",
        id=id,
        statement=statement,
        source=_SAID,
        measure=f"{measure}; mean over seeds",
        threshold=threshold,
    )


def _follows(id: str, name: str, what: str) -> Claim:
    return _claim(
        id,
        f"Depth follows {what}.",
        f"Spearman correlation of depth with {name}, over test images, signed so that it is "
        "positive where the harder are deeper",
        Threshold(above=0.7),
    )


CLAIMS = (
    _claim(
        "most-settle-in-the-first-fifth",
        "60 to 90 % of the images are settled in the first fifth of the network.",
        "share of the test images that settle at a probe which is reached with at most "
        f"{FIFTH:.0%} of the network's multiply-accumulates".replace("%", " %"),
        Threshold(at_least=0.6, at_most=0.9),
    ),
    _claim(
        "few-need-almost-all",
        "1 to 10 % of the images need almost all of the network.",
        "share of the test images that settle at a probe which is reached with more than "
        f"{ALMOST_ALL:.0%} of the network's multiply-accumulates, or at none".replace("%", " %"),
        Threshold(at_least=0.01, at_most=0.1),
    ),
    _follows("depth-follows-forgetting", "forgetting events", "how often an image is forgotten"),
    _follows("depth-follows-margin", "output margin", "the smallness of the output margin"),
    _follows("depth-follows-gradients", "GraNd", "the length of the gradient early in training"),
    _claim(
        "deep-are-often-wrong",
        "Deep images are 5 to 20 times as likely to be misclassified as shallow ones.",
        "error rate on test images of the last two depths that occur in any of the networks, "
        "divided by that on images of the first two",
        Threshold(at_least=5, at_most=20),
    ),
)


def settled_early(rows: pd.DataFrame, depths: list[int]) -> float:
    """Share of a network's images that are settled in its first fifth."""
    return float(_settled(rows, FIFTH))


def need_almost_all(rows: pd.DataFrame, depths: list[int]) -> float:
    """Share of a network's images that are not settled by nine tenths of it."""
    return float(1 - _settled(rows, ALMOST_ALL))


def error_ratio(rows: pd.DataFrame, depths: list[int]) -> float:
    """Error rate of the deepest images over that of the shallowest.

    Parameters
    ----------
    rows : DataFrame
        Of one network.
    depths : list of int
        All that occur in the networks compared, ascending: the last two are deep.

    Raises
    ------
    NotTestableError
        If the two sets meet, one has no image, or no shallow image is wrong.
    """
    if len(depths) < 4:
        raise NotTestableError("too few depths occur to tell deep from shallow")
    wrong = ~rows["correct"].astype(bool)
    shallow, deep = (wrong[rows["depth"].isin(of)] for of in (depths[:2], depths[-2:]))
    if not len(deep):
        raise NotTestableError("a network has no image of the last two depths")
    if not shallow.any():
        raise NotTestableError("a network misclassifies no image of the first two depths")
    return float(deep.mean() / shallow.mean())


def _with(name: str) -> Callable[[pd.DataFrame, list[int]], float]:
    def correlation(rows: pd.DataFrame, depths: list[int]) -> float:
        if name == "random":
            draws = np.random.default_rng([int(rows["seed"].iloc[0]), 72]).random(len(rows))
            values = pd.Series(draws, index=rows.index)
        else:
            values = rows[name]
        return _HARDER[name] * rank_correlation(rows["depth"], values, _NAMES[name])

    return correlation


_MEASURES = {
    "most-settle-in-the-first-fifth": settled_early,
    "few-need-almost-all": need_almost_all,
    "depth-follows-forgetting": _with("forgetting_events"),
    "depth-follows-margin": _with("output_margin"),
    "depth-follows-gradients": _with("grand"),
    "deep-are-often-wrong": error_ratio,
}
_BOUND = 0.7


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the sayings against the networks of the first architecture, dataset by dataset."""

    def measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
        depths = sorted(set(rows["depth"]))
        return [_MEASURES[claim.id](own, depths) for _, _, own in networks(rows)]

    table = of_first_architecture(tables["portraits"])
    return judge_each(CLAIMS, measure, table, confidence_level=confidence_level)


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Where images settle, and what depth goes with."""
    table = of_first_architecture(tables["portraits"])
    return {
        "settled_by_computation": _draw_settled(table, confidence_level),
        "what_depth_follows": _draw_correlations(table, confidence_level),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Every saying with what was found, dataset by dataset."""
    rows = []
    for found in evaluate(tables, confidence_level=confidence_level):
        rows.append(
            [
                Cell(found.dataset),
                Cell(found.statement),
                Cell(found.threshold),
                Cell(number(found.value, 3), found.value),
                Cell(f"{number(found.low, 3)} … {number(found.high, 3)}"),
                Cell(str(found.n), found.n),
            ]
        )
    columns = ["dataset", "what is said", "claimed", "found", "interval", "seeds"]
    caption = "What is said about difficulty, and what was found"
    return [Table(id="table-sayings", caption=caption, columns=columns, rows=rows)]


def _settled(rows: pd.DataFrame, share: float) -> float:
    settles = rows["depth"] < rows["n_probes"]
    return (settles & (rows["computation"] <= share)).mean()


def _draw_settled(table: pd.DataFrame, confidence_level: float) -> Drawing:
    figure, axes = style.canvas(3.6)
    ax = axes[0, 0]
    claimed = ((0, FIFTH, 0.6, 0.9), (ALMOST_ALL, 1, 0.9, 0.99))
    for left, right, low, high in claimed:
        ax.add_patch(
            Rectangle((left, low), right - left, high - low, facecolor=style.FAINT, alpha=0.7,
                      edgecolor="none", zorder=0)
        )  # fmt: skip
    for x in (FIFTH, ALMOST_ALL):
        ax.axvline(x, color=style.MUTED, linewidth=0.9, linestyle=":")
    datasets, said = by_dataset(table), []
    for dataset, colour in zip(datasets, style.palette(datasets), strict=True):
        rows = table[table["dataset"] == dataset]
        places = sorted({0.0, 1.0, *rows["computation"]})
        curves = pd.DataFrame(
            [
                {"place": place, "share": _settled(own, place)}
                for _, _, own in networks(rows)
                for place in places
            ]
        )
        found = over_seeds(curves, ["place"], "share", confidence_level=confidence_level)
        ax.fill_between(
            found["place"], found["low"].clip(0, 1), found["high"].clip(0, 1),
            step="post", color=colour, alpha=0.18, linewidth=0,
        )  # fmt: skip
        ax.step(found["place"], found["mean"], where="post", color=colour, label=dataset)
        ax.plot(found["place"], found["mean"], "o", color=colour, markersize=4)
        early, late = (
            np.mean([_settled(own, share) for _, _, own in networks(rows)])
            for share in (FIFTH, ALMOST_ALL)
        )
        said.append(
            f"on {dataset} {percent(early, 1)} are settled in the first fifth and "
            f"{percent(1 - late, 1)} need more than nine tenths"
        )
    ax.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
    ax.set_xlabel("share of the network's multiply-accumulates that are made")
    ax.set_ylabel("images settled")
    plots.percent_axis(ax.xaxis)
    plots.percent_axis(ax.yaxis)
    handles, labels = ax.get_legend_handles_labels()
    handles.append(Rectangle((0, 0), 1, 1, facecolor=style.FAINT, alpha=0.7))
    ax.legend(handles, [*labels, "what is said"], loc="lower right")
    title = "How much of the network images need"
    style.frame(
        figure,
        title=title,
        subtitle=f"Test images whose class no later probe changes · {_sizes(table)}\nDots: probes "
        f"· bands: {percent(confidence_level)} intervals of the mean over seeds · grey: 60 to 90 "
        "% by the first fifth, 90 to 99 % by nine tenths",
    )
    sentence = f"Of the test images, {'; '.join(said)}."
    alt = "Rising steps, one colour a dataset, with grey boxes where they are said to be."
    return Drawing(figure, title, sentence, alt)


def _draw_correlations(table: pd.DataFrame, confidence_level: float) -> Drawing:
    rows = []
    for dataset, seed, own in networks(table):
        for name in _NAMES:
            try:
                value = _with(name)(own, [])
            except NotTestableError:
                value = np.nan
            rows.append({"dataset": dataset, "seed": seed, "score": name, "rho": value})
    found = over_seeds(
        pd.DataFrame(rows), ["dataset", "score"], "rho", confidence_level=confidence_level
    )
    datasets = by_dataset(table)
    figure, axes = style.canvas(0.5 * len(_NAMES) + 0.8)
    ax = axes[0, 0]
    ax.axvline(0, color=style.MUTED, linestyle="--", linewidth=1)
    ax.axvline(_BOUND, color=style.ALERT, linestyle=":", linewidth=1.2)
    offsets = np.linspace(-0.15, 0.15, len(datasets)) if len(datasets) > 1 else [0.0]
    colours = style.palette(datasets)
    for dataset, offset, colour in zip(datasets, offsets, colours, strict=True):
        part = found[found["dataset"] == dataset].set_index("score").reindex(list(_NAMES))
        places = np.arange(len(_NAMES)) + offset
        plots.error_bars(
            ax, places, part["mean"], part["low"].clip(-1, 1), part["high"].clip(-1, 1),
            across=True, ecolor=colour,
        )  # fmt: skip
        ax.plot(part["mean"], places, "o", color=colour, markersize=5.5)
    ax.set_yticks(range(len(_NAMES)), [_TITLES[name] for name in _NAMES])
    ax.set_ylim(len(_NAMES) - 0.5, -0.5)
    ax.set_xlim(min(-0.2, ax.get_xlim()[0]), 1.0)
    ax.set_xlabel("rank correlation with depth, positive where the harder are deeper")
    ax.grid(True, axis="x")
    handles = [
        *(
            Line2D([], [], marker="o", linestyle="", color=colour, label=dataset)
            for dataset, colour in zip(datasets, colours, strict=True)
        ),
        Line2D([], [], linestyle=":", color=style.ALERT, label="what is said: more than 0.7"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    title = "What depth goes with"
    style.frame(
        figure,
        title=title,
        subtitle=f"Spearman correlation of depth with other measures of test images\n"
        f"{_sizes(table)} · bars: {percent(confidence_level)} intervals of the mean over seeds",
    )
    said = []
    for dataset in datasets:
        part = found[(found["dataset"] == dataset) & (found["score"] != "random")]
        if len(part):
            pairs = [
                f"{_NAMES[name]} {number(mean)}"
                for name, mean in zip(part["score"], part["mean"], strict=True)
            ]
            said.append(f"on {dataset} {joined(pairs)}")
    sentence = f"Rank correlation with depth: {'; '.join(said) or 'none could be computed'}."
    return Drawing(figure, title, sentence, "Dots for each measure, one colour a dataset.")


def _sizes(table: pd.DataFrame) -> str:
    n = table.groupby(["dataset", "seed"]).size()
    tested = " or ".join(map(count, sorted(set(n))))
    return f"{sizes(table)}, {tested} test images"
