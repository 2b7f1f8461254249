"""Both can learn a few images by heart: claims and figure of the sweep `overfit`."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.comparing import mean_cells
from depthlens.chapters.inductive_bias.by_epoch import at_the_end, judged_at_the_end
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.chapters.over_seeds import over_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding
from depthlens.prose import count, joined, percent, some
from depthlens.report.page import Cell, Table

claim = comparing.claims_of("inductive_bias")
_SPLITS = {"train": "training images", "validation": "validation images"}


def _by_heart(name: str) -> Claim:
    return claim(
        f"{name}-learns-by-heart",
        f"The {NETWORKS[name]} learns a few images by heart.",
        "course material on inductive biases",
        f"training accuracy at the end, {NETWORKS[name]}",
        at_least=1.0,
    )


CLAIMS = (_by_heart("cnn"), _by_heart("mlp"))
_TERMS = {"cnn-learns-by-heart": [(1, "cnn")], "mlp-learns-by-heart": [(1, "mlp")]}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against the end of the training."""
    return judged_at_the_end(
        CLAIMS, tables["overfit"], split="train", terms=_TERMS, confidence_level=confidence_level
    )


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy and loss by epoch, on training and on validation images."""
    table = tables["overfit"]
    figure, axes = style.canvas(5.0, rows=2, columns=2, sharex=True, sharey="row")
    for row, column in zip(axes, ("accuracy", "loss"), strict=True):
        found = over_seeds(
            table, ["architecture", "split", "epoch"], column, confidence_level=confidence_level
        )
        for ax, split in zip(row, _SPLITS, strict=True):
            for name in _networks(table):
                own = (found["architecture"] == name) & (found["split"] == split)
                _line(ax, found[own], name, most=1 if column == "accuracy" else None)
    for ax, split in zip(axes[0], _SPLITS, strict=True):
        ax.set_title(_SPLITS[split])
        ax.set_ylim(0, 1.03)
        plots.percent_axis(ax.yaxis)
    axes[1, 0].set_ylim(bottom=0)
    axes[1, 0].xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("cross-entropy, nats")
    comparing.label_below(axes, "passes over the training images")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    title = "Learning a few images by heart"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy and loss along the training · {sizes_of(table)} · "
        f"{sizes_of(table, 'validation').split(',')[0]}\n"
        f"Bands: {percent(confidence_level)} intervals of the mean over seeds",
    )
    alt = (
        "Lines of accuracy above and of loss below, by passes over the training images, one a "
        "network; on the left for training images, on the right for validation images."
    )
    return {"overfit": Drawing(figure, title, _sentence(table), alt)}


def _networks(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["architecture"]))


def _line(axes: Axes, points: pd.DataFrame, name: str, *, most: float | None) -> None:
    """A network's mean by epoch with the band of its interval, which ends at 0 and at `most`."""
    points = points.sort_values("epoch")
    low, high = points["low"].clip(0, most), points["high"].clip(0, most)
    axes.fill_between(points["epoch"], low, high, color=COLOURS[name], alpha=0.18, linewidth=0)
    axes.plot(points["epoch"], points["mean"], color=COLOURS[name], label=NETWORKS[name])


def _sentence(table: pd.DataFrame) -> str:
    ends = at_the_end(table, *_SPLITS)
    counted, right = [], []
    for name in _networks(table):
        own = ends[ends["architecture"] == name]
        learned = own.loc[own["split"] == "train", "accuracy"]
        counted.append(f"{count((learned == 1).sum())} of {some(len(learned), NETWORKS[name])}")
        validated = own.loc[own["split"] == "validation", "accuracy"].mean()
        right.append(f"the {NETWORKS[name]} gets {percent(validated, 1)}")
    return (
        f"After {some(ends['epoch'].max(), 'pass', 'passes')} over the training images, "
        f"{joined(counted)} have every one of them right; of the validation images, "
        f"{joined(right)} right, in the mean over seeds."
    )


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy and loss at the end, by network and split."""
    ends = at_the_end(tables["overfit"], *_SPLITS).sort_values("architecture", kind="stable")
    keys = ["architecture", "split", "examples"]
    accuracy, loss = (
        over_seeds(ends, keys, column, confidence_level=confidence_level)
        for column in ("accuracy", "loss")
    )
    rows = [
        [
            Cell(NETWORKS[found["architecture"]]),
            Cell(_SPLITS[found["split"]]),
            Cell(count(found["examples"]), int(found["examples"])),
            *mean_cells(found),
            *mean_cells(of_loss),
            Cell(count(found["n"]), int(found["n"])),
        ]
        for (_, found), (_, of_loss) in zip(accuracy.iterrows(), loss.iterrows(), strict=True)
    ]
    columns = ["network", "asked about", "images", "accuracy", "interval", "loss", "interval"]
    caption = "Accuracy and loss at the end of the training, mean over seeds"
    return [Table(id="table-overfit", caption=caption, columns=[*columns, "seeds"], rows=rows)]
