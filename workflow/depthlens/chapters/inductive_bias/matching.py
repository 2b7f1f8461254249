"""How many images is an assumption worth, and does a search over settings save the MLP?"""

import math

import pandas as pd
from matplotlib.ticker import LogLocator

from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    learning,
    of_few_images,
    seeds,
    sizes_of,
    validated,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent, some
from depthlens.sweep import grid

section = Section(
    __name__,
    title="How many images an assumption is worth",
    text="The MLP gets more and more images, until it does as well as the convolutional network "
    "with few. Then both are given the best of a random search over learning rate, passes over the "
    "images and kernel size: the candidate with the highest validation accuracy, mean over seeds, "
    "is judged on test images that played no part in the choice.",
    columns=COLUMNS
    | {
        "middle": Column("images of the convolutional network", count),
        "fewest": Column(
            "images of the MLP", lambda n: "more than tried" if math.isnan(n) else count(n)
        ),
        "times": Column("times as many"),
        "learning_rate": Column("learning rate", lambda rate: f"{rate:g}"),
        "epochs": Column("passes", count),
        # An MLP has no kernels.
        "kernel_size": Column("kernels", lambda size: f"{size}×{size}" if size else "—"),
    },
)
learning(
    section,
    "matching",
    settings=of_few_images,
    architecture=["mlp"],
    images=lambda block: block["matching"],
)


def search_settings(block):
    own = block["search"]
    return with_three_classes(block) | {
        "images": own["images"],
        "splits": ("train", "validation", "test"),
        "search": {key: own[key] for key in ("learning_rate", "epochs", "kernel_size")},
    }


section.sweep(
    "search",
    "search",
    cells=lambda block: grid(
        architecture=BOTH, candidate=range(1, block["search"]["budget"] + 1), seeds=seeds(block)
    ),
    settings=search_settings,
)


@section.derived
def all_sizes(few_images, matching):
    """Networks of both sweeps, those of both once."""
    table = pd.concat([few_images, matching], ignore_index=True)
    return table.drop_duplicates(["dataset", "architecture", "images", "seed", "split"])


