"""Figures about images that do not belong."""

import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters.over_seeds import by_dataset, over_seeds, sizes
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.prose import count, joined, number, percent

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
MEASURES = {"auroc": "area under ROC", "accuracy": "accuracy", "mean_depth": "mean depth"}

_COLOURS = dict(zip(list(IMAGES)[1:], style.palette(list(IMAGES)[1:]), strict=True))
_MARKERS = {"held_out": "o", "other": "s", "noise": "^", "blur": "v", "contrast": "D"}
CORRUPTIONS = ("noise", "blur", "contrast")
_PANEL_INCHES = 2.1


def draw(table: pd.DataFrame, *, confidence_level: float) -> dict[str, Drawing]:
    """Every figure, by name."""
    with style.styled():
        return {
            "foreign_detectors": detectors(table, confidence_level=confidence_level),
            "foreign_severity": severity(table, confidence_level=confidence_level),
        }


def detectors(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """How well each detector tells each set of foreign images from known ones."""
    title = "Which images do not belong?"
    worst = table["severity"].max()
    rows = table[(table["measure"] == "auroc") & table["severity"].isin([0, worst])]
    means = over_seeds(
        rows, ["dataset", "images", "detector"], "value", confidence_level=confidence_level
    )
    datasets = by_dataset(table)
    names = list(DETECTORS)
    figure, axes = style.canvas(
        0.42 * len(names) + 0.9, columns=len(datasets), sharex=True, sharey=True
    )
    for ax, dataset in zip(axes[0], datasets, strict=True):
        here = means[means["dataset"] == dataset]
        kinds = [kind for kind in _COLOURS if kind in set(means["images"])]
        for index, kind in enumerate(kinds):
            part = here[here["images"] == kind]
            shift = 0.13 * (index - (len(kinds) - 1) / 2)
            positions = part["detector"].map(names.index).to_numpy() + shift
            plots.error_bars(
                ax, positions, part["mean"], part["low"].clip(0, 1), part["high"].clip(0, 1),
                across=True, ecolor=_COLOURS[kind], elinewidth=1.2, capsize=0,
            )  # fmt: skip
            ax.plot(
                part["mean"],
                positions,
                _MARKERS[kind],
                color=_COLOURS[kind],
                markersize=4.5,
                label=IMAGES[kind] + (f", severity {worst}" if kind in CORRUPTIONS else ""),
            )
        ax.axvline(0.5, color=style.MUTED, linewidth=0.9, linestyle=":")
        for edge in range(1, len(names)):
            ax.axhline(edge - 0.5, color=style.FAINT, linewidth=0.6)
        ax.set_title(dataset)
        ax.set_xlabel("area under the ROC curve")
        ax.set_yticks(range(len(names)), [DETECTORS[name] for name in names])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(names) - 0.5, -0.5)
        # Intervals of few seeds may be wider than the scale.
        ax.set_xlim(min(0.2, here["mean"].min() - 0.03), 1.01)
        ax.grid(False, axis="y")
        ax.grid(True, axis="x")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
    style.frame(
        figure,
        title=title,
        subtitle=f"Area under the ROC curve, foreign against known test images · dotted: 0.5, "
        f"choosing at random\n{_sizes(table)} · bars: {percent(confidence_level)} intervals over "
        "seeds",
    )
    phrases = []
    for dataset in datasets:
        for kind in ("held_out", "other"):
            part = means[(means["dataset"] == dataset) & (means["images"] == kind)]
            if part.empty:
                continue
            part = part.set_index("detector")["mean"]
            best = part.drop("random").idxmax()
            phrases.append(
                f"{IMAGES[kind]} on {dataset} best by {DETECTORS[best]} ({number(part[best])}; "
                f"prediction depth {number(part['depth'])})"
            )
    without = "" if "other" in set(table["images"]) else (
        " There is no other dataset in the list to compare with."
    )  # fmt: skip
    return Drawing(
        figure,
        title,
        f"By area under the ROC curve, one recognises {joined(phrases)}.{without}",
        f"Dot plots of the area under the ROC curve by detector; {joined(phrases)}.",
    )


def severity(table: pd.DataFrame, *, confidence_level: float) -> Drawing:
    """Accuracy and mean depth of corrupted images by severity."""
    title = "What corruption does to accuracy and depth"
    datasets = by_dataset(table)
    rows = table[table["measure"].isin(["accuracy", "mean_depth"])]
    means = over_seeds(
        rows,
        ["dataset", "measure", "images", "severity"],
        "value",
        confidence_level=confidence_level,
    )
    figure, axes = style.canvas(
        2 * _PANEL_INCHES, rows=2, columns=len(datasets), sharex=True, sharey="row"
    )
    phrases = []
    for column, dataset in enumerate(datasets):
        for ax, measure in zip(axes[:, column], ("accuracy", "mean_depth"), strict=True):
            here = means[(means["dataset"] == dataset) & (means["measure"] == measure)]
            # Student's interval does not know that an accuracy is a share and no depth is below 0.
            top = 1.0 if measure == "accuracy" else None
            _lines(ax, here.assign(low=here["low"].clip(0), high=here["high"].clip(upper=top)))
        axes[0, column].set_title(dataset)
        axes[1, column].set_xlabel("severity (0: the images as they are)")
        plots.percent_axis(axes[0, column].yaxis)
        axes[1, column].set_xticks(sorted(set(here["severity"])))
        here = means[means["dataset"] == dataset].set_index(["measure", "images", "severity"])
        worst = int(table["severity"].max())
        for kind in CORRUPTIONS:
            before, after = (
                here["mean"]["accuracy", name, level]
                for name, level in (("known", 0), (kind, worst))
            )
            depths = (
                here["mean"]["mean_depth", name, level]
                for name, level in (("known", 0), (kind, worst))
            )
            shallow, deep = depths
            phrases.append(
                f"{IMAGES[kind]} on {dataset} takes accuracy from {percent(before, 1)} to "
                f"{percent(after, 1)} and mean depth from {number(shallow)} to {number(deep)}"
            )
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("mean prediction depth")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    style.frame(
        figure,
        title=title,
        subtitle="The known test images, corrupted as in CIFAR-10-C (Hendrycks & Dietterich 2019)\n"
        f"{_sizes(table)} · bars: {percent(confidence_level)} intervals over seeds",
    )
    return Drawing(
        figure,
        title,
        f"At severity {worst}, {joined(phrases)}.",
        f"Line charts of accuracy and of mean depth by severity; {joined(phrases)}.",
    )


def _sizes(table: pd.DataFrame) -> str:
    return f"n = {count(table['n_known'].max())} known test images · {sizes(table)}"


def _lines(ax: Axes, here: pd.DataFrame) -> None:
    clean = here[here["images"] == "known"]
    for kind in CORRUPTIONS:
        line = pd.concat([clean, here[here["images"] == kind]]).sort_values("severity")
        plots.error_bars(
            ax, line["severity"], line["mean"], line["low"], line["high"],
            ecolor=_COLOURS[kind],
        )  # fmt: skip
        ax.plot(
            line["severity"], line["mean"], color=_COLOURS[kind], marker=_MARKERS[kind],
            markersize=4.5, label=IMAGES[kind],
        )  # fmt: skip
