"""Shifted images: claims and tables of the sweep `translation`; figures in `translation_figures`.

What an answer does when an image is shifted is invariance; what features do is equivariance.
"""

from collections.abc import Mapping

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias import translation_figures
from depthlens.chapters.inductive_bias.judging import judge_networks
from depthlens.chapters.inductive_bias.translation_figures import LAYERS, error_text
from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, NotTestableError
from depthlens.prose import count
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
CLAIMS = (
    claim(
        "cnn-keeps-its-answers",
        "Answers of the convolutional network do not change with the place of an edge.",
        _COURSE,
        "accuracy at the largest shift minus without shift, convolutional network",
        at_least=-0.02,
    ),
    claim(
        "mlp-loses-its-answers",
        "Those of the MLP do.",
        _COURSE,
        "accuracy at the largest shift minus without shift, MLP",
        below=-0.1,
    ),
    claim(
        "convolution-is-equivariant",
        "A convolution commutes with shifts.",
        _COURSE,
        "largest relative error of the first convolution's features over the shifts, away from "
        "the borders",
        at_most=1e-4,
    ),
    claim(
        "pooling-breaks-equivariance",
        "Pooling breaks that for shifts that its stride does not divide.",
        _COURSE,
        "relative error behind the first pooling, mean over odd shifts",
        above=0.01,
    ),
)
_TESTS = {
    "cnn-keeps-its-answers": ("translation", "cnn", lambda rows: _change(rows)),
    "mlp-loses-its-answers": ("translation", "mlp", lambda rows: _change(rows)),
    "convolution-is-equivariant": ("equivariance", "cnn", lambda rows: _largest_error(rows)),
    "pooling-breaks-equivariance": ("equivariance", "cnn", lambda rows: _odd_error(rows)),
}
"""table, network and measure of each claim"""


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the networks that they are about."""
    findings = []
    for asked in CLAIMS:
        table, network, measure = _TESTS[asked.id]
        findings += judge_networks(
            asked, [network], measure, tables[table], confidence_level=confidence_level
        )
    return findings


def _change(rows: pd.DataFrame) -> list[float]:
    """Accuracy at the largest shift less that without, a value a seed."""
    by_shift = rows.pivot(index="seed", columns="shift", values="accuracy")
    if 0 not in by_shift:
        raise NotTestableError("no image was left where it is")
    largest = by_shift.columns.max()
    if largest == 0:
        raise NotTestableError("no image was shifted")
    return (by_shift[largest] - by_shift[0]).dropna().tolist()


def _largest_error(rows: pd.DataFrame) -> list[float]:
    """Of the first convolution, over all shifts, a value a seed."""
    shifted = rows[(rows["probe"] == "conv1") & (rows["shift"] > 0)]
    if shifted.empty:
        raise NotTestableError("no image was shifted")
    return shifted.groupby("seed")["error"].max().dropna().tolist()


def _odd_error(rows: pd.DataFrame) -> list[float]:
    """Of the first pooling, mean over odd shifts, a value a seed: its stride is 2."""
    odd = rows[(rows["probe"] == "pool1") & (rows["shift"] % 2 == 1)]
    if odd.empty:
        raise NotTestableError("no image was shifted by an odd number of pixels")
    return odd.groupby("seed")["error"].mean().dropna().tolist()


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy and error of equivariance, by shift."""
    return {
        "translation": translation_figures.accuracy(
            tables["translation"], confidence_level=confidence_level
        ),
        "equivariance": translation_figures.equivariance(
            tables["equivariance"], confidence_level=confidence_level
        ),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy by network and shift, error by layer and shift."""
    accuracies = comparing.mean_rows(
        tables["translation"],
        ["architecture", "shift"],
        [lambda value: Cell(NETWORKS[value]), lambda value: Cell(count(value), int(value))],
        confidence_level=confidence_level,
    )
    errors = over_seeds(
        tables["equivariance"], ["probe", "shift"], "error", confidence_level=confidence_level
    )
    return [
        Table(
            id="table-translation",
            caption="Accuracy on shifted images, mean over seeds",
            columns=["network", "shift, pixels", "accuracy", "interval", "seeds"],
            rows=accuracies,
        ),
        Table(
            id="table-equivariance",
            caption="Relative error of the features of shifted images, mean over seeds",
            columns=["behind", "shift, pixels", "relative error", "interval", "seeds"],
            rows=[
                [
                    Cell(LAYERS[row["probe"]]),
                    Cell(count(row["shift"]), int(row["shift"])),
                    Cell(error_text(row["mean"]), float(row["mean"])),
                    Cell(
                        f"{error_text(row['low'])} … {error_text(row['high'])}", float(row["low"])
                    ),
                    Cell(count(row["n"]), int(row["n"])),
                ]
                for _, row in errors.iterrows()
            ],
        ),
    ]
