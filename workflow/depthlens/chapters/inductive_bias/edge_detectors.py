"""Edge detectors set by hand: claims and figure of the sweep `edge_detectors`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias import accuracy_by_images as by_images
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding
from depthlens.models.edge_networks import DETECTORS
from depthlens.prose import count, joined, number, percent, some
from depthlens.report.page import Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
_SIZES = {"cnn_2x2": 2, "cnn_sobel": 3}
_DIRECTIONS = ("along a row", "along a column", "slanted")
_NAMES = {"cnn": "learned filters", **{name: NETWORKS[name] for name in _SIZES}}


def _claims(id: str, detectors: str) -> tuple[Claim, Claim]:
    return (
        claim(
            f"{id}-help-with-few",
            "Edge detectors set by hand help when images are few.",
            _COURSE,
            f"validation accuracy with the fewest images, {detectors} minus learned filters",
            above=0,
        ),
        claim(
            f"{id}-hurt-with-many",
            "They are a burden when images are many.",
            _COURSE,
            f"validation accuracy with the most images, {detectors} minus learned filters",
            below=0,
        ),
    )


_OF_2X2 = _claims("detectors-2x2", "2×2 detectors")
_OF_SOBEL = _claims("detectors-sobel", "Sobel's detectors")
CLAIMS = (*_OF_2X2, *_OF_SOBEL)
_MEASURES = {
    claim.id: measure
    for claims in (_OF_2X2, _OF_SOBEL)
    for claim, measure in zip(claims, (by_images.with_fewest, by_images.with_most), strict=True)
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both kinds of detectors."""
    return [
        finding
        for name, claims in (("cnn_2x2", _OF_2X2), ("cnn_sobel", _OF_SOBEL))
        for finding in by_images.judge_lead(
            claims,
            _together(tables),
            name,
            "cnn",
            measures=_MEASURES,
            confidence_level=confidence_level,
        )
    ]


def _together(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of the network that learns all of its filters, and of those with detectors."""
    few = tables["few_images"]
    return pd.concat([few[few["architecture"] == "cnn"], tables["edge_detectors"]])


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy by number of images, the lead of detectors, and the detectors."""
    table = _together(tables)
    validated = by_images.validated(table)
    leads = {name: by_images.lead(table, name, "cnn") for name in _SIZES}
    figure, axes = style.canvas(5.2, rows=2, columns=2, height_ratios=[1.5, 1], width_ratios=[3, 1])
    above, below = axes[:, 0]
    below.sharex(above)
    above.tick_params(labelbottom=False)
    level = {"confidence_level": confidence_level}
    for name, dodge in zip(_NAMES, by_images.dodges(table["images"], len(_NAMES)), strict=True):
        by_images.draw_points(
            above, validated[validated["architecture"] == name], "accuracy", dodge=dodge,
            colour=COLOURS[name], label=_NAMES[name], bounds=(0, 1), **level,
        )  # fmt: skip
    above.set_ylim(max(0, above.get_ylim()[0]), min(1.02, above.get_ylim()[1]))
    above.set_ylabel("validation accuracy")
    plots.percent_axis(above.yaxis)
    above.legend(loc="best")
    below.axhline(0, color=COLOURS["cnn"], linewidth=1.2)
    for name, dodge in zip(leads, by_images.dodges(table["images"], len(leads)), strict=True):
        by_images.draw_points(
            below, by_images.as_rows(leads[name]), "lead", dodge=dodge, colour=COLOURS[name],
            **level,
        )  # fmt: skip
    by_images.label_lead(below, _NAMES["cnn"])
    by_images.label_images(below, table["images"])
    for ax in axes[:, 1]:
        ax.remove()
    _show_detectors(figure.add_subplot(axes[0, 1].get_gridspec()[:, 1]))
    title = "Edge detectors set by hand"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy on {sizes_of(table, 'validation')} · {sizes_of(table).split(',')[0]}\n"
        "Below: detectors minus learned filters, seed by seed · right: weights of the detectors\n"
        f"Bars: {percent(confidence_level)} intervals of the mean over seeds · faint dots: single "
        "seeds",
    )
    alt = (
        "Three lines of validation accuracy by the number of training images, one a way to get the "
        "first filters; below them two lines of the difference to learned filters, with a line at "
        "zero; on the right the detectors as small grids of weights."
    )
    return {"edge_detectors": Drawing(figure, title, _sentence(validated, leads), alt)}


