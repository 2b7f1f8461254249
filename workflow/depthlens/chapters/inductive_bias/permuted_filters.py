"""Filters learned from images whose pixels were moved: are they as smooth?"""

from depthlens.chapters.inductive_bias import filter_pictures, steps
from depthlens.chapters.inductive_bias.filter_pictures import roughness_of_each
from depthlens.chapters.inductive_bias.words import COLUMNS, sizes_of, with_most_images
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures.sheet import Column
from depthlens.prose import joined, number

WAYS = {False: "in place", True: "moved"}
section = Section(
    __name__,
    title="Filters where neighbours mean nothing",
    text="Weights of the first convolution after training on images with pixels in place, and with "
    "pixels moved. Roughness is how unlike neighbouring weights are, 1 where they are drawn at "
    "random.",
    columns=COLUMNS
    | {"permuted": Column("pixels", WAYS.__getitem__), "roughness": Column("roughness")},
)


@section.derived
def learned(permuted_kernels):
    return permuted_kernels[permuted_kernels["moment"] == "after"]


@section.derived
def rough(learned):
    """Roughness after training, a row a way, number of images and seed."""
    return steps.rough_by(learned, ["permuted", "images"])


@section.claim(
    "Filters learned from moved pixels look more at random.",
    source=f"{OURS}, of what question 5 of the homework asks",
    measure="roughness of the filters of the first convolution after training, pixels moved minus "
    "in place, mean over the numbers of images",
    networks=["cnn"],
    above=0,
)
def kernels_rougher_when_permuted(rough):
    by_way = rough.pivot(index="seed", columns=["permuted", "images"], values="roughness")
    # A seed that lacks a number of images has no mean.
    return (by_way[True] - by_way[False]).mean(axis=1, skipna=False)


@section.figure(
    "Filters where neighbours mean nothing",
    shows="Weights after training on the most images; above each its roughness, 1 for weights "
    "drawn at random · one scale: blue is negative, red positive",
    alt="Small squares of weights, a row for images with pixels in place and one with moved ones.",
)
def permuted_kernels(sheet, learned, rough, permuted):
    most = with_most_images(learned)
    shown = filter_pictures.show(sheet, most, "permuted", roughness_of_each)
    sheet.facts.append(f"{sizes_of(with_most_images(permuted))}, {shown} shown")
    means = rough.groupby("permuted")["roughness"].mean()
    said = [f"{number(mean)} with pixels {WAYS[moved]}" for moved, mean in means.items()]
    return f"Their roughness is {joined(said)}, mean over numbers of images and seeds."


section.table(
    "permuted-kernels",
    "Roughness of the filters of the first convolution after training, mean over seeds",
    lambda rough: rough.sort_values(["images", "permuted"], kind="stable"),
    keys=["images", "permuted"],
    values=["roughness"],
)
