"""What every score is called, what it means and where it comes from: for figures, pages and cards.

The formulas in words; the functions beside this module are what is computed.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Score(NamedTuple):
    """One measure of how difficult an example is."""

    name: str
    """column of the tables"""
    title: str
    """as a figure writes it"""
    formula: str
    low: float
    """smallest value that it can take"""
    high: float
    """largest value that it can take, ∞ where there is none or it depends on the training"""
    harder: int
    """+1 if harder examples have larger values, -1 if smaller"""
    source: str
    cost: str
    """what it takes beyond a trained network and its predictions"""

    @property
    def range(self) -> str:
        """The values that it can take, like "0 … ∞"."""
        return f"{self.low:.3g} … {self.high:.3g}".replace("-", "−").replace("inf", "∞")


_FREE = "none: from the predictions table"
_RECORDED = "none: recorded while training"
_ENSEMBLE = "several networks"
_KNN = "k-NN at every probe"

SCORES: tuple[Score, ...] = (
    Score(
        "loss",
        "Loss",
        "−ln p(label), nats",
        0,
        math.inf,
        +1,
        "cross-entropy",
        _FREE,
    ),
    Score(
        "confidence",
        "Confidence",
        "largest softmax probability",
        0,
        1,
        -1,
        "Hendrycks, Gimpel 2017, arXiv 1610.02136",
        _FREE,
    ),
    Score(
        "output_margin",
        "Output margin",
        "largest logit − second largest logit",
        0,
        math.inf,
        -1,
        "Baldock et al. 2021, arXiv 2106.09647",
        _FREE,
    ),
    Score(
        "entropy",
        "Entropy",
        "−Σ p ln p over the classes, nats; at most ln(number of classes)",
        0,
        math.inf,
        +1,
        "Shannon 1948",
        _FREE,
    ),
    Score(
        "iteration_learned",
        "Iteration learned",
        "first epoch from which every prediction is the network's final class; E + 1 if not even "
        "the last of the E epochs' is",
        1,
        math.inf,
        +1,
        "Baldock et al. 2021, arXiv 2106.09647",
        _RECORDED,
    ),
    Score(
        "first_learned",
        "First learned",
        "first epoch whose prediction is the label; E + 1 if none is",
        1,
        math.inf,
        +1,
        "Toneva et al. 2019, arXiv 1812.05159",
        _RECORDED,
    ),
    Score(
        "forgetting_events",
        "Forgetting events",
        "epochs with a right prediction that a wrong one follows; E if no prediction is right",
        0,
        math.inf,
        +1,
        "Toneva et al. 2019, arXiv 1812.05159",
        _RECORDED,
    ),
    Score(
        "area_under_margin",
        "Area under the margin",
        "mean over the epochs of logit(label) − largest other logit",
        -math.inf,
        math.inf,
        -1,
        "Pleiss et al. 2020, arXiv 2001.10528",
        _RECORDED,
    ),
    Score(
        "datamap_confidence",
        "Data-map confidence",
        "mean over the epochs of p(label)",
        0,
        1,
        -1,
        "Swayamdipta et al. 2020, arXiv 2009.10795",
        _RECORDED,
    ),
    Score(
        "datamap_variability",
        "Data-map variability",
        "standard deviation over the epochs of p(label)",
        0,
        0.5,
        +1,
        "Swayamdipta et al. 2020, arXiv 2009.10795",
        _RECORDED,
    ),
    Score(
        "el2n",
        "EL2N",
        "‖softmax − one-hot(label)‖ in the epoch scores.early_epoch",
        0,
        math.sqrt(2),
        +1,
        "Paul et al. 2021, arXiv 2107.07075",
        _RECORDED,
    ),
    Score(
        "grand",
        "GraNd, last layer",
        "length of the loss gradient with respect to weights and bias of the last layer in the "
        "epoch scores.early_epoch",
        0,
        math.inf,
        +1,
        "Paul et al. 2021, arXiv 2107.07075",
        _RECORDED,
    ),
    Score(
        "input_margin",
        "Input margin, first order",
        "smallest (z_a − z_b) / ‖gradient of z_a − z_b‖ over the classes b other than the "
        "predicted a, in brightness; of more than ten such b those with the largest logits; ∞ "
        "where no logit changes with the image",
        0,
        math.inf,
        -1,
        "Elsayed et al. 2018, arXiv 1803.05598; Jiang et al. 2019, arXiv 1810.00113",
        "a forward pass and a backward pass a class, of scores.gradient_examples images",
    ),
    Score(
        "attack_margin",
        "Input margin, attacked",
        "Euclidean length of the smallest change found that changes the predicted class, in "
        "brightness; ∞ if none was found",
        0,
        math.inf,
        -1,
        "projected gradient descent of Madry et al. 2018, arXiv 1706.06083",
        "up to 12 × scores.attack_steps forward and backward passes of scores.attack_examples "
        "images",
    ),
    Score(
        "variance_of_gradients",
        "Variance of gradients",
        "√(1/K) Σ (S − mean S)² over K snapshots of the gradient S of logit(label) with respect "
        "to a pixel, mean over the pixels, standardised within the label's class",
        -math.inf,
        math.inf,
        +1,
        "Agarwal et al. 2022, arXiv 2008.11600",
        "a forward and a backward pass a snapshot, of scores.gradient_examples images",
    ),
    Score(
        "knn_disagreement",
        "k-NN disagreement",
        "share of the k nearest training examples whose label is another, at the feature probe",
        0,
        1,
        +1,
        "Smith et al. 2014, Machine Learning 95",
        "k-NN at one probe",
    ),
    Score(
        "prototype_distance",
        "Prototype distance",
        "Euclidean distance to the mean of the other training examples of the label's class, at "
        "the feature probe",
        0,
        math.inf,
        +1,
        "Sorscher et al. 2022, arXiv 2206.14486, with classes for clusters",
        "two readings of the activations of one probe",
    ),
)
"""Columns of scores/{split}.parquet, in their order."""

DEPTHS: tuple[Score, ...] = (
    Score(
        "depth",
        "Prediction depth",
        "first probe from which every k-NN class is the network's class",
        0,
        math.inf,
        +1,
        "Baldock et al. 2021, arXiv 2106.09647",
        _KNN,
    ),
    Score(
        "depth_last_probe",
        "Depth, last probe",
        "first probe from which every k-NN class is the last probe's",
        0,
        math.inf,
        +1,
        "Baldock et al. 2021, arXiv 2106.09647, with the last probe for the network",
        _KNN,
    ),
    Score(
        "depth_label",
        "Depth, true label",
        "first probe from which every k-NN class is the label",
        0,
        math.inf,
        +1,
        "Baldock et al. 2021, arXiv 2106.09647, with the label for the network",
        _KNN,
    ),
)
"""Prediction depth, by what the probes must agree with: columns of depth/{split}.parquet."""

ENSEMBLE: tuple[Score, ...] = (
    Score(
        "depth_consensus",
        "Depth, consensus",
        "first probe from which every k-NN class is the consensus class",
        0,
        math.inf,
        +1,
        "Baldock et al. 2021, arXiv 2106.09647",
        f"{_ENSEMBLE}; {_KNN}",
    ),
    Score(
        "consensus_consistency",
        "Consensus consistency",
        "share of the networks not trained on the image that give the class most of them give",
        0,
        1,
        -1,
        "Baldock et al. 2021, arXiv 2106.09647",
        _ENSEMBLE,
    ),
    Score(
        "label_consistency",
        "Label consistency",
        "share of the networks not trained on the image that give its label",
        0,
        1,
        -1,
        "Jiang et al. 2021, arXiv 2002.03206: the C-score",
        _ENSEMBLE,
    ),
    Score(
        "ensemble_agreement",
        "Ensemble agreement",
        "share of all networks that give the class most of them give",
        0,
        1,
        -1,
        "Carlini et al. 2019, arXiv 1910.13427",
        _ENSEMBLE,
    ),
)
"""What only several networks can say: columns of card.parquet."""

DIFFICULTY: tuple[Score, ...] = DEPTHS + SCORES
"""Every measure that one network gives."""

BY_NAME: dict[str, Score] = {score.name: score for score in DIFFICULTY + ENSEMBLE}


def as_markdown(scores: Iterable[Score]) -> str:
    """A table for a page, one row a score, ending with a line break."""
    rows = ["| score | formula | range | harder is | cost | source |", "|---|---|---|---|---|---|"]
    for score in scores:
        cells = (
            f"`{score.name}`",
            score.formula,
            score.range,
            "larger" if score.harder > 0 else "smaller",
            score.cost,
            score.source,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"
