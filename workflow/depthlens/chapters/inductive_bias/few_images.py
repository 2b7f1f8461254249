"""What a few images teach: who is ahead, and by how much."""

from depthlens.chapters.inductive_bias.leads import lead, standing, tidy, with_fewest, with_most
from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    learning,
    of_few_images,
    sizes_of,
    validated,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.prose import joined, percent, some

section = Section(
    __name__,
    title="What a few images teach",
    text="Both networks are trained on few images a class and asked about new ones. What one gets "
    "right more often than the other, from the same images, it must have assumed. The homework, "
    "with one seed, printed 66.0 and 56.0 % with 10 images a class, 94.0 and 84.67 % with 30.",
    columns=COLUMNS,
)
learning(
    section,
    "few_images",
    settings=of_few_images,
    architecture=BOTH,
    images=lambda block: block["few_images"]["images"],
)


@section.claim(
    "From few images the convolutional network learns more than the MLP.",
    source=f"{INDUCTIVE_BIAS}, question 2",
    measure="validation accuracy with the fewest images, convolutional network minus MLP",
    printed="66.0 and 56.0 %: 0.100",
    above=0,
)
def cnn_ahead_with_few(few_images):
    return with_fewest(lead(few_images, "cnn", "mlp"))


@section.claim(
    "It is ahead with every number of images.",
    source=f"{OURS}, of what question 2 of the homework asks",
    measure="smallest difference of validation accuracy over the numbers of images, convolutional "
    "network minus MLP",
    printed="0.100 with 10, 0.093 with 30 images",
    above=0,
)
def cnn_ahead_throughout(few_images):
    # A seed that lacks a number of images has no smallest difference.
    return lead(few_images, "cnn", "mlp").min(axis=1, skipna=False)


@section.claim(
    "The more images there are, the smaller its lead.",
    source=f"{OURS}, of what question 2 of the homework asks",
    measure="lead with the most images minus lead with the fewest",
    printed="from 10 to 30 images: −0.007",
    below=0,
)
def gap_narrows(few_images):
    ahead = lead(few_images, "cnn", "mlp")
    return with_most(ahead) - with_fewest(ahead)


@section.figure(
    "What a few images teach",
    shows="Above: accuracy on validation images · below: convolutional network minus MLP, seed by "
    "seed",
    alt="Two lines of validation accuracy by the number of training images, one a network; below "
    "them a line of the difference, with a line at zero.",
)
def few_images(sheet, few_images):
    sheet.facts.append(sizes_of(few_images))
    above, below = sheet.axes(5.2, rows=2, height_ratios=[1.5, 1], sharex=True)[:, 0]
    rows, ahead = validated(few_images), lead(few_images, "cnn", "mlp")
    sheet.lines(above, rows, "images", "accuracy", hue="architecture", err_style="bars")
    below.axhline(0, color=COLUMNS["architecture"].colours["mlp"], linewidth=1.2)
    leading = tidy(ahead).assign(architecture="cnn")
    sheet.lines(below, leading, "images", "lead", hue="architecture", err_style="bars")
    means = rows.groupby(["images", "architecture"])["accuracy"].mean().unstack()
    said = [
        f"{percent(means['cnn'][n], 1)} and {percent(means['mlp'][n], 1)} right with "
        f"{some(n, 'training image')} a class"
        for n in sorted({min(ahead), max(ahead)})
    ]
    return (
        f"Of the validation images, the {NETWORKS['cnn']} and the MLP get {joined(said)}: the "
        f"{NETWORKS['cnn']} is {standing(ahead)}, in the mean over seeds."
    )


section.table(
    "few-images",
    "Validation accuracy by the number of training images, mean over seeds",
    lambda few_images: validated(few_images).sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
section.table(
    "few-images-lead",
    "Lead of the convolutional network over the MLP, mean over seeds",
    lambda few_images: tidy(lead(few_images, "cnn", "mlp")),
    keys=["images"],
    values=["lead", "ahead"],
)
