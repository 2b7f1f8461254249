"""The tidy tables that figures, claims and the report of this chapter are made from."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from depthlens import intervals

FACTOR_BINS = 8


@dataclass(frozen=True, kw_only=True)
class Split:
    """What one network gave each example of one split: depths of several kinds, and scores."""

    depths: pd.DataFrame
    """one row an example: example_id, depth, depth_last_probe, depth_label (what the probes are to
    agree with: the network, the last probe, the true label); of training images also
    depth_self_voting, the depth if each were among its own neighbours"""
    depth_by_k: NDArray[np.integer]
    """shape (n_examples, len(ks)), depth with other numbers of neighbours"""
    ks: tuple[int, ...]
    n_neighbors: int
    """the study's own number of neighbours"""
    scores: pd.DataFrame
    """one row an example, one column a score, NaN where it was not computed"""

    def __len__(self) -> int:
        return len(self.depths)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is known about the images that one trained network was tested on, and trained on."""

    dataset: str
    model: str
    seed: int
    classes: list[str]
    examples: pd.DataFrame
    """one row a test image: example_id, label, prediction, confidence, correct, depth"""
    test: Split
    train: Split | None = None
    """None where the depth of training images is not studied"""
    knn: NDArray[np.integer]
    """shape (n_examples, n_probes), class given by the k-NN classifier of each probe"""
    probes: pd.DataFrame
    """one row a probe, in forward order: name, kind, shape (text), dims, parameters,
    receptive_field (NaN: the whole image), duplicate_of (None: of no other)"""
    train_accuracy: float
    test_accuracy: float
    min_train_accuracy: float
    converged: bool

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that are studied, by name."""
        return {"test": self.test} | ({"train": self.train} if self.train is not None else {})

    @property
    def n_depths(self) -> int:
        """Depths 0 … number of probes: the last one means that no probe agrees at the end."""
        return len(self.probes) + 1

    @property
    def probe_names(self) -> list[str]:
        """Names without the number that orders their files: "layer1" for "05-layer1"."""
        return [display_name(name) for name in self.probes["name"]]

    @property
    def first_probe(self) -> str:
        """Where an image of depth 0 is settled, for a sentence."""
        first = self.probe_names[0]
        return "the input" if first == "input" else f"{first}, the first probe"

    @property
    def depth_names(self) -> list[str]:
        """Where an example of each depth settles: a probe, or never."""
        return [*self.probe_names, "never"]

    @property
    def possible(self) -> NDArray[np.bool_]:
        """shape (n_depths,), which depths can occur; see `possible_depths`."""
        possible = possible_depths(self.probes["name"], self.probes["duplicate_of"])
        # What was observed is possible, whatever the table of probes says.
        return possible | (np.bincount(self.examples["depth"], minlength=self.n_depths) > 0)

    @property
    def last_two(self) -> NDArray[np.intp]:
        """The two deepest depths that can occur."""
        return np.flatnonzero(self.possible)[-2:]

    @property
    def first_two(self) -> NDArray[np.intp]:
        """The two shallowest depths that can occur."""
        return np.flatnonzero(self.possible)[:2]


def display_name(probe: str) -> str:
    """A probe's name without the number that orders its file."""
    number, dash, name = probe.partition("-")
    return name if dash and number.isdigit() and name else probe


