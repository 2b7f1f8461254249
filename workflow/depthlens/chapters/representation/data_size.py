"""How loss and accuracy depend on the number of training images, and the law they follow."""

from functools import partial

import numpy as np
import pandas as pd

from depthlens.chapters.representation.networks import (
    COLUMNS,
    COURSE,
    NETWORKS,
    both,
    sizes,
    sweep_settings,
)
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.ledger import NotTestableError
from depthlens.prose import count, number, percent
from depthlens.sweep import grid

section = Section(
    __name__,
    title="What more images are worth",
    text="A small convolutional network (5×5 – ReLU – pooling – 5×5 – batch normalisation – ReLU – "
    "pooling – 128 – classes) and a ResNet-18 with a quarter of the channels learn from a "
    "sixteenth of the training images up to all of them; a larger part holds the smaller ones. All "
    "pass as often over their images, so that more images also are more steps. Both axes are "
    "logarithmic: a power law, loss = a · n^b, is a straight line.",
    columns=COLUMNS,
    per="network",
)


def cells(block, network):
    return grid(dataset=[block[network]["dataset"]], share=block["shares"], seed=block["seeds"])


for name in NETWORKS:
    section.sweep(
        name,
        "networks",
        cells=partial(cells, network=name),
        settings=partial(sweep_settings, network=name),
        tables=[name, f"{name}_kernels", f"{name}_embedding", f"{name}_pictures"],
    )


@section.derived
def answers(convnet, resnet):
    return both(convnet, resnet)


@section.derived
def scores(answers):
    """Loss and accuracy on training and test images, a row a network, seed and share."""
    keys = ["network", "dataset", "architecture", "seed", "share", "images"]
    keys += ["train_loss", "train_accuracy"]
    right = answers["label"] == answers["prediction"]
    found = answers.assign(test_accuracy=right).groupby(keys, sort=False)
    found = found.agg(test_loss=("loss", "mean"), test_accuracy=("test_accuracy", "mean"))
    return found.reset_index()


