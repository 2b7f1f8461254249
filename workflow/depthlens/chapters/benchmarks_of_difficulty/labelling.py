"""Which images to label first: claims and figure of the sweep `labelling`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.over_seeds import by_dataset, over_seeds, sizes
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding
from depthlens.prose import count, joined, percent
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("benchmarks_of_difficulty")
_TITLES = {"depth": "Deepest first", "margin": "Smallest margin first", "random": "By lot"}
_COURSE = "course material on prediction depth"
_AREA = "mean test accuracy over the numbers of labels (area under the learning curve)"
CLAIMS = (
    claim_of(
        "deep-images-first",
        "The deep images are the ones to label first.",
        _COURSE,
        f"{_AREA}, deepest first minus by lot",
        above=0,
    ),
    claim_of(
        "depth-labels-as-well-as-margin",
        "To label the deepest images is at least as good as to label those of smallest margin.",
        _COURSE,
        f"{_AREA}, deepest first minus smallest margin first",
        at_least=0,
    ),
    claim_of(
        "small-margins-first",
        "To label the images of smallest margin is better than to draw lots.",
        "Scheffer, Decomain, Wrobel (2001), Active hidden Markov models; Settles (2009), Active "
        "learning literature survey",
        f"{_AREA}, smallest margin first minus by lot",
        above=0,
    ),
)
_TERMS = {
    "deep-images-first": lambda _: [(1, "depth"), (-1, "random")],
    "depth-labels-as-well-as-margin": lambda _: [(1, "depth"), (-1, "margin")],
    "small-margins-first": lambda _: [(1, "margin"), (-1, "random")],
}


def area(n_labelled: np.ndarray, accuracy: np.ndarray) -> float:
    """Area under a learning curve as a share of what it would be at an accuracy of 1.

    Parameters
    ----------
    n_labelled : int array, shape (n_rounds,)
        Ascending.
    accuracy : float array, shape (n_rounds,)

    Returns
    -------
    float
        By the trapezoid rule; of one point its accuracy.
    """
    if len(n_labelled) == 1:
        return float(accuracy[0])
    return float(np.trapezoid(accuracy, n_labelled) / (n_labelled[-1] - n_labelled[0]))


def _areas(rows: pd.DataFrame) -> pd.DataFrame:
    """Areas of the curves of a dataset: a row a seed, a column a strategy."""
    curves = rows.sort_values("n_labelled").groupby(["seed", "strategy"])
    found = {
        key: area(curve["n_labelled"].to_numpy(), curve["accuracy"].to_numpy())
        for key, curve in curves
    }
    return pd.Series(found).unstack()


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the sweep, dataset by dataset."""
    return comparing.judged(
        CLAIMS,
        tables["labelling"],
        by_seed=_areas,
        terms=_TERMS,
        confidence_level=confidence_level,
    )


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Learning curves, by strategy."""
    table = tables["labelling"]
    found = over_seeds(
        table, ["dataset", "strategy", "n_labelled"], "accuracy", confidence_level=confidence_level
    )
    datasets = by_dataset(table)
    colours = comparing.colours_of(list(_TITLES))
    ahead = over_seeds(
        _ahead(table),
        ["dataset", "strategy", "n_labelled"],
        "ahead",
        confidence_level=confidence_level,
    )
    figure, axes = style.canvas(5.4, rows=2, columns=len(datasets), sharex="col")
    for (ax, below), dataset in zip(axes.T, datasets, strict=True):
        panel = found[found["dataset"] == dataset]
        for strategy in [name for name in _TITLES if name in set(panel["strategy"])]:
            comparing.line(
                ax,
                panel[panel["strategy"] == strategy],
                "n_labelled",
                label=_TITLES[strategy],
                colour=colours[strategy],
                dashed=strategy == "random",
            )
        ax.set_title(dataset)
        ax.set_xticks(sorted(set(panel["n_labelled"])))
        ax.xaxis.set_major_formatter(lambda value, _: count(value))
        plots.percent_axis(ax.yaxis)
        comparing.fit_to_means([ax], panel["mean"])
        _draw_ahead(below, ahead[ahead["dataset"] == dataset], colours)
    axes[0, 0].set_ylabel("test accuracy")
    axes[1, 0].set_ylabel("accuracy ahead of drawing lots")
    comparing.label_below(axes, "labelled images")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_TITLES)
    )
    title = "Which images to label first"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy on test images by the number of labels · {_pool(table)}\n"
        "Below: difference to drawing lots, seed by seed · equally many steps in every round\n"
        f"Bands and bars: {percent(confidence_level)} intervals of the mean over seeds",
    )
    phrases = []
    for dataset in datasets:
        means = _areas(table[table["dataset"] == dataset]).mean()
        said = [
            f"{percent(means[strategy], 1)} {words}"
            for strategy, words in (
                ("depth", "with the deepest first"),
                ("margin", "with the smallest margin first"),
                ("random", "by lot"),
            )
            if strategy in means
        ]
        phrases.append(f"on {dataset} {joined(said)}")
    sentence = f"The mean accuracy along the curve is {'; '.join(phrases)}."
    alt = f"Learning curves over the number of labels, one a strategy, for {joined(datasets)}."
    return {"labelling": Drawing(figure, title, sentence, alt)}


def _ahead(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the accuracy less that of drawing lots in the same seed; rows of others."""
    keys = ["dataset", "seed", "n_labelled"]
    lots = table[table["strategy"] == "random"].set_index(keys)["accuracy"]
    others = table[table["strategy"] != "random"]
    by_lot = lots.reindex(pd.MultiIndex.from_frame(others[keys])).to_numpy()
    return others.assign(ahead=others["accuracy"] - by_lot)


def _draw_ahead(ax: Axes, points: pd.DataFrame, colours: Mapping[str, str]) -> None:
    ax.axhline(0, color=colours["random"], linestyle="--")
    strategies = [name for name in _TITLES if name in set(points["strategy"])]
    step = min(np.diff(sorted(set(points["n_labelled"]))), default=1)
    for strategy, shift in zip(strategies, np.linspace(-0.06, 0.06, len(strategies)), strict=True):
        part = points[points["strategy"] == strategy].sort_values("n_labelled")
        places = part["n_labelled"] + shift * step
        plots.error_bars(
            ax, places, part["mean"], part["low"], part["high"], ecolor=colours[strategy],
            elinewidth=1.2, capsize=3,
        )  # fmt: skip
        ax.plot(places, part["mean"], "-o", color=colours[strategy], markersize=4)
    plots.percent_axis(ax.yaxis)


def _pool(table: pd.DataFrame) -> str:
    """Sizes, where what the recipe trains on is what may be labelled."""
    return sizes(table).replace("training images", "images to choose from")


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy by number of labels and strategy."""
    rows = comparing.mean_rows(
        tables["labelling"],
        ["dataset", "n_labelled", "strategy"],
        [
            lambda value: Cell(str(value)),
            lambda value: Cell(count(value), int(value)),
            lambda value: Cell(_TITLES[value]),
        ],
        confidence_level=confidence_level,
    )
    columns = ["dataset", "labelled images", "labelled first", "accuracy", "interval", "seeds"]
    caption = "Test accuracy by the number of labelled images, mean over seeds"
    return [Table(id="table-labelling", caption=caption, columns=columns, rows=rows)]
