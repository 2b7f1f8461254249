"""Through the lens of difficulty: claims and tables of the sweep `depth_of_edges`."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias import depth_figures
from depthlens.chapters.inductive_bias.depth_measures import (
    FACTORS,
    agreement,
    correlations,
    defined,
    halves,
    shares,
)
from depthlens.chapters.inductive_bias.judging import judge_networks
from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding
from depthlens.prose import count, number, percent
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
_CONTRAST = "rank correlation of depth with contrast, images with an edge"
_WIDTH = "rank correlation of depth with width, images with an edge"
CLAIMS = (
    claim(
        "same-images-deep",
        "The same images are deep for both networks.",
        _COURSE,
        "rank correlation of depth between convolutional network and MLP, same seed, validation "
        "images with equal position",
        at_least=0.5,
    ),
    claim(
        "faint-edges-deep-for-cnn",
        "Faint edges are deep.",
        _COURSE,
        f"{_CONTRAST}, convolutional network",
        at_most=-0.3,
    ),
    claim(
        "faint-edges-deep-for-mlp",
        "Faint edges are deep.",
        _COURSE,
        f"{_CONTRAST}, MLP",
        at_most=-0.3,
    ),
    claim(
        "thin-edges-deep-for-cnn",
        "Thin edges are deep.",
        _COURSE,
        f"{_WIDTH}, convolutional network",
        at_most=-0.3,
    ),
    claim(
        "thin-edges-deep-for-mlp",
        "Thin edges are deep.",
        _COURSE,
        f"{_WIDTH}, MLP",
        at_most=-0.3,
    ),
    claim(
        "deep-edges-wrong",
        "Deep images are more often wrong.",
        _COURSE,
        "error rate of the deeper half minus that of the shallower half (by rank of depth, ties by "
        "position), convolutional network",
        above=0,
    ),
)


def _agreement(rows: pd.DataFrame) -> list[float]:
    reason = "in every seed all images are equally deep for one of the networks"
    return defined(agreement(rows), reason)


def _with(factor: str) -> Callable[[pd.DataFrame], Sequence[float]]:
    def measure(rows: pd.DataFrame) -> list[float]:
        found = correlations(rows)
        reason = f"in every seed depth or {FACTORS[factor]} is the same for all images with an edge"
        return defined(found.loc[found["factor"] == factor, "correlation"], reason)

    return measure


def _more_errors(rows: pd.DataFrame) -> list[float]:
    """How much higher the error rate of the deeper half is, a value a seed."""
    pairs = [halves(own) for _, own in rows.groupby("seed")]
    return [deep - shallow for shallow, deep in pairs]


_TESTS: dict[str, tuple[list[str], Callable[[pd.DataFrame], Sequence[float]]]] = {
    "same-images-deep": (["cnn", "mlp"], _agreement),
    "faint-edges-deep-for-cnn": (["cnn"], _with("factor_contrast")),
    "faint-edges-deep-for-mlp": (["mlp"], _with("factor_contrast")),
    "thin-edges-deep-for-cnn": (["cnn"], _with("factor_width")),
    "thin-edges-deep-for-mlp": (["mlp"], _with("factor_width")),
    "deep-edges-wrong": (["cnn"], _more_errors),
}
"""networks and measure of each claim"""


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the networks that they are about."""
    findings = []
    for asked in CLAIMS:
        networks, measure = _TESTS[asked.id]
        findings += judge_networks(
            asked, networks, measure, tables["depth_of_edges"], confidence_level=confidence_level
        )
    return findings


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """How deep images are, and what goes with it."""
    table = tables["depth_of_edges"]
    return {
        "depth_of_edges": depth_figures.distribution(table, confidence_level=confidence_level),
        "depth_by_factor": depth_figures.by_factor(table, confidence_level=confidence_level),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """How many images have each depth, and rank correlations of depth."""
    table = tables["depth_of_edges"]
    level = {"confidence_level": confidence_level}
    of_depth = shares(table)
    whole = of_depth.groupby(["architecture", "depth", "seed"], sort=False)["share"].sum()
    images = over_seeds(whole.reset_index(), ["architecture", "depth"], "share", **level)
    wrong = of_depth[~of_depth["correct"]].groupby(["architecture", "depth"])["share"].mean()
    factors = over_seeds(correlations(table), ["architecture", "factor"], "correlation", **level)
    return [
        Table(
            id="table-depth-of-edges",
            caption="Images by prediction depth, mean over seeds",
            columns=["network", "depth", "images", "interval", "of these wrong", "seeds"],
            rows=[
                [
                    Cell(NETWORKS[row["architecture"]]),
                    Cell(count(row["depth"]), int(row["depth"])),
                    Cell(percent(row["mean"], 1), float(row["mean"])),
                    Cell(
                        f"{percent(max(row['low'], 0), 1)} … {percent(min(row['high'], 1), 1)}",
                        float(row["low"]),
                    ),
                    _share(wrong[row["architecture"], row["depth"]], row["mean"]),
                    Cell(count(row["n"]), int(row["n"])),
                ]
                for _, row in images.iterrows()
            ],
        ),
        Table(
            id="table-depth-by-factor",
            caption="Rank correlation of depth with factors, images with an edge, mean over seeds",
            columns=["network", "factor", "correlation", "interval", "seeds"],
            rows=[
                [
                    Cell(NETWORKS[row["architecture"]]),
                    Cell(FACTORS[row["factor"]]),
                    Cell(number(row["mean"]), float(row["mean"])),
                    Cell(
                        f"{number(max(row['low'], -1))} … {number(min(row['high'], 1))}",
                        float(row["low"]),
                    ),
                    Cell(count(row["n"]), int(row["n"])),
                ]
                for _, row in factors.iterrows()
            ],
        ),
    ]


def _share(part: float, whole: float) -> Cell:
    value = float(part / whole) if whole else float("nan")
    return Cell(percent(value, 1), value)
