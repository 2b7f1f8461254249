"""Is an image deep in every architecture? Agreement between networks on the same images."""

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy import stats

from depthlens.chapters.over_seeds import (
    by_dataset,
    judge_each,
    over_seeds,
    sizes,
)
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import count, number, percent
from depthlens.report.page import Cell, Table

SAME, OTHER, RANDOM = "same architecture", "other architecture", "random"
_PAPER = "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647"


def _claim(id: str, statement: str, measure: str, threshold: Threshold) -> Claim:
    return Claim(
        chapter="benchmarks_of_difficulty",
        id=id,
        statement=statement,
        source=_PAPER,
        measure=f"{measure}; mean over seeds",
        threshold=threshold,
    )


CLAIMS = (
    _claim(
        "depth-is-shared-by-architectures",
        "An image that is deep in one architecture is deep in another.",
        "Spearman correlation of depth between networks of two architectures and different seeds, "
        "over the same test images, mean over the pairs of architectures",
        Threshold(above=0.5),
    ),
    _claim(
        "another-architecture-agrees-like-another-seed",
        "Depth is a property of the image more than of the architecture.",
        "Spearman correlation of depth between two architectures, divided by the root of the "
        "product of what each has with itself over seeds, mean over the pairs of architectures",
        Threshold(at_least=0.7),
    ),
    _claim(
        "relative-depth-is-shared-by-architectures",
        "An image is settled at about the same share of the probes in every architecture.",
        "mean absolute difference of relative depth between two architectures on the same image, "
        "divided by that on two random images, mean over the pairs of architectures",
        Threshold(below=0.5),
    ),
)

Agreement = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation; NaN where one is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(stats.spearmanr(a, b).statistic)


def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean absolute difference."""
    return float(np.abs(a - b).mean())


def agreements(rows: pd.DataFrame, column: str, agree: Agreement) -> pd.DataFrame:
    """How far networks of one dataset agree on its images, by pair of architectures and seed.

    Two networks that are compared never have the same seed, within an architecture or between
    two, so that both comparisons differ in nothing but the architecture.

    Parameters
    ----------
    rows : DataFrame
        Of one dataset: `architecture`, `seed`, `example_id` and the column.
    column : str
    agree : callable
        Of two arrays of shape (n_images,).

    Returns
    -------
    DataFrame
        `kind` (`SAME`, `OTHER` or `RANDOM`), `first`, `second` (architectures), `seed`, `value`:
        mean over all pairs of a network of this seed and one of another seed. Random: the images
        of the second network are shuffled. No rows where there is one seed only.
    """
    wide = rows.pivot(index="example_id", columns=["architecture", "seed"], values=column)
    wide = wide.dropna().astype(float)
    names = list(dict.fromkeys(rows["architecture"]))
    seeds = list(dict.fromkeys(rows["seed"]))
    found = []
    for first, second in itertools.combinations_with_replacement(names, 2):
        for seed in seeds:
            pairs = [
                (wide[one, seed].to_numpy(), wide[two, other].to_numpy())
                for other in seeds
                if other != seed
                for one, two in dict.fromkeys([(first, second), (second, first)])
                if (one, seed) in wide and (two, other) in wide
            ]
            if pairs:
                kind = SAME if first == second else OTHER
                value = np.mean([agree(a, b) for a, b in pairs])
                found.append((kind, first, second, seed, value))
                shuffle = np.random.default_rng([int(seed), 73]).permutation
                value = np.mean([agree(a, shuffle(b)) for a, b in pairs])
                found.append((RANDOM, first, second, seed, value))
    return pd.DataFrame(found, columns=["kind", "first", "second", "seed", "value"])


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against all architectures together, dataset by dataset."""
    table = tables["portraits"]
    return judge_each(CLAIMS, _measure, table, confidence_level=confidence_level)


def _measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
    if rows["architecture"].nunique() < 2:
        raise NotTestableError("only one architecture was trained")
    relative = claim.id == "relative-depth-is-shared-by-architectures"
    column, agree = ("relative_depth", difference) if relative else ("depth", spearman)
    found = agreements(rows, column, agree)
    if found.empty:
        raise NotTestableError("fewer than two seeds were measured")
    if found["value"].isna().any():
        raise NotTestableError("a network gives all images the same depth")
    other = found[found["kind"] == OTHER].set_index(["first", "second", "seed"])["value"]
    if claim.id == "depth-is-shared-by-architectures":
        values = other
    elif relative:
        random = found[(found["kind"] == RANDOM) & (found["first"] != found["second"])]
        random = random.set_index(["first", "second", "seed"])["value"]
        if (random == 0).any():
            raise NotTestableError("networks give all images the same depth")
        values = other / random
    else:
        same = found[found["kind"] == SAME].set_index(["first", "seed"])["value"]
        if (same <= 0).any():
            raise NotTestableError("an architecture does not agree with itself over seeds")
        ceiling = [np.sqrt(same[one, seed] * same[two, seed]) for one, two, seed in other.index]
        values = other / ceiling
    return values.groupby("seed", sort=False).mean().tolist()


