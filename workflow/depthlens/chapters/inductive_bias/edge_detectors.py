"""Edge detectors set by hand: do they help where images are few?"""

import numpy as np
import pandas as pd
import seaborn as sns

from depthlens.chapters.inductive_bias.leads import lead, standing, tidy, with_fewest, with_most
from depthlens.chapters.inductive_bias.words import (
    COLUMNS,
    COURSE,
    NETWORKS,
    learning,
    of_few_images,
    sizes_of,
    validated,
)
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.models.edge_networks import DETECTORS
from depthlens.prose import joined, percent, some

NAMES = {"cnn": "learned filters", **{name: NETWORKS[name] for name in ("cnn_2x2", "cnn_sobel")}}
section = Section(
    __name__,
    title="Edge detectors set by hand",
    text="The three filters of the first convolution are set to detectors of an edge along a row, "
    "along a column and of a slanted one: differences of neighbours (2×2) or Sobel's (3×3). They "
    "do not learn; everything behind them does. Beside them is the network that learns all of its "
    "filters.",
    columns=COLUMNS
    | {"architecture": COLUMNS["architecture"]._replace(title="filters", write=NAMES.__getitem__)},
)
learning(
    section,
    "edge_detectors",
    settings=of_few_images,
    architecture=["cnn_2x2", "cnn_sobel"],
    images=lambda block: block["few_images"]["images"],
)


@section.derived
def both(few_images, edge_detectors):
    """Rows of the network that learns all of its filters, and of those with detectors."""
    return pd.concat([few_images[few_images["architecture"] == "cnn"], edge_detectors])


def help_with_few(detectors, name):
    return section.claim(
        "Edge detectors set by hand help when images are few.",
        source=COURSE,
        measure=f"validation accuracy with the fewest images, {detectors} minus learned filters",
        networks=["cnn", name],
        above=0,
    )


def hurt_with_many(detectors, name):
    return section.claim(
        "They are a burden when images are many.",
        source=COURSE,
        measure=f"validation accuracy with the most images, {detectors} minus learned filters",
        networks=["cnn", name],
        below=0,
    )


@help_with_few("2×2 detectors", "cnn_2x2")
def detectors_2x2_help_with_few(both):
    return with_fewest(lead(both, "cnn_2x2", "cnn"))


@hurt_with_many("2×2 detectors", "cnn_2x2")
def detectors_2x2_hurt_with_many(both):
    return with_most(lead(both, "cnn_2x2", "cnn"))


@help_with_few("Sobel's detectors", "cnn_sobel")
def detectors_sobel_help_with_few(both):
    return with_fewest(lead(both, "cnn_sobel", "cnn"))


@hurt_with_many("Sobel's detectors", "cnn_sobel")
def detectors_sobel_hurt_with_many(both):
    return with_most(lead(both, "cnn_sobel", "cnn"))


@section.figure(
    "Edge detectors set by hand",
    shows="Above: accuracy on validation images · below: detectors minus learned filters, seed by "
    "seed · right: weights",
    alt="Three lines of validation accuracy by the number of training images, one a way to get the "
    "first filters; below them two lines of the difference to learned filters, with a line at "
    "zero; on the right the detectors as small grids of weights.",
)
def edge_detectors(sheet, both):
    sheet.facts.append(sizes_of(both))
    axes = sheet.axes(5.2, rows=3, columns=4, width_ratios=[4, 4, 1, 1], sharex=False)
    grid = axes[0, 0].get_gridspec()
    for ax in axes[:, :2].flat:
        ax.remove()
    above, below = (sheet.figure.add_subplot(grid[rows, :2]) for rows in (slice(0, 2), 2))
    rows = validated(both)
    # Beside each other: they often are equally good.
    side_by_side = {"hue": "architecture", "native_scale": True, "dodge": 0.1}
    side_by_side |= {"linestyle": "-", "linewidth": 1.8}
    sheet.points(above, rows, "images", "accuracy", **side_by_side)
    leads = {name: lead(both, name, "cnn") for name in ("cnn_2x2", "cnn_sobel")}
    below.axhline(0, color=COLUMNS["architecture"].colours["cnn"], linewidth=1.2)
    leading = pd.concat([tidy(ahead).assign(architecture=name) for name, ahead in leads.items()])
    sheet.points(below, leading, "images", "lead", **side_by_side)
    for column, (name, size) in zip(axes[:, 2:].T, {"2×2": 2, "Sobel": 3}.items(), strict=True):
        for ax, weights in zip(column, DETECTORS[size], strict=True):
            sns.heatmap(
                np.array(weights), ax=ax, cmap="gray", center=0, annot=True, cbar=False,
                square=True, linewidths=0.6, linecolor=style.MUTED,
                xticklabels=False, yticklabels=False,
            )  # fmt: skip
        column[0].set_title(name)
    means = rows.groupby(["images", "architecture"])["accuracy"].mean().unstack()[list(NAMES)]
    accuracies = [
        f"with {some(n, 'training image')} a class "
        + joined([f"{percent(value, 1)} with {NAMES[name]}" for name, value in row.items()])
        for n, row in means.iloc[sorted({0, len(means) - 1})].iterrows()
    ]
    said = [f"{NAMES[name]} are {standing(ahead)}" for name, ahead in leads.items()]
    return (
        f"Of the validation images are right {'; '.join(accuracies)}. "
        f"Compared with learned filters, {joined(said)}, in the mean over seeds."
    )


section.table(
    "edge-detectors",
    "Validation accuracy by the number of training images, mean over seeds",
    lambda both: validated(both).sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
for name, size in (("cnn_2x2", "2x2"), ("cnn_sobel", "3x3")):
    section.table(
        f"edge-detectors-{size}",
        f"Lead of {NAMES[name]} over learned filters, mean over seeds",
        lambda both, name=name: tidy(lead(both, name, "cnn")),
        keys=["images"],
        values=["lead", "ahead"],
    )
