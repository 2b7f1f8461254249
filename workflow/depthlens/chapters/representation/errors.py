"""Which test images are wrong, and which class is taken for which."""

from itertools import combinations

import numpy as np
import pandas as pd
import seaborn as sns

from depthlens.chapters.representation.networks import (
    COLUMNS,
    both,
    first_seed,
    show_images,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import MNIST, OURS
from depthlens.figures import style
from depthlens.ledger import NotTestableError
from depthlens.prose import count, percent, shortened

section = Section(
    __name__,
    title="What is confused",
    text="Test images that the networks of all training images get wrong: those with the highest "
    "loss, and how often which class is taken for which. Whether people would be unsure of these "
    "images, as CS 148 says, would take people to ask.",
    columns=COLUMNS,
    per="network",
)
GALLERY = 16
"""images that are shown of each network"""


@section.derived
def answers(convnet, resnet):
    """Of the networks that saw all training images."""
    table = both(convnet, resnet)
    return table[table["share"] == 1]


@section.derived
def pictures(convnet_pictures, resnet_pictures):
    return both(convnet_pictures, resnet_pictures)


def confused(rows, classes):
    """How often which class is taken for which: a row a label, a column a prediction."""
    counted = pd.crosstab(rows["label"], rows["prediction"])
    return counted.reindex(index=classes, columns=classes, fill_value=0)


def classes_of(answers):
    """Names of the classes, sorted."""
    return sorted(set(answers["label"]) | set(answers["prediction"]))


def pairs(matrix):
    """Images of one class taken for the other, of every pair of classes; most first."""
    both_ways = matrix + matrix.T
    found = {pair: both_ways.loc[pair] for pair in combinations(matrix.index, 2)}
    return pd.Series(found).sort_values(ascending=False, kind="stable")


def ranks(answers, *pair):
    """Place of a pair of digits among all pairs, of every seed that has errors; ties share one."""
    classes = classes_of(answers)
    # MNIST's classes are called "4 - four".
    digits = {name.split(" ")[0]: name for name in classes}
    if not set(pair) <= set(digits):
        raise NotTestableError("the classes are not digits")
    of_seeds = [pairs(confused(rows, classes)) for _, rows in answers.groupby("seed")]
    own = tuple(digits[digit] for digit in pair)
    return [1 + int((found > found[own]).sum()) for found in of_seeds if found.any()]


MOST_CONFUSED = {
    "source": f"{MNIST}, confusion matrix; the threshold is ours",
    "printed": "1: most, 5 images",
}


def claim(first, second, *, source, printed=""):
    """A claim that two digits are among those that are confused most."""
    return section.claim(
        f"Among the digits that are confused most are {first} and {second}.",
        source=source,
        printed=printed,
        measure="rank of the pair among all pairs of classes, by test images of one taken for the "
        "other, all training images",
        at_most=5,
    )


@claim(4, 9, **MOST_CONFUSED)
def confused_four_and_nine(answers):
    return ranks(answers, "4", "9")


@claim(3, 5, source=f"{OURS}: {MNIST}, says that their clusters are near")
def confused_three_and_five(answers):
    return ranks(answers, "3", "5")


@claim(0, 6, **MOST_CONFUSED)
def confused_zero_and_six(answers):
    return ranks(answers, "0", "6")


@section.figure(
    "The worst errors",
    shows="Test images that are wrong, the highest loss first: their class, and what the network "
    "takes them for",
    alt="Grids of test images, each with its class and the class that the network gave.",
)
def errors(sheet, answers, pictures):
    sheet.facts.append(sizes(answers))
    said = []
    for ax, network, rows in sheet.panels(answers, "network", 3.1, most_columns=1):
        own, known = first_seed(rows), first_seed(pictures[pictures["network"] == network])
        wrong = own[own["label"] != own["prediction"]].sort_values("loss", ascending=False)
        shown = wrong[:GALLERY]
        ax.set_title(
            f"{network}: {len(shown)} of {count(len(wrong))} errors, seed {own['seed'].iloc[0]}"
        )
        show_images(
            ax,
            known,
            shown["example_id"],
            columns=8,
            captions=[
                (shortened(row.label, 12), f"as {shortened(row.prediction, 12)}")
                for row in shown.itertuples()
            ],
            frames=[style.WRONG] * len(shown),
            caption_height=0.52,
        )
        share = (rows["label"] != rows["prediction"]).mean()
        said.append(f"{percent(share, 1)} of the answers of {network}")
    return f"Wrong are {' and '.join(said)}."


@section.figure(
    "Which class is taken for which",
    shows="Test images of the class of a row that are wrong, mean over seeds",
    alt="Matrices of classes, darker where more images of the row's class get the column's.",
)
def confusion(sheet, answers):
    sheet.facts.append(sizes(answers))
    said = []
    for ax, network, rows in sheet.panels(answers, "network", 4.4, sharey=False):
        classes = classes_of(rows)
        matrix = confused(rows, classes) / rows["seed"].nunique()
        # What is right is left white, or it would outshine all else.
        wrong = matrix.mask(np.eye(len(classes), dtype=bool))
        names = [shortened(name, 12) for name in classes]
        said_of = wrong.map(lambda value: f"{value:.1f}" if value >= 0.05 else "")
        sns.heatmap(
            wrong,
            ax=ax,
            cmap="Blues",
            vmin=0,
            vmax=max(wrong.max().max(), 1e-9),
            cbar=False,
            annot=said_of if len(classes) <= 12 else False,
            fmt="",
            annot_kws={"size": 6.5},
        )
        ax.set(xlabel="class that the network gives", ylabel="class")
        ax.grid(visible=False)
        ax.set_xticks(ax.get_xticks(), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(ax.get_yticks(), names, rotation=0)
        label, prediction = wrong.stack().idxmax()
        if wrong.loc[label, prediction]:
            said.append(
                f"{network} most often takes {label} for {prediction} "
                f"({wrong.loc[label, prediction]:.1f} images)"
            )
    return f"{'; '.join(said)}." if said else "There is no error."


@section.derived
def confused_pairs(answers):
    """The ten pairs that each network confuses most."""
    tables = []
    for network, rows in answers.groupby("network", sort=False):
        found = pairs(confused(rows, classes_of(rows)) / rows["seed"].nunique())[:10]
        first, second = zip(*found.index, strict=True)
        place = range(1, len(found) + 1)
        tables.append(
            pd.DataFrame(
                {"network": network, "place": place, "label": first, "other": second,
                 "confused": found.to_numpy()}
            )
        )  # fmt: skip
    return pd.concat(tables)


section.table(
    "confusion",
    "Pairs of classes by test images of one taken for the other, mean over seeds",
    lambda confused_pairs: confused_pairs,
    keys=["network", "place", "label", "other"],
    values=["confused"],
)
