"""Images that do not belong: can depth and k-NN distance tell them from those of known classes?"""

import numpy as np
import pandas as pd
from scipy import stats

from depthlens.chapters.benchmarks_of_difficulty.words import BALDOCK, COLUMNS, SAID, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent
from depthlens.sweep import grid

SUN = "Sun, Ming, Zhu, Li (2022), arXiv 2204.06507"
HENDRYCKS = "Hendrycks, Dietterich (2019), arXiv 1903.12261"
FOREIGN_ARE_DEEP = f"{SAID}: images from elsewhere are deep"
FROM_SEEDS = "mean over networks of different seeds, which also choose the classes held out"
DETECTORS = {
    "random": "random",
    "confidence": "confidence",
    "entropy": "entropy",
    "output_margin": "output margin",
    "depth": "prediction depth",
    "depth_last_probe": "depth against the last probe",
    "feature_distance": "k-NN distance, features",
    "distance_ranks": "k-NN distance, all probes",
}
IMAGES = {
    "known": "known classes",
    "held_out": "held-out classes",
    "other": "another dataset",
    "noise": "noise",
    "blur": "blur",
    "contrast": "less contrast",
}
FOREIGN = list(IMAGES)[1:]
COLOURS = dict(zip(FOREIGN, style.palette(FOREIGN), strict=True))
CORRUPTIONS = FOREIGN[2:]
MEASURES = {"auroc": "area under ROC", "accuracy": "accuracy", "mean_depth": "mean depth"}
section = Section(
    __name__,
    title="Images that do not belong",
    text=(
        "A network learns all classes of a dataset but a few, which the seed chooses. It then sees "
        "test images of the classes that it knows, of those that it does not, of another dataset "
        "(padded with black or cut at the edges to the same size), and the known ones with noise, "
        "blur or less contrast, at severities 1, 3 and 5 of CIFAR-10-C. Each detector ranks all of "
        "them; an AUROC of 1 has every foreign image before every known one, 0.5 is chance.",
        "The k-NN distance at the features is that of Sun et al. (2022), to the k-th nearest "
        "training image with features of unit length. That of all probes is the mean, over probes, "
        "of its rank among the distances of the training images themselves.",
    ),
    columns=COLUMNS
    | {
        "images": Column("images", IMAGES.__getitem__, COLOURS),
        "detector": Column("detector", lambda name: DETECTORS.get(name, "")),
        "measure": Column("measure", MEASURES.__getitem__),
        "severity": Column("severity (0: the images as they are)"),
        "auroc": Column("area under the ROC curve", bounds=(0, 1)),
        "mean_depth": Column("mean prediction depth", bounds=(0, np.inf)),
    },
)


def with_other(block):
    """Cells of each dataset with the next one, if there is another, as the foreign one."""
    cells, datasets = [], block["datasets"]
    for dataset, other in zip(datasets, datasets[1:] + datasets[:1], strict=True):
        foreign = {} if other == dataset else {"other": [other]}
        cells += grid(dataset=[dataset], **foreign, seed=block["seeds"])
    return cells


section.sweep(
    "foreign",
    "foreign",
    cells=with_other,
    settings=lambda block: (
        {key: block[key] for key in ("recipe", "n_neighbors")} | block["foreign"]
    ),
)


def auroc(foreign, images, detector):
    """How well a detector tells some images from known ones, by seed."""
    rows = foreign[(foreign["images"] == images) & (foreign["detector"] == detector)]
    if set(rows["seed"]) != set(foreign["seed"]):
        raise NotTestableError("there is no other dataset in the list")
    return rows.groupby("seed")["value"].first()


def with_severity(foreign, measure):
    """Rank correlation of severity with a measure, mean over the corruptions, by seed."""
    rows, found = foreign[foreign["measure"] == measure], []
    for corruption in CORRUPTIONS:
        lines = rows[rows["images"].isin(["known", corruption])].groupby("seed")
        if (lines["value"].nunique() < 2).any():
            what = measure.replace("_", " ")
            raise NotTestableError(f"the {what} is the same at every severity of {corruption}")
        found.append(lines[["severity", "value"]].apply(lambda of: stats.spearmanr(of).statistic))
    # A correlation of 4/5 is at the threshold, whatever its last bits are.
    return (sum(found) / len(found)).round(12)


def claim(statement, source, measure, **bounds):
    measure = f"{measure}, {FROM_SEEDS}"
    return section.claim(statement, source=source, measure=measure, over_seeds=False, **bounds)


@claim(
    "Images of classes that the network never saw are deeper than those of classes that it knows",
    FOREIGN_ARE_DEEP,
    "area under the ROC curve of prediction depth, test images of held-out classes against those "
    "of known ones",
    above=0.5,
)
def held_out_classes_are_deep(foreign):
    return auroc(foreign, "held_out", "depth")


@claim(
    "Images of another dataset are deeper than those that the network knows",
    FOREIGN_ARE_DEEP,
    "area under the ROC curve of prediction depth, test images of another dataset against those of "
    "known classes",
    above=0.5,
)
def another_dataset_is_deep(foreign):
    return auroc(foreign, "other", "depth")


