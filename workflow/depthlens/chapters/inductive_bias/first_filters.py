"""Filters of the first convolution: what do they become, and from how many images?"""

from depthlens.chapters.inductive_bias import filter_pictures, steps
from depthlens.chapters.inductive_bias.filter_pictures import roughness_of_each
from depthlens.chapters.inductive_bias.words import COLUMNS, sizes_of, with_most_images
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, number

section = Section(
    __name__,
    title="Filters of the first convolution",
    text="Weights of the convolutional network before the first step and after the last, where it "
    "learns a few images by heart and where it is trained longer on few and on more images. "
    "Roughness is how unlike neighbouring weights are: 1 where they are drawn at random, less "
    "where a filter has areas of one sign, as a detector of edges has.",
    columns=COLUMNS
    | {
        "moment": Column("training"),
        "likeness": Column("cosine"),
        "roughness": Column("roughness"),
    },
)


@section.derived
def of_most(longer_kernels):
    return with_most_images(longer_kernels)


@section.derived
def likeness(of_most):
    return steps.by_seed(of_most)


@section.derived
def learned(longer_kernels):
    return longer_kernels[longer_kernels["moment"] == "after"]


@section.derived
def rough(learned):
    """Roughness after training, a row a number of images and seed."""
    return steps.rough_by(learned, ["images"])


@section.claim(
    "Filters of the first convolution become edge detectors.",
    source=f"{OURS}, of what question 1 of the homework asks",
    measure="largest absolute cosine of a filter of the first convolution with an edge detector (a "
    "step along a row or column), mean over filters, after minus before",
    networks=["cnn"],
    above=0,
)
def kernels_become_edge_detectors(likeness):
    cosine = likeness.pivot(index="seed", columns="moment", values="likeness")
    return cosine["after"] - cosine["before"]


@section.claim(
    "Filters learned from fewer images look more at random.",
    source=f"{OURS}, of what question 2 of the homework asks, with the training of question 3",
    measure="roughness of the filters of the first convolution after training, fewest images minus "
    "most",
    networks=["cnn"],
    above=0,
)
def kernels_rougher_with_few(rough):
    by_images = rough.pivot(index="seed", columns="images", values="roughness")
    if len(by_images.columns) < 2:
        raise NotTestableError("networks were trained on one number of images only")
    return by_images[min(by_images)] - by_images[max(by_images)]


SCALE = "one scale: blue is negative, red positive"
COSINE = "above each its larger absolute cosine with a step along rows or columns, 1 for an edge "
ALT = "Small squares of weights, filters before the training above, after it below."


@section.figure(
    "Filters of the first convolution",
    shows=f"Weights before and after longer training with the most images; {COSINE}detector · "
    f"{SCALE}",
    alt=ALT,
)
def kernels(sheet, of_most, likeness, longer):
    shown = filter_pictures.show(sheet, of_most, "moment", steps.likeness)
    sheet.facts.append(f"{sizes_of(with_most_images(longer))}, {shown} shown")
    means = likeness.groupby("moment")["likeness"].mean()
    return (
        f"The cosine of a filter with the nearer step is {number(means['before'])} before the "
        f"training and {number(means['after'])} after it, in the mean over filters and seeds."
    )


@section.figure(
    "Filters learned from few and from more images",
    shows="Weights after longer training, a row a number of training images a class; above each "
    f"its roughness, 1 for weights drawn at random · {SCALE}",
    alt="Small squares of weights, a row of filters for each number of training images.",
)
def kernels_by_images(sheet, learned, rough, longer):
    shown = filter_pictures.show(sheet, learned, "images", roughness_of_each)
    sheet.facts.append(f"{sizes_of(longer)}, {shown} shown")
    means = rough.groupby("images")["roughness"].mean()
    return (
        f"Their roughness is {number(means.iloc[0])} with {count(means.index[0])} images a class "
        f"and {number(means.iloc[-1])} with {count(means.index[-1])}, in the mean over seeds."
    )


@section.figure(
    "Filters of a few images learned by heart",
    shows=f"Weights before and after; {COSINE}detector · {SCALE}",
    alt=ALT,
)
def kernels_by_heart(sheet, overfit_kernels, overfit):
    shown = filter_pictures.show(sheet, overfit_kernels, "moment", steps.likeness)
    sheet.facts.append(f"{sizes_of(overfit)}, {shown} shown")
    means = steps.by_seed(overfit_kernels).groupby("moment")["likeness"].mean()
    return (
        f"The cosine with the nearer step goes from {number(means['before'])} to "
        f"{number(means['after'])}, in the mean over filters and seeds."
    )


section.table(
    "longer-kernels",
    "Larger absolute cosine of filters of the first convolution with a step along rows or columns, "
    "mean over filters and seeds",
    lambda likeness: likeness,
    keys=["moment"],
    values=["likeness"],
)
section.table(
    "kernels-by-images",
    "Roughness of the filters after longer training, mean over seeds",
    lambda rough: rough.sort_values("images", kind="stable"),
    keys=["images"],
    values=["roughness"],
)
