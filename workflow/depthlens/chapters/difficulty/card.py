"""What all networks of one dataset and model say together of every image, seen and unseen.

An image was learned from by some networks and held out from others: two mean depths follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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

    def class_name(self, label: int) -> str:
        """What a class is called; a dash where no network gave one."""
        return self.classes[label] if label >= 0 else "—"

    def pictures(self, rows: pd.DataFrame) -> NDArray[np.uint8]:
        """The images of rows of the card, shape (n, channels, height, width)."""
        found = np.empty((len(rows), *self.images["test"].images.shape[1:]), np.uint8)
        for split, of_split in self.images.items():
            own = (rows["split"] == split).to_numpy()
            at = np.searchsorted(of_split.example_id, rows.loc[own, "split_id"])
            found[own] = of_split.images[at]
        return found


def hardest(ensemble: Ensemble, n: int) -> pd.DataFrame:
    """Rows of the card: deepest where unseen first, then least agreed on, then by example_id."""
    by = [HELD_OUT, "consensus_consistency", "example_id"]
    known = ensemble.card.dropna(subset=[HELD_OUT])
    return known.sort_values(by, ascending=[False, True, True]).head(n)


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
