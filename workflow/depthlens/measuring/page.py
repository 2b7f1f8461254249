"""The page about a reader's own examples: who is suspect, who is hard, and the ranking."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from depthlens.prose import count, number, of_depths, percent, shortened, some
from depthlens.report.page import Card, Cell, ExamplesPage, Gallery, Table, Thumbnail, image_source

GALLERY = 24
GROUPS, OF_A_GROUP = 8, 6  # galleries of suspects, and images of each
RANKED = 1000
_FILE = 30  # characters of a file's name below its image


def page(
    table: pd.DataFrame, images: NDArray[np.uint8], *, options: Mapping[str, object]
) -> ExamplesPage:
    """The parts of the page.

    Parameters
    ----------
    table : DataFrame
        What `measure` gives, with `file`, `rank` and `suspicion_rank`.
    images : uint8 array, shape (n_examples, 1 or 3, height, width)
        In the order of the table.
    options : mapping
        What it was made with.
    """
    about = table.attrs
    hardest = table.sort_values("rank").index
    by_suspicion = table.sort_values("suspicion_rank").index
    groups = _groups(table)
    listed = sorted({*hardest[:RANKED], *by_suspicion[:RANKED]}, key=table["rank"].__getitem__)
    return ExamplesPage(
        title="Which of these images are hard, and which labels are suspect",
        leave_one_out=about["leave_one_out"],
        n_neighbors=about["n_neighbors"],
        metric=about["metric"],
        n_probes=len(about["probes"]),
        cards=_cards(table),
        worth=worth(about["threshold"]),
        groups=_group_table(table, groups),
        suspects=[
            Gallery(
                f"{_change(table, *change)}: {count(len(rows))}",
                _thumbnails(table, images, rows, OF_A_GROUP),
            )
            for change, rows in groups[:GROUPS]
        ],
        hardest=_thumbnails(table, images, hardest, GALLERY),
        ranking=_ranking(table, listed),
        probes=_probes(table),
        options=yaml.safe_dump(dict(options), sort_keys=False, allow_unicode=True),
    )


def worth(threshold: Mapping[str, float]) -> str:
    """From where on labels are suspect, and what that is worth, as the end of a sentence."""
    return (
        f"from a suspicion of {number(threshold['value'])} on, which flags about "
        f"{percent(threshold['right_flagged'], 1)} of the labels that are right and "
        f"{percent(threshold['wrong_found'])} of labels that are replaced at random"
    )


def _cards(table: pd.DataFrame) -> list[Card]:
    about = table.attrs
    last = len(about["probes"])
    which = "training images" if about["leave_one_out"] else "images"
    copies = int((table["copies"] > 0).sum())
    otherwise = int((table["copies_labelled_otherwise"] > 0).sum())
    return [
        Card(which, count(len(table)), some(len(about["classes"]), "class", "classes")),
        *(
            []
            if about["leave_one_out"]
            else [Card("training accuracy", percent(about["train_accuracy"], 1))]
        ),
        Card("accuracy", percent(table["correct"].mean(), 1), "of the images here"),
        Card(
            "mean depth",
            number(table["depth"].mean()),
            of_depths(table["depth"].mean(), last),
        ),
        Card(
            "suspect labels",
            count(table["suspect"].sum()),
            f"from {number(about['threshold']['value'])} on; so are about "
            f"{percent(about['threshold']['right_flagged'], 1)} of right labels",
        ),
        *(
            [Card("images with copies", count(copies), f"{count(otherwise)} labelled otherwise")]
            if copies
            else []
        ),
    ]


def _groups(table: pd.DataFrame) -> list[tuple[tuple[int, int], NDArray[np.intp]]]:
    """Rows of the suspects by (label, suggested), most suspect first; the largest group first."""
    suspects = table[table["suspect"]].sort_values("suspicion_rank")
    groups = suspects.groupby(["label", "suggested"], sort=False).groups
    return sorted(((change, rows.to_numpy()) for change, rows in groups.items()), key=_smaller)


def _smaller(group: tuple[object, NDArray[np.intp]]) -> int:
    return -len(group[1])


def _change(table: pd.DataFrame, label: int, suggested: int) -> str:
    return f"{table.attrs['classes'][label]} → {table.attrs['classes'][suggested]}"


def _group_table(table: pd.DataFrame, groups: Sequence) -> Table:
    n_labelled = table["label"].value_counts()
    classes = table.attrs["classes"]
    return Table(
        id="groups",
        caption="Suspect labels by what the neighbours say instead",
        columns=["label", "neighbours say", "suspect", "of the label’s images"],
        rows=[
            [
                Cell(classes[label]),
                Cell(classes[suggested]),
                Cell(count(len(rows)), len(rows)),
                Cell(percent(share := len(rows) / n_labelled[label], 1), float(share)),
            ]
            for (label, suggested), rows in groups
        ],
    )


def _thumbnails(
    table: pd.DataFrame,
    images: NDArray[np.uint8],
    rows: Sequence[int] | NDArray[np.intp],
    most: int,
) -> list[Thumbnail]:
    """The first few of the rows, copies of an image once."""
    shown: dict[bytes, int] = {}
    for row in rows:
        if len(shown) < most:
            shown.setdefault(images[row].tobytes(), row)
    return [
        Thumbnail(
            image_source(images[row.Index]),
            _change(table, row.label, row.prediction),
            [
                shortened(row.file, _FILE),
                f"depth {row.depth} of {len(table.attrs['probes'])}",
                f"neighbours: {table.attrs['classes'][row.suggested]}",
                f"suspicion {number(row.suspicion)}",
                *([_copies(row)] if row.copies else []),
            ],
        )
        for row in table.loc[list(shown.values())].itertuples()
    ]


def _copies(row: Any) -> str:
    otherwise = row.copies_labelled_otherwise
    said = f", {count(otherwise)} labelled otherwise" if otherwise else ""
    return some(row.copies, "copy", "copies") + said


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
            "neighbours",
            f"depth, of {len(table.attrs['probes'])}",
            "relative depth",
            "confidence",
            "loss",
            "margin",
            "k-NN disagreement",
            "suspicion",
            f"suspect from {number(table.attrs['threshold']['value'])} on",
            "suspicion rank",
            "copies",
        ],
        rows=[
            [
                Cell(count(row.rank), row.rank),
                Cell(row.file),
                Cell(classes[row.label]),
                Cell(classes[row.prediction]),
                Cell(classes[row.suggested]),
                Cell(str(row.depth), row.depth),
                Cell(number(row.relative_depth), row.relative_depth),
                Cell(percent(row.confidence, 1), row.confidence),
                Cell(number(row.loss, 3), row.loss),
                Cell(number(row.output_margin), row.output_margin),
                Cell(percent(row.knn_disagreement), row.knn_disagreement),
                Cell(number(row.suspicion), row.suspicion),
                Cell("suspect" if row.suspect else ""),
                Cell(count(row.suspicion_rank), row.suspicion_rank),
                Cell(count(row.copies), row.copies),
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
