"""Shifted images: do answers stay (invariance), and do features move along (equivariance)?"""

import math

from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    seeds,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent, some
from depthlens.sweep import grid

LAYERS = {
    "conv1": "first convolution",
    "pool1": "first pooling",
    "conv2": "second convolution",
    "avgpool": "global average",
}
"""what features are read behind, by its name in the network"""


def error_text(value):
    """A relative error as a reader can compare it: "0.12", "3.1 · 10⁻⁷", "0"."""
    if math.isnan(value):
        return "—"
    if value == 0 or abs(value) >= 0.001:
        return number(value, 3) if value else "0"
    digits, exponent = f"{value:.1e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits.replace('-', '−')} · 10{power}"


section = Section(
    __name__,
    title="Shifted images",
    text="Networks learn edges of the upper and left half; new images of such edges are then "
    "shifted right and down, what comes in repeating the border. Equivariance is measured on the "
    "features: how far those of the shifted image are from the shifted features of the image, "
    "relative to their size, away from the borders. Behind a pooling, a shift by less than its "
    "stride has no counterpart among the features: where the homework says that without pooling a "
    "network is not invariant to shifts, it is the stride of the pooling that breaks it.",
    columns=COLUMNS
    | {
        "shift": Column("shift right and down, pixels", count),
        "probe": Column(
            "behind", LAYERS.__getitem__, dict(zip(LAYERS, style.palette(LAYERS), strict=True))
        ),
        "error": Column("relative error", error_text),
    },
)
section.sweep(
    "translation",
    "translation",
    cells=lambda block: grid(architecture=BOTH, seeds=seeds(block)),
    settings=lambda block: with_three_classes(block) | block["translation"],
    tables=["translation", "equivariance"],
)


@section.derived
def shifted(equivariance):
    """Errors where images were shifted at all."""
    return equivariance[equivariance["shift"] > 0]


def change(translation):
    """Accuracy at the largest shift less that without, by seed."""
    by_shift = translation.pivot(index="seed", columns="shift", values="accuracy")
    if 0 not in by_shift:
        raise NotTestableError("no image was left where it is")
    if by_shift.columns.max() == 0:
        raise NotTestableError("no image was shifted")
    return by_shift[by_shift.columns.max()] - by_shift[0]


@section.claim(
    "Answers of the convolutional network do not change with the place of an edge.",
    source=f"{INDUCTIVE_BIAS}, introduction; the threshold is ours",
    measure="accuracy at the largest shift minus without shift, convolutional network",
    networks=["cnn"],
    at_least=-0.02,
)
def cnn_keeps_its_answers(translation):
    return change(translation)


@section.claim(
    "Those of the MLP do.",
    source=f"{OURS}, of what the introduction of the homework says of convolutions",
    measure="accuracy at the largest shift minus without shift, MLP",
    networks=["mlp"],
    below=-0.1,
)
def mlp_loses_its_answers(translation):
    return change(translation)


@section.claim(
    "A convolution commutes with shifts.",
    source="Cohen, Welling (2016), arXiv 1602.07576",
    measure="largest relative error of the first convolution's features over the shifts, away from "
    "the borders",
    networks=["cnn"],
    at_most=1e-4,
)
def convolution_is_equivariant(equivariance):
    rows = equivariance.query("probe == 'conv1' and shift > 0")
    if rows.empty:
        raise NotTestableError("no image was shifted")
    return rows.groupby("seed")["error"].max()


@section.claim(
    "Pooling breaks that for shifts that its stride does not divide.",
    source="Zhang (2019), arXiv 1904.11486",
    measure="relative error behind the first pooling, mean over odd shifts",
    networks=["cnn"],
    above=0.01,
)
def pooling_breaks_equivariance(equivariance):
    odd = equivariance.query("probe == 'pool1' and shift % 2 == 1")
    if odd.empty:
        raise NotTestableError("no image was shifted by an odd number of pixels")
    return odd.groupby("seed")["error"].mean()


@section.figure(
    "Answers for shifted images",
    shows="New images, drawn like those learned from, shifted right and down",
    alt="Lines of accuracy over the shift in pixels, one a network.",
)
def translation(sheet, translation):
    images = " or ".join(map(count, sorted(set(translation["examples"]))))
    sheet.facts.append(f"{images} images, {some(translation['seed'].nunique(), 'seed')}")
    sheet.lines(sheet.axes(3.7), translation, "shift", "accuracy", hue="architecture")
    means = translation.groupby(["architecture", "shift"])["accuracy"].mean().unstack()
    said = [
        f"{NETWORKS[network]} {percent(row.iloc[0], 1)} shifted by {some(row.index[0], 'pixel')} "
        f"and {percent(row.iloc[-1], 1)} by {count(row.index[-1])}"
        for network, row in means.iterrows()
    ]
    return f"Right answers: {'; '.join(said)}."


@section.figure(
    "Features of shifted images",
    shows="Distance of the features of the shifted image from the shifted features of the image, "
    "relative to their size, away from the borders",
    alt="Lines of relative error over the shift in pixels, one a layer; on the left in orders of "
    "magnitude, on the right on a plain scale.",
)
def equivariance(sheet, shifted):
    sheet.facts.append(some(shifted["seed"].nunique(), "seed"))
    # Magnitudes tell what is exact but for rounding, the plain scale how much the rest differs.
    magnitudes, plain = sheet.axes(3.8, columns=2)[0]
    for ax in (magnitudes, plain):
        sheet.lines(ax, shifted, "shift", "error", hue="probe")
    positive = shifted.loc[shifted["error"] > 0, "error"]
    if len(positive):
        # Below the smallest error the axis is linear, down to 0.
        magnitudes.set_yscale("symlog", linthresh=10.0 ** math.floor(math.log10(positive.min())))
    sheet.legend(ncols=len(LAYERS))
    magnitudes.set(title="In orders of magnitude", ylim=(0, None))
    plain.set(title="The same on a plain scale", ylabel="", ylim=(0, None))
    of_convolution = shifted.loc[shifted["probe"] == "conv1", "error"].max()
    pooled = shifted[shifted["probe"] == "pool1"]
    means = pooled.groupby(pooled["shift"].mod(2).map({1: "odd", 0: "even"}))["error"].mean()
    said = [f"{error_text(mean)} for {parity} shifts" for parity, mean in means.items()]
    return (
        f"Behind the first convolution the relative error is at most {error_text(of_convolution)}; "
        f"behind the first pooling it is {joined(said)}, on average."
    )


section.table(
    "translation",
    "Accuracy on shifted images, mean over seeds",
    lambda translation: translation,
    keys=["architecture", "shift"],
    values=["accuracy"],
)
section.table(
    "equivariance",
    "Relative error of the features of shifted images, mean over seeds",
    lambda equivariance: equivariance,
    keys=["probe", "shift"],
    values=["error"],
)
