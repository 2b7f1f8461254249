"""Longer training with fewer and more images: how far does it get, and after how many passes?"""

from depthlens.chapters.inductive_bias.leads import with_fewest, with_most
from depthlens.chapters.inductive_bias.words import (
    COLUMNS,
    NETWORKS,
    at_the_end,
    sizes_of,
    validated,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent, some

WANTED = 0.9
"""validation accuracy until which passes are counted"""
section = Section(
    __name__,
    title="Images and passes that it takes",
    text="The networks of the section before, with fewer and with more images. Passes are counted "
    f"until the validation accuracy first is {percent(WANTED)} when the network is looked at, "
    "every thirtieth of its training; a network that never gets there counts twice its passes.",
    columns=COLUMNS | {"passes": Column("passes needed")},
)


@section.derived
def ends(longer):
    return at_the_end(longer, "validation")


@section.derived
def needed(longer):
    """Passes that each network needed: `architecture`, `images`, `seed`, `passes`, `never`."""
    keys = ["dataset", "architecture", "images", "seed"]
    rows = validated(longer)
    first = rows[rows["accuracy"] >= WANTED].groupby(keys)["epoch"].min()
    all_of_them = rows.groupby(keys)["epoch"].max().rename("most").to_frame()
    found = all_of_them.assign(passes=first).reset_index()
    never = found["passes"].isna()
    return found.assign(passes=found["passes"].fillna(2 * found["most"]), never=never)


def by_images(ends):
    """Validation accuracy at the end: a row a seed, a column a number of images."""
    return ends.pivot(index="seed", columns="images", values="accuracy")


@section.claim(
    "With many images the convolutional network, trained longer, gets four in five right.",
    source=f"{INDUCTIVE_BIAS}, question 3",
    measure="validation accuracy at the end with the most images, convolutional network",
    networks=["cnn"],
    printed="at least 80 % with 50 images a class",
    at_least=0.8,
)
def cnn_right_with_many(ends):
    return with_most(by_images(ends))


@section.claim(
    "With few images it gets nine in ten right.",
    source=f"{INDUCTIVE_BIAS}, question 3",
    measure="validation accuracy at the end with the fewest images, convolutional network",
    networks=["cnn"],
    printed="at least 90 % with 10 images a class",
    at_least=0.9,
)
def cnn_right_with_few(ends):
    return with_fewest(by_images(ends))


@section.claim(
    "The convolutional network needs fewer passes.",
    source=f"{INDUCTIVE_BIAS}, introduction; 90 % is ours",
    measure=f"passes until the validation accuracy is {percent(WANTED)}, with the most images, "
    "convolutional network minus MLP; a network that never gets there counts twice its passes",
    networks=["cnn", "mlp"],
    below=0,
)
def cnn_needs_fewer_passes(needed):
    passes = needed.pivot(index="seed", columns=["architecture", "images"], values="passes")
    if needed["never"].all():
        raise NotTestableError(f"no network got {percent(WANTED)} right")
    return with_most(passes["cnn"]) - with_most(passes["mlp"])


@section.figure(
    "Images and passes that it takes",
    shows=f"Left: accuracy on validation images at the end · right: passes until {percent(WANTED)} "
    "of them are right; never counts twice the passes",
    alt="Lines by the number of training images, one a network: on the left validation accuracy, "
    "on the right passes needed.",
)
def longer_by_images(sheet, longer, ends, needed):
    sheet.facts.append(sizes_of(longer))
    left, right = sheet.axes(3.5, columns=2)[0]
    look = {"hue": "architecture", "err_style": "bars"}
    sheet.lines(left, ends, "images", "accuracy", **look)
    sheet.lines(right, needed, "images", "passes", **look)
    most = needed[needed["images"] == needed["images"].max()]
    said = [
        f"the {NETWORKS[name]} needs {number(own['passes'].mean(), 0)} passes (never in "
        f"{some(int(own['never'].sum()), 'seed')})"
        for name, own in most.groupby("architecture")
    ]
    images = some(max(needed["images"]), "training image")
    return f"With {images} a class, {joined(said)}, in the mean."


section.table(
    "longer-by-images",
    "Validation accuracy at the end by the number of training images, mean over seeds",
    lambda ends: ends.sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["accuracy"],
)
section.table(
    "longer-passes",
    f"Passes until {percent(WANTED)} of the validation images are right, mean over seeds",
    lambda needed: needed.sort_values("images", kind="stable"),
    keys=["images", "architecture"],
    values=["passes"],
)
