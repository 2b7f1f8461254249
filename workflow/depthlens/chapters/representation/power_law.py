"""The law that the loss follows with the number of training images."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from depthlens.chapters.representation.curves import COURSE, beside, by_split, scores, show_printed
from depthlens.chapters.representation.networks import COLUMNS, sizes
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.ledger import NotTestableError
from depthlens.prose import number, percent

section = Section(
    __name__,
    title="What ten times the images are worth",
    text=(
        "Both axes are logarithmic: a power law, loss = a · n^b, is a straight line.",
        "CS 148 says of its five points that ten times the images leave a third of the test loss. "
        "From a sixteenth to all is 16 times, and a power law through these points, b = −0.367, "
        "R² 0.955, leaves 0.430 at ten times: by its own numbers the claim does not hold.",
    ),
    columns=COLUMNS,
    per="network",
)
section.derived(scores)


def fit(images: ArrayLike, loss: ArrayLike) -> tuple[float, float, float]:
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
    x, y = np.log(np.asarray(images, float)), np.log(np.asarray(loss, float))
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
    source=f"{COURSE}; the bounds are ours",
    measure="test loss at ten times the images over the loss, by the fitted power law",
    printed="a third; its points: 0.430",
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


@section.figure(
    "Loss by number of training images",
    shows="Both axes logarithmic · dashed: power law fitted to the means, in brackets the interval "
    "of its exponent over seeds",
    alt="Training and test loss against the number of training images, a panel a network.",
)
def loss_by_images(sheet, scores):
    sheet.facts.append(sizes(scores))
    rows, said = by_split(scores, "loss"), []
    for ax, network, own in sheet.panels(rows, "network", 3.4, sharey=False):
        ax.set(xscale="log", yscale="log")
        sheet.lines(ax, own, "images", "loss", hue="split", err_style="bars")
        lowest = show_printed(sheet, ax, own, "loss")
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
        least = min(own.groupby(["split", "images"])["loss"].mean().min(), lowest)
        plots.logarithmic_axis(ax, lambda value: f"{value:g}", low=least / 6)
    return f"By the fitted power laws, {'; '.join(said)}." if said else "One size only."


@section.derived
def of_each(scores):
    """The law of every seed of every network, and that of the printed points; three sizes or more.

    `ten_times`: the share of the test loss that ten times the images leave.
    """
    rows = [
        (network, seed, exponent, 10**exponent, explained)
        for (network, seed), own in beside(scores).groupby(["network", "seed"], sort=False)
        if len(own) > 2
        for _, exponent, explained in [fit(own["images"], own["test_loss"])]
    ]
    return pd.DataFrame(rows, columns=["network", "seed", "exponent", "ten_times", "explained"])


section.table(
    "power-law",
    "The power law of the test loss, mean over seeds",
    lambda of_each: of_each,
    keys=["network"],
    values=["exponent", "ten_times", "explained"],
)