def _show_detectors(axes: Axes) -> None:
    """Draw the filters with their weights, a column a kind, a row a direction."""
    gap, room = 0.2, 0.42
    for column, (name, size) in enumerate(_SIZES.items()):
        left = column * (1 + gap)
        axes.text(
            left + 0.5, -0.35, _NAMES[name].replace(" ", "\n"), color=COLOURS[name],
            fontweight="bold", fontsize=9, ha="center", va="bottom",
        )  # fmt: skip
        for row, weights in enumerate(np.array(DETECTORS[size])):
            _show_filter(axes, weights, left, row * (1 + room))
    for row, direction in enumerate(_DIRECTIONS):
        axes.text(
            1 + gap / 2, row * (1 + room) - 0.06, direction, color=style.MUTED, fontsize=8.5,
            ha="center", va="bottom",
        )  # fmt: skip
    axes.set_xlim(-0.05, 2 + gap + 0.05)
    axes.set_ylim(len(_DIRECTIONS) * (1 + room) - room + 0.05, -0.65)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _show_filter(axes: Axes, weights: NDArray[np.int64], left: float, top: float) -> None:
    most, step = np.abs(weights).max(), 1 / len(weights)
    axes.imshow(
        weights, cmap="gray", vmin=-most, vmax=most, extent=(left, left + 1, top + 1, top),
        interpolation="nearest",
    )  # fmt: skip
    axes.add_patch(
        Rectangle((left, top), 1, 1, facecolor="none", edgecolor=style.MUTED, linewidth=0.8)
    )
    for (row, column), weight in np.ndenumerate(weights):
        axes.text(
            left + (column + 0.5) * step,
            top + (row + 0.5) * step,
            number(weight, 0),
            color="white" if weight < 0 else style.INK,
            ha="center",
            va="center",
            fontsize=8.5,
        )


def _sentence(validated: pd.DataFrame, leads: Mapping[str, pd.DataFrame]) -> str:
    means = validated.groupby(["architecture", "images"])["accuracy"].mean()
    fewest, most = validated["images"].min(), validated["images"].max()
    first = [f"{percent(means[name, fewest], 1)} with {words}" for name, words in _NAMES.items()]
    accuracies = f"With {some(fewest, 'training image')} a class the accuracy is {joined(first)}"
    if most > fewest:
        last = [percent(means[name, most], 1) for name in _NAMES]
        accuracies += f"; with {count(most)} it is {joined(last)}"
    said = [f"{_NAMES[name]} are {by_images.standing(lead)}" for name, lead in leads.items()]
    return f"{accuracies}. Compared with learned filters, {joined(said)}, in the mean over seeds."


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy by number of images and first filters, and the lead of either detectors."""
    table = _together(tables)
    accuracies = Table(
        id="table-edge-detectors",
        caption="Validation accuracy by the number of training images, mean over seeds",
        columns=["images a class", "network", "accuracy", "interval", "seeds"],
        rows=by_images.accuracy_rows(table, _NAMES, confidence_level=confidence_level),
    )
    leads = [
        Table(
            id=f"table-edge-detectors-{size}x{size}",
            caption=f"Lead of {_NAMES[name]} over learned filters, mean over seeds",
            columns=["images a class", "lead", "interval", "seeds ahead", "seeds"],
            rows=by_images.lead_rows(
                by_images.lead(table, name, "cnn"), confidence_level=confidence_level
            ),
        )
        for name, size in _SIZES.items()
    ]
    return [accuracies, *leads]
