"""Edges in new places, from few images and from more: what does the shift cost?"""

from depthlens.chapters.inductive_bias.domain_shift import RECIPES, last_of_recipe
from depthlens.chapters.inductive_bias.leads import with_fewest
from depthlens.chapters.inductive_bias.words import COLUMNS, NETWORKS, sizes_of
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.figures.sheet import Column
from depthlens.prose import joined, percent

section = Section(
    __name__,
    title="Edges in new places, by number of images",
    text="The two ways to train of the section before, with fewer and with more images; and the "
    "first of them on images whose edges lie everywhere, in training as in validation.",
    columns=COLUMNS | {"recipe": Column("recipe", RECIPES.__getitem__)},
)


@section.derived
def validated(domain_shift):
    """Rows about validation images at the end of each recipe."""
    return domain_shift[last_of_recipe(domain_shift) & (domain_shift["split"] == "validation")]


def by_images(validated, recipe):
    """Validation accuracy: a row a seed, a column a number of images."""
    rows = validated[validated["recipe"] == recipe]
    return rows.pivot(index="seed", columns="images", values="accuracy")


@section.claim(
    "From few images, too, small kernels and longer training carry over to new places.",
    source=f"{INDUCTIVE_BIAS}, question 4",
    measure="validation accuracy at the end with the fewest images, small kernels, convolutional "
    "network",
    networks=["cnn"],
    printed="at least 80 % with 10 images a class",
    at_least=0.8,
)
def small_kernels_carry_over_from_few(validated):
    return with_fewest(by_images(validated, "small_kernels"))


def cost(network):
    return section.claim(
        f"New places cost the {NETWORKS[network]} accuracy.",
        source=f"{INDUCTIVE_BIAS}, question 4",
        measure="validation accuracy with large kernels, with minus without shift, mean over the "
        f"numbers of images, {NETWORKS[network]}",
        networks=[network],
        below=0,
    )


def with_minus_without(validated):
    difference = by_images(validated, "large_kernels") - by_images(validated, "without_shift")
    # A seed that lacks a number of images has no mean.
    return difference.mean(axis=1, skipna=False)


@cost("cnn")
def new_places_cost_the_cnn(validated):
    return with_minus_without(validated)


@cost("mlp")
def new_places_cost_the_mlp(validated):
    return with_minus_without(validated)


@section.claim(
    "The MLP does not carry over, however long it is trained.",
    source=f"{OURS}, of what question 4 of the homework asks",
    measure="largest validation accuracy over the numbers of images at the end of the longer "
    "training, MLP",
    networks=["mlp"],
    at_most=0.5,
)
def mlp_does_not_carry_over(validated):
    return by_images(validated, "small_kernels").max(axis=1, skipna=False)


@section.figure(
    "Edges in new places, by number of images",
    shows="Accuracy on validation images at the end of the training",
    alt="Lines of validation accuracy by the number of training images, one a network, a panel for "
    "each way to train and one without shift.",
)
def new_places(sheet, domain_shift, validated):
    sheet.facts.append(sizes_of(domain_shift))
    for ax, _, rows in sheet.panels(validated, "recipe", 3.3):
        sheet.lines(ax, rows, "images", "accuracy", hue="architecture", err_style="bars")
    means = validated.groupby(["recipe", "architecture"], sort=False)["accuracy"].mean()
    said = [
        f"{NETWORKS[network]} {percent(mean, 1)} ({RECIPES[recipe]})"
        for (recipe, network), mean in means.items()
    ]
    return f"Of the validation images are right, mean over numbers of images: {joined(said)}."


section.table(
    "new-places",
    "Validation accuracy by the number of training images, mean over seeds",
    lambda validated: validated.sort_values(["recipe", "images"], kind="stable"),
    keys=["recipe", "images", "architecture"],
    values=["accuracy"],
)
