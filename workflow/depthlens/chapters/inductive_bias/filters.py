"""Filters by hand: what do averages and the Laplacian make of a picture, and of its noise?"""

import numpy as np
from scipy import ndimage

from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError, exactly
from depthlens.prose import count, number, percent
from depthlens.sweep import grid

PICTURES = {"edges": "Edges with noise", "photograph": "Photograph", "noise": "Noise alone"}
FULL_COLOUR = 0.99
"""share of the pixels that the colours of the Laplacian tell apart"""


def size_of(name):
    """n of a filter `average n`; 0 of another."""
    word, _, size = name.partition(" ")
    return int(size) if word == "average" else 0


def written(name):
    size = size_of(name)
    return {"none": "no filter", "laplacian": "Laplacian"}.get(name, f"average of {size}×{size}")


section = Section(
    __name__,
    title="Filters by hand",
    text="An averaging filter of n×n has weights of 1/n²; the Laplacian is four times the pixel "
    "less its four neighbours, with the sign turned. Above, an image of both edges with noise; "
    "below, a photograph. The homework divides by 9 whatever the size, which makes its averages of "
    "6×6 and 9×9 four and nine times too bright; here they are not. What is left of the noise is "
    "measured on a large image of noise alone, too: that of edges has too few places for a large "
    "average.",
    columns={
        "picture": Column("picture", PICTURES.__getitem__, dict.fromkeys(PICTURES, "")),
        "filter": Column("filter", written),
        "std": Column("standard deviation"),
        "min": Column("smallest"),
        "max": Column("largest"),
        "left": Column("variance of the noise, over that without filter"),
        "count": Column("pixels", count),
    },
)
section.sweep(
    "filters",
    "filters",
    cells=lambda block: grid(picture=list(PICTURES)),
    settings=lambda block: {
        "averaging_sizes": block["averaging_sizes"],
        "files": {"photograph": {"picture": block["picture"]}},
    },
)


def as_image(rows, name, column):
    """A column of one picture behind a filter, shape (height, width)."""
    own = rows[rows["filter"] == name]
    if own.empty:
        raise NotTestableError(f"there is no picture with the filter {name}")
    return own.pivot(index="row", columns="column", values=column).to_numpy(np.float64)


def variance_left(rows, name, *, border):
    """Variance of the filtered noise over that of the noise, and of how many pixels.

    What a filter sees at the border is reflected: so many rows and columns there do not count.
    """
    inside = slice(border, -border if border else None)
    before, after = (as_image(rows, kind, "noise")[inside, inside] for kind in ("none", name))
    if before.size < 2:
        raise NotTestableError(f"the image has no pixels farther than {border} from its borders")
    if not before.var():
        raise NotTestableError("the image has no noise")
    return float(after.var() / before.var()), before.size


@section.derived
def edges(filters):
    """The image of which it is known what noise it has."""
    return filters[filters["picture"] == "edges"].assign(architecture="no network")


@section.derived
def noise(filters):
    """The large image of noise alone."""
    return filters[filters["picture"] == "noise"].assign(architecture="no network")


def divided(where):
    return section.claim(
        "Averaging n×n divides the variance of noise by n².",
        source=f"{OURS}, after any textbook on image processing",
        measure=f"variance of the noise over n² times the variance of the averaged noise, largest n"
        f"{where}",
        over_seeds=False,
        at_least=0.8,
        at_most=1.25,
    )


def by_the_largest(rows):
    size = max(map(size_of, rows["filter"].unique()))
    if not size:
        raise NotTestableError("the sweep has no averaging filter")
    left, n = variance_left(rows, f"average {size}", border=size)
    return exactly(1 / (size**2 * left), n)


@divided("")
def averaging_divides_noise(edges):
    return by_the_largest(edges)


@divided(", of a large image")
def averaging_divides_noise_of_a_large_image(noise):
    return by_the_largest(noise)


@section.claim(
    "The Laplacian is zero where brightness is even.",
    source=f"{OURS}, after any textbook on image processing",
    measure="largest absolute Laplacian of the image without its noise, away from edges",
    over_seeds=False,
    at_most=1e-6,
)
def laplacian_is_blind_to_even_ground(edges):
    noisy, noise, filtered, of_noise = (
        as_image(edges, name, column)
        for name in ("none", "laplacian")
        for column in ("value", "noise")
    )
    # The clean image has 256 levels; the difference has them but for rounding.
    levels = np.round((noisy - noise) * 255)
    around = {"size": 3, "mode": "mirror"}
    even = ndimage.maximum_filter(levels, **around) == ndimage.minimum_filter(levels, **around)
    if not even.any():
        raise NotTestableError("the image is nowhere even")
    return exactly(np.abs(filtered - of_noise)[even].max(), int(even.sum()))


@section.derived
def noise_left(noise):
    """Share of the variance of the noise that each filter leaves, where that is known."""
    found = {}
    for name in noise["filter"].unique():
        try:
            # One pixel is as far as the Laplacian looks.
            found[name] = variance_left(noise, name, border=size_of(name) or 1)[0]
        except NotTestableError:
            found[name] = np.nan
    return found


@section.figure(
    "What filters by hand make of a picture",
    shows="In grey: from black (0 or less) to white (1 or more) · Laplacian: blue below 0, white "
    f"0, red above; the strongest {percent(1 - FULL_COLOUR)} lie beyond the scale",
    alt="Two pictures, without a filter and behind each: averages blur them, the Laplacian leaves "
    "their outlines and their noise.",
)
def filters(sheet, filters, noise_left):
    pictures = [name for name in sheet.levels(filters, "picture") if name != "noise"]
    axes = sheet.axes(2.4 * len(pictures), rows=len(pictures), columns=len(noise_left))
    for row, picture in zip(np.atleast_2d(axes), pictures, strict=True):
        own = filters[filters["picture"] == picture]
        for ax, name in zip(row, noise_left, strict=True):
            image = as_image(own, name, "value")
            title = f"{PICTURES[picture]},\n{written(name)}"
            look = {"cmap": "gray", "vmin": 0, "vmax": 1}
            if name == "laplacian":
                most = float(np.quantile(np.abs(image), FULL_COLOUR)) or 1.0
                look = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
                title += f", {number(-most, 1)} … {number(most, 1)}"
            ax.imshow(image, interpolation="nearest", **look)
            ax.set_title(title, fontsize=8.5)
            ax.set_axis_off()
    said = [
        f"an average of {size}×{size} leaves {percent(left, 1)} (1/n² is {percent(1 / size**2, 1)})"
        for name, left in noise_left.items()
        if (size := size_of(name)) and np.isfinite(left)
    ]
    if not said:
        return "What averages leave of the noise cannot be said of this image."
    return f"Of the variance of the noise, {'; '.join(said)}."


@section.derived
def brightness(filters, noise_left):
    kinds = ["mean", "std", "min", "max", "count"]
    by_filter = filters.groupby(["picture", "filter"], sort=False)["value"]
    found = by_filter.agg(["mean", lambda v: v.std(ddof=0), "min", "max", "count"])
    found = found.set_axis(kinds, axis=1).reset_index()
    known = found["filter"].map(noise_left)
    return found.assign(left=known.where(found["picture"] == "noise"))


section.table(
    "filters",
    "Brightness of filtered pictures (1 is white), and what is left of the noise",
    lambda brightness: brightness,
    keys=["picture", "filter"],
    values=["mean", "std", "min", "max", "left", "count"],
)
