"""Edges where no edge was: who notices, and what are they taken for?"""

import pandas as pd
import seaborn as sns

from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    course,
    sizes_of,
    with_most_images,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, percent

SHIFTED = ("large_kernels", "small_kernels")
RECIPES = {
    "large_kernels": "large kernels",
    "small_kernels": "small kernels",
    "without_shift": "large kernels, no shift",
}
section = Section(
    __name__,
    title="Edges in new places",
    text="Training edges lie in the upper or left half of the image and end at its middle; "
    "validation edges start in the lower or right half. So no validation edge has a row or column "
    "with a training edge of its kind, though edges along columns cross all rows. Two ways to "
    "train, here with the most images: kernels of 7×7, and for longer with kernels of 3×3.",
    columns=COLUMNS
    | {
        "recipe": Column("recipe", RECIPES.__getitem__),
        "edge": Column("images", count),
        "wrong": Column("errors", count),
        "none": Column("say none", count),
        "swapped": Column("say the other edge", count),
    },
)


def settings(block):
    own = block["domain_shift"]
    recipes = {
        "without_shift": own["large_kernels"],
        **{name: own[name] | {"location_ratio": own["location_ratio"]} for name in SHIFTED},
    }
    return with_three_classes(block) | {"recipes": recipes}


course(
    section,
    "domain_shift",
    settings=settings,
    tables=["answers"],
    architecture=BOTH,
    recipe=list(RECIPES),
    images=lambda block: block["domain_shift"]["images"],
)


@section.derived
def curves(domain_shift):
    """Rows about the most images, with a shift."""
    return with_most_images(domain_shift[domain_shift["recipe"].isin(SHIFTED)])


@section.derived
def ends(curves):
    return curves[last_of_recipe(curves)]


@section.derived
def answers(domain_shift_answers):
    """What networks say at the end; `none` and `swapped` of images with an edge."""
    rows = domain_shift_answers
    shifted = with_most_images(rows[rows["recipe"].isin(SHIFTED)])
    last = shifted[last_of_recipe(shifted)]
    none, edge = last["prediction"] == "none", last["label"] != "none"
    wrong = edge & (last["prediction"] != last["label"])
    return last.assign(edge=edge, wrong=wrong, none=wrong & none, swapped=wrong & ~none)


def last_of_recipe(table):
    return table["epoch"] == table.groupby("recipe")["epoch"].transform("max")


def share_of_errors(answers, kind):
    """Share of the errors with large kernels that are of a kind, by seed; none without errors."""
    wrong = answers[answers["wrong"] & (answers["recipe"] == "large_kernels")]
    if wrong.empty:
        raise NotTestableError("no network is wrong about an image with an edge")
    return wrong.groupby("seed")[kind].mean()


def validated(ends):
    """Validation accuracy with small kernels: a row a seed, a column a network."""
    rows = ends[(ends["recipe"] == "small_kernels") & (ends["split"] == "validation")]
    return rows.pivot(index="seed", columns="architecture", values="accuracy")


@section.claim(
    "The convolutional network calls edges in new places none.",
    source=f"{INDUCTIVE_BIAS}, question 4; the threshold is ours",
    measure="share of its errors on images with an edge that say none, large kernels",
    networks=["cnn"],
    at_least=0.5,
)
def cnn_misses_shifted_edges(answers):
    return share_of_errors(answers, "none")


@section.claim(
    "The MLP takes one orientation for the other.",
    source=f"{INDUCTIVE_BIAS}, question 4; the threshold is ours",
    measure="share of its errors on images with an edge that say the other orientation, large "
    "kernels",
    networks=["mlp"],
    at_least=0.5,
)
def mlp_swaps_orientations(answers):
    return share_of_errors(answers, "swapped")


@section.claim(
    "With small kernels and longer training the convolutional network recognises edges in new "
    "places.",
    source=f"{OURS}, stricter and with more images than question 4 of the homework",
    measure="validation accuracy at the end, small kernels",
    networks=["cnn"],
    at_least=0.9,
)
def small_kernels_carry_over(ends):
    return validated(ends)["cnn"]


@section.claim(
    "It is ahead of the MLP there.",
    source=f"{OURS}, of what question 4 of the homework asks",
    measure="validation accuracy, convolutional network minus MLP, small kernels",
    networks=["cnn", "mlp"],
    above=0,
)
def cnn_ahead_under_shift(ends):
    accuracy = validated(ends)
    return accuracy["cnn"] - accuracy["mlp"]


@section.figure(
    "Edges in new places",
    shows="Accuracy along the training; edges of validation images start where those of training "
    "images have ended",
    alt="Lines of accuracy by passes over the training images, a panel for each way to train: for "
    "each network a full line of training images and a dashed one of validation images.",
)
def domain_shift(sheet, curves, ends):
    sheet.facts.append(sizes_of(curves))
    for ax, _, rows in sheet.panels(curves, "recipe", 3.5):
        sheet.lines(ax, rows, "epoch", "accuracy", hue="architecture", style="split", markers=False)
    means = ends.groupby(["recipe", "architecture", "split"])["accuracy"].mean()
    said = [
        f"the {NETWORKS[network]} with {RECIPES[recipe]} {percent(of['validation'], 1)} (of the "
        f"training images {percent(of['train'], 1)})"
        for (recipe, network), of in means.unstack().iterrows()
    ]
    return f"Of the validation images, at the end {joined(said)} are right."


@section.figure(
    "What edges in new places are taken for",
    shows="Answers at the end of the training, all seeds together: their share of the row as "
    "number and colour",
    alt="Squares of numbers, one for each network and way to train: kinds of images in rows, "
    "answers in columns, darker where more of a row are.",
)
def domain_shift_confusion(sheet, answers):
    sheet.facts.append(f"{count(len(answers))} answers")
    classes = list(dict.fromkeys([*answers["label"], *answers["prediction"]]))
    panels = answers.assign(
        panel=answers["architecture"].map(NETWORKS) + ",\n" + answers["recipe"].map(RECIPES)
    )
    for ax, _, rows in sheet.panels(panels, "panel", 3.2, most_columns=4):
        shares = pd.crosstab(rows["label"], rows["prediction"], normalize="index")
        sns.heatmap(
            shares.reindex(index=classes, columns=classes, fill_value=0),
            ax=ax, cmap="Blues", vmin=0, vmax=1, annot=True, fmt=".0%", cbar=False,
        )  # fmt: skip
        ax.set(xlabel="what the network says", ylabel="what the image shows")
        ax.tick_params("x", rotation=45)
        ax.tick_params("y", rotation=0)
        ax.grid(visible=False)
    errors = answers.groupby(["recipe", "architecture"])[["wrong", "none"]].sum()
    said = [
        f"{count(row['none'])} of {count(row['wrong'])} by the {NETWORKS[network]} with "
        f"{RECIPES[recipe]}"
        for (recipe, network), row in errors.iterrows()
    ]
    return f"Errors on images with an edge that say none: {joined(said)}."


section.table(
    "domain-shift",
    "Accuracy at the end of the training, mean over seeds",
    lambda ends: ends,
    keys=["recipe", "architecture", "epoch", "split"],
    values=["accuracy"],
)
section.table(
    "domain-shift-errors",
    "Errors on validation images with an edge, all seeds together",
    lambda answers: (
        answers[answers["edge"]]
        .groupby(["recipe", "architecture"], sort=False)[["edge", "wrong", "none", "swapped"]]
        .sum()
        .reset_index()
    ),
    keys=["recipe", "architecture"],
    values=["edge", "wrong", "none", "swapped"],
)
