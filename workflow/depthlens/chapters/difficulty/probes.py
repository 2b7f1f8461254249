"""What do the activations know of the class along the network?"""

import numpy as np
import pandas as pd

from depthlens.chapters.difficulty import words
from depthlens.chapters.difficulty.run import display_name
from depthlens.chapters.section import Section
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, percent, shortened, some

section = Section(
    __name__,
    title="Probes",
    text="A k-NN classifier on the activations of each probe, from the input to the output.",
    columns=words.COLUMNS
    | {
        "index": Column("probe, from input to output", count),
        "right": Column("share of test images", share=True),
        "of": Column(
            "k-NN class",
            {
                "accuracy": "k-NN class = true class",
                "agreement": "k-NN class = class given by the network",
            }.__getitem__,
            {"accuracy": style.RIGHT, "agreement": style.WRONG},
        ),
        "accuracy": Column("k-NN accuracy", words.to_a_tenth),
        "accuracy_low": words.LOW_SHARE,
        "accuracy_high": words.HIGH_SHARE,
        "agreement": Column("agrees with the network", words.to_a_tenth),
        "dims": Column("numbers", count),
        "parameters": Column("parameters", count),
        "receptive_field": Column(
            "receptive field, px", lambda px: "whole image" if np.isinf(px) else count(px)
        ),
        "duplicate_of": Column(
            "equals",
            lambda name: display_name(name) if isinstance(name, str) else words.or_dash(name),
        ),
    },
)


@section.derived
def probes(run, level):
    """The table of probes with each k-NN's accuracy and its agreement with the network."""
    table = run.probes.assign(probe=run.probe_names)
    for share, column in {"accuracy": "label", "agreement": "prediction"}.items():
        same = (run.knn == run.examples[column].to_numpy()[:, None]).sum(axis=0)
        words.add_share(table, share, same, len(run.knn), level)
    return table


@section.figure(
    "What the activations know along the network",
    shows="k-NN classifier on the activations of each probe · dotted: accuracy of the network, and "
    "of always saying the commonest class",
    alt="A line chart along the probes of the share of test images whose neighbours have the true "
    "class, and of those whose neighbours have the network's class.",
)
def knn_accuracy_by_probe(sheet, run, probes):
    rows = words.stacked(probes.reset_index(), ["index"], ("accuracy", "agreement"), "right")
    sheet.intervals_of = " (Wilson)"
    ax = sheet.axes(3.6)
    sheet.lines(ax, rows, "index", "right", hue="of", style="of", interval=("low", "high"))
    overall = run.examples["correct"].mean()
    chance = run.examples["label"].value_counts(normalize=True).max()
    for share, colour in ((overall, style.INK), (chance, style.MUTED)):
        ax.axhline(share, color=colour, linewidth=1, linestyle=":")
    ax.set_ylim(0, 1.02)
    plots.category_axis(sheet.figure, ax, [str(i) for i in range(len(probes))], run.probe_names)
    sheet.facts.append(f"n = {count(len(run.examples))} test images")
    first, last = probes.iloc[0], probes.iloc[-1]
    best = probes.loc[probes["accuracy"].idxmax()]
    return (
        f"Neighbours at {first['probe']} already give the true class to "
        f"{percent(first['accuracy'], 1)} of the test images and those at {best['probe']} to "
        f"{percent(best['accuracy'], 1)}, the most of all; at the last probe they agree with the "
        f"network on {percent(last['agreement'], 1)}, whose own accuracy is {percent(overall, 1)}."
    )


@section.figure(
    "Where the network was probed",
    shows="Probes in forward order; k-NN right: share of test images whose neighbours have the "
    "true class",
    alt="A table of the probes with their shape, size, parameters and receptive field.",
)
def probe_table(sheet, run, probes):
    sheet.title = f"Where {run.model} was probed"
    header = ["", "probe", "kind", "shape", "numbers", "parameters", "sees", "equals", "k-NN right"]
    rows = [
        [
            str(index),
            shortened(row.probe, 28),
            shortened(str(row.kind), 20),
            row.shape,
            count(row.dims),
            count(row.parameters),
            "all" if pd.isna(row.receptive_field) else f"{int(row.receptive_field)} px",
            display_name(row.duplicate_of) if isinstance(row.duplicate_of, str) else "",
            percent(row.accuracy, 1),
        ]
        for index, row in enumerate(probes.itertuples())
    ]
    ax = sheet.axes(0.24 * (len(rows) + 1))
    plots.text_table(sheet.figure, ax, header, rows)
    sheet.facts.append(f"n = {count(len(run.examples))} test images")
    same = [f"{row[1]} equals {row[7]}" for row in rows if row[7]]
    dims = probes["dims"]
    return (
        f"{some(len(rows), 'probe')} hold between {count(dims.min())} and "
        f"{some(dims.max(), 'number')} an image; {joined(same) or 'no two are equal'}."
    )


section.table(
    "probes",
    "Probes, in forward order",
    lambda probes: probes.assign(
        no=range(len(probes)), receptive_field=probes["receptive_field"].fillna(np.inf)
    ),
    keys=("no", "probe"),
    values=(
        "kind", "shape", "dims", "parameters", "receptive_field", "duplicate_of", "accuracy",
        "accuracy_low", "accuracy_high", "agreement",
    ),
)  # fmt: skip
