"""Images that do not belong: can depth and k-NN distance tell them from those of known classes?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.chapters.benchmarks_of_difficulty import foreign_figures
from depthlens.chapters.over_seeds import judge_each, over_seeds
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError, Threshold
from depthlens.prose import number
from depthlens.report.page import Cell, Table

_CHAPTER = "benchmarks_of_difficulty"
_BALDOCK = "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647"
_SUN = "Sun, Ming, Zhu, Li (2022), arXiv 2204.06507"
_HENDRYCKS = "Hendrycks, Dietterich (2019), arXiv 1903.12261"
_FROM_SEEDS = "mean over networks of different seeds, which also choose the classes held out"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        chapter=_CHAPTER,
        id="held-out-classes-are-deep",
        statement="Images of classes that the network never saw are deeper than those of classes "
        "that it knows",
        source=f"our expectation, from {_BALDOCK}: what the network is uncertain about is deep",
        measure="area under the ROC curve of prediction depth, test images of held-out classes "
        f"against those of known ones, {_FROM_SEEDS}",
        threshold=Threshold(above=0.5),
    ),
    Claim(
        chapter=_CHAPTER,
        id="another-dataset-is-deep",
        statement="Images of another dataset are deeper than those that the network knows",
        source=f"our expectation, from {_BALDOCK}: what the network is uncertain about is deep",
        measure="area under the ROC curve of prediction depth, test images of another dataset "
        f"against those of known classes, {_FROM_SEEDS}",
        threshold=Threshold(above=0.5),
    ),
    Claim(
        chapter=_CHAPTER,
        id="depth-knows-another-dataset-as-well-as-distance",
        statement="Prediction depth recognises images of another dataset at least as well as the "
        "distance to the nearest training images",
        source=f"our expectation: depth sees every layer, the distance of {_SUN} only the last",
        measure="area under the ROC curve of prediction depth less that of the k-NN distance of "
        f"the features at unit length, another dataset against known classes, {_FROM_SEEDS}",
        threshold=Threshold(at_least=0.0),
    ),
    Claim(
        chapter=_CHAPTER,
        id="distance-beats-confidence",
        statement="The distance to the nearest training images recognises images of another "
        "dataset better than the network's confidence",
        source=f"{_SUN}, table 1",
        measure="area under the ROC curve of the k-NN distance of the features at unit length "
        "less that of the confidence, another dataset against known classes, "
        f"{_FROM_SEEDS}",
        threshold=Threshold(above=0.0),
    ),
    Claim(
        chapter=_CHAPTER,
        id="corruption-lowers-accuracy",
        statement="The worse the corruption, the lower the accuracy",
        source=f"{_HENDRYCKS}: severities are built so",
        measure="Spearman correlation of severity (0, 1, 3, 5) and accuracy, mean over noise, blur "
        f"and contrast, {_FROM_SEEDS}",
        threshold=Threshold(at_most=-0.8),
    ),
    Claim(
        chapter=_CHAPTER,
        id="corruption-makes-images-deep",
        statement="The worse the corruption, the deeper the image",
        source=f"our expectation, from {_BALDOCK}: what is often wrong is deep",
        measure="Spearman correlation of severity (0, 1, 3, 5) and mean prediction depth, mean "
        f"over noise, blur and contrast, {_FROM_SEEDS}",
        threshold=Threshold(at_least=0.8),
    ),
)


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """The verdicts on `CLAIMS`, one a claim and dataset."""
    table = tables["foreign"]
    measures = {
        "held-out-classes-are-deep": lambda part: _auroc(part, "held_out", "depth"),
        "another-dataset-is-deep": lambda part: _auroc(part, "other", "depth"),
        "depth-knows-another-dataset-as-well-as-distance": lambda part: (
            _auroc(part, "other", "depth") - _auroc(part, "other", "feature_distance")
        ),
        "distance-beats-confidence": lambda part: (
            _auroc(part, "other", "feature_distance") - _auroc(part, "other", "confidence")
        ),
        "corruption-lowers-accuracy": lambda part: _with_severity(part, "accuracy"),
        "corruption-makes-images-deep": lambda part: _with_severity(part, "mean_depth"),
    }

    def measure(claim: Claim, rows: pd.DataFrame) -> list[float]:
        return [measures[claim.id](of_seed) for _, of_seed in rows.groupby("seed")]

    return judge_each(CLAIMS, measure, table, confidence_level=confidence_level)


def _auroc(part: pd.DataFrame, images: str, detector: str) -> float:
    rows = part[(part["images"] == images) & (part["detector"] == detector)]
    if rows.empty:
        raise NotTestableError("there is no other dataset in the list")
    return float(rows["value"].iloc[0])


def _with_severity(part: pd.DataFrame, measure: str) -> float:
    rows = part[part["measure"] == measure]
    clean = rows[rows["images"] == "known"]
    correlations = []
    for corruption in foreign_figures.CORRUPTIONS:
        line = pd.concat([clean, rows[rows["images"] == corruption]])
        if line["value"].nunique() < 2:
            what = measure.replace("_", " ")
            raise NotTestableError(f"the {what} is the same at every severity of {corruption}")
        correlations.append(stats.spearmanr(line["severity"], line["value"]).statistic)
    # A correlation of 4/5 is at the threshold, whatever its last bits are.
    return round(float(np.mean(correlations)), 12)


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Every figure of the section."""
    return foreign_figures.draw(tables["foreign"], confidence_level=confidence_level)


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy, mean depth and every detector on every set of images."""
    names = {"": "", **foreign_figures.DETECTORS}
    means = over_seeds(
        tables["foreign"],
        ["dataset", "images", "severity", "measure", "detector"],
        "value",
        confidence_level=confidence_level,
    )
    rows = [
        [
            Cell(row.dataset),
            Cell(foreign_figures.IMAGES[row.images]),
            Cell(str(row.severity), row.severity),
            Cell(foreign_figures.MEASURES[row.measure]),
            Cell(names[row.detector]),
            *(Cell(number(each, 3), each) for each in (row.mean, row.low, row.high)),
            Cell(str(row.n), row.n),
        ]
        for row in means.itertuples()
    ]
    columns = ["dataset", "images", "severity", "measure", "detector", "value", "low", "high"]
    return [
        Table(
            id="table-foreign",
            caption="Foreign images: depth, accuracy and how well each detector recognises them",
            columns=[*columns, "seeds"],
            rows=rows,
        )
    ]
