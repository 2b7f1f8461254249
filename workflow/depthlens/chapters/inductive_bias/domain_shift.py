"""Edges where no edge was: claims and tables of `domain_shift`; see `domain_shift_figures`."""

from collections.abc import Callable, Mapping

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.comparing import mean_cells
from depthlens.chapters.inductive_bias import domain_shift_figures
from depthlens.chapters.inductive_bias.domain_shift_measures import RECIPES, at_the_end, mistakes
from depthlens.chapters.inductive_bias.judging import judge_networks
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
        "cnn-misses-shifted-edges",
        "The convolutional network calls edges in new places none.",
        _COURSE,
        "share of its errors on images with an edge that say none, large kernels",
        at_least=0.5,
    ),
    claim(
        "mlp-swaps-orientations",
        "The MLP takes one orientation for the other.",
        _COURSE,
        "share of its errors on images with an edge that say the other orientation, large kernels",
        at_least=0.5,
    ),
    claim(
        "small-kernels-carry-over",
        "With small kernels and longer training the convolutional network recognises edges in "
        "new places.",
        _COURSE,
        "validation accuracy at the end, small kernels",
        at_least=0.9,
    ),
    claim(
        "cnn-ahead-under-shift",
        "It is ahead of the MLP there.",
        _COURSE,
        "validation accuracy, convolutional network minus MLP, small kernels",
        above=0,
    ),
)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the end of the trainings that they are about."""
    answers = mistakes(tables["domain_shift_answers"])
    scores = at_the_end(tables["domain_shift"])
    scores = scores[scores["split"] == "validation"]
    tests = {
        "cnn-misses-shifted-edges": (answers, ["cnn"], "large_kernels", _share_of("none")),
        "mlp-swaps-orientations": (answers, ["mlp"], "large_kernels", _share_of("swapped")),
        "small-kernels-carry-over": (scores, ["cnn"], "small_kernels", _accuracy),
        "cnn-ahead-under-shift": (scores, ["cnn", "mlp"], "small_kernels", _lead),
    }
    findings = []
    for asked in CLAIMS:
        table, networks, recipe, measure = tests[asked.id]
        findings += judge_networks(
            asked,
            networks,
            measure,
            table[table["recipe"] == recipe],
            confidence_level=confidence_level,
        )
    return findings


def _share_of(kind: str) -> Callable[[pd.DataFrame], list[float]]:
    def share(rows: pd.DataFrame) -> list[float]:
        # A seed without an error has no share.
        wrong = rows[rows["errors"] > 0]
        if wrong.empty:
            raise NotTestableError("no network is wrong about an image with an edge")
        return (wrong[kind] / wrong["errors"]).tolist()

    return share


def _accuracy(rows: pd.DataFrame) -> list[float]:
    return rows["accuracy"].tolist()


def _lead(rows: pd.DataFrame) -> list[float]:
    by_network = rows.pivot(index="seed", columns="architecture", values="accuracy")
    return (by_network["cnn"] - by_network["mlp"]).dropna().tolist()


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy by epoch, and what is taken for what at the end."""
    scores = tables["domain_shift"]
    return {
        "domain_shift": domain_shift_figures.course(scores, confidence_level=confidence_level),
        "domain_shift_confusion": domain_shift_figures.confusion(tables["domain_shift_answers"]),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy at the end by recipe and network, and the errors on images with an edge."""
    keys = ["recipe", "architecture", "epoch"]
    ends = at_the_end(tables["domain_shift"])
    seen, new = (
        over_seeds(
            ends[ends["split"] == split], keys, "accuracy", confidence_level=confidence_level
        )
        for split in ("train", "validation")
    )
    accuracies = [
        [
            Cell(RECIPES[row["recipe"]]),
            Cell(NETWORKS[row["architecture"]]),
            Cell(count(row["epoch"]), int(row["epoch"])),
            *mean_cells(of_train),
            *mean_cells(row),
            Cell(count(row["n"]), int(row["n"])),
        ]
        for (_, row), (_, of_train) in zip(new.iterrows(), seen.iterrows(), strict=True)
    ]
    kinds = ["edges", "errors", "none", "swapped"]
    of_all = mistakes(tables["domain_shift_answers"]).groupby(keys[:2], sort=False)[kinds].sum()
    errors = [
        [
            Cell(RECIPES[recipe]),
            Cell(NETWORKS[name]),
            *(Cell(count(row[kind]), int(row[kind])) for kind in kinds),
        ]
        for (recipe, name), row in of_all.iterrows()
    ]
    return [
        Table(
            id="table-domain-shift",
            caption="Accuracy at the end of the training, mean over seeds",
            columns=[
                *("recipe", "network", "passes", "training accuracy", "interval"),
                *("validation accuracy", "interval", "seeds"),
            ],
            rows=accuracies,
        ),
        Table(
            id="table-domain-shift-errors",
            caption="Errors on validation images with an edge, all seeds together",
            columns=["recipe", "network", "images", "errors", "say none", "say the other edge"],
            rows=errors,
        ),
    ]
