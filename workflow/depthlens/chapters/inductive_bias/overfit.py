"""Can both networks learn a few images by heart? Else nothing said of them means anything."""

from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    SPLITS,
    at_the_end,
    course,
    sizes_of,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS
from depthlens.prose import joined, percent, some

section = Section(
    __name__,
    title="Both can learn a few images by heart",
    text="Images of 28×28 show one bright edge along a row, one along a column, or none, on a "
    "darker ground. A convolutional network of 606 parameters (two convolutions of three filters "
    "of 7×7, each with ReLU, the first with 2×2 maximum pooling; global average pooling; one "
    "linear layer) and an MLP of 39,793 (784 – 50 – 10 – 3) learn the same few images, all of "
    "them in one step. A network that cannot learn these by heart says nothing about what it "
    "assumes. The text of the homework has a second pooling and an MLP of 784 – 10 – 10 – 3, its "
    "code the networks that are trained here.",
    columns=COLUMNS,
)
course(
    section,
    "overfit",
    settings=lambda block: with_three_classes(block) | block["overfit"],
    tables=["kernels"],
    architecture=BOTH,
)


@section.derived
def ends(overfit):
    return at_the_end(overfit, "train", "validation")


@section.derived
def learned(ends):
    return ends[ends["split"] == "train"]


@section.claim(
    "The convolutional network learns a few images by heart.",
    source=f"{INDUCTIVE_BIAS}, question 1",
    measure="training accuracy at the end, convolutional network",
    networks=["cnn"],
    printed="100.0 %: 1",
    at_least=1,
)
def cnn_learns_by_heart(learned):
    return learned["accuracy"]


@section.claim(
    "The MLP learns a few images by heart.",
    source=f"{INDUCTIVE_BIAS}, question 1",
    measure="training accuracy at the end, MLP",
    networks=["mlp"],
    printed="100.0 %: 1",
    at_least=1,
)
def mlp_learns_by_heart(learned):
    return learned["accuracy"]


@section.figure(
    "Learning a few images by heart",
    shows="Accuracy and loss along the training",
    alt="Lines of accuracy above and of loss below, by passes over the training images, one a "
    "network; on the left for training images, on the right for validation images.",
)
def overfit(sheet, overfit, learned):
    sheet.facts.append(sizes_of(overfit))
    axes = sheet.axes(5.0, rows=2, columns=2, sharex=True, sharey="row")
    for row, measure in zip(axes, ("accuracy", "loss"), strict=True):
        for ax, split in zip(row, ("train", "validation"), strict=True):
            rows = overfit[overfit["split"] == split]
            sheet.lines(ax, rows, "epoch", measure, hue="architecture", marker=None)
    for ax, split in zip(axes[0], ("train", "validation"), strict=True):
        ax.set_title(SPLITS[split])
    by_heart = (learned.set_index("architecture")["accuracy"] == 1).groupby(level=0, sort=False)
    said = [f"{percent(share)} of the {NETWORKS[name]}s" for name, share in by_heart.mean().items()]
    passes = some(overfit["epoch"].max(), "pass", "passes")
    return f"After {passes}, {joined(said)} have every training image right."


section.table(
    "overfit",
    "Accuracy and loss at the end of the training, mean over seeds",
    lambda ends: ends.sort_values("architecture", kind="stable"),
    keys=["architecture", "split", "examples"],
    values=["accuracy", "loss"],
)
