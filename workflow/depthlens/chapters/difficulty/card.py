"""What all networks of one dataset and model say together of every image, seen and unseen.

An image was learned from by some networks and held out from others. Two mean depths follow, and
four corners of the plane that they span (Baldock, Maennel, Neyshabur 2021, arXiv 2106.09647): easy,
hard, and the two in which it matters whether the label was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from depthlens import intervals
from depthlens.tables import Images

TRAIN, HELD_OUT = "depth_train_mean", "depth_held_out_mean"
CARD = (
    "example_id", "split", "split_id", "label", "n_train", "n_held_out", "consensus",
    "consensus_consistency", "label_consistency", "ensemble_agreement",
    TRAIN, "depth_train_std", HELD_OUT, "depth_held_out_std",
)  # fmt: skip
"""columns of card.parquet that are shown here"""

RELIABILITY = (
    "score", "side", "n_examples", "measurements", "reliability", "low", "high", "networks_needed",
)  # fmt: skip
"""columns of reliability.parquet"""

SIDES = {"train": "training side", "held_out": "held-out side"}


class Corner(NamedTuple):
    """A corner of the plane of depths: 0 is shallow, 1 deep."""

    train: int
    held_out: int
    name: str
    verb: str
    """what is to be said of its images"""


CORNERS = (
    Corner(
        1, 0, "looks like another class, or mislabelled", "look like another class or mislabelled"
    ),
    Corner(1, 1, "hard", "are hard"),
    Corner(0, 0, "easy", "are easy"),
    Corner(0, 1, "ambiguous unless the label is given", "are ambiguous unless the label is given"),
)
"""in reading order: training depth from top to bottom, held-out depth from left to right"""


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """All networks of one dataset and model."""

    dataset: str
    model: str
    classes: list[str]
    n_networks: int
    n_probes: int
    card: pd.DataFrame
    """one row an image of the pool, with the columns of `CARD` at least"""
    reliability: pd.DataFrame
    """one row a score and side, with the columns of `RELIABILITY`"""
    images: Mapping[str, Images]
    """by split, "train" and "test": where card's `split_id` is to be found"""

    @property
    def both(self) -> pd.DataFrame:
        """Images with a depth on both sides."""
        return self.card.dropna(subset=[TRAIN, HELD_OUT])

    @property
    def otherwise(self) -> int:
        """How many images have another consensus than their label."""
        known = self.card[self.card["consensus"] >= 0]
        return int((known["consensus"] != known["label"]).sum())

    def pictures(self, rows: pd.DataFrame) -> NDArray[np.uint8]:
        """The images of rows of the card, shape (n, channels, height, width)."""
        found = []
        for split, number in zip(rows["split"], rows["split_id"], strict=True):
            of_split = self.images[split]
            found.append(of_split.images[np.searchsorted(of_split.example_id, number)])
        shape = self.images["test"].images.shape[1:]
        return np.stack(found) if found else np.empty((0, *shape), np.uint8)


def histogram(ensemble: Ensemble) -> NDArray[np.int64]:
    """Images by depth on both sides, each mean rounded to the nearest whole depth (halves up).

    Returns
    -------
    int array, shape (n_probes + 1, n_probes + 1)
        Mean training depth by mean held-out depth.
    """
    both, edges = ensemble.both, np.arange(ensemble.n_probes + 2) - 0.5
    found, _, _ = np.histogram2d(both[TRAIN], both[HELD_OUT], bins=(edges, edges))
    return found.astype(np.int64)


def nearest(ensemble: Ensemble, corner: Corner, n: int) -> pd.DataFrame:
    """Rows of the card in a corner's quarter of the plane, nearest the corner first.

    Nearest by the Euclidean distance, in depths, of (mean training depth, mean held-out depth) to
    the corner, whose coordinates are 0 or the greatest depth; ties by example_id. Fewer than n
    where the quarter holds fewer: what is near another corner says nothing about this one.
    """
    inside = _quarter(ensemble, corner)
    away = np.hypot(
        inside[TRAIN] - corner.train * ensemble.n_probes,
        inside[HELD_OUT] - corner.held_out * ensemble.n_probes,
    )
    order = np.lexsort((inside["example_id"], away))
    return inside.iloc[order[:n]]


