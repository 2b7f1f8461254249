"""Depth and people: what they are unsure of, and where they err."""

import pandas as pd

from depthlens.chapters.benchmarks_of_difficulty.words import (
    COLUMNS,
    DEPTHS,
    SAID,
    claims_of,
    common,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number
from depthlens.sweep import grid

UNCERTAINTY, LABEL_ERRORS = "uncertainty", "label errors"
FILES = {UNCERTAINTY: "counts", LABEL_ERRORS: "labels"}
VALUES = {
    UNCERTAINTY: "rank correlation with the entropy of answers",
    LABEL_ERRORS: "AUROC for the labels that people got wrong",
}
IN_CONFIG = "chapters.benchmarks_of_difficulty.human"
NOTHING = f"no file of human answers is named in {IN_CONFIG}"
section = Section(
    __name__,
    title="Depth and people",
    text="Where files say what people answered, depth of test images is held against the entropy "
    "of their answers, and depth of training images of a network that learned from people's labels "
    "against where these differ from the dataset's. The files are named in the config, and are the "
    "user's own: CIFAR-10H and CIFAR-10N are such.",
    columns=COLUMNS | {"value": Column("value", bounds=(-1, 1)), "question": Column("question")},
)
section.sweep(
    "human",
    "human",
    cells=lambda block: grid(
        dataset=[name for name, files in block["human"].items() if any(files.values())],
        seed=block["seeds"],
    ),
    settings=lambda block: common(block) | {"files": block["human"]},
)


@section.derived
def asked(portraits, human=None):
    """What people said; where nobody was asked, one row without a question."""
    if human is not None and len(human):
        return human
    return portraits[["dataset", "architecture"]].head(1)


def of_depth(asked, question):
    """One value a seed: how well depth does on a question."""
    if "question" not in asked:
        raise NotTestableError(NOTHING)
    rows = asked[(asked["question"] == question) & (asked["score"] == "depth")]
    if rows.empty:
        raise NotTestableError(f"no file of {FILES[question]} is named for it in {IN_CONFIG}")
    if rows["value"].isna().any():
        what = "depth or people's answers are" if question == UNCERTAINTY else "all labels are"
        raise NotTestableError(f"{what} the same for all images")
    return rows["value"]


claim = claims_of(section, f"{SAID}: what people find hard")


@claim(
    "The deeper an image, the less people agree on what it is.",
    "Spearman correlation of depth with the entropy of people's answers, over test images",
    printed="> 0.7 to 0.9",
    above=0,
)
def people_are_unsure_of_deep_images(asked):
    return of_depth(asked, UNCERTAINTY)


@claim(
    "Depth finds the images that people labelled wrongly.",
    "AUROC of prediction depth for labels that differ from the dataset's, training images of a "
    "network that learned from people's labels",
    source=f"{SAID}: wrong labels are hard; the threshold is ours",
    above=0.7,
)
def depth_finds_human_label_errors(asked):
    return of_depth(asked, LABEL_ERRORS)


@claim(
    "No other score tells better than depth what people find hard.",
    "Spearman correlation of depth with the entropy of people's answers less that of the best "
    "other score, both signed so that harder is positive, over test images",
    at_least=0,
)
def depth_is_the_best_predictor_of_people(asked):
    depth = of_depth(asked, UNCERTAINTY)
    others = asked[(asked["question"] == UNCERTAINTY) & ~asked["score"].isin(DEPTHS)]
    best = others.groupby("seed")["value"].max()
    return depth.to_numpy() - best.loc[asked.loc[depth.index, "seed"]].to_numpy()


@claim(
    "Depth follows what people disagree on.",
    "Spearman correlation of depth with the entropy of people's answers, over test images, as high "
    "as is said",
    printed="> 0.7 to 0.9",
    above=0.7,
)
def depth_follows_people(asked):
    return of_depth(asked, UNCERTAINTY)


@section.figure(
    "What people are unsure of, and where they err",
    shows="Every score, signed so that harder is larger · dashed: choosing at random",
    alt="Dots for each score, a panel for people's uncertainty and one for their label errors.",
)
def depth_and_people(sheet, asked):
    if "question" not in asked:
        ax = sheet.axes(1.2)
        ax.set_axis_off()
        ax.text(0.5, 0.5, f"Not testable here: {NOTHING}.", ha="center", color=style.MUTED)
        return f"Not testable here: {NOTHING}."
    sheet.facts.append(sizes(asked))
    # Not every score is asked both questions, and their values are not of one kind.
    places = asked.groupby("question")["value"].rank(pct=True)
    order = places.groupby(asked["score"]).mean().sort_values(ascending=False).index
    said = []
    for ax, question, own in sheet.panels(asked, "question", 0.28 * len(order) + 0.8):
        chance = 0 if question == UNCERTAINTY else 0.5
        ax.axvline(chance, color=style.MUTED, linestyle="--", linewidth=1)
        sheet.points(ax, own, "value", "score", hue="dataset", order=order)
        ax.set_xlabel(VALUES[question])
        depth = own[own["score"] == "depth"].groupby("dataset", sort=False)["value"].mean()
        said += [f"{number(mean)} for {question} on {name}" for name, mean in depth.items()]
    return f"Prediction depth has {joined(said)}."


section.table(
    "human",
    "What people said of the images: rank correlation of each score with the entropy of their "
    "answers, and AUROC for their label errors",
    lambda asked: asked if "question" in asked else pd.DataFrame(),
    keys=["dataset", "question", "score"],
    values=["value"],
)
