"""What leaving a network early saves and costs: claims and figures of the sweep `early_exit`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from depthlens import intervals
from depthlens.chapters.benchmarks_of_difficulty import early_exit_figures
from depthlens.chapters.over_seeds import judge_each
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import count, number, percent
from depthlens.report.page import Cell, Table

_CONFIDENT = 0.9
"""share of votes that claims are about: `configured` in the table"""

_CHAPTER = "benchmarks_of_difficulty"
_BRANCHY = "Teerapittayanon, McDanel, Kung (2016), BranchyNet, arXiv 1709.01686"
_SDN = "Kaya, Hong, Dumitraş (2019), arXiv 1810.07052"
_MULTI = (
    "test images leave a multi-exit network at the first head whose softmax entropy is below the "
    "threshold of the study; mean over seeds"
)
_KNN = (
    f"test images leave a network at the first probe where {percent(_CONFIDENT)} of the "
    "neighbours agree; mean over seeds"
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        chapter=_CHAPTER,
        id="two-to-four-times-less-computation",
        statement="Heads after each stage save one half to three quarters of the computation",
        source=f"said of multi-exit networks, such as {_BRANCHY}: two to six times as fast",
        measure="multiply-accumulates of the network with one exit over the mean of those that "
        f"an image takes with several: {_MULTI}",
        threshold=Threshold(at_least=2.0, at_most=4.0),
    ),
    Claim(
        chapter=_CHAPTER,
        id="less-than-half-a-point-of-accuracy",
        statement="Heads after each stage cost less than half a point of accuracy",
        source=f"said of multi-exit networks, such as {_BRANCHY}",
        measure="accuracy of the network with one exit less that with several, trained on the "
        f"same batches: {_MULTI}",
        threshold=Threshold(below=0.005),
    ),
    Claim(
        chapter=_CHAPTER,
        id="deep-images-leave-late",
        statement="Deep images leave a multi-exit network late",
        source="our expectation, from Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647: depth "
        "measures the computation that an image needs",
        measure="Spearman correlation of the exit with the prediction depth in the network with "
        f"one exit: {_MULTI}",
        threshold=Threshold(above=0.0),
    ),
    Claim(
        chapter=_CHAPTER,
        id="confident-neighbours-save-half",
        statement="Leaving where the neighbours agree needs at most half of the network",
        source=f"{_SDN}, abstract, of trained exits: costs fall by more than half at equal "
        "accuracy",
        measure="share of the network's multiply-accumulates up to the probe where an image "
        f"leaves, the search for neighbours not counted: {_KNN}",
        threshold=Threshold(at_most=0.5),
    ),
    Claim(
        chapter=_CHAPTER,
        id="confident-neighbours-keep-accuracy",
        statement="Leaving where the neighbours agree costs less than half a point of accuracy",
        source=f"{_SDN}, abstract, of trained exits: costs fall by more than half at equal "
        "accuracy",
        measure=f"accuracy of the network less that at the exits: {_KNN}",
        threshold=Threshold(below=0.005),
    ),
    Claim(
        chapter=_CHAPTER,
        id="neighbours-cost-more-than-they-save",
        statement="The search for neighbours takes more arithmetic than the whole network",
        source="our arithmetic: training images × dims multiply-accumulates at each probe",
        measure="multiply-accumulates of an exhaustive search at every probe up to the exit over "
        f"those of the whole network: {_KNN}",
        threshold=Threshold(above=1.0),
    ),
)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """The verdicts on `CLAIMS`, one a claim and dataset."""

    def measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
        values = measurements(rows)[claim.id]
        if values.isna().any():
            raise NotTestableError("all images leave at one exit, or have one depth")
        return values.tolist()

    return judge_each(CLAIMS, measure, tables["early_exit"], confidence_level=confidence_level)


def measurements(part: pd.DataFrame) -> pd.DataFrame:
    """What the claims are about, one row a seed, one column a claim."""
    every = part[part["exit"] == "all"]
    single, multi, votes = (
        every[(every["kind"] == kind) & (every["configured"] | (kind == "single"))].set_index(
            "seed"
        )
        for kind in ("single", "multi", "votes")
    )
    return pd.DataFrame(
        {
            "two-to-four-times-less-computation": single["macs"] / multi["macs"],
            "less-than-half-a-point-of-accuracy": single["accuracy"] - multi["accuracy"],
            "deep-images-leave-late": multi["depth_correlation"],
            "confident-neighbours-save-half": votes["macs"] / single["macs"],
            "confident-neighbours-keep-accuracy": single["accuracy"] - votes["accuracy"],
            "neighbours-cost-more-than-they-save": votes["search_macs"] / single["macs"],
        }
    )


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Every figure of the section."""
    return early_exit_figures.draw(tables["early_exit"], confidence_level=confidence_level)


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Every rule and threshold, means over seeds."""
    table = tables["early_exit"]
    every = table[(table["exit"] == "all") & (table["kind"] != "head")]
    rows = []
    for dataset, of_dataset in every.groupby("dataset", sort=False):
        whole = of_dataset.loc[of_dataset["kind"] == "single", "macs"].mean()
        keys = ["kind", "threshold"]
        for (kind, threshold), part in of_dataset.groupby(keys, sort=False, dropna=False):
            accuracy = part["accuracy"].mean()
            interval = intervals.mean(part["accuracy"], confidence_level=confidence_level)
            low, high = np.clip(interval, 0, 1)
            cost, search = part["macs"].mean(), part["search_macs"].mean()
            rows.append(
                [
                    Cell(dataset),
                    Cell(early_exit_figures.KINDS[kind]),
                    Cell(
                        "" if np.isnan(threshold) else f"{threshold:g}",
                        -1.0 if np.isnan(threshold) else float(threshold),
                    ),
                    *(Cell(percent(each, 2), float(each)) for each in (accuracy, low, high)),
                    Cell(number(cost / 1e6), float(cost)),
                    Cell(percent(cost / whole, 1), float(cost / whole)),
                    Cell(number(search / 1e6, 1), float(search)),
                    Cell(count(len(part)), len(part)),
                ]
            )
    columns = ["dataset", "rule", "threshold", "accuracy", "low", "high", "million MACs"]
    return [
        Table(
            id="table-early-exit",
            caption="Leaving early: accuracy and mean multiply-accumulates (MACs) an image",
            columns=[*columns, "of the network", "million MACs of the search", "seeds"],
            rows=rows,
        )
    ]
