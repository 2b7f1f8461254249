"""What to train on, when not on everything: claims and figure of the sweep `pruning`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from depthlens.chapters import comparing
from depthlens.chapters.comparing import Terms
from depthlens.chapters.over_seeds import by_dataset, over_seeds, sizes
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, NotTestableError
from depthlens.prose import joined, number, percent
from depthlens.report.page import Cell, Table
from depthlens.scores.catalogue import BY_NAME

claim_of = comparing.claims_of("benchmarks_of_difficulty")
_EQUAL = 0.005
"""accuracy by which "at least as well" may miss: half a point"""
_FEW = 0.3
"""a share up to which few images are kept, as Ayed and Hayou have it"""

_SORSCHER = "Sorscher et al. (2022), arXiv 2206.14486"
CLAIMS = (
    claim_of(
        "few-images-keep-easy",
        "Where few images are kept, the easiest teach more than the hardest.",
        _SORSCHER,
        "test accuracy with the easiest minus with the hardest by EL2N, smallest share",
        above=0,
    ),
    claim_of(
        "many-images-keep-hard",
        "Where many images are kept, the hardest teach at least as much as any.",
        _SORSCHER,
        "test accuracy with the hardest by EL2N minus with images chosen by lot, largest share",
        at_least=0,
    ),
    claim_of(
        "half-the-images-are-enough",
        "The harder half of the images by EL2N trains a network as well as all of them do.",
        "Paul, Ganguli, Dziugaite (2021), arXiv 2107.07075",
        "test accuracy with the hardest half by EL2N minus with all images, as many steps",
        at_least=-0.01,
    ),
    claim_of(
        "lots-beat-scores-on-few-images",
        "Where 30 % of the images or fewer are kept, drawing lots beats keeping the hardest.",
        "Ayed, Hayou (2023), arXiv 2302.06960",
        "test accuracy with images chosen by lot minus with the hardest, mean over the scores, "
        "largest share that is at most 0.3",
        above=0,
    ),
    claim_of(
        "balanced-classes-help-pruning",
        "Keeping the hardest of every class beats keeping the hardest of all.",
        f"{_SORSCHER}, which holds classes in balance",
        "test accuracy with the hardest of every class minus with the hardest of all, mean over "
        "the scores, share nearest to a half",
        above=0,
    ),
    claim_of(
        "depth-chooses-as-well-as-el2n",
        "Depth chooses training images at least as well as EL2N, to half a point.",
        "course material on prediction depth",
        "test accuracy with the deepest minus with the hardest by EL2N, mean over the shares",
        at_least=-_EQUAL,
    ),
)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the sweep, dataset by dataset."""
    return comparing.judged(
        CLAIMS,
        tables["pruning"],
        by_seed=lambda rows: rows.pivot_table(
            index="seed", columns=["score", "direction", "balanced", "share"], values="accuracy"
        ),
        terms=_TERMS,
        confidence_level=confidence_level,
    )


def _shares(found: pd.DataFrame) -> list[float]:
    """Shares that were kept by a score, ascending."""
    return sorted({share for _, direction, _, share in found if direction == "hardest"})


def _scores(found: pd.DataFrame) -> list[str]:
    return sorted({score for score, *_ in found} - {"random"})


def _two_ends(found: pd.DataFrame) -> tuple[float, float]:
    shares = _shares(found)
    if len(shares) < 2:
        raise NotTestableError("only one share of the images was kept")
    return shares[0], shares[-1]


def _few(found: pd.DataFrame) -> Terms:
    share, _ = _two_ends(found)
    return [(1, ("el2n", "easiest", False, share)), (-1, ("el2n", "hardest", False, share))]


def _many(found: pd.DataFrame) -> Terms:
    _, share = _two_ends(found)
    return [(1, ("el2n", "hardest", False, share)), (-1, ("random", "random", False, share))]


def _half(found: pd.DataFrame) -> Terms:
    return [(1, ("el2n", "hardest", False, 0.5)), (-1, ("random", "all", False, 1.0))]


def _lots(found: pd.DataFrame) -> Terms:
    shares = [share for share in _shares(found) if share <= _FEW]
    if not shares:
        raise NotTestableError(f"no share up to {_FEW:g} was kept")
    scores, share = _scores(found), shares[-1]
    hardest = [(-1 / len(scores), (score, "hardest", False, share)) for score in scores]
    return [(1, ("random", "random", False, share)), *hardest]


def _balance(found: pd.DataFrame) -> Terms:
    scores = _scores(found)
    shares = {share for _, _, balanced, share in found if balanced}
    if not shares:
        raise NotTestableError("no share was kept with classes in balance")
    return [
        (weight / len(scores), (score, "hardest", balanced, min(shares)))
        for score in scores
        for weight, balanced in ((1, True), (-1, False))
    ]


def _depth(found: pd.DataFrame) -> Terms:
    shares = _shares(found)
    return [
        (weight / len(shares), (score, "hardest", False, share))
        for share in shares
        for weight, score in ((1, "depth"), (-1, "el2n"))
    ]


