"""Figures about edges in new places: accuracy by epoch, and what is taken for what."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters.inductive_bias.course_lines import draw_course, label_lines, networks_of
from depthlens.chapters.inductive_bias.domain_shift_measures import (
    RECIPES,
    at_the_end,
    mistakes,
)
from depthlens.chapters.inductive_bias.words import NETWORKS, sizes_of
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, percent, some


def course(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy by epoch on training and validation images, a panel a recipe.

    Parameters
    ----------
    table : DataFrame
        `domain_shift`.
    confidence_level : float
    """
    recipes = _recipes_of(table)
    figure, axes = style.canvas(3.5, columns=len(recipes), sharey=True)
    for ax, recipe in zip(axes[0], recipes, strict=True):
        own = table[table["recipe"] == recipe]
        draw_course(ax, own, "accuracy", confidence_level=confidence_level, most=1)
        passes = some(own["epoch"].max(), "pass", "passes")
        ax.set_title(f"{RECIPES[recipe].capitalize()}, {passes}")
        ax.set_ylim(0, 1.03)
        plots.percent_axis(ax.yaxis)
    axes[0, 0].set_ylabel("images answered right")
    label_lines(figure, networks_of(table))
    title = "Edges where no edge was"
    style.frame(
        figure,
        title=title,
        subtitle="Accuracy along the training; edges of validation images lie where those of no "
        f"training image do\n{sizes_of(table)} · {sizes_of(table, 'validation').split(',')[0]} · "
        f"bands: {percent(confidence_level)} intervals of the mean over seeds",
    )
    means = at_the_end(table).groupby(["recipe", "architecture", "split"])["accuracy"].mean()
    said = []
    for recipe in recipes:
        of_each = [
            f"{percent(means[recipe, name, 'validation'], 1)} of the validation images "
            f"(training images: {percent(means[recipe, name, 'train'], 1)}) by the "
            f"{NETWORKS[name]}"
            for name in networks_of(table)
        ]
        said.append(f"with {RECIPES[recipe]} {joined(of_each)}")
    sentence = f"Answered right at the end are {'; '.join(said)}."
    alt = (
        "Lines of accuracy by passes over the training images, a panel for each way to train: for "
        "each network one of validation images and a pale one of training images."
    )
    return Drawing(figure, title, sentence, alt)


def confusion(answers: pd.DataFrame) -> Drawing:
    """What is taken for what at the end, a panel for each recipe and network.

    Parameters
    ----------
    answers : DataFrame
        `domain_shift_answers`.
    """
    ends = at_the_end(answers)
    classes = list(dict.fromkeys([*ends["label"], *ends["prediction"]]))
    panels = [(recipe, name) for recipe in _recipes_of(ends) for name in networks_of(ends)]
    figure, axes = style.canvas(2.7, columns=len(panels), sharey=True)
    for ax, (recipe, name) in zip(axes[0], panels, strict=True):
        own = ends[(ends["recipe"] == recipe) & (ends["architecture"] == name)]
        counts = pd.crosstab(own["label"], own["prediction"])
        counts = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
        _draw_counts(ax, counts, classes)
        # An MLP has no kernels: of the recipe it has the passes alone.
        how = some(own["epoch"].max(), "pass", "passes") if name == "mlp" else RECIPES[recipe]
        ax.set_title(f"{NETWORKS[name][0].upper()}{NETWORKS[name][1:]},\n{how}")
    axes[0, 0].set_ylabel("what the image shows")
    title = "What edges in new places are taken for"
    n = ends.groupby(["recipe", "architecture", "seed"]).size().max()
    style.frame(
        figure,
        title=title,
        subtitle="Number of answers at the end of the training, all seeds together, and their "
        f"share of the row (also as colour)\n{count(n)} validation images, "
        f"{some(ends['seed'].nunique(), 'seed')}",
        xlabel="what the network says",
    )
    alt = (
        "Squares of numbers, one for each network and way to train: kinds of images in rows, "
        "answers in columns, darker where more of a row are."
    )
    return Drawing(figure, title, _errors_said(answers), alt)


def _errors_said(answers: pd.DataFrame) -> str:
    sums = mistakes(answers).groupby(["recipe", "architecture"])[["errors", "none"]].sum()
    said = []
    for recipe in _recipes_of(answers):
        of_each = [
            "{1} of {0} by the {2}".format(*map(count, sums.loc[(recipe, name)]), NETWORKS[name])
            for name in networks_of(answers)
        ]
        said.append(f"with {RECIPES[recipe]} {joined(of_each)}")
    return (
        f"Errors on images with an edge that say none, all seeds together: {'; '.join(said)}. The "
        "other errors say the other orientation."
    )


def _draw_counts(ax: Axes, counts: np.ndarray, classes: list[str]) -> None:
    """A confusion matrix: counts and shares of the rows."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    for (row, column), share in np.ndenumerate(shares):
        ax.text(
            column, row, f"{count(counts[row, column])}\n{percent(share)}",
            ha="center", va="center", fontsize=8, color="white" if share > 0.55 else style.INK,
        )  # fmt: skip
    places = range(len(classes))
    ax.set_xticks(places, classes, size=7.5)
    ax.set_yticks(places, classes, size=8.5)
    ax.grid(False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _recipes_of(table: pd.DataFrame) -> list[str]:
    return [recipe for recipe in RECIPES if recipe in set(table["recipe"])]