def quadrants(ensemble: Ensemble) -> dict[Corner, int]:
    """Images in the quarter of the plane that belongs to each corner."""
    return {corner: len(_quarter(ensemble, corner)) for corner in CORNERS}


def _quarter(ensemble: Ensemble, corner: Corner) -> pd.DataFrame:
    """Rows of the card in the quarter of a corner; the middle of a scale counts as deep."""
    both, middle = ensemble.both, ensemble.n_probes / 2
    deep = both[TRAIN] >= middle, both[HELD_OUT] >= middle
    return both[(deep[0] == bool(corner.train)) & (deep[1] == bool(corner.held_out))]


def hardest(ensemble: Ensemble, n: int) -> pd.DataFrame:
    """Rows of the card: deepest where unseen first, then least agreed on, then by example_id."""
    known = ensemble.card.dropna(subset=[HELD_OUT])
    order = known.sort_values(
        [HELD_OUT, "consensus_consistency", "example_id"], ascending=[False, True, True]
    )
    return order.head(n)


def resemblance(ensemble: Ensemble) -> pd.Series:
    """How much each image looks like one of another class.

    d_train / P · (1 - d_held_out / P) · consensus_consistency, with P the number of probes and mean
    depths d, for images whose consensus is not their label; 0 for all others. It is 1 if every
    network that learned from the image gives its label at the very end or never, and every network
    that did not gives it one and the same other class from the input on.

    Returns
    -------
    float Series, 0 … 1, indexed as the card; NaN where a depth or the consensus is missing
    """
    card, top = ensemble.card, ensemble.n_probes
    score = card[TRAIN] / top * (1 - card[HELD_OUT] / top) * card["consensus_consistency"]
    score = score.where(card["consensus"] != card["label"], score * 0)
    return score.where(card["consensus"] >= 0).astype(np.float64)


def lookalikes(ensemble: Ensemble, n: int) -> pd.DataFrame:
    """Rows of the card with `resemblance`, where above 0: highest first, then by example_id."""
    table = ensemble.card.assign(resemblance=resemblance(ensemble))
    table = table[table["resemblance"] > 0]
    return table.sort_values(["resemblance", "example_id"], ascending=[False, True]).head(n)


def consensus(ensemble: Ensemble, level: float) -> pd.DataFrame:
    """How far networks agree on images that they did not see, by mean held-out depth.

    Returns
    -------
    DataFrame
        depth (mean held-out depth, rounded to the nearest whole one, halves up), n, then consensus
        (mean consensus-consistency: share of networks that give the commonest class) and label
        (mean share that gives the true one), each with _low and _high.
    """
    columns = {"consensus": "consensus_consistency", "label": "label_consistency"}
    known = ensemble.card.dropna(subset=[HELD_OUT, *columns.values()])
    rows = []
    for depth, group in known.groupby(np.floor(known[HELD_OUT] + 0.5).astype(np.int64)):
        row = {"depth": int(depth), "n": len(group)}
        for name, column in columns.items():
            low, high = intervals.mean(group[column], confidence_level=level)
            row |= {name: float(group[column].mean()), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    ends = [f"{name}{end}" for name in columns for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["depth", "n", *ends])


def ranked(ensemble: Ensemble) -> pd.DataFrame:
    """The table of reliabilities, best score on the held-out side first, then on the other."""
    table = ensemble.reliability
    best = table.sort_values(
        ["side", "reliability", "score"], ascending=[True, False, True], kind="stable"
    )  # "held_out" is sorted before "train"
    turn = {score: index for index, score in enumerate(dict.fromkeys(best["score"]))}
    order = np.lexsort((table["side"], table["score"].map(turn)))
    return table.iloc[order].reset_index(drop=True)
