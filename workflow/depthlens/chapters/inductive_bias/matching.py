"""How many images an assumption is worth: claims and tables; figures in `matching_figures`."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.comparing import mean_cells
from depthlens.chapters.inductive_bias import matching_figures
from depthlens.chapters.inductive_bias.judging import judge_networks
from depthlens.chapters.inductive_bias.matching_measures import all_sizes, chosen, needed
from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding
from depthlens.prose import count, number
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
CLAIMS = (
    claim(
        "mlp-needs-ten-times",
        "The MLP needs ten times as many images.",
        _COURSE,
        "fewest images with which the MLP is at least as good as the convolutional network with "
        "the middle number of images, over that number; a seed that never is counts twice the "
        "most images tried",
        at_least=10,
    ),
    claim(
        "search-does-not-save-the-mlp",
        "Nor does a search over settings help the MLP past the convolutional network.",
        _COURSE,
        "test accuracy of the best candidate by validation accuracy, convolutional network minus "
        "MLP",
        above=0,
    ),
)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both networks."""
    tests: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], pd.Series]]] = {
        "mlp-needs-ten-times": (all_sizes(tables), lambda rows: needed(rows)["times"]),
        "search-does-not-save-the-mlp": (tables["search"], _lead_after_search),
    }
    findings = []
    for asked in CLAIMS:
        table, measure = tests[asked.id]
        findings += judge_networks(
            asked,
            ["cnn", "mlp"],
            lambda rows, measure=measure: measure(rows).dropna().tolist(),
            table,
            confidence_level=confidence_level,
        )
    return findings


def _lead_after_search(rows: pd.DataFrame) -> pd.Series:
    """Test accuracy of the chosen convolutional network less that of the chosen MLP, by seed."""
    cnn, mlp = (
        own[own["split"] == "test"].set_index("seed")["accuracy"]
        for own in (chosen(rows, name) for name in ("cnn", "mlp"))
    )
    return cnn - mlp


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy of the MLP by number of images, and every candidate of the search."""
    return {
        "matching": matching_figures.by_images(
            all_sizes(tables), confidence_level=confidence_level
        ),
        "search": matching_figures.candidates(tables["search"], confidence_level=confidence_level),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy by number of images, images needed by seed, and the candidates of the search."""
    table = all_sizes(tables)
    accuracies = comparing.mean_rows(
        table[table["split"] == "validation"].sort_values(["images", "architecture"]),
        ["images", "architecture"],
        [lambda value: Cell(count(value), int(value)), lambda value: Cell(NETWORKS[value])],
        confidence_level=confidence_level,
    )
    return [
        Table(
            id="table-matching",
            caption="Validation accuracy by number of training images, mean over seeds",
            columns=["images a class", "network", "accuracy", "interval", "seeds"],
            rows=accuracies,
        ),
        _needed_table(table),
        _search_table(tables["search"], confidence_level),
    ]


def _needed_table(table: pd.DataFrame) -> Table:
    rows = []
    for seed, row in needed(table).iterrows():
        never = np.isnan(row["fewest"])
        rows.append(
            [
                Cell(str(seed), int(seed)),
                Cell(count(row["middle"]), int(row["middle"])),
                Cell(number(row["accuracy"], 3), float(row["accuracy"])),
                # Sorted behind every number of images that was tried.
                Cell("more than tried", float("inf")) if never else
                Cell(count(row["fewest"]), int(row["fewest"])),
                Cell(number(row["times"], 1), float(row["times"])),
            ]
        )  # fmt: skip
    return Table(
        id="table-matching-needed",
        caption="Images a class with which the MLP first is as good as the convolutional network",
        columns=[
            "seed",
            "images of the convolutional network",
            "its validation accuracy",
            "images of the MLP",
            "times as many",
        ],
        rows=rows,
    )


def _search_table(search: pd.DataFrame, confidence_level: float) -> Table:
    settings = ["architecture", "candidate", "learning_rate", "epochs", "kernel_size"]
    validated, tested = (
        over_seeds(
            search[search["split"] == split],
            settings,
            "accuracy",
            confidence_level=confidence_level,
        )
        for split in ("validation", "test")
    )
    best = {name: chosen(search, name)["candidate"].iloc[0] for name in set(search["architecture"])}
    rows = []
    for (_, row), (_, test) in zip(validated.iterrows(), tested.iterrows(), strict=True):
        kernel_size, name = row["kernel_size"], row["architecture"]
        rows.append(
            [
                Cell(NETWORKS[name]),
                Cell(str(row["candidate"]), int(row["candidate"])),
                Cell(f"{row['learning_rate']:g}", float(row["learning_rate"])),
                Cell(count(row["epochs"]), int(row["epochs"])),
                # An MLP has no kernels.
                Cell(f"{kernel_size}×{kernel_size}" if kernel_size else "—", int(kernel_size)),
                *mean_cells(row),
                *mean_cells(test),
                Cell("chosen" if best[name] == row["candidate"] else ""),
                Cell(count(row["n"]), int(row["n"])),
            ]
        )
    return Table(
        id="table-search",
        caption="Candidates of the search, mean accuracy over seeds",
        columns=[
            *("network", "candidate", "learning rate", "passes", "kernels"),
            *("validation accuracy", "interval", "test accuracy", "interval", "choice", "seeds"),
        ],
        rows=rows,
    )
