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
    shape, colours = train.images.shape[1:], class_colours(run.classes)
    labels, each = np.unique(train.labels, return_counts=True)
    shown, tall = labels[:MOST_PANELS], shape[1] / shape[2] + 0.16
    # All lie in one axes: hundreds of axes would take minutes to lay out.
    inches = (style.WIDTH - 1.7) / (1.16 * _A_ROW)  # of an image; names stand before the rows
    ax = sheet.axes(inches * tall * len(shown))
    pictures = np.full((len(shown), _A_ROW, *shape), 255, np.uint8)
    frames = np.full((len(shown), _A_ROW), "white", object)
    for row, label in enumerate(shown):
        own, name = train.images[train.labels == label][:_A_ROW], run.classes[label]
        pictures[row, : len(own)], frames[row, : len(own)] = own, colours[name]
        middle = row * tall + (tall - 0.16) / 2
        ax.text(-0.15, middle, shortened(name, 16), ha="right", va="center", size=9)
    plots.image_grid(
        ax, pictures.reshape(-1, *shape),
        columns=_A_ROW, captions=[()] * frames.size, frames=list(frames.flat), caption_height=0.16,
    )  # fmt: skip
    n, classes = count(len(train.labels)), some(len(labels), "class", "classes")
    part = f", the first {len(shown)} of them shown" * (len(shown) < len(labels))
    sheet.facts.append(f"n = {n} training images of {shape[1]}×{shape[2]} pixels, {classes}{part}")
    kind = {1: "grey", 3: "colour"}.get(shape[0], f"{shape[0]}-channel")
    spread = " to ".join(dict.fromkeys([count(each.min()), count(each.max())]))
    return (
        f"The training set has {n} {kind} images of {classes} ({spread} of each); the test set has "
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
