"""How loss and accuracy depend on the number of training images, and what CS 148 printed."""

from functools import partial

from depthlens.chapters.representation.curves import (
    COURSE,
    PRINTED,
    beside,
    by_split,
    scores,
    show_printed,
)
from depthlens.chapters.representation.networks import COLUMNS, NETWORKS, sizes, sweep_settings
from depthlens.chapters.section import Section
from depthlens.figures import plots
from depthlens.ledger import NotTestableError
from depthlens.prose import count, percent
from depthlens.sweep import grid

section = Section(
    __name__,
    title="What more images are worth",
    text="A small convolutional network (32 of 5×5 – ReLU – pooling – 32 of 5×5 – batch "
    "normalisation – ReLU – pooling – 128 – ReLU – classes) and a ResNet-18 with a quarter of the "
    "channels learn from a sixteenth of the training images up to all of them; a larger part holds "
    "the smaller ones. All pass as often over their images, so that more images also are more "
    "steps.",
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
        tables=[
            name,
            *(f"{name}_{of}" for of in ("kernels", "embedding", "distances", "pictures")),
        ],
    )


section.derived(scores)


def of_mnist(scores, share):
    """What networks did with a share of MNIST."""
    if set(scores["dataset"]) != {"mnist"}:
        raise NotTestableError("it is about MNIST")
    if share not in set(scores["share"]):
        raise NotTestableError("no network learned from a sixteenth of the images")
    return scores[scores["share"] == share]


@section.claim(
    "With all of MNIST, at least 99.2 % of the test images are right.",
    source=f"{COURSE}; the threshold is ours",
    measure="test accuracy, all training images",
    printed="0.9932",
    at_least=0.992,
)
def mnist_accuracy(scores):
    return of_mnist(scores, 1)["test_accuracy"]


@section.claim(
    "With all of MNIST the test loss is at most 0.025.",
    source=f"{COURSE}; the threshold is ours",
    measure="test loss, all training images, nats",
    printed="0.0209",
    at_most=0.025,
)
def mnist_loss(scores):
    return of_mnist(scores, 1)["test_loss"]


@section.claim(
    "With a sixteenth of MNIST, at least 98 % are right.",
    source=f"{COURSE}; the threshold is ours",
    measure="test accuracy, a sixteenth of the training images",
    printed="0.9815",
    at_least=0.98,
)
def mnist_sixteenth(scores):
    return of_mnist(scores, 1 / 16)["test_accuracy"]


GAINS = {
    "train_loss": ("training loss", "falls"),
    "train_accuracy": ("training accuracy", "rises"),
    "test_loss": ("test loss", "falls"),
    "test_accuracy": ("test accuracy", "rises"),
}


def smallest_gain(scores, name):
    """What the step that helps least brings, from one number of images to the next, by seed."""
    steps = scores.pivot(index="seed", columns="images", values=name).diff(axis=1).iloc[:, 1:]
    if not steps.shape[1]:
        raise NotTestableError("networks learned from one share of the images only")
    return (-steps if name.endswith("loss") else steps).min(axis=1)


def gains(name):
    """A claim that more images are better, by one of the four curves."""
    what, way = GAINS[name]
    return section.claim(
        f"The {what} {way} with every step to more images.",
        source=COURSE,
        measure=f"smallest gain in {what} from one number of images to the next",
        printed=f"{smallest_gain(PRINTED, name).iloc[0]:.4f}",
        above=0,
    )


@gains("train_loss")
def every_step_lowers_the_training_loss(scores):
    return smallest_gain(scores, "train_loss")


@gains("train_accuracy")
def every_step_raises_the_training_accuracy(scores):
    return smallest_gain(scores, "train_accuracy")


@gains("test_loss")
def every_step_lowers_the_test_loss(scores):
    return smallest_gain(scores, "test_loss")


@gains("test_accuracy")
def every_step_raises_the_test_accuracy(scores):
    return smallest_gain(scores, "test_accuracy")


@section.figure(
    "Errors by number of training images",
    shows="Both axes logarithmic · a split without an error has no point, and an interval that "
    "reaches none has no end",
    alt="Shares of wrong images against the number of training images, a panel a network.",
)
def accuracy_by_images(sheet, scores):
    sheet.facts.append(sizes(scores))
    # Errors, not hits: the last tenth of a percent is what the axis must show.
    rows, said = by_split(scores, "error"), []
    for ax, network, own in sheet.panels(rows, "network", 3.4, sharey=False):
        means = own.groupby(["split", "images"])["error"].transform("mean")
        ax.set(xscale="log", yscale="log")
        sheet.lines(ax, own[means > 0], "images", "error", hue="split", err_style="bars")
        lowest = show_printed(sheet, ax, own, "error")
        shown = means[means > 0]
        low, high = min(shown.min(), lowest) / 3, min(1.5, 4 * shown.max())
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
    beside,
    keys=["network", "images"],
    values=["train_loss", "test_loss", "train_accuracy", "test_accuracy"],
)