def fit(images, loss):
    """Fit loss = a · images^b by least squares of the logarithms.

    Parameters
    ----------
    images, loss : arrays, shape (n,)
        Positive.

    Returns
    -------
    (float, float, float)
        a, b, and the share of the variance of the logarithms that the line explains (R²); 1 where
        they have none.
    """
    x, y = np.log(np.asarray(images, float)), np.log(loss)
    slope, intercept = np.polyfit(x, y, 1)
    left, total = ((y - slope * x - intercept) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return float(np.exp(intercept)), float(slope), float(1 - left / total) if total > 0 else 1.0


def laws(scores):
    """The power law of each seed: `factor`, `exponent` and share `explained`."""
    if scores["share"].nunique() < 3:
        raise NotTestableError("a line through fewer than three sizes says nothing")
    of_seeds = [fit(rows["images"], rows["test_loss"]) for _, rows in scores.groupby("seed")]
    return pd.DataFrame(of_seeds, columns=["factor", "exponent", "explained"])


@section.claim(
    "Ten times the data is a third of the test loss.",
    source=COURSE,
    measure="test loss at ten times the images over the loss, by the fitted power law",
    at_least=0.25,
    at_most=0.42,
)
def ten_times_the_data(scores):
    return 10 ** laws(scores)["exponent"]


@section.claim(
    "The test loss follows a power law of the number of images.",
    source="Hestness et al. (2017), arXiv 1712.00409",
    measure="variance of the logarithm of the test loss that a straight line explains, as a share "
    "(R²)",
    at_least=0.95,
)
def power_law(scores):
    return laws(scores)["explained"]


def of_mnist(scores, share):
    """What networks did with a share of MNIST."""
    if set(scores["dataset"]) != {"mnist"}:
        raise NotTestableError("it is about MNIST")
    if share not in set(scores["share"]):
        raise NotTestableError("no network learned from a sixteenth of the images")
    return scores[scores["share"] == share]


@section.claim(
    "With all of MNIST, at least 99.2 % of the test images are right.",
    source=COURSE,
    measure="test accuracy, all training images",
    at_least=0.992,
)
def mnist_accuracy(scores):
    return of_mnist(scores, 1)["test_accuracy"]


@section.claim(
    "With all of MNIST the test loss is at most 0.025.",
    source=COURSE,
    measure="test loss, all training images, nats",
    at_most=0.025,
)
def mnist_loss(scores):
    return of_mnist(scores, 1)["test_loss"]


@section.claim(
    "With a sixteenth of MNIST, at least 98 % are right.",
    source=COURSE,
    measure="test accuracy, a sixteenth of the training images",
    at_least=0.98,
)
def mnist_sixteenth(scores):
    return of_mnist(scores, 1 / 16)["test_accuracy"]


def by_split(scores, measure):
    """A row a network, seed, size and split: `images` and the measure."""
    columns = {f"{split}_{measure}": split for split in ("train", "test")}
    keys = ["network", "seed", "images"]
    renamed = scores.rename(columns=columns)[[*keys, *columns.values()]]
    return renamed.melt(keys, var_name="split", value_name=measure)


@section.figure(
    "Loss by number of training images",
    shows="Both axes logarithmic · dashed: power law fitted to the means, in brackets the interval "
    "of its exponent over seeds",
    alt="Training and test loss against the number of training images, a panel a network.",
)
def loss_by_images(sheet, scores, answers):
    sheet.facts.append(sizes(answers))
    rows, said = by_split(scores, "loss"), []
    for ax, network, own in sheet.panels(rows, "network", 3.4, sharey=False):
        ax.set(xscale="log", yscale="log")
        sheet.lines(ax, own, "images", "loss", hue="split", err_style="bars")
        test = own[own["split"] == "test"].groupby("images")["loss"].mean()
        if len(test) > 1:
            factor, exponent, explained = fit(test.index, test)
            of_seeds = [
                fit(seed["images"], seed["test_loss"])[1]
                for _, seed in scores[scores["network"] == network].groupby("seed")
            ]
            low, high = sheet.interval(of_seeds)
            ends = test.index[[0, -1]]
            ax.plot(ends, factor * ends**exponent, "--", color=style.INK, linewidth=1)
            ax.text(
                0.03, 0.04,
                f"test loss ∝ n^b, b = {number(exponent)} ({number(low)} … {number(high)})\n"
                f"R² = {number(explained)}",
                transform=ax.transAxes, fontsize=8.5,
            )  # fmt: skip
            said.append(
                f"with {network}, ten times the images leave {percent(10**exponent)} of the test "
                "loss"
            )
        # Room below for the law.
        least = own.groupby(["split", "images"])["loss"].mean().min()
        plots.logarithmic_axis(ax, lambda value: f"{value:g}", low=least / 6)
    return f"By the fitted power laws, {'; '.join(said)}." if said else "One size only."


@section.figure(
    "Errors by number of training images",
    shows="Both axes logarithmic · a split without an error has no point, and an interval that "
    "reaches none has no end",
    alt="Shares of wrong images against the number of training images, a panel a network.",
)
def accuracy_by_images(sheet, scores, answers):
    sheet.facts.append(sizes(answers))
    # Errors, not hits: the last tenth of a percent is what the axis must show.
    rows, said = by_split(scores, "accuracy"), []
    rows["error"] = 1 - rows["accuracy"]
    for ax, network, own in sheet.panels(rows, "network", 3.4, sharey=False):
        means = own.groupby(["split", "images"])["error"].transform("mean")
        ax.set(xscale="log", yscale="log")
        sheet.lines(ax, own[means > 0], "images", "error", hue="split", err_style="bars")
        shown = means[means > 0]
        low, high = shown.min() / 3, min(1.5, 4 * shown.max())
        if len(shown):
            plots.logarithmic_axis(ax, lambda value: f"{100 * value:g}\u00a0%", low=low, high=high)
        test = 1 - own[own["split"] == "test"].groupby("images")["error"].mean()
        said.append(
            f"{network} gets {percent(test.iloc[-1], 1)} of the test images right with "
            f"{count(test.index[-1])} images and {percent(test.iloc[0], 1)} with "
            f"{count(test.index[0])}"
        )
    return f"{'; '.join(said)}."


section.table(
    "data-size",
    "Loss (nats) and accuracy by number of training images, mean over seeds",
    lambda scores: scores,
    keys=["network", "images"],
    values=["train_loss", "test_loss", "train_accuracy", "test_accuracy"],
)
