"""How loss and accuracy depend on the number of training images, and the law they follow."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from depthlens import intervals
from depthlens.chapters import comparing
from depthlens.chapters.over_seeds import over_seeds
from depthlens.chapters.representation.networks import Tables, each, judged, some_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError
from depthlens.prose import count, number, percent
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("representation")
_COURSE = "course material on representation learning"
CLAIMS = (
    claim_of(
        "ten-times-the-data",
        "Ten times the data is a third of the test loss.",
        _COURSE,
        "test loss at ten times the images over the loss, by the fitted power law",
        at_least=0.25,
        at_most=0.42,
    ),
    claim_of(
        "power-law",
        "The test loss follows a power law of the number of images.",
        "Hestness et al. (2017), arXiv 1712.00409",
        "variance of the logarithm of the test loss that a straight line explains, as a share (R²)",
        at_least=0.95,
    ),
    claim_of(
        "mnist-accuracy",
        "With all of MNIST, at least 99.2 % of the test images are right.",
        _COURSE,
        "test accuracy, all training images",
        at_least=0.992,
    ),
    claim_of(
        "mnist-loss",
        "With all of MNIST the test loss is at most 0.025.",
        _COURSE,
        "test loss, all training images, nats",
        at_most=0.025,
    ),
    claim_of(
        "mnist-sixteenth",
        "With a sixteenth of MNIST, at least 98 % are right.",
        _COURSE,
        "test accuracy, a sixteenth of the training images",
        at_least=0.98,
    ),
)
_SPLITS = {"train": style.MUTED, "test": "#0173b2"}


def power_law(images: np.ndarray, loss: np.ndarray) -> tuple[float, float, float]:
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
    x, y = np.log(images), np.log(loss)
    slope, intercept = np.polyfit(x, y, 1)
    left, total = ((y - slope * x - intercept) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return float(np.exp(intercept)), float(slope), float(1 - left / total) if total > 0 else 1.0


def by_network(table: pd.DataFrame) -> pd.DataFrame:
    """One row a seed and share: `images`, and loss and accuracy on training and test images."""
    right = table["label"] == table["prediction"]
    found = table.assign(test_accuracy=right).groupby(["seed", "share"], sort=True)
    return found.agg(
        images=("images", "first"),
        train_loss=("train_loss", "first"),
        train_accuracy=("train_accuracy", "first"),
        test_loss=("loss", "mean"),
        test_accuracy=("test_accuracy", "mean"),
    ).reset_index()


def _measure(claim: Claim, table: pd.DataFrame) -> list[float]:
    found = by_network(table)
    if claim.id in ("ten-times-the-data", "power-law"):
        if found["share"].nunique() < 3:
            raise NotTestableError("a line through fewer than three sizes says nothing")
        if claim.id == "power-law":
            return [explained for _, _, explained in _fits(found)]
        return [10**exponent for exponent in _exponents(found)]
    if set(table["dataset"]) != {"mnist"}:
        raise NotTestableError("it is about MNIST")
    share = 1 / 16 if claim.id == "mnist-sixteenth" else 1.0
    wanted = found[found["share"] == share]
    if wanted.empty:
        raise NotTestableError("no network learned from a sixteenth of the images")
    return wanted["test_loss" if claim.id == "mnist-loss" else "test_accuracy"].tolist()


def _fits(found: pd.DataFrame) -> list[tuple[float, float, float]]:
    """The power law of each seed."""
    return [
        power_law(of_seed["images"].to_numpy(float), of_seed["test_loss"].to_numpy())
        for _, of_seed in found.groupby("seed")
    ]


def _exponents(found: pd.DataFrame) -> list[float]:
    return [exponent for _, exponent, _ in _fits(found)]


def evaluate(tables: Tables, *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both networks."""
    return judged(CLAIMS, _measure, tables, confidence_level=confidence_level)


def draw(tables: Tables, *, confidence_level: float) -> dict[str, Drawing]:
    """Loss and accuracy by number of training images."""
    found = {title: by_network(table) for title, table in each(tables).items()}
    sizes = "; ".join(f"{title}: {some_seeds(table)}" for title, table in each(tables).items())
    bars = f"Bars: {percent(confidence_level)} intervals of the mean over seeds · {sizes}"
    return {
        "loss_by_images": _losses(found, bars, confidence_level),
        "accuracy_by_images": _accuracies(found, bars, confidence_level),
    }


def _means(found: pd.DataFrame, column: str, confidence_level: float) -> pd.DataFrame:
    return over_seeds(found, ["images"], column, confidence_level=confidence_level)


