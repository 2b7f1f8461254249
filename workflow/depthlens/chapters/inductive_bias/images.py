"""What the networks see: images of edges, the same with moved pixels, and those of two halves."""

import numpy as np

from depthlens.chapters.inductive_bias.words import COLUMNS
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS
from depthlens.datasets.edges import IMAGE_SIZE
from depthlens.figures.sheet import Column
from depthlens.ledger import exactly
from depthlens.prose import count, percent

KINDS = {
    "plain": "pixels in place",
    "permuted": "pixels moved",
    "train": "edges in one half",
    "validation": "edges in the other",
}
_GAP = 2  # pixels between images
section = Section(
    __name__,
    title="What the networks see",
    text="An edge along a row, one along a column, none; in two sections also a slanted one, and "
    "both. The homework draws some edges that no pixel shows (those that start in the last row or "
    "column), slanted ones of width 1 only, and both edges at the same place; here every edge is "
    "seen, slanted ones are 1 to 4 pixels wide, and places are drawn apart. A permutation of the "
    "pixels moves all images alike. For the sections on new places, training edges lie in one half "
    "of the image and end at its middle, validation edges start in the other half.",
    columns=COLUMNS | {"kind": Column("images", KINDS.__getitem__)},
)
section.sweep(
    "gallery",
    "gallery",
    cells=lambda block: [{"seed": block["seeds"][0]}],
    settings=lambda block: {"location_ratio": block["domain_shift"]["location_ratio"]},
    tables=["gallery", "restored"],
)


@section.claim(
    "A permutation of the pixels loses nothing: it can be undone.",
    source=f"{INDUCTIVE_BIAS}, question 5",
    measure="share of the pixels that are as they were when the permutation is undone",
    over_seeds=False,
    at_least=1,
)
def permutation_loses_nothing(restored):
    return exactly(restored["same"].mean(), len(restored))


@section.figure(
    "Images of edges",
    shows="Training images of one seed, classes side by side · pixels of the second row are those "
    "of the first, moved by one permutation",
    alt="Four rows of small grey images: bright edges, the same as scattered points, edges in the "
    "upper or left half, edges in the lower or right half.",
)
def gallery(sheet, gallery):
    kinds = sheet.levels(gallery, "kind")
    axes = sheet.axes(1.2 * len(kinds), rows=len(kinds), columns=1)[:, 0]
    for ax, kind in zip(axes, kinds, strict=True):
        rows = gallery[gallery["kind"] == kind]
        classes = list(dict.fromkeys(rows["class"]))
        shown = rows.assign(place=rows["class"].map(classes.index)).sort_values(
            ["place", "example", "row", "column"], kind="stable"
        )
        images = shown["brightness"].to_numpy(float).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
        apart = np.pad(images, ((0, 0), (0, 0), (0, _GAP)), constant_values=np.nan)
        board = np.concatenate(list(apart), axis=1)
        ax.imshow(board, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        ax.set_anchor("W")
        of_class = (IMAGE_SIZE + _GAP) * len(images) / len(classes)
        ax.set_xticks(of_class * (np.arange(len(classes)) + 0.5), classes)
        ax.set(yticks=[], title=KINDS[kind])
        ax.tick_params(length=0)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
    shown = gallery.groupby("kind")["example"].nunique().sum()
    bright = gallery.loc[gallery["kind"] == "plain", "brightness"].mean() / 255
    return f"{count(shown)} images; those with pixels in place are {percent(bright)} bright."
