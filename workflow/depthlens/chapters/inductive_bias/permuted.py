"""Pixels moved around: claims and tables; figures in `permuted_figures`."""

from collections.abc import Callable, Mapping

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias import permuted_figures
from depthlens.chapters.inductive_bias.judging import judge_networks
from depthlens.chapters.inductive_bias.permuted_figures import written_kernel
from depthlens.chapters.inductive_bias.permuted_measures import WAYS, over_images, validated
from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, NotTestableError
from depthlens.prose import count
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
CLAIMS = (
    claim(
        "mlp-ahead-when-permuted",
        "With pixels moved around, the MLP is ahead.",
        _COURSE,
        "validation accuracy on permuted images, mean over the numbers of images, MLP minus "
        "convolutional network",
        above=0,
    ),
    claim(
        "mlp-does-not-notice",
        "The MLP does not notice that pixels were moved.",
        _COURSE,
        "absolute difference of the MLP's mean validation accuracy with and without",
        at_most=0.02,
    ),
    claim(
        "cnn-loses-by-permutation",
        "The convolutional network loses by it.",
        _COURSE,
        "mean validation accuracy without minus with permutation, convolutional network",
        above=0,
    ),
    claim(
        "larger-kernels-help-when-permuted",
        "Larger kernels help where neighbours mean nothing.",
        _COURSE,
        "validation accuracy on permuted images, largest kernels minus smallest",
        above=0,
    ),
)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the networks that they are about."""
    of_images, of_kernels = tables["permuted"], tables["permuted_kernel_size"]
    tests: dict[str, tuple[pd.DataFrame, list[str], Callable]] = {
        "mlp-ahead-when-permuted": (of_images, ["cnn", "mlp"], _lead_when_permuted),
        "mlp-does-not-notice": (of_images, ["mlp"], lambda rows: _loss(rows).abs()),
        "cnn-loses-by-permutation": (of_images, ["cnn"], _loss),
        "larger-kernels-help-when-permuted": (of_kernels, ["cnn"], _help_of_larger_kernels),
    }
    findings = []
    for asked in CLAIMS:
        table, networks, measure = tests[asked.id]
        findings += judge_networks(
            asked,
            networks,
            lambda rows, measure=measure: measure(rows).dropna().tolist(),
            validated(table),
            confidence_level=confidence_level,
        )
    return findings


def _lead_when_permuted(rows: pd.DataFrame) -> pd.Series:
    means = over_images(rows)
    if not {("cnn", True), ("mlp", True)} <= set(means):
        raise NotTestableError("no network learned from images whose pixels were moved")
    return means["mlp", True] - means["cnn", True]


def _loss(rows: pd.DataFrame) -> pd.Series:
    """What one network loses by the permutation, a value a seed."""
    (name,) = set(rows["architecture"])
    means = over_images(rows)
    if not {(name, True), (name, False)} <= set(means):
        raise NotTestableError("networks learned from only one kind of images")
    return means[name, False] - means[name, True]


def _help_of_larger_kernels(rows: pd.DataFrame) -> pd.Series:
    moved = rows[rows["permuted"]].pivot(index="seed", columns="kernel_size", values="accuracy")
    if len(moved.columns) < 2:
        raise NotTestableError("fewer than two sizes of kernels learned from permuted images")
    return moved[max(moved)] - moved[min(moved)]


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy by number of images and by kernel size, with and without permutation."""
    return {
        "permuted": permuted_figures.by_images(
            tables["permuted"], confidence_level=confidence_level
        ),
        "permuted_kernel_size": permuted_figures.by_kernel_size(
            tables["permuted_kernel_size"],
            tables["permuted"],
            confidence_level=confidence_level,
        ),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy by network, number of images, kernel size and permutation."""
    return [
        Table(
            id="table-permuted",
            caption="Validation accuracy by number of training images, mean over seeds",
            columns=["network", "images a class", "images", "accuracy", "interval", "seeds"],
            rows=comparing.mean_rows(
                validated(tables["permuted"]),
                ["architecture", "images", "permuted"],
                [
                    lambda value: Cell(NETWORKS[value]),
                    lambda value: Cell(count(value), int(value)),
                    lambda value: Cell(WAYS[value]),
                ],
                confidence_level=confidence_level,
            ),
        ),
        Table(
            id="table-permuted-kernel-size",
            caption="Validation accuracy of the convolutional network by the size of its kernels, "
            "mean over seeds",
            columns=["kernels", "images", "accuracy", "interval", "seeds"],
            rows=comparing.mean_rows(
                validated(tables["permuted_kernel_size"]),
                ["kernel_size", "permuted"],
                [
                    lambda value: Cell(written_kernel(value), int(value)),
                    lambda value: Cell(WAYS[value]),
                ],
                confidence_level=confidence_level,
            ),
        ),
    ]
