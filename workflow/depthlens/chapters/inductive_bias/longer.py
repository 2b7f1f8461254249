"""Longer training: claims and tables of the sweep `longer`; figures in `longer_figures`."""

from collections.abc import Callable, Mapping

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.comparing import mean_cells
from depthlens.chapters.inductive_bias import calibration, longer_figures, steps
from depthlens.chapters.inductive_bias.judging import judge_networks
from depthlens.chapters.inductive_bias.words import NETWORKS, sizes_of
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, NotTestableError
from depthlens.prose import count
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
_BETWEEN = "at the end minus at the epoch at which section few_images ends"
CLAIMS = (
    claim(
        "mlp-loss-rises",
        "Of the MLP, trained longer, the validation loss rises …",
        _COURSE,
        f"validation loss {_BETWEEN}",
        above=0,
    ),
    claim(
        "mlp-accuracy-rises",
        "… while its validation accuracy does not fall.",
        _COURSE,
        f"validation accuracy {_BETWEEN}",
        at_least=0,
    ),
    claim(
        "mlp-calibration-worsens",
        "It becomes overconfident.",
        _COURSE,
        "expected calibration error at the end minus at that epoch, MLP",
        above=0,
    ),
    claim(
        "cnn-calibrated",
        "The convolutional network is the better calibrated one.",
        _COURSE,
        "expected calibration error at the end, MLP minus convolutional network",
        above=0,
    ),
    claim(
        "kernels-become-edge-detectors",
        "Filters of the first convolution become edge detectors.",
        _COURSE,
        "largest absolute cosine of a filter of the first convolution with an edge detector (a "
        "step along a row or column), mean over filters, after minus before",
        above=0,
    ),
)


def at_answers(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Validation loss, accuracy and calibration at the epochs whose answers were kept.

    Returns
    -------
    DataFrame
        `dataset`, `architecture`, `seed`, `epoch`, `loss`, `accuracy`, `confidence`,
        `calibration_error`.
    """
    keys = ["dataset", "architecture", "seed", "epoch"]
    scores = tables["longer"]
    scores = scores.loc[scores["split"] == "validation", [*keys, "loss", "accuracy"]]
    return scores.merge(calibration.by_network(tables["longer_answers"]), on=keys)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the networks that they are about."""
    scores, kernels = at_answers(tables), tables["longer_kernels"]
    tests = {
        "mlp-loss-rises": (scores, ["mlp"], _change_of("loss")),
        "mlp-accuracy-rises": (scores, ["mlp"], _change_of("accuracy")),
        "mlp-calibration-worsens": (scores, ["mlp"], _change_of("calibration_error")),
        "cnn-calibrated": (scores, ["cnn", "mlp"], _lead_in_calibration),
        "kernels-become-edge-detectors": (kernels, ["cnn"], _change_of_filters),
    }
    findings = []
    for asked in CLAIMS:
        table, networks, measure = tests[asked.id]
        findings += judge_networks(
            asked, networks, measure, table, confidence_level=confidence_level
        )
    return findings


def _change_of(column: str) -> Callable[[pd.DataFrame], list[float]]:
    def change(rows: pd.DataFrame) -> list[float]:
        by_epoch = rows.pivot(index="seed", columns="epoch", values=column)
        if len(by_epoch.columns) < 2:
            raise NotTestableError("no network was trained for longer than in section few_images")
        first, last = min(by_epoch), max(by_epoch)
        return (by_epoch[last] - by_epoch[first]).dropna().tolist()

    return change


def _lead_in_calibration(rows: pd.DataFrame) -> list[float]:
    ends = rows[rows["epoch"] == rows["epoch"].max()]
    by_network = ends.pivot(index="seed", columns="architecture", values="calibration_error")
    return (by_network["mlp"] - by_network["cnn"]).dropna().tolist()


def _change_of_filters(rows: pd.DataFrame) -> list[float]:
    by_moment = steps.by_seed(rows).pivot(index="seed", columns="moment", values="likeness")
    return (by_moment["after"] - by_moment["before"]).dropna().tolist()


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Loss and accuracy by epoch, reliability diagrams, and filters before and after."""
    scores = at_answers(tables)
    return {
        "longer": longer_figures.course(
            tables["longer"], scores, confidence_level=confidence_level
        ),
        "calibration": longer_figures.reliability(
            tables["longer_answers"], scores, confidence_level=confidence_level
        ),
        "kernels": longer_figures.kernels(tables["longer_kernels"], sizes_of(tables["longer"])),
    }


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Loss, accuracy and calibration by network and epoch; likeness of filters to steps."""
    return [_scores(tables, confidence_level), _likeness(tables, confidence_level)]


def _scores(tables: Mapping[str, pd.DataFrame], confidence_level: float) -> Table:
    scores = at_answers(tables).sort_values(["architecture", "epoch"])
    columns = ("loss", "accuracy", "confidence", "calibration_error")
    found = {
        column: over_seeds(
            scores, ["architecture", "epoch"], column, confidence_level=confidence_level
        ).set_index(["architecture", "epoch"])
        for column in columns
    }
    rows = [
        [
            Cell(NETWORKS[name]),
            Cell(count(epoch), int(epoch)),
            # Of a training that ran away there is no loss.
            *(
                cell
                for column in columns
                for cell in mean_cells(found[column].reindex([(name, epoch)]).iloc[0])
            ),
            Cell(count(accuracy["n"]), int(accuracy["n"])),
        ]
        for (name, epoch), accuracy in found["accuracy"].iterrows()
    ]
    header = ["network", "passes"]
    for column in columns:
        header += [column.replace("calibration_error", "calibration error"), "interval"]
    return Table(
        id="table-longer",
        caption="Loss, accuracy, confidence and expected calibration error on validation images, "
        "mean over seeds",
        columns=[*header, "seeds"],
        rows=rows,
    )


def _likeness(tables: Mapping[str, pd.DataFrame], confidence_level: float) -> Table:
    found = over_seeds(
        steps.by_seed(tables["longer_kernels"]),
        ["moment"],
        "likeness",
        confidence_level=confidence_level,
    )
    return Table(
        id="table-longer-kernels",
        caption="Larger absolute cosine of filters of the first convolution with a step along "
        "rows or columns, mean over filters and seeds",
        columns=["training", "cosine", "interval", "seeds"],
        rows=[
            [Cell(row["moment"]), *mean_cells(row), Cell(count(row["n"]), int(row["n"]))]
            for _, row in found.iterrows()
        ],
    )