@claim(
    "Prediction depth recognises images of another dataset at least as well as the distance to the "
    "nearest training images",
    f"{OURS}: depth sees every layer, the distance of {SUN} only the last",
    "area under the ROC curve of prediction depth less that of the k-NN distance of the features "
    "at unit length, another dataset against known classes",
    at_least=0,
)
def depth_knows_another_dataset_as_well_as_distance(foreign):
    return auroc(foreign, "other", "depth") - auroc(foreign, "other", "feature_distance")


@claim(
    "The distance to the nearest training images recognises images of another dataset better than "
    "the network's confidence",
    f"{SUN}, table 1",
    "area under the ROC curve of the k-NN distance of the features at unit length less that of the "
    "confidence, another dataset against known classes",
    above=0,
)
def distance_beats_confidence(foreign):
    return auroc(foreign, "other", "feature_distance") - auroc(foreign, "other", "confidence")


@claim(
    "The worse the corruption, the lower the accuracy",
    f"{HENDRYCKS}: severities are built so",
    "Spearman correlation of severity (0, 1, 3, 5) and accuracy, mean over noise, blur and "
    "contrast",
    at_most=-0.8,
)
def corruption_lowers_accuracy(foreign):
    return with_severity(foreign, "accuracy")


@claim(
    "The worse the corruption, the deeper the image",
    f"{OURS}, from {BALDOCK}: what is often wrong is deep",
    "Spearman correlation of severity (0, 1, 3, 5) and mean prediction depth, mean over noise, "
    "blur and contrast",
    at_least=0.8,
)
def corruption_makes_images_deep(foreign):
    return with_severity(foreign, "mean_depth")


@section.figure(
    "Which images do not belong?",
    shows="Area under the ROC curve, foreign against known test images · dotted: 0.5, "
    "choosing at random\nNoise, blur and less contrast at the highest severity",
    alt="Dot plots of the area under the ROC curve by detector, panels a dataset.",
)
def foreign_detectors(sheet, foreign):
    sheet.facts += [f"n = {count(foreign['n_known'].max())} known test images", sizes(foreign)]
    worst = foreign["severity"].isin([0, foreign["severity"].max()])
    rows = foreign[(foreign["measure"] == "auroc") & worst].rename(columns={"value": "auroc"})
    for ax, _, own in sheet.panels(rows, "dataset", 4.3, sharex=True):
        ax.axvline(0.5, color=style.MUTED, linestyle=":", linewidth=0.9)
        sheet.points(ax, own, "auroc", "detector", hue="images", order=DETECTORS, dodge=0.5)
    ax.set_xlim(right=1.01)
    sheet.legend(ncols=5)
    classes = rows[rows["images"].isin(["held_out", "other"])]
    means = classes.pivot_table("auroc", ["dataset", "images"], "detector", sort=False)
    said = [
        f"{IMAGES[images]} on {dataset} best by {DETECTORS[best]} ({number(of[best])}; prediction "
        f"depth {number(of['depth'])})"
        for (dataset, images), of in means.iterrows()
        for best in [of.drop("random").idxmax()]
    ]
    alone = "" if "other" in set(rows["images"]) else "; there is no other dataset in the list"
    return f"By area under the ROC curve, one recognises {joined(said)}{alone}."


@section.derived
def corrupted(foreign):
    """Accuracy and mean depth by severity: every corruption begins with the images as they are."""
    keys = ["dataset", "seed", "images", "severity"]
    rows = foreign[foreign["measure"].isin(["accuracy", "mean_depth"])]
    wide = rows.pivot(index=keys, columns="measure", values="value").reset_index()
    clean = wide[wide["images"] == "known"]
    lines = [wide[wide["images"].isin(CORRUPTIONS)]]
    return pd.concat(lines + [clean.assign(images=kind) for kind in CORRUPTIONS])


@section.figure(
    "What corruption does to accuracy and depth",
    shows="The known test images, corrupted as in CIFAR-10-C (Hendrycks & Dietterich 2019)",
    alt="Line charts of accuracy and of mean depth by severity, panels a dataset.",
)
def foreign_severity(sheet, foreign, corrupted):
    sheet.facts += [f"n = {count(foreign['n_known'].max())} known test images", sizes(foreign)]
    datasets = sheet.levels(foreign, "dataset")
    axes = sheet.axes(4.4, rows=2, columns=len(datasets), sharex=True, sharey="row")
    said = []
    for (above, below), dataset in zip(axes.T, datasets, strict=True):
        own = corrupted[corrupted["dataset"] == dataset]
        sheet.lines(above, own, "severity", "accuracy", hue="images", err_style="bars")
        sheet.lines(below, own, "severity", "mean_depth", hue="images", err_style="bars")
        above.set_title(dataset)
        means = own.groupby(["images", "severity"], sort=False)[["accuracy", "mean_depth"]].mean()
        for images in CORRUPTIONS:
            line = means.loc[images].sort_index()
            (before, shallow), (after, deep) = line.iloc[0], line.iloc[-1]
            said.append(
                f"{IMAGES[images]} on {dataset} takes accuracy from {percent(before, 1)} to "
                f"{percent(after, 1)} and mean depth from {number(shallow)} to {number(deep)}"
            )
    return f"At the highest severity, {joined(said)}."


section.table(
    "foreign",
    "Foreign images: depth, accuracy and how well each detector recognises them",
    lambda foreign: foreign,
    keys=["dataset", "images", "severity", "measure", "detector"],
    values=["value"],
)
