"""Edge detectors in both convolutions, of which nothing learns: the experiment of the homework."""

import pandas as pd

from depthlens.chapters.inductive_bias.leads import lead, standing, tidy, with_fewest, with_most
from depthlens.chapters.inductive_bias.words import (
    COLUMNS,
    NETWORKS,
    seeds,
    sizes_of,
    validated,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.prose import joined, percent, some
from depthlens.sweep import grid

FROZEN = ("cnn_frozen_2", "cnn_frozen_3", "cnn_frozen_7")
NAMES = {"cnn": "learned filters", **{name: NETWORKS[name] for name in FROZEN}}
section = Section(
    __name__,
    title="Edge detectors set by hand, in both convolutions",
    text="Both convolutions detect an edge along a row and one along a column, the third filter is "
    "0, and the second convolution applies the same detectors to the sum of what the first gives. "
    "Nothing learns but the 12 weights of the last layer, at a rate of its own. The 2×2 detectors "
    "are differences of neighbours; larger ones weigh row i and column j from their middle by "
    "i / (i² + j²) and j / (i² + j²). Beside them is the network that learns all of its filters.",
    columns=COLUMNS
    | {"architecture": COLUMNS["architecture"]._replace(title="filters", write=NAMES.__getitem__)},
)
section.sweep(
    "frozen_detectors",
    "detectors",
    cells=lambda block: grid(
        architecture=FROZEN, images=block["few_images"]["images"], seeds=seeds(block)
    ),
    settings=lambda block: with_three_classes(block) | block["frozen_detectors"],
)


@section.derived
def all_filters(few_images, frozen_detectors):
    """Rows of the network that learns all of its filters, and of those with detectors."""
    return pd.concat([few_images[few_images["architecture"] == "cnn"], frozen_detectors])


IN_HOMEWORK = f"{INDUCTIVE_BIAS}, question 2"
LARGER = f"{OURS}, with the larger detectors of question 2 of the homework"


def help_with_few(name, source=LARGER, printed=""):
    return section.claim(
        "Edge detectors set by hand in both convolutions help when images are few.",
        source=source,
        measure=f"validation accuracy with the fewest images, {NAMES[name]} in both convolutions "
        "minus learned filters",
        networks=["cnn", name],
        printed=printed,
        above=0,
    )


def hurt_with_many(name, source=LARGER):
    return section.claim(
        "They are a burden when images are many.",
        source=source,
        measure=f"validation accuracy with the most images, {NAMES[name]} in both convolutions "
        "minus learned filters",
        networks=["cnn", name],
        below=0,
    )


@help_with_few("cnn_frozen_2", IN_HOMEWORK, printed="80.67 against 66.0 %: 0.147")
def frozen_2x2_help_with_few(all_filters):
    return with_fewest(lead(all_filters, "cnn_frozen_2", "cnn"))


@hurt_with_many("cnn_frozen_2", IN_HOMEWORK)
def frozen_2x2_hurt_with_many(all_filters):
    return with_most(lead(all_filters, "cnn_frozen_2", "cnn"))


@help_with_few("cnn_frozen_3")
def frozen_3x3_help_with_few(all_filters):
    return with_fewest(lead(all_filters, "cnn_frozen_3", "cnn"))


@hurt_with_many("cnn_frozen_3")
def frozen_3x3_hurt_with_many(all_filters):
    return with_most(lead(all_filters, "cnn_frozen_3", "cnn"))


@help_with_few("cnn_frozen_7")
def frozen_7x7_help_with_few(all_filters):
    return with_fewest(lead(all_filters, "cnn_frozen_7", "cnn"))


@hurt_with_many("cnn_frozen_7")
def frozen_7x7_hurt_with_many(all_filters):
    return with_most(lead(all_filters, "cnn_frozen_7", "cnn"))


@section.figure(
    "Edge detectors set by hand, in both convolutions",
    shows="Accuracy on validation images by number of training images · left: of every network · "
    "right: detectors minus learned filters, seed by seed",
    alt="Four lines of validation accuracy by the number of training images, one a way to get the "
    "filters; on the right three lines of the difference to learned filters, with a line at zero.",
)
def frozen_detectors(sheet, all_filters):
    sheet.facts.append(sizes_of(all_filters))
    left, right = sheet.axes(3.6, columns=2)[0]
    rows = validated(all_filters)
    sheet.lines(left, rows, "images", "accuracy", hue="architecture", err_style="bars")
    leads = {name: lead(all_filters, name, "cnn") for name in FROZEN}
    right.axhline(0, color=COLUMNS["architecture"].colours["cnn"], linewidth=1.2)
    leading = pd.concat([tidy(ahead).assign(architecture=name) for name, ahead in leads.items()])
    sheet.lines(right, leading, "images", "lead", hue="architecture", err_style="bars")
    fewest = rows[rows["images"] == rows["images"].min()]
    means = fewest.groupby("architecture")["accuracy"].mean()[list(NAMES)]
    accuracies = [f"{percent(value, 1)} with {NAMES[name]}" for name, value in means.items()]
    said = [f"{NAMES[name]} are {standing(ahead)}" for name, ahead in leads.items()]
    return (
        f"Of the validation images are right with {some(min(rows['images']), 'training image')} a "
        f"class {joined(accuracies)}. Compared with learned filters, {joined(said)}, in the mean "
        "over seeds."
    )


section.table(
    "frozen-detectors",
    "Validation accuracy by the number of training images, mean over seeds",
    lambda all_filters: validated(all_filters).sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
