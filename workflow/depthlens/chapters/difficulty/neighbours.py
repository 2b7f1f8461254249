"""How much does depth depend on the number of neighbours?"""

import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator
from scipy import stats

from depthlens import intervals
from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import number, percent

section = Section(
    __name__,
    title="Neighbours",
    text="Depth with other numbers of neighbours that vote.",
    columns=words.COLUMNS
    | {
        "low": Column("low", words.two_digits),
        "high": Column("high", words.two_digits),
        "correlation": Column("ρ with depth at the study's k"),
        "correlation_low": Column("low"),
        "correlation_high": Column("high"),
        "changed": Column("images whose depth differs", words.to_a_tenth, share=True),
        "changed_low": words.LOW_SHARE,
        "changed_high": words.HIGH_SHARE,
    },
)


MEASURES = (
    "mean_depth", "low", "high", "correlation", "correlation_low", "correlation_high",
    "changed", "changed_low", "changed_high",
)  # fmt: skip


def by_k(split, level):
    """One row a number k: depths with k neighbours, held against those with the study's k.

    correlation (Spearman) is NaN where one does not vary; changed: share of other depths.
    """
    depth, level_of = split.depths["depth"].to_numpy(), {"confidence_level": level}
    rows = []
    for index in np.argsort(split.ks, kind="stable"):
        at_k = split.depth_by_k[:, index]
        varies = len(depth) >= 3 and np.ptp(at_k) > 0 and np.ptp(depth) > 0
        rho = float(stats.spearmanr(at_k, depth).statistic) if varies else np.nan
        low, high = intervals.spearman(rho, len(depth), **level_of)
        row = {"k": split.ks[index]} | words.mean_of(at_k, level, "mean_depth", ("low", "high"))
        row |= {"correlation": rho, "correlation_low": low, "correlation_high": high}
        words.add_share(row, "changed", (at_k != depth).sum(), len(depth), level)
        rows.append(row)
    return pd.DataFrame(rows, columns=["k", *MEASURES])


@section.derived
def neighbours(run, level):
    """The same of every split."""
    parts = [by_k(split, level).assign(split=name) for name, split in run.splits.items()]
    return pd.concat(parts, ignore_index=True)


@section.figure(
    "How much depth depends on the number of neighbours",
    shows="Depth with other numbers of neighbours that vote · dotted: the number that everything "
    "else here is made with",
    alt="Three line charts by number of neighbours: mean depth, rank correlation with the depth of "
    "the study, share of images that change.",
)
def depth_by_k(sheet, run, neighbours):
    sheet.facts.append(words.sizes(run))
    if not run.test.ks:
        return words.nothing(sheet, "No other number of neighbours was tried.")
    ks, studied = sorted(run.test.ks), run.test.n_neighbors
    sheet.intervals_of = ""
    axes = sheet.axes(2.7, columns=3)[0]
    for ax, measure in zip(axes, ("mean_depth", "correlation", "changed"), strict=True):
        ends = ("low", "high") if measure == "mean_depth" else (f"{measure}_low", f"{measure}_high")
        roles = {"hue": "split", "style": "split", "interval": ends}
        sheet.lines(ax, neighbours, "k", measure, **roles)
        ax.set(title=ax.get_ylabel(), ylabel="")
        ax.axvline(studied, color=style.MUTED, linewidth=0.9, linestyle=":")
        ax.set_xscale("log")
        ax.set_xticks(ks, [f"{k:g}" for k in ks])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlim(min(ks) / 1.5, max(ks) * 1.5)
    highest = neighbours[["mean_depth", "high"]].max().max()
    axes[0].set_ylim(0, min(run.n_depths - 1, max(1.0, 1.25 * highest)))
    axes[1].set_ylim(min(0.0, neighbours["correlation_low"].fillna(0).min()), 1.04)
    axes[2].set_ylim(0, 1.02)
    test = neighbours[neighbours["split"] == "test"]
    first, last = (number(mean) for mean in test["mean_depth"].iloc[[0, -1]])
    most = test.loc[test["changed"].idxmax()]
    return (
        f"With k from {ks[0]:g} to {ks[-1]:g} the mean depth of the test images goes from {first} "
        f"to {last}; at k = {most['k']:g}, where most changes, {percent(most['changed'], 1)} of "
        f"them have another depth than at k = {studied} (ρ = {number(most['correlation'])})."
    )


for split, images in words.SPLITS.items():
    section.table(
        f"neighbours-{split}",
        f"Depth of {images} by number of neighbours",
        lambda neighbours, split=split: neighbours[neighbours["split"] == split],
        keys=("k",),
        values=MEASURES,
    )
