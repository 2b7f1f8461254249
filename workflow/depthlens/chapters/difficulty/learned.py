"""What is learned: which images, and how far the network got."""

import numpy as np
import pandas as pd

from depthlens.chapters.difficulty.words import COLUMNS, MOST_PANELS, class_colours
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.prose import count, number, percent, shortened, some

_A_ROW = 12  # images of each class

section = Section(
    __name__,
    title="What is learned",
    text="The images that the network is to tell apart, and how well it does after each epoch.",
    columns=COLUMNS
    | {
        "epoch": Column("epoch", count),
        "loss": Column("cross-entropy loss (nats)"),
        "accuracy": Column("accuracy", share=True),
        "of": Column(
            "images",
            {"train": "training set", "test": "test set"}.__getitem__,
            {"train": style.INK, "test": style.WRONG},
        ),
    },
)


@section.figure(
    "What the network is to tell apart",
    shows="First training images of each class",
    alt="A grid of example images, one row for each class.",
)
def sample_grid(sheet, run, train):
    sheet.title += f": {run.dataset}"
    present = [label for label in range(len(run.classes)) if (train.labels == label).any()]
    shown, colours = present[:MOST_PANELS], class_colours(run.classes)
    channels, height, width = train.images.shape[1:]
    inches = (style.WIDTH - 1.7) / (1.16 * _A_ROW)  # of an image; names stand before the rows
    room = inches * (height / width + 0.16) * len(shown)
    # All lie in one axes: hundreds of axes would take minutes to lay out.
    ax = sheet.axes(room)
    blank = np.full_like(train.images[0], 255)
    pictures, frames = [], []
    for label in shown:
        own = train.images[train.labels == label][:_A_ROW]
        pictures += [*own, *[blank] * (_A_ROW - len(own))]
        frames += [colours[run.classes[label]]] * len(own) + ["white"] * (_A_ROW - len(own))
    plots.image_grid(
        ax, np.stack(pictures),
        columns=_A_ROW, captions=[()] * len(pictures), frames=frames, caption_height=0.16,
    )  # fmt: skip
    for row, label in enumerate(shown):
        middle = row * (height / width + 0.16) + height / width / 2
        ax.text(-0.15, middle, shortened(run.classes[label], 16), ha="right", va="center", size=9)
    part = f", the first {len(shown)} of them shown" * (len(shown) < len(present))
    sheet.facts.append(
        f"n = {count(len(train.labels))} training images of {height}×{width} pixels, "
        f"{some(len(present), 'class', 'classes')}{part}"
    )
    kind = {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")
    each = np.bincount(train.labels)[present]
    spread = (
        count(each.min()) if np.ptp(each) == 0 else f"{count(each.min())} to {count(max(each))}"
    )
    return (
        f"The training set has {count(len(train.labels))} {kind} images of "
        f"{some(len(present), 'class', 'classes')} ({spread} of each); the test set has "
        f"{count(len(run.examples))}."
    )


@section.figure(
    "How the network learned",
    shows="Loss and accuracy after each epoch · dotted: accuracy that is required of the training "
    "set",
    alt="Two line charts by epoch: loss and accuracy on the training and on the test set.",
)
def training_curves(sheet, run, train, history):
    sheet.title = f"How {run.model} learned {run.dataset}"
    rows = pd.concat(
        history[["epoch", f"{of}_loss", f"{of}_accuracy"]]
        .set_axis(["epoch", "loss", "accuracy"], axis=1)
        .assign(of=of)
        for of in ("train", "test")
    )
    axes = sheet.axes(2.9, columns=2)[0]
    for ax, measure in zip(axes, ("loss", "accuracy"), strict=True):
        sheet.lines(ax, rows, "epoch", measure, hue="of", style="of", errorbar=None)
        ax.set_ylim(0, 1.02 if measure == "accuracy" else None)
        if len(history) > 12:
            ax.xaxis.get_major_locator().set_params(integer=True)
    axes[1].axhline(run.min_train_accuracy, color=style.MUTED, linewidth=0.9, linestyle=":")
    sheet.facts.append(
        f"n = {count(len(train.labels))} training and {count(len(run.examples))} test images · "
        f"seed {run.seed}"
    )
    last = history.iloc[-1]
    gap = last["train_accuracy"] - last["test_accuracy"]
    room = f": a gap of {number(100 * gap, 1)} percentage points leaves room for hard images"
    return (
        f"After {some(int(last['epoch']), 'epoch')} the network is right on "
        f"{percent(run.train_accuracy, 1)} of the training set and "
        f"{percent(run.test_accuracy, 1)} of the test set{room if gap > 0.005 else ''}."
    )