def possible_depths(names: Sequence[str], duplicate_of: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which depths can occur, given which probes hold the same activations.

    An example has depth j if probe j - 1 disagrees with the network and every probe from j on
    agrees. Where probe j equals probe j - 1 their k-NN classes are equal, so depth j never occurs.

    Parameters
    ----------
    names : sequence of str
        Probes in forward order.
    duplicate_of : sequence of str or None
        For each probe the name of an earlier one that it equals.

    Returns
    -------
    bool array, shape (n_probes + 1,)
    """
    origin: dict[str, str] = {}
    for name, earlier in zip(names, duplicate_of, strict=True):
        origin[name] = origin.get(earlier, earlier) if isinstance(earlier, str) else name
    origins = [origin[name] for name in names]
    same = [here == before for before, here in itertools.pairwise(origins)]
    return ~np.array([False, *same, False])


def by_depth(run: Run, *, confidence_level: float) -> pd.DataFrame:
    """One row a depth: n, correct, accuracy and share with their intervals, possible."""
    depth = run.examples["depth"].to_numpy()
    n = np.bincount(depth, minlength=run.n_depths)
    correct = np.bincount(depth[run.examples["correct"]], minlength=run.n_depths)
    low, high = intervals.wilson(correct, n, confidence_level=confidence_level)
    share_low, share_high = intervals.wilson(n, len(depth), confidence_level=confidence_level)
    with np.errstate(invalid="ignore"):
        accuracy = correct / n
    return pd.DataFrame(
        {
            "depth": np.arange(run.n_depths),
            "settled_at": run.depth_names,
            "possible": run.possible,
            "n": n,
            "correct": correct,
            "accuracy": accuracy,
            "low": low,
            "high": high,
            "share": n / len(depth),
            "share_low": share_low,
            "share_high": share_high,
        }
    )


def by_class(run: Run, *, confidence_level: float) -> pd.DataFrame:
    """One row a class that has test images, hardest first.

    Columns: label, class, n, accuracy, low, high, mean_depth, depth_low, depth_high, share_first
    (depth 0), share_last (the last two possible depths), mistaken_for (most frequent wrong
    prediction, None without one), mistaken_share (its share of the wrong predictions).
    """
    rows = []
    for label, group in run.examples.groupby("label"):
        correct = int(group["correct"].sum())
        low, high = intervals.wilson(correct, len(group), confidence_level=confidence_level)
        depth_low, depth_high = intervals.mean(group["depth"], confidence_level=confidence_level)
        wrong = np.bincount(group.loc[~group["correct"], "prediction"], minlength=1)
        rows.append(
            {
                "label": int(label),
                "class": run.classes[int(label)],
                "n": len(group),
                "accuracy": correct / len(group),
                "low": float(low),
                "high": float(high),
                "mean_depth": float(group["depth"].mean()),
                "depth_low": depth_low,
                "depth_high": depth_high,
                "share_first": float((group["depth"] == 0).mean()),
                "share_last": float(group["depth"].isin(run.last_two).mean()),
                "mistaken_for": run.classes[int(wrong.argmax())] if wrong.sum() else None,
                "mistaken_share": wrong.max() / wrong.sum() if wrong.sum() else np.nan,
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values(["mean_depth", "label"], ascending=[False, True], ignore_index=True)


def by_class_and_depth(run: Run, *, confidence_level: float) -> pd.DataFrame:
    """One row a class and depth, n = 0 included.

    Columns: label, depth, n, of_class (share of the images of the class that have this depth) and
    of_depth (share of the images of this depth that are of the class), each with _low and _high.
    """
    cells = run.examples["label"].to_numpy(np.int64) * run.n_depths + run.examples["depth"]
    n = np.bincount(cells, minlength=len(run.classes) * run.n_depths)
    n = n.reshape(len(run.classes), run.n_depths)
    columns = {
        "label": np.repeat(np.arange(len(run.classes)), run.n_depths),
        "depth": np.tile(np.arange(run.n_depths), len(run.classes)),
        "n": n.ravel(),
    }
    totals = {"of_class": n.sum(axis=1, keepdims=True), "of_depth": n.sum(axis=0, keepdims=True)}
    for name, total in totals.items():
        total = np.broadcast_to(total, n.shape)
        low, high = intervals.wilson(n, total, confidence_level=confidence_level)
        with np.errstate(invalid="ignore"):
            columns[name] = (n / total).ravel()
        columns[f"{name}_low"], columns[f"{name}_high"] = low.ravel(), high.ravel()
    return pd.DataFrame(columns)


def by_probe(run: Run, *, confidence_level: float) -> pd.DataFrame:
    """The table of probes with each k-NN's accuracy and its agreement with the network."""
    table = run.probes.assign(probe=run.probe_names)
    references = {"accuracy": "label", "agreement": "prediction"}
    for name, column in references.items():
        same = (run.knn == run.examples[column].to_numpy()[:, None]).sum(axis=0)
        low, high = intervals.wilson(same, len(run.knn), confidence_level=confidence_level)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = same / len(run.knn), low, high
    return table


def by_factor(run: Run, factors: Mapping[str, NDArray], *, confidence_level: float) -> pd.DataFrame:
    """One row a factor that varies, the most strongly correlated first.

    Only classes in which the factor varies count: where it is fixed it explains nothing, and the
    class would be mistaken for a cause.

    Returns
    -------
    DataFrame
        factor, n, correlation (Spearman, of the factor with depth), low, high, explained (share of
        the variance of depth between quantile bins of the factor, which also sees what rises and
        falls again), classes (names, of those in which it varies).
    """
    rows = []
    for name, values in factors.items():
        members = _varying(run, values)
        depth = run.examples["depth"].to_numpy()[members]
        values = np.asarray(values, np.float64)[members]
        if len(depth) < 3 or np.ptp(values) == 0 or np.ptp(depth) == 0:
            continue
        correlation = float(stats.spearmanr(values, depth).statistic)
        low, high = intervals.spearman(correlation, len(depth), confidence_level=confidence_level)
        labels = run.examples["label"].to_numpy()[members]
        rows.append(
            {
                "factor": name,
                "n": len(depth),
                "correlation": correlation,
                "low": low,
                "high": high,
                "explained": _explained(values, depth),
                "classes": [run.classes[label] for label in np.unique(labels)],
            }
        )
    columns = ["factor", "n", "correlation", "low", "high", "explained", "classes"]
    table = pd.DataFrame(rows, columns=columns)
    order = np.argsort(-table["correlation"].abs().to_numpy(np.float64), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def factor_bins(
    run: Run, factors: Mapping[str, NDArray], *, confidence_level: float
) -> pd.DataFrame:
    """Mean depth in bins of equal count of each factor that varies.

    Returns
    -------
    DataFrame
        factor, bin, n, value (median of the factor in the bin), mean_depth, low, high, accuracy.
    """
    rows = []
    for name, values in factors.items():
        members = _varying(run, values)
        group = run.examples.loc[members, ["depth", "correct"]].reset_index(drop=True)
        values = np.asarray(values, np.float64)[members]
        if len(group) < 3 or np.ptp(values) == 0:
            continue
        bins = quantile_bins(values)
        for index in np.unique(bins):
            inside = bins == index
            depth = group.loc[inside, "depth"]
            low, high = intervals.mean(depth, confidence_level=confidence_level)
            rows.append(
                {
                    "factor": name,
                    "bin": int(index),
                    "n": int(inside.sum()),
                    "value": float(np.median(values[inside])),
                    "mean_depth": float(depth.mean()),
                    "low": low,
                    "high": high,
                    "accuracy": float(group.loc[inside, "correct"].mean()),
                }
            )
    columns = ["factor", "bin", "n", "value", "mean_depth", "low", "high", "accuracy"]
    return pd.DataFrame(rows, columns=columns)


def quantile_bins(values: NDArray, n_bins: int = FACTOR_BINS) -> NDArray[np.intp]:
    """Bin of each value among bins of equal count; equal values share one, so some may be void."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))
    return np.searchsorted(edges, values, side="left")


def easiest(run: Run, n: int) -> NDArray[np.intp]:
    """Rows of `run.examples`: the easiest images that the network gets right, class by class.

    Shallow first, then confident, then by example_id; the best of every class come before the
    second best of any, so that one easy class does not fill the gallery.
    """
    right = run.examples[run.examples["correct"]].assign(doubt=lambda table: -table["confidence"])
    order = right.sort_values(["depth", "doubt", "example_id"])
    turn = order.groupby("label").cumcount()
    order = order.assign(turn=turn).sort_values(["turn", "depth", "doubt", "example_id"])
    return order.index[:n].to_numpy()


def hardest(run: Run, n: int) -> NDArray[np.intp]:
    """Rows of `run.examples`: deepest first, then least confident, then by example_id."""
    order = run.examples.sort_values(
        ["depth", "confidence", "example_id"], ascending=[False, True, True]
    )
    return order.index[:n].to_numpy()


def _varying(run: Run, values: NDArray) -> NDArray[np.bool_]:
    """shape (n_examples,), images of classes in which the factor takes more than one value."""
    finite = pd.Series(np.asarray(values, np.float64)).where(np.isfinite(values))
    by_label = finite.groupby(run.examples["label"].to_numpy())
    return (by_label.transform("nunique").to_numpy() > 1) & finite.notna().to_numpy()


def _explained(values: NDArray, depth: NDArray) -> float:
    """Correlation ratio η² of depth over quantile bins of the values."""
    bins = quantile_bins(values)
    groups = pd.Series(depth, dtype=np.float64).groupby(bins)
    between = (groups.size() * (groups.mean() - depth.mean()) ** 2).sum()
    return float(between / ((depth - depth.mean()) ** 2).sum())