_MEASURES: dict[str, tuple[str, Agreement, str, str]] = {
    "depth_across_architectures": (
        "depth",
        spearman,
        "Is an image deep in every architecture?",
        "rank correlation of depth",
    ),
    "relative_depth_across_architectures": (
        "relative_depth",
        difference,
        "Is an image settled at the same share of the probes in every architecture?",
        "mean absolute difference of relative depth",
    ),
}


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Agreement of ranks of depth, and differences of relative depth."""
    return {name: _draw(tables["portraits"], name, confidence_level) for name in _MEASURES}


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Both measures for every pair of architectures."""
    keys = ["dataset", "kind", "first", "second"]
    both = [
        _over_seeds(tables["portraits"], column, agree, keys, confidence_level).set_index(keys)
        for column, agree, _, _ in _MEASURES.values()
    ]
    rows = []
    for key in both[1].index:
        rank, apart = (found.loc[key] if key in found.index else None for found in both)
        dataset, kind, first, second = key
        rows.append(
            [
                Cell(dataset),
                Cell(first),
                Cell(second),
                Cell(kind),
                _cell(rank),
                Cell(_interval(rank)),
                _cell(apart),
                Cell(_interval(apart)),
            ]
        )
    columns = [
        "dataset", "architecture", "compared with", "networks compared", "rank correlation",
        "interval", "difference of relative depth", "interval",
    ]  # fmt: skip
    caption = "How far networks agree on the depth of the same test images"
    return [Table(id="table-architectures", caption=caption, columns=columns, rows=rows)]


def _cell(found: pd.Series | None) -> Cell:
    return Cell("—", np.nan) if found is None else Cell(number(found["mean"], 3), found["mean"])


def _interval(found: pd.Series | None) -> str:
    return "—" if found is None else f"{number(found['low'], 3)} … {number(found['high'], 3)}"


def _over_seeds(
    table: pd.DataFrame, column: str, agree: Agreement, keys: list[str], confidence_level: float
) -> pd.DataFrame:
    found = pd.concat(
        [
            agreements(rows, column, agree).assign(dataset=dataset)
            for dataset, rows in table.groupby("dataset", sort=False)
        ]
    )
    return over_seeds(found, keys, "value", confidence_level=confidence_level)


def _draw(table: pd.DataFrame, name: str, confidence_level: float) -> Drawing:
    column, agree, title, label = _MEASURES[name]
    keys = ["dataset", "kind", "first", "second"]
    found = _over_seeds(table, column, agree, keys, confidence_level)
    names = list(dict.fromkeys(table["architecture"]))
    pairs = [
        *((one, one) for one in names),
        *itertools.combinations(names, 2),
    ]
    datasets = by_dataset(table)
    figure, axes = style.canvas(0.36 * len(pairs) + 1.1, columns=len(datasets), sharey=True)
    colours = {SAME: style.RIGHT, OTHER: style.WRONG, RANDOM: style.MUTED}
    for ax, dataset in zip(axes[0], datasets, strict=True):
        part = found[found["dataset"] == dataset].set_index(["kind", "first", "second"])
        for place, (first, second) in enumerate(pairs):
            for kind in (RANDOM, SAME if first == second else OTHER):
                if (kind, first, second) in part.index:
                    row = part.loc[(kind, first, second)]
                    plots.error_bars(
                        ax, [place], [row["mean"]], [row["low"]], [row["high"]], across=True,
                        ecolor=colours[kind],
                    )  # fmt: skip
                    marker = "|" if kind == RANDOM else "o"
                    ax.plot(row["mean"], place, marker, color=colours[kind], markersize=6)
        ax.set_title(dataset)
        ax.set_xlabel(label)
        ax.set_yticks(
            range(len(pairs)),
            [f"{a} × {'another seed' if a == b else b}" for a, b in pairs],
        )
        ax.set_ylim(len(pairs) - 0.5, -0.5)
        ax.axhline(len(names) - 0.5, color=style.FAINT, linewidth=0.8)
        ax.grid(True, axis="x")
        if agree is spearman:
            ax.set_xlim(min(-0.12, ax.get_xlim()[0]), 1.0)
            ax.axvline(0, color=style.MUTED, linestyle="--", linewidth=1)
        else:
            ax.set_xlim(left=0)
    handles = [
        Line2D([], [], marker="|" if kind == RANDOM else "o", linestyle="", color=colour,
               label={RANDOM: "random: images shuffled"}.get(kind, kind))
        for kind, colour in colours.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    images = sorted(set(table.groupby("dataset")["example_id"].nunique()))
    style.frame(
        figure,
        title=title,
        subtitle=f"{label[0].upper()}{label[1:]} of networks of different seeds on the same "
        f"{' or '.join(map(count, images))} test images\n{sizes(table)} · bars: "
        f"{percent(confidence_level)} intervals of the mean over seeds",
    )
    said = []
    for dataset in datasets:
        means = found[found["dataset"] == dataset].groupby("kind")["mean"].mean()
        if OTHER in means:
            said.append(
                f"{number(means[OTHER])} on {dataset}, beside {number(means[SAME])} of one "
                f"architecture over seeds and {number(means[RANDOM])} at random"
            )
    sentence = (
        f"Between architectures the {label} is {'; '.join(said)}."
        if said
        else "There are not two architectures and two seeds to compare."
    )
    return Drawing(figure, title, sentence, "Dots for each pair of architectures, panels a dataset")
