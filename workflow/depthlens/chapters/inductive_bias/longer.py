"""Longer training: what becomes of loss and confidence?"""

from functools import partial

import seaborn as sns

from depthlens.chapters.inductive_bias.calibration import N_BINS, bins_by_seed, by_network
from depthlens.chapters.inductive_bias.words import (
    BOTH,
    COLUMNS,
    NETWORKS,
    course,
    sizes_of,
    validated,
    with_most_images,
    with_three_classes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS, OURS
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent, some

section = Section(
    __name__,
    title="Longer training",
    text="The same networks, three times as many passes over the images, here over the most "
    "images. An answer's confidence is the probability that the softmax gives it; of a calibrated "
    "network, the answers of confidence 0.8 are right in 80 % of the cases. The "
    "expected calibration error is the mean distance of the two, over ten bins of equal width.",
    columns=COLUMNS
    | {
        "calibration_error": Column("calibration error"),
        "middle": Column("confidence", share=True),
    },
)
BETWEEN = "at the end minus at the epoch at which section few_images ends"
course(
    section,
    "longer",
    settings=lambda block: (
        with_three_classes(block)
        | {key: block["longer"][key] for key in ("learning_rate", "epochs")}
        | {"answers_at": [block["few_images"]["epochs"]]}
    ),
    tables=["answers", "kernels"],
    architecture=BOTH,
    images=lambda block: block["longer"]["images"],
)


@section.derived
def curves(longer):
    return with_most_images(longer)


@section.derived
def answers(longer_answers):
    return with_most_images(longer_answers)


@section.derived
def scores(curves, answers):
    """Validation loss, accuracy and calibration at the epochs whose answers were kept."""
    keys = ["dataset", "architecture", "seed", "epoch"]
    rows = validated(curves)[[*keys, "loss", "accuracy"]]
    return rows.merge(by_network(answers), on=keys)


def change(scores, measure):
    """What a measure gains from the first of the epochs to the last, by seed."""
    by_epoch = scores.pivot(index="seed", columns="epoch", values=measure)
    if len(by_epoch.columns) < 2:
        raise NotTestableError("no network was trained for longer than in section few_images")
    return by_epoch.iloc[:, -1] - by_epoch.iloc[:, 0]


@section.claim(
    "Of the MLP, trained longer, the validation loss rises …",
    source=f"{INDUCTIVE_BIAS}, question 3",
    measure=f"validation loss {BETWEEN}",
    networks=["mlp"],
    above=0,
)
def mlp_loss_rises(scores):
    return change(scores, "loss")


@section.claim(
    "… while its validation accuracy does not fall.",
    source=f"{INDUCTIVE_BIAS}, question 3; that it does not fall is ours",
    measure=f"validation accuracy {BETWEEN}",
    networks=["mlp"],
    at_least=0,
)
def mlp_accuracy_rises(scores):
    return change(scores, "accuracy")


@section.claim(
    "It becomes overconfident.",
    source="Guo, Pleiss, Sun, Weinberger (2017), arXiv 1706.04599",
    measure="expected calibration error at the end minus at that epoch, MLP",
    networks=["mlp"],
    above=0,
)
def mlp_calibration_worsens(scores):
    return change(scores, "calibration_error")


@section.claim(
    "The convolutional network is the better calibrated one.",
    source=OURS,
    measure="expected calibration error at the end, MLP minus convolutional network",
    networks=["cnn", "mlp"],
    above=0,
)
def cnn_calibrated(scores):
    ends = scores[scores["epoch"] == scores["epoch"].max()]
    error = ends.pivot(index="seed", columns="architecture", values="calibration_error")
    return error["mlp"] - error["cnn"]


def moved(scores, measure, write):
    """What the mean of each network is when answers were kept: "0.30 and then 0.20 (MLP)"."""
    means = scores.groupby(["architecture", "epoch"])[measure].mean().unstack()
    means.index = means.index.map(NETWORKS)
    return joined(
        [f"{' and then '.join(map(write, m))} ({name})" for name, *m in means.itertuples()]
    )


def kept(scores):
    """When answers were kept: "100 and 300 passes"."""
    return f"{joined([count(epoch) for epoch in sorted(set(scores['epoch']))])} passes"


@section.figure(
    "Training goes on",
    shows="Loss and accuracy along the training · dotted line: where the section on few images "
    "ends",
    alt="Lines of loss and of accuracy by passes over the training images, a colour a network, "
    "full for training images and dashed for validation images.",
)
def longer(sheet, curves, scores):
    sheet.facts.append(sizes_of(curves))
    axes = sheet.axes(3.5, columns=2)[0]
    for ax, measure in zip(axes, ("loss", "accuracy"), strict=True):
        sheet.lines(ax, curves, "epoch", measure, hue="architecture", style="split", markers=False)
        for epoch in sorted(set(scores["epoch"]))[:-1]:
            ax.axvline(epoch, color=style.MUTED, linestyle=":", linewidth=1.1)
    one_digit = partial(percent, digits=1)
    loss, accuracy = moved(scores, "loss", number), moved(scores, "accuracy", one_digit)
    return f"After {kept(scores)} the validation loss is {loss}, the accuracy {accuracy}."


@section.figure(
    "Confidence and how often it is right",
    shows="Share of right answers by confidence; dashed: calibrated; black: mean confidence in the "
    "bin\nBelow: the number of answers of all seeds in each bin",
    alt="Bars of the share of right answers by confidence, against a diagonal, one panel for each "
    "network and time; below each, bars of the number of answers.",
)
def calibration(sheet, answers, scores):
    sheet.facts.append(some(scores["seed"].nunique(), "seed"))
    times = scores.groupby(["architecture", "epoch"], sort=False)["calibration_error"]
    axes = sheet.axes(
        3.6, rows=2, columns=len(times), height_ratios=[3, 1], sharex=True, sharey="row"
    )
    for (above, below), ((network, epoch), errors) in zip(axes.T, times, strict=True):
        rows = answers.query("architecture == @network and epoch == @epoch")
        binned = bins_by_seed(rows)
        binned["middle"] = (binned["bin"] + 0.5) / N_BINS
        look = {"native_scale": True, "color": COLUMNS["architecture"].colours[network]}
        look |= {"width": 0.95, "saturation": 1}
        above.axline((0, 0), (1, 1), linestyle="--", color=style.MUTED, linewidth=1)
        sheet.bars(above, binned, "middle", "accuracy", alpha=0.5, **look)
        means = binned.groupby("bin")["confidence"].mean()
        above.hlines(means, means.index / N_BINS, (means.index + 1) / N_BINS, color=style.INK)
        sns.barplot(binned, x="middle", y="n", ax=below, estimator="sum", errorbar=None, **look)
        low, high = sheet.interval(errors)
        above.set_title(
            f"{NETWORKS[network]}\n{some(epoch, 'pass', 'passes')}\ncalibration error "
            f"{number(errors.mean(), 3)}\n[{number(max(low, 0), 3)}, {number(high, 3)}]",
            fontsize=8.5,
        )
        above.set(xlim=(0, 1), ylim=(0, 1.06), xticks=[0, 0.5, 1])
        below.set(xlabel="confidence", ylabel="answers")
        plots.percent_axis(below.xaxis)
    errors = moved(scores, "calibration_error", partial(number, digits=3))
    return f"After {kept(scores)} the expected calibration error is {errors}."


section.table(
    "longer",
    "Loss, accuracy, confidence and calibration error on validation images, mean over seeds",
    lambda scores: scores.sort_values(["architecture", "epoch"], kind="stable"),
    keys=["architecture", "epoch"],
    values=["loss", "accuracy", "confidence", "calibration_error"],
)