def _losses(found: dict[str, pd.DataFrame], bars: str, confidence_level: float) -> Drawing:
    figure, axes = style.canvas(3.4, columns=len(found))
    phrases = []
    for ax, (title, table) in zip(axes[0], found.items(), strict=True):
        least = []
        for split, colour in _SPLITS.items():
            means = _means(table, f"{split}_loss", confidence_level)
            _points(ax, means, colour, split)
            least.append(means["mean"].min())
        test = _means(table, "test_loss", confidence_level)
        if len(test) > 1:
            factor, exponent, explained = power_law(
                test["images"].to_numpy(float), test["mean"].to_numpy()
            )
            low, high = intervals.mean(_exponents(table), confidence_level=confidence_level)
            line = np.array([test["images"].min(), test["images"].max()], float)
            ax.plot(line, factor * line**exponent, "--", color=style.INK, linewidth=1)
            ax.text(
                0.03, 0.04,
                f"test loss ∝ n^b, b = {number(exponent)} ({number(low)} … {number(high)})\n"
                f"R² = {number(explained)}",
                transform=ax.transAxes, fontsize=8.5,
            )  # fmt: skip
            phrases.append(
                f"with {title}, ten times the images leave {percent(10**exponent)} of the test loss"
            )
        ax.set_xscale("log")
        # Room below for the law.
        plots.logarithmic_axis(ax, lambda value: f"{value:g}", low=min(least) / 6)
        ax.set_title(title)
        _label_images(ax, test["images"])
    axes[0, 0].set_ylabel("cross-entropy, nats")
    comparing.label_below(axes, "training images")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    title = "Loss by number of training images"
    subtitle = (
        "Both axes logarithmic · dashed: power law fitted to the means, in brackets the interval "
        f"of its exponent over seeds\n{bars}"
    )
    style.frame(figure, title=title, subtitle=subtitle)
    sentence = f"By the fitted power laws, {'; '.join(phrases)}." if phrases else "One size only."
    alt = "Training and test loss against the number of training images, a panel a network."
    return Drawing(figure, title, sentence, alt)


def _accuracies(found: dict[str, pd.DataFrame], bars: str, confidence_level: float) -> Drawing:
    figure, axes = style.canvas(3.4, columns=len(found))
    phrases = []
    for ax, (title, table) in zip(axes[0], found.items(), strict=True):
        least, most = [], []
        for split, colour in _SPLITS.items():
            means = _means(table, f"{split}_accuracy", confidence_level)
            # Errors, not hits: the last tenth of a percent is what the axis must show.
            errors = means.assign(
                mean=1 - means["mean"], low=1 - means["high"], high=1 - means["low"]
            )
            some = errors[errors["mean"] > 0]
            _points(ax, some, colour, split)
            least += some["mean"].tolist()
            most += some["high"].tolist()
        ax.set_xscale("log")
        # An interval that reaches down to no errors has no end on such an axis.
        low, high = min(least, default=1e-3) / 3, min(1.5, 2 * max(most, default=1))
        plots.logarithmic_axis(ax, lambda value: f"{100 * value:g}\u00a0%", low=low, high=high)
        ax.set_title(title)
        _label_images(ax, table["images"].unique())
        test = _means(table, "test_accuracy", confidence_level)
        phrases.append(
            f"{title} gets {percent(test['mean'].iloc[-1], 1)} of the test images right with "
            f"{count(test['images'].iloc[-1])} images and {percent(test['mean'].iloc[0], 1)} with "
            f"{count(test['images'].iloc[0])}"
        )
    axes[0, 0].set_ylabel("images that are wrong")
    comparing.label_below(axes, "training images")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    title = "Errors by number of training images"
    subtitle = (
        "Both axes logarithmic · a split without an error has no point, and an interval that "
        f"reaches none has no end\n{bars}"
    )
    style.frame(figure, title=title, subtitle=subtitle)
    sentence = f"{'; '.join(phrases)}."
    alt = "Shares of wrong images against the number of training images, a panel a network."
    return Drawing(figure, title, sentence, alt)


def _points(ax: Axes, means: pd.DataFrame, colour: str, label: str) -> None:
    ax.plot(means["images"], means["mean"], "-o", color=colour, markersize=4, label=label)
    plots.error_bars(
        ax, means["images"], means["mean"], means["low"].clip(lower=1e-6), means["high"],
        ecolor=colour,
    )  # fmt: skip


def _label_images(ax: Axes, images: Iterable[int]) -> None:
    ax.set_xticks(sorted(images), [count(value) for value in sorted(images)], fontsize=7.5)
    ax.xaxis.set_minor_locator(NullLocator())


def report_tables(tables: Tables, *, confidence_level: float) -> list[Table]:
    """Loss and accuracy by number of training images."""
    rows = []
    for title, table in each(tables).items():
        found = by_network(table)
        for images, of_size in found.groupby("images"):
            rows.append(
                [
                    Cell(title),
                    Cell(count(images), int(images)),
                    *(
                        Cell(shown(of_size[name].mean()), float(of_size[name].mean()))
                        for name, shown in (
                            ("train_loss", lambda value: number(value, 4)),
                            ("test_loss", lambda value: number(value, 4)),
                            ("train_accuracy", lambda value: percent(value, 2)),
                            ("test_accuracy", lambda value: percent(value, 2)),
                        )
                    ),
                    Cell(str(len(of_size)), len(of_size)),
                ]
            )
    columns = [
        "network", "training images", "training loss", "test loss", "training accuracy",
        "test accuracy", "seeds",
    ]  # fmt: skip
    caption = "Loss (nats) and accuracy by number of training images, mean over seeds"
    return [Table(id="table-data-size", caption=caption, columns=columns, rows=rows)]
