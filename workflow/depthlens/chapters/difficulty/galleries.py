"""How the easiest and the hardest test images look."""

import numpy as np

from depthlens.chapters.difficulty.words import COLUMNS
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.prose import count, percent

section = Section(
    __name__,
    title="The easiest and the hardest",
    text="Test images at both ends of the scale.",
    columns=COLUMNS,
)

_BELOW = "Below each image: true class, → predicted class, confidence and depth · frame: true class"


def easiest(run, n):
    """Rows of `run.examples`: the easiest images that the network gets right, class by class.

    Shallow first, then confident, then by example_id; the best of every class come before the
    second best of any, so that one easy class does not fill the gallery.
    """
    right = run.examples[run.examples["correct"]].assign(doubt=lambda table: -table["confidence"])
    right = right.sort_values(["depth", "doubt", "example_id"])
    order = right.assign(turn=right.groupby("label").cumcount())
    order = order.sort_values(["turn", "depth", "doubt", "example_id"])
    return order.index[:n].to_numpy()


def hardest(run, n):
    """Rows of `run.examples`: deepest first, then least confident, then by example_id."""
    by = ["depth", "confidence", "example_id"]
    return run.examples.sort_values(by, ascending=[False, True, True]).index[:n].to_numpy()


def gallery(sheet, run, images, rows):
    """Draw images with what the network says of them, and say how many they are."""
    columns, room = 8, 0.62
    chosen, colours = run.examples.loc[rows], style.palette(run.classes)
    lines = max(1, -(-len(rows) // columns))
    inches = (style.WIDTH - 0.1) / (columns * 1.16)
    captions = [
        (
            run.classes[row.label],
            f"→ {run.classes[row.prediction]}",
            f"{percent(row.confidence)} · depth {row.depth}",
        )
        for row in chosen.itertuples()
    ]
    frames = [colours[label] for label in chosen["label"]]
    plots.image_grid(
        sheet.axes(inches * lines * (images.shape[2] / images.shape[3] + room)), images[rows],
        columns=columns, captions=captions, frames=frames, caption_height=room,
    )  # fmt: skip
    sheet.facts.append(f"{len(rows)} of n = {count(len(run.examples))} test images")
    return chosen


@section.figure(
    "The easiest test images",
    shows=f"The shallowest and most confident of each class that the network gets right\n{_BELOW}",
    alt="A grid of test images, all classified correctly.",
)
def gallery_easiest(sheet, run, test, gallery_images):
    # By class: rows of the grid are then easy to compare.
    rows = easiest(run, gallery_images)
    of = run.examples.loc[rows]
    rows = rows[np.lexsort((of["example_id"], of["depth"], of["label"]))]
    chosen = gallery(sheet, run, test.images, rows)
    if chosen.empty:
        return "The network is right on no test image."
    return (
        f"{count((chosen['depth'] == 0).sum())} of these {count(len(chosen))} images are settled "
        f"at {run.first_probe}: every probe agrees with the network, whose confidence is at least "
        f"{np.floor(chosen['confidence'].min() * 1000) / 10:.1f}\u00a0% on all of them."
    )


@section.figure(
    "The hardest test images",
    shows=f"Deepest first, then least confident\n{_BELOW}",
    alt="A grid of the deepest test images, with what the network takes them for.",
)
def gallery_hardest(sheet, run, test, gallery_images):
    chosen = gallery(sheet, run, test.images, hardest(run, gallery_images))
    most = chosen["label"].value_counts(sort=False).sort_index()
    return (
        f"Of these {count(len(chosen))} images the network is wrong on "
        f"{count((~chosen['correct']).sum())}, and {count(most.max())} are of the class "
        f"{run.classes[most.idxmax()]}."
    )
