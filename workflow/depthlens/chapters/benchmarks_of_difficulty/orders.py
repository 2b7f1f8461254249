"""Does it help to begin with the easy images: claims and figure of the sweep `orders`."""

from collections.abc import Callable, Mapping

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.comparing import Terms
from depthlens.chapters.over_seeds import by_dataset, over_seeds, sizes
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding
from depthlens.prose import joined, percent
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("benchmarks_of_difficulty")
_TITLES = {
    "standard": "All images from the start",
    "random": "Random order",
    "easy_to_hard": "Easy to hard",
    "hard_to_easy": "Hard to easy",
}
_COLOURS = {
    "standard": style.INK,
    "random": style.MUTED,
    "easy_to_hard": style.palette("ab")[0],
    "hard_to_easy": style.palette("ab")[1],
}
_WU = "Wu, Dyer, Neyshabur (2021), arXiv 2012.03107"
CLAIMS = (
    claim_of(
        "curricula-do-not-help",
        "In a training of the usual length, going from easy to hard changes nothing, to a point.",
        _WU,
        "test accuracy at the end of the long training, easy to hard minus all images from the "
        "start",
        above=-0.01,
        below=0.01,
    ),
    claim_of(
        "curricula-help-short-trainings",
        "In a short training, going from easy to hard helps.",
        _WU,
        "test accuracy at the end of the short training, easy to hard minus all images from the "
        "start",
        above=0,
    ),
    claim_of(
        "hard-to-easy-does-not-help-short-trainings",
        "In a short training, going from hard to easy does not help.",
        _WU,
        "test accuracy at the end of the short training, hard to easy minus all images from the "
        "start",
        at_most=0,
    ),
    claim_of(
        "easy-to-hard-beats-random",
        "Networks learn better from easy to hard than in a random order.",
        "course material on example difficulty",
        "test accuracy at the end of the long training, easy to hard minus a random order that "
        "grows as fast",
        above=0,
    ),
    claim_of(
        "easy-to-hard-beats-hard-to-easy",
        "Networks learn better from easy to hard than from hard to easy.",
        "Bengio et al. (2009), Curriculum learning, ICML",
        "test accuracy at the end of the long training, easy to hard minus hard to easy",
        above=0,
    ),
)


def _long(first: str, second: str) -> Callable[[pd.DataFrame], Terms]:
    return lambda found: [
        (sign, (order, found.columns.get_level_values("length").max()))
        for sign, order in ((1, first), (-1, second))
    ]


def _short(first: str, second: str) -> Callable[[pd.DataFrame], Terms]:
    return lambda found: [
        (sign, (order, found.columns.get_level_values("length").min()))
        for sign, order in ((1, first), (-1, second))
    ]


_TERMS = {
    "curricula-do-not-help": _long("easy_to_hard", "standard"),
    "curricula-help-short-trainings": _short("easy_to_hard", "standard"),
    "hard-to-easy-does-not-help-short-trainings": _short("hard_to_easy", "standard"),
    "easy-to-hard-beats-random": _long("easy_to_hard", "random"),
    "easy-to-hard-beats-hard-to-easy": _long("easy_to_hard", "hard_to_easy"),
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the sweep, dataset by dataset."""
    return comparing.judged(
        CLAIMS,
        _at_the_end(tables["orders"]),
        by_seed=lambda rows: rows.pivot_table(
            index="seed", columns=["order", "length"], values="accuracy"
        ),
        terms=_TERMS,
        confidence_level=confidence_level,
    )


def _at_the_end(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["step"] == table["n_steps"]]


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy along the training, by order."""
    table = tables["orders"].assign(done=lambda rows: rows["step"] / rows["n_steps"])
    found = over_seeds(
        table, ["dataset", "length", "order", "done"], "accuracy", confidence_level=confidence_level
    )
    datasets = by_dataset(table)
    lengths = sorted(set(table["length"]), reverse=True)
    figure, axes = style.canvas(
        2.5 * len(lengths) + 0.4,
        rows=len(lengths),
        columns=len(datasets),
        sharex=True,
        sharey="col",
    )
    for row, length in zip(axes, lengths, strict=True):
        for ax, dataset in zip(row, datasets, strict=True):
            panel = found[(found["dataset"] == dataset) & (found["length"] == length)]
            for order in [name for name in _TITLES if name in set(panel["order"])]:
                comparing.line(
                    ax,
                    panel[panel["order"] == order],
                    "done",
                    label=_TITLES[order],
                    colour=_COLOURS[order],
                    dashed=order == "random",
                    marker=None,
                )
            n_steps = table[(table["dataset"] == dataset) & (table["length"] == length)]["n_steps"]
            ax.set_title(f"{dataset} · {n_steps.iloc[0]} steps")
            plots.percent_axis(ax.xaxis)
            plots.percent_axis(ax.yaxis)
    for column, dataset in zip(axes.T, datasets, strict=True):
        comparing.fit_to_means(column, found[found["dataset"] == dataset]["mean"])
    comparing.label_below(axes, "share of the training that is done")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_TITLES)
    )
    title = "Does it help to begin with the easy images?"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy on test images along a long and a short training · {sizes(table)}\n"
        f"Difficulty is prediction depth · bands: {percent(confidence_level)} intervals of the "
        "mean over seeds",
        ylabel="test accuracy",
    )
    ends = _at_the_end(table).groupby(["dataset", "length", "order"])["accuracy"].mean()
    phrases = []
    for dataset in datasets:
        values = ends[dataset, lengths[0]]
        said = [
            f"{percent(values[order], 1)} {words}"
            for order, words in (
                ("easy_to_hard", "from easy to hard"),
                ("hard_to_easy", "from hard to easy"),
                ("random", "in a random order"),
                ("standard", "with all images from the start"),
            )
            if order in values
        ]
        phrases.append(f"on {dataset} {joined(said)}")
    sentence = f"At the end of the long training the accuracy is {'; '.join(phrases)}."
    alt = (
        f"Lines of test accuracy along the training, one an order, for {joined(datasets)}; the "
        "long training above, the short one below."
    )
    return {"orders": Drawing(figure, title, sentence, alt)}


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy at the end, by order."""
    rows = comparing.mean_rows(
        _at_the_end(tables["orders"]),
        ["dataset", "n_steps", "order"],
        [
            lambda value: Cell(str(value)),
            lambda value: Cell(str(value), int(value)),
            lambda value: Cell(_TITLES[value]),
        ],
        confidence_level=confidence_level,
    )
    columns = ["dataset", "steps", "order", "accuracy", "interval", "seeds"]
    caption = "Test accuracy at the end of a long and a short training, mean over seeds"
    return [Table(id="table-orders", caption=caption, columns=columns, rows=rows)]
