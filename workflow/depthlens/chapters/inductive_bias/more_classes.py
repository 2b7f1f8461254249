"""Two classes more: is the convolutional network still ahead?"""

from depthlens.chapters.inductive_bias.leads import lead, standing, tidy
from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    learning,
    sizes_of,
    validated,
    with_five_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.prose import joined, percent

section = Section(
    __name__,
    title="Two classes more",
    text="A slanted edge, and both an edge along a row and one along a column, are two classes "
    "more; both networks learn all five from few images and from more.",
    columns=COLUMNS,
)
learning(
    section,
    "five_classes",
    settings=lambda block: (
        with_five_classes(block)
        | {key: block["five_classes"][key] for key in ("learning_rate", "epochs")}
    ),
    architecture=BOTH,
    images=lambda block: block["five_classes"]["images"],
)


@section.claim(
    "With five classes, too, the convolutional network is ahead with every number of images.",
    source=f"{OURS}, of what question 6 of the homework asks",
    measure="smallest difference of validation accuracy over the numbers of images, five classes, "
    "convolutional network minus MLP",
    networks=["cnn", "mlp"],
    above=0,
)
def cnn_ahead_with_five_classes(five_classes):
    # A seed that lacks a number of images has no smallest difference.
    return lead(five_classes, "cnn", "mlp").min(axis=1, skipna=False)


@section.figure(
    "Five classes",
    shows="Accuracy on validation images by number of training images",
    alt="Two lines of validation accuracy by the number of training images, one a network.",
)
def five_classes(sheet, five_classes):
    sheet.facts.append(sizes_of(five_classes))
    rows = validated(five_classes)
    sheet.lines(sheet.axes(3.5), rows, "images", "accuracy", hue="architecture", err_style="bars")
    means = rows.groupby("architecture")["accuracy"].mean()
    said = [f"{NETWORKS[name]} {percent(mean, 1)}" for name, mean in means.items()]
    return (
        f"Right, mean over the numbers of images: {joined(said)}. The {NETWORKS['cnn']} is "
        f"{standing(lead(five_classes, 'cnn', 'mlp'))}, in the mean over seeds."
    )


section.table(
    "five-classes",
    "Validation accuracy with five classes by the number of training images, mean over seeds",
    lambda five_classes: validated(five_classes).sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
section.table(
    "five-classes-lead",
    "Lead of the convolutional network over the MLP, mean over seeds",
    lambda five_classes: tidy(lead(five_classes, "cnn", "mlp")),
    keys=["images"],
    values=["lead", "ahead"],
)