def needed(all_sizes):
    """How many images the MLP needs to do as well as the other with the middle number, by seed.

    `fewest` is NaN where it never does; then `times` counts twice the most that were tried.
    """
    accuracy = validated(all_sizes).pivot(
        index="seed", columns=["architecture", "images"], values="accuracy"
    )
    cnn, mlp = accuracy["cnn"].dropna(axis=1, how="all"), accuracy["mlp"]
    middle = sorted(cnn)[len(cnn.columns) // 2]
    wanted = cnn[middle].dropna()
    mlp = mlp.loc[wanted.index, sorted(mlp)]
    enough = mlp.ge(wanted, axis=0)
    # Of a row the first column that is true: columns ascend.
    fewest = enough.idxmax(axis=1).astype(float).where(enough.any(axis=1))
    times = fewest.fillna(2 * max(mlp)) / middle
    found = {"middle": middle, "accuracy": wanted, "fewest": fewest, "times": times}
    return pd.DataFrame(found).reset_index()


def chosen(search, architecture):
    """Rows of the candidate with the highest mean validation accuracy, of equals the first."""
    own = search[search["architecture"] == architecture]
    means = validated(own).groupby("candidate")["accuracy"].mean()
    # Means of equal values may differ in their last bits.
    return own[own["candidate"] == means.round(12).idxmax()]


@section.claim(
    "The MLP needs ten times as many images.",
    source=f"{OURS}, of what question 3 of the homework asks",
    measure="fewest images with which the MLP is at least as good as the convolutional network "
    "with the middle number of images, over that number; a seed that never is counts twice the "
    "most images tried",
    at_least=10,
)
def mlp_needs_ten_times(all_sizes):
    return needed(all_sizes)["times"]


@section.claim(
    "Nor does a search over settings help the MLP past the convolutional network.",
    source=f"{OURS}, of what question 3 of the homework asks",
    measure="test accuracy of the best candidate by validation accuracy, convolutional network "
    "minus MLP",
    networks=["cnn", "mlp"],
    above=0,
)
def search_does_not_save_the_mlp(search):
    best = pd.concat([chosen(search, name) for name in BOTH])
    tested = best[best["split"] == "test"]
    accuracy = tested.pivot(index="seed", columns="architecture", values="accuracy")
    return accuracy["cnn"] - accuracy["mlp"]


@section.figure(
    "How many images an assumption is worth",
    shows="Accuracy by number of training images, logarithmic · level lines: where the MLP would "
    "be as good as the convolutional network with its numbers",
    alt="Lines of both networks' validation accuracy by the number of training images; from each "
    "point of the convolutional network a level line to the right.",
)
def matching(sheet, all_sizes):
    sheet.facts.append(sizes_of(all_sizes))
    rows, ax = validated(all_sizes), sheet.axes(4.2)
    ax.set_xscale("log")
    sheet.lines(ax, rows, "images", "accuracy", hue="architecture", err_style="bars")
    cnn = rows[rows["architecture"] == "cnn"].groupby("images")["accuracy"].mean()
    colour = COLUMNS["architecture"].colours["cnn"]
    ax.hlines(cnn, cnn.index, rows["images"].max(), color=colour, linestyle=":", linewidth=1)
    found = needed(all_sizes)
    never = int(found["fewest"].isna().sum())
    needs = f"The MLP needs {number(found['times'].mean(), 1)} times as many to do as well"
    if never == len(found):
        needs = "The MLP does as well with none"
    elif never:
        needs += f"; in {some(never, 'seed')} no number was enough, which counts as twice the most"
    return (
        f"With {some(found['middle'].iloc[0], 'training image')} a class the {NETWORKS['cnn']} "
        f"gets {percent(found['accuracy'].mean(), 1)} of the validation images right, in the mean "
        f"over seeds. {needs}."
    )


@section.figure(
    "A search over settings",
    shows="Validation accuracy of every candidate by its learning rate, logarithmic; shapes tell "
    "passes over the images apart · star: accuracy of the best on test images",
    alt="Points of validation accuracy by learning rate, one colour a network and one shape a "
    "number of passes; a star at the test accuracy of the best of each.",
)
def search(sheet, search):
    sheet.facts.append(sizes_of(search))
    ax, keys = sheet.axes(4.2), ["architecture", "candidate", "learning_rate", "epochs"]
    means = validated(search).groupby(keys, sort=False)["accuracy"].mean().reset_index()
    roles = {"hue": "architecture", "style": "epochs"}
    sheet.scatter(ax, means, "learning_rate", "accuracy", s=60, alpha=0.75, **roles)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
    sheet.legend(ncols=5)
    said, colours = [], COLUMNS["architecture"].colours
    for name in sheet.levels(means, "architecture"):
        best = chosen(search, name).query("split == 'test'")
        accuracy, rate = best["accuracy"].mean(), best["learning_rate"].iloc[0]
        ax.plot(rate, accuracy, "*", color=colours[name], markersize=15, markeredgecolor=style.INK)
        said.append(f"the best {NETWORKS[name]} by validation gets {percent(accuracy, 1)} right")
    return f"Of the test images, {joined(said)}."


section.table(
    "matching",
    "Validation accuracy by number of training images, mean over seeds",
    lambda all_sizes: validated(all_sizes).sort_values(["images", "architecture"]),
    keys=["images", "architecture"],
    values=["accuracy"],
)
section.table(
    "matching-needed",
    "Images a class with which the MLP first is as good as the convolutional network",
    lambda all_sizes: needed(all_sizes),
    keys=["seed", "middle"],
    values=["accuracy", "fewest", "times"],
)
section.table(
    "search",
    "Candidates of the search, mean accuracy over seeds",
    lambda search: search[search["split"] != "train"],
    keys=["architecture", "candidate", "learning_rate", "epochs", "kernel_size", "split"],
    values=["accuracy"],
)
