"""The page about a reader's own examples: who is suspect, who is hard, and the ranking."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from depthlens.prose import count, number, percent, shortened, some
from depthlens.report.page import Card, Cell, ExamplesPage, Table, Thumbnail, image_source

GALLERY = 24
RANKED = 1000
_FILE = 30  # characters of a file's name below its image


def page(
    table: pd.DataFrame, images: NDArray[np.uint8], *, options: Mapping[str, object]
) -> ExamplesPage:
    """The parts of the page.

    Parameters
    ----------
    table : DataFrame
        What `measure` gives, with `file`, `rank`, `suspicion_rank` and `suggested`, the class of
        most probes.
    images : uint8 array, shape (n_examples, 1 or 3, height, width)
        In the order of the table.
    options : mapping
        What it was made with.
    """
    about = table.attrs
    hardest = table.sort_values("rank").index
    by_suspicion = table.sort_values("suspicion_rank").index
    suspects = [row for row in by_suspicion[:GALLERY] if table["suspicion"][row] > 0]
    listed = sorted({*hardest[:RANKED], *by_suspicion[:RANKED]}, key=table["rank"].__getitem__)
    return ExamplesPage(
        title="Which of these images are hard, and which labels are suspect",
        leave_one_out=about["leave_one_out"],
        n_neighbors=about["n_neighbors"],
        n_probes=len(about["probes"]),
        cards=_cards(table),
        suspects=_thumbnails(table, images, suspects),
        hardest=_thumbnails(table, images, list(hardest[:GALLERY])),
        ranking=_ranking(table, listed),
        probes=_probes(table),
        options=yaml.safe_dump(dict(options), sort_keys=False, allow_unicode=True),
    )


def _cards(table: pd.DataFrame) -> list[Card]:
    about = table.attrs
    last = len(about["probes"])
    which = "training images" if about["leave_one_out"] else "images"
    cards = [
        Card(which, count(len(table)), some(len(about["classes"]), "class", "classes")),
        Card("training accuracy", percent(about["train_accuracy"], 1)),
        Card("accuracy", percent(table["correct"].mean(), 1), "of the images here"),
        Card("mean depth", number(table["depth"].mean()), f"of {last} at most"),
        Card(
            "suspect",
            count((table["suspicion"] > 0).sum()),
            "more votes for another class than for the label",
        ),
    ]
    return cards[:1] + cards[2:] if about["leave_one_out"] else cards


def _thumbnails(
    table: pd.DataFrame, images: NDArray[np.uint8], rows: Sequence[int]
) -> list[Thumbnail]:
    classes = table.attrs["classes"]
    return [
        Thumbnail(
            image_source(images[index]),
            f"{classes[row.label]} → {classes[row.prediction]}",
            [
                shortened(row.file, _FILE),
                f"depth {row.depth}",
                f"most probes: {classes[row.suggested]}",
                f"suspicion {number(row.suspicion)}",
            ],
        )
        for index, row in zip(rows, table.loc[list(rows)].itertuples(), strict=True)
    ]


def _ranking(table: pd.DataFrame, rows: Sequence[int]) -> Table:
    classes = table.attrs["classes"]
    all_of_them = len(rows) == len(table)
    return Table(
        id="ranking",
        caption="All images, hardest first"
        if all_of_them
        else f"The {count(RANKED)} hardest and the {count(RANKED)} most suspect of "
        f"{some(len(table), 'image')}; examples.csv has all",
        columns=[
            "rank",
            "file",
            "label",
            "network",
            "most probes",
            "depth",
            "confidence",
            "loss",
            "margin",
            "k-NN disagreement",
            "suspicion",
            "suspicion rank",
        ],
        rows=[
            [
                Cell(count(row.rank), row.rank),
                Cell(row.file),
                Cell(classes[row.label]),
                Cell(classes[row.prediction]),
                Cell(classes[row.suggested]),
                Cell(str(row.depth), row.depth),
                Cell(percent(row.confidence, 1), row.confidence),
                Cell(number(row.loss, 3), row.loss),
                Cell(number(row.output_margin), row.output_margin),
                Cell(percent(row.knn_disagreement), row.knn_disagreement),
                Cell(number(row.suspicion), row.suspicion),
                Cell(count(row.suspicion_rank), row.suspicion_rank),
            ]
            for row in table.loc[list(rows)].itertuples()
        ],
    )


def _probes(table: pd.DataFrame) -> Table:
    return Table(
        id="probes",
        caption="Probes, in forward order",
        columns=["no.", "probe", "k-NN accuracy", "agrees with the network", "images settled here"],
        rows=[
            [
                Cell(str(index), index),
                Cell(probe[probe.index("-") + 1 :]),
                *(
                    Cell(percent(share, 1), float(share))
                    for share in (
                        (table[probe] == table["label"]).mean(),
                        (table[probe] == table["prediction"]).mean(),
                    )
                ),
                Cell(count(settled := int((table["depth"] == index).sum())), settled),
            ]
            for index, probe in enumerate(table.attrs["probes"])
        ],
    )
