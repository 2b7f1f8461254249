"""What this chapter shows of all networks of one dataset and model: images ranked by difficulty."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from depthlens.chapters.difficulty import ensemble
from depthlens.chapters.difficulty.comparisons import title_of
from depthlens.chapters.difficulty.ensemble import HELD_OUT, SIDES, TRAIN, Ensemble
from depthlens.chapters.difficulty.summary import records
from depthlens.prose import count, number, of_depths, percent, some
from depthlens.report.page import Card, Cell, EnsembleSection, Picture, Table, image_source

_HARDEST, _LOOKALIKES = 100, 50


def section(made: Ensemble, pictures: Sequence[Picture], *, warning: str | None) -> EnsembleSection:
    """The part of the page that is about one dataset and model.

    Parameters
    ----------
    made : Ensemble
    pictures : sequence of Picture
    warning : str or None
        What a reader must know before believing it.
    """
    name = f"{made.dataset}-{made.model}"
    return EnsembleSection(
        id=f"{name}-ensemble",
        title=f"{made.dataset} · {made.model} · over {some(made.n_networks, 'network')}",
        warning=warning,
        cards=_cards(made),
        explanation=explanation(made),
        pictures=list(pictures),
        tables=[
            _hardest_table(name, made),
            _lookalike_table(name, made),
            _reliability_table(name, made),
        ],
    )


def numbers(made: Ensemble, *, confidence_level: float) -> dict[str, Any]:
    """Everything the report says of an ensemble, as JSON-ready numbers.

    Returns
    -------
    dict
        dataset, model, n_networks, n_images (with a depth on both sides), mean depths, corners
        (images by the half of the scale that each mean depth lies in), consensus_by_depth and
        reliability: lists of one object a row.
    """
    both = made.both
    corners = [
        {"corner": corner.name, "training": corner.train, "held_out": corner.held_out, "n": n}
        for corner, n in ensemble.quadrants(made).items()
    ]
    means = pd.DataFrame([{"train": both[TRAIN].mean(), "held_out": both[HELD_OUT].mean()}])
    return {
        "dataset": made.dataset,
        "model": made.model,
        "n_networks": made.n_networks,
        "n_images": len(both),
        "mean_depth": records(means)[0],
        "corners": corners,
        "consensus_by_depth": records(ensemble.by_depth(made, confidence_level=confidence_level)),
        "reliability": records(ensemble.ranked_reliability(made)),
    }


def explanation(made: Ensemble) -> list[str]:
    """How the networks came about and what the tables are ordered by: paragraphs."""
    card, other = made.card, _otherwise(made)
    paragraphs = [
        f"{some(made.n_networks, 'network')} were trained with other initial weights and on other "
        f"images: each of the {count(len(card))} images was learned from by "
        f"{_between(card['n_train'])} of them and held out from {_between(card['n_held_out'])}. "
        "The consensus of an image is the class that most of those give which did not learn from "
        f"it; for {count(other)} images ({percent(other / max(1, len(card)), 1)}) it is another "
        "class than the label.",
        "An image can look like one of another class, or have a wrong label. Its resemblance is "
        "d / P · (1 − h / P) · c, with the mean depth d where it was learned from and h where it "
        f"was held out, P = {made.n_probes} probes and the share c of unseeing networks that give "
        "the consensus; 0 where the consensus is the label. At 1 every network that learned from "
        "the image gives its label at the very end, and every other one the same other class from "
        "the first probe on.",
    ]
    alike = ensemble.lookalikes(made, 1)
    if len(alike):
        first = alike.iloc[0]
        paragraphs.append(
            f"The image most like another class is no. {first['split_id']} of the "
            f"{_SPLIT[first['split']]}, labelled {made.classes[first['label']]}: "
            f"{percent(first['consensus_consistency'])} of the networks that did not learn from it "
            f"say {made.classes[first['consensus']]}."
        )
    return paragraphs


_SPLIT = {"train": "training set", "test": "test set"}


def _cards(made: Ensemble) -> list[Card]:
    both, n = made.both, len(made.card)
    other = _otherwise(made)
    depths = [
        ("mean depth, held out", both[HELD_OUT].mean()),
        ("mean depth, learned", both[TRAIN].mean()),
    ]
    cards = [
        Card("networks", count(made.n_networks), f"{count(n)} images"),
        *(Card(name, number(mean), of_depths(mean, made.n_probes)) for name, mean in depths),
        Card(
            "consensus is not the label",
            percent(other / max(1, n), 1),
            some(other, "image"),
        ),
    ]
    table = made.reliability
    of_depth = table[(table["score"] == "depth") & (table["side"] == "held_out")]
    if len(of_depth):
        row = of_depth.iloc[0]
        needed = row["networks_needed"]
        hint = f"0.9 with {count(np.ceil(needed))}" if np.isfinite(needed) else "never 0.9"
        cards.append(Card("reliability of a network’s depth", number(row["reliability"]), hint))
    return cards


def _otherwise(made: Ensemble) -> int:
    card = made.card
    return int(((card["consensus"] >= 0) & (card["consensus"] != card["label"])).sum())


def _between(n: pd.Series) -> str:
    low, high = n.min(), n.max()
    return count(low) if low == high else f"{count(low)} to {count(high)}"


_COLUMNS = [
    "rank",
    "image",
    "label",
    "consensus",
    "agree",
    "right",
    "depth, held out",
    "depth, learned",
]
_EXPLAINED = (
    "agree: share of unseeing networks that give the consensus; right: that give the label; "
    "depths: mean ± standard deviation"
)


def _row(made: Ensemble, rank: int, row: pd.Series, picture: str) -> list[Cell]:
    return [
        Cell(str(rank), rank),
        Cell(f"{row['split']} {row['split_id']}", int(row["example_id"]), image=picture),
        Cell(made.classes[row["label"]]),
        Cell(made.classes[row["consensus"]] if row["consensus"] >= 0 else "—"),
        Cell(percent(row["consensus_consistency"]), float(row["consensus_consistency"])),
        Cell(percent(row["label_consistency"]), float(row["label_consistency"])),
        _depth(row, "held_out"),
        _depth(row, "train"),
    ]


def _depth(row: pd.Series, side: str) -> Cell:
    mean, spread = row[f"depth_{side}_mean"], row[f"depth_{side}_std"]
    text = number(mean, 1)
    return Cell(f"{text} ± {number(spread, 1)}" if np.isfinite(spread) else text, float(mean))


def _rows(made: Ensemble, rows: pd.DataFrame) -> Iterator[tuple[pd.Series, list[Cell]]]:
    """Rows of a card, each with the cells that every table of images begins with."""
    pictures = made.pictures(rows)
    for rank, ((_, row), picture) in enumerate(zip(rows.iterrows(), pictures, strict=True), 1):
        yield row, _row(made, rank, row, image_source(picture))


def _hardest_table(name: str, made: Ensemble) -> Table:
    rows = ensemble.hardest(made, _HARDEST)
    return Table(
        id=f"{name}-hardest",
        caption=f"The {some(len(rows), 'hardest image')}: deepest where held out, then least "
        f"agreed on ({_EXPLAINED})",
        columns=_COLUMNS,
        rows=[cells for _, cells in _rows(made, rows)],
    )


def _lookalike_table(name: str, made: Ensemble) -> Table:
    rows = ensemble.lookalikes(made, _LOOKALIKES)
    return Table(
        id=f"{name}-lookalikes",
        caption=f"The {some(len(rows), 'image')} most like another class; some may be mislabelled "
        f"({_EXPLAINED})",
        columns=[*_COLUMNS, "resemblance"],
        rows=[
            [*cells, Cell(number(row["resemblance"], 3), float(row["resemblance"]))]
            for row, cells in _rows(made, rows)
        ],
    )


def _reliability_table(name: str, made: Ensemble) -> Table:
    return Table(
        id=f"{name}-reliability",
        caption="Reliability of one network’s scores, and networks that a reliability of 0.9 needs",
        columns=[
            "score",
            "side",
            "reliability",
            "low",
            "high",
            "networks needed",
            "n",
            "measurements an image",
        ],
        rows=[
            [
                Cell(title_of(row.score)),
                Cell(SIDES[row.side]),
                Cell(number(row.reliability, 3), float(row.reliability)),
                Cell(number(row.low, 3), float(row.low)),
                Cell(number(row.high, 3), float(row.high)),
                Cell(number(row.networks_needed, 1), float(row.networks_needed)),
                Cell(count(row.n_examples), int(row.n_examples)),
                Cell(number(row.measurements, 1), float(row.measurements)),
            ]
            for row in ensemble.ranked_reliability(made).itertuples()
        ],
    )