_TERMS = {
    "few-images-keep-easy": _few,
    "many-images-keep-hard": _many,
    "half-the-images-are-enough": _half,
    "lots-beat-scores-on-few-images": _lots,
    "balanced-classes-help-pruning": _balance,
    "depth-chooses-as-well-as-el2n": _depth,
}


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy by the share that is kept, from both ends of every ranking."""
    table = tables["pruning"]
    keys = ["dataset", "score", "direction", "balanced", "share"]
    found = over_seeds(table, keys, "accuracy", confidence_level=confidence_level)
    datasets = by_dataset(table)
    scores = [score for score in dict.fromkeys(table["score"]) if score != "random"]
    colours = comparing.colours_of([*scores, "random"])
    figure, axes = style.canvas(
        2.7 * len(datasets) + 0.4, rows=len(datasets), columns=2, sharex=True, sharey="row"
    )
    for row, dataset in zip(axes, datasets, strict=True):
        panel = found[found["dataset"] == dataset]
        for ax, direction in zip(row, ("hardest", "easiest"), strict=True):
            _draw_panel(ax, panel, direction, scores, colours)
            ax.set_title(f"{dataset} · the {direction} are kept")
            plots.percent_axis(ax.xaxis)
            plots.percent_axis(ax.yaxis)
        comparing.fit_to_means(row, panel["mean"])
    comparing.label_below(axes, "share of the training images that is kept")
    axes[0, 0].set_xticks(sorted(set(table["share"]) - {1.0}))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(Line2D([], [], marker="D", linestyle="", color=style.INK, markerfacecolor="w"))
    labels.append("Classes in balance")
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    title = "What to keep, when not every image is trained on"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy on test images by the share of training images kept · {sizes(table)}\n"
        f"Equally many steps for every share · bands: {percent(confidence_level)} intervals of "
        "the mean over seeds",
        ylabel="test accuracy",
    )
    sentence = _sentence(found, datasets)
    alt = (
        "Lines of test accuracy over the share of images that is kept, one a score, keeping by lot "
        f"dashed, for {joined(datasets)}, the hardest kept on the left and the easiest on the "
        "right."
    )
    return {"pruning": Drawing(figure, title, sentence, alt)}


def _draw_panel(
    ax: Axes, panel: pd.DataFrame, direction: str, scores: list[str], colours: dict[str, str]
) -> None:
    lot = panel[panel["direction"] == "random"]
    comparing.line(ax, lot, "share", label="By lot", colour=colours["random"], dashed=True)
    kept = panel[panel["direction"] == direction]
    for score in scores:
        points = kept[(kept["score"] == score) & ~kept["balanced"].astype(bool)]
        comparing.line(ax, points, "share", label=BY_NAME[score].title, colour=colours[score])
        balanced = kept[(kept["score"] == score) & kept["balanced"].astype(bool)]
        ax.plot(
            balanced["share"], balanced["mean"], "D", color=colours[score],
            markerfacecolor="white", markersize=5.5, zorder=3,
        )  # fmt: skip
    whole = panel[panel["direction"] == "all"]
    for value in whole["mean"]:
        ax.axhline(value, color=style.INK, linewidth=1, linestyle=":", label="All images")


def _sentence(found: pd.DataFrame, datasets: list[str]) -> str:
    phrases = []
    for dataset in datasets:
        panel = found[(found["dataset"] == dataset) & ~found["balanced"].astype(bool)]
        by_way = panel[panel["direction"] != "all"].groupby(["share", "direction"])["mean"].mean()
        shares = np.unique(by_way.index.get_level_values("share"))
        for share in dict.fromkeys((shares[0], shares[-1])):
            values = by_way.loc[share]
            said = [
                f"{percent(values[way], 1)} with {words}"
                for way, words in (
                    ("hardest", "the hardest"),
                    ("easiest", "the easiest"),
                    ("random", "some by lot"),
                )
                if way in values
            ]
            phrases.append(f"on {dataset} with {percent(share)} of the images {joined(said)}")
    return f"Accuracy, mean over the scores: {'; '.join(phrases)}."


_WAYS = {
    "hardest": "the hardest",
    "easiest": "the easiest",
    "random": "by lot",
    "all": "all images",
}


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy of every choice."""
    table = tables["pruning"].copy()
    choice = ["dataset", "score", "direction", "balanced", "share"]
    table["fewest"] = table.groupby(choice)["fewest_of_a_class"].transform("mean")
    rows = comparing.mean_rows(
        table,
        ["dataset", "share", "direction", "score", "balanced", "fewest"],
        [
            lambda value: Cell(str(value)),
            lambda value: Cell(percent(value), float(value)),
            lambda value: Cell(_WAYS[value]),
            lambda value: Cell("—" if value == "random" else BY_NAME[value].title),
            lambda value: Cell("yes" if value else "no"),
            lambda value: Cell(number(value, 1), float(value)),
        ],
        confidence_level=confidence_level,
    )
    columns = [
        "dataset", "share", "kept", "score", "classes in balance", "fewest of a class",
        "accuracy", "interval", "seeds",
    ]  # fmt: skip
    caption = "Test accuracy after training on the images that were kept, mean over seeds"
    return [Table(id="table-pruning", caption=caption, columns=columns, rows=rows)]
