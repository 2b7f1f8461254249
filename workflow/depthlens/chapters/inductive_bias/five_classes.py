"""Pooling, width and depth: claims and figures of `pooling` and `width_and_depth`."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.comparing import mean_cells
from depthlens.chapters.inductive_bias.by_epoch import accuracies, at_the_end, judged_at_the_end
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding
from depthlens.prose import count, joined, number, percent
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
_ENDS = "validation accuracy at the end"
_OF_POOLING = (
    claim(
        "maximum-beats-average",
        "Maximum pooling is better than average pooling for edges.",
        _COURSE,
        f"{_ENDS}, maximum minus average pooling",
        above=0,
    ),
)
_OF_SIZE = (
    claim(
        "wider-is-better",
        "More filters help.",
        _COURSE,
        f"{_ENDS}, six filters minus the plain network",
        above=0,
    ),
    claim(
        "deeper-is-better",
        "More convolutions help.",
        _COURSE,
        f"{_ENDS}, four convolutions minus the plain network",
        above=0,
    ),
)
CLAIMS = (*_OF_POOLING, *_OF_SIZE)
_TERMS = {
    "maximum-beats-average": [(1, "cnn"), (-1, "cnn_average")],
    "wider-is-better": [(1, "cnn_wider"), (-1, "cnn")],
    "deeper-is-better": [(1, "cnn_deeper"), (-1, "cnn")],
}
# What the plain network is called beside those that differ from it, and what the others are.
_NAMES = {
    "pooling": {"cnn": "maximum pooling", "cnn_average": NETWORKS["cnn_average"]},
    "width_and_depth": {
        "cnn": "plain network",
        **{name: NETWORKS[name] for name in ("cnn_wider", "cnn_deeper")},
    },
}
_TITLES = {
    "pooling": "Maximum against average pooling",
    "width_and_depth": "More filters, more convolutions",
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the end of the training."""
    return [
        finding
        for name, claims in (("pooling", _OF_POOLING), ("width_and_depth", _OF_SIZE))
        for finding in judged_at_the_end(
            claims,
            tables[name],
            split="validation",
            terms=_TERMS,
            confidence_level=confidence_level,
        )
    ]


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Validation accuracy along the training and at its end."""
    return {name: _draw(tables[name], name, confidence_level) for name in _NAMES}


def _draw(table: pd.DataFrame, name: str, confidence_level: float) -> Drawing:
    names = _NAMES[name]
    figure, axes = style.canvas(3.6, columns=2, width_ratios=[2, 1])
    course, end = axes[0]
    found = over_seeds(
        table[table["split"] == "validation"],
        ["architecture", "epoch"],
        "accuracy",
        confidence_level=confidence_level,
    )
    for architecture, words in names.items():
        comparing.line(
            course,
            found[found["architecture"] == architecture],
            "epoch",
            label=words,
            colour=COLOURS[architecture],
            marker=None,
        )
    course.set(title="along the training", ylabel="validation accuracy", ylim=(0, 1.02))
    course.set_xlabel("passes over the training images")
    course.xaxis.get_major_locator().set_params(integer=True)
    course.legend(loc="best")
    _draw_end(end, at_the_end(table, "validation"), names, confidence_level)
    for ax in (course, end):
        plots.percent_axis(ax.yaxis)
    style.frame(
        figure,
        title=_TITLES[name],
        subtitle=f"Accuracy on {sizes_of(table, 'validation')} · {sizes_of(table).split(',')[0]}\n"
        f"Bands and bars: {percent(confidence_level)} intervals of the mean over seeds · faint: "
        "single seeds",
    )
    alt = (
        f"Lines of validation accuracy by passes over the training images for "
        f"{joined(names.values())}; on the right dots with intervals for the end, and a faint line "
        "for every seed."
    )
    return Drawing(figure, _TITLES[name], _sentence(table, name, confidence_level), alt)


def _draw_end(
    axes: Axes, ends: pd.DataFrame, names: Mapping[str, str], confidence_level: float
) -> None:
    """A dot for every network; faint lines join the networks of a seed."""
    places = range(len(names))
    by_seed = accuracies(ends)[list(names)]
    axes.plot(places, by_seed.T.to_numpy(), "-o", color=style.FAINT, linewidth=0.8, markersize=3)
    found = over_seeds(ends, ["architecture"], "accuracy", confidence_level=confidence_level)
    found = found.set_index("architecture").loc[list(names)]
    for place, (architecture, row) in zip(places, found.iterrows(), strict=True):
        colour = COLOURS[architecture]
        low, high = row[["low", "high"]].clip(0, 1)
        plots.error_bars(
            axes, [place], [row["mean"]], [low], [high],
            ecolor=colour, elinewidth=2, capsize=4, zorder=3,
        )  # fmt: skip
        axes.plot(place, row["mean"], "o", color=colour, markersize=8, zorder=3)
    axes.set_xticks(places, [words.replace(" ", "\n") for words in names.values()])
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_title("at the end")


def _differences(table: pd.DataFrame, name: str, confidence_level: float) -> pd.DataFrame:
    """Accuracy at the end less that of the plain network in the same seed, mean over seeds."""
    by_seed = accuracies(at_the_end(table, "validation"))
    others = [other for other in _NAMES[name] if other != "cnn"]
    rows = by_seed[others].sub(by_seed["cnn"], axis=0).melt(value_name="difference")
    return over_seeds(
        rows, ["architecture"], "difference", confidence_level=confidence_level
    ).set_index("architecture")


def _sentence(table: pd.DataFrame, name: str, confidence_level: float) -> str:
    names = _NAMES[name]
    means = accuracies(at_the_end(table, "validation")).mean()
    plain = "the plain network" if name == "width_and_depth" else names["cnn"]
    phrases = [f"{percent(means['cnn'], 1)} with {plain}"]
    for architecture, row in _differences(table, name, confidence_level).iterrows():
        mean, low, high = (number(100 * value, 1) for value in row[["mean", "low", "high"]])
        sign = "+" if row["mean"] > 0 else ""
        interval = f", {percent(confidence_level)} interval {low} … {high}" if row["n"] > 1 else ""
        phrases.append(
            f"{percent(means[architecture], 1)} with {names[architecture]} ({sign}{mean} "
            f"percentage points{interval})"
        )
    return f"At the end the validation accuracy is {joined(phrases)}."


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy at the end, and the difference to the plain network."""
    return [_table(tables[name], name, confidence_level) for name in _NAMES]


def _table(table: pd.DataFrame, name: str, confidence_level: float) -> Table:
    ends = at_the_end(table, "validation")
    found = over_seeds(ends, ["architecture"], "accuracy", confidence_level=confidence_level)
    differences = _differences(table, name, confidence_level)
    rows = []
    for _, row in found.iterrows():
        architecture = row["architecture"]
        ahead = [Cell("—", 0.0), Cell("—", 0.0)]
        if architecture != "cnn":
            ahead = mean_cells(differences.loc[architecture])
        rows.append(
            [
                Cell(_NAMES[name][architecture]),
                *mean_cells(row),
                *ahead,
                Cell(count(row["n"]), int(row["n"])),
            ]
        )
    columns = ["network", "accuracy", "interval", "difference", "interval", "seeds"]
    caption = f"{_TITLES[name]}: validation accuracy at the end, mean over seeds"
    ident = f"table-{name.replace('_', '-')}"
    return Table(id=ident, caption=caption, columns=columns, rows=rows)
