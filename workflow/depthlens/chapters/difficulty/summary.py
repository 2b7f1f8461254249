"""What one run found, in words and in numbers: the text of the report and its summary.json."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from depthlens.chapters.difficulty import comparisons
from depthlens.chapters.difficulty import tables as tidy
from depthlens.chapters.difficulty.tables import Run
from depthlens.prose import count, joined, number, percent

HEADLINE = ("train_accuracy", "test_accuracy", "mean_depth")
"""what a study is compared by: names in summary.json"""

_DIGITS = 6  # significant ones in summary.json: more would differ between processors


def numbers(run: Run, factors: Mapping[str, NDArray], *, confidence_level: float) -> dict[str, Any]:
    """Everything the report says of one run, as JSON-ready numbers.

    Parameters
    ----------
    run : Run
    factors : mapping of name to array, shape (n_examples,)
        What is known about each test image.
    confidence_level : float
        Of every `low` and `high`.

    Returns
    -------
    dict
        dataset, model, seed, converged, n_test, train_accuracy, test_accuracy, mean_depth, depths,
        classes, factors, probes, scores (rank correlations with depth), neighbours (depth by k, of
        each split), references (depth by reference): lists of one object a row. self_voting is
        there if training images are studied. Numbers that do not exist are None.
    """
    level = {"confidence_level": confidence_level}
    depths = tidy.by_depth(run, **level)
    probes = tidy.by_probe(run, **level).drop(columns="probe")
    found = {
        "dataset": run.dataset,
        "model": run.model,
        "seed": run.seed,
        "converged": run.converged,
        "confidence_level": confidence_level,
        "n_test": len(run.examples),
        "train_accuracy": plain(run.train_accuracy),
        "test_accuracy": plain(run.test_accuracy),
        "mean_depth": plain(run.examples["depth"].mean()),
        "depths": records(depths),
        "classes": records(tidy.by_class(run, **level)),
        "factors": records(tidy.by_factor(run, factors, **level)),
        "probes": records(probes),
        "scores": records(comparisons.with_depth(run, **level)),
        "neighbours": {
            name: records(comparisons.by_k(split, **level)) for name, split in run.splits.items()
        },
        "references": records(comparisons.by_reference(run, **level)),
    }
    if run.train is not None:
        voting = comparisons.self_voting(run.train, **level)
        found["self_voting"] = {name: plain(value) for name, value in voting._asdict().items()}
    return found


def headline(found: Iterable[Mapping[str, Any]]) -> dict[str, dict]:
    """The numbers by which studies are compared, by dataset, model and seed.

    Parameters
    ----------
    found : iterable of mapping
        `numbers` of each run.

    Returns
    -------
    dict
        Down to `{dataset: {model: {"seed1": {"mean_depth": 7.31, …}}}}`: scalars, as DVC's metrics
        leave out lists and all that is in them.
    """
    heads: dict[str, dict] = {}
    for run in found:
        seeds = heads.setdefault(run["dataset"], {}).setdefault(run["model"], {})
        seeds[f"seed{run['seed']}"] = {name: run[name] for name in HEADLINE}
    return heads


def plain(value: object) -> object:
    """A value as JSON can hold it: six significant digits, None for what is not a number."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def explanation(run: Run, factors: Mapping[str, NDArray], *, confidence_level: float) -> list[str]:
    """Which images are hard for the network, and why: paragraphs read off the data."""
    level = {"confidence_level": confidence_level}
    classes = tidy.by_class(run, **level)
    table = tidy.by_factor(run, factors, **level)
    paragraphs = [_where(run, confidence_level), _which(run, classes), factor_sentence(table)]
    paragraphs += _within(run, factors, classes.iloc[0])
    if note := convergence_note(run):
        paragraphs.insert(0, f"{note}. What follows is no measure of difficulty yet.")
    return paragraphs


def _where(run: Run, confidence_level: float) -> str:
    depths = tidy.by_depth(run, confidence_level=confidence_level)
    first, last = depths.iloc[0], depths.iloc[run.last_two]
    sentence = (
        f"Of {count(len(run.examples))} test images {percent(first['share'], 1)} are settled at "
        f"{run.first_probe}"
    )
    if first["n"]:
        sentence += f" (the network is right on {percent(first['accuracy'], 1)} of those)"
    sentence += f"; {percent(last['share'].sum(), 1)} settle only at the last two depths"
    if last["n"].sum():
        accuracy = last["correct"].sum() / last["n"].sum()
        sentence += f" (right on {percent(accuracy, 1)})"
    return sentence + "."


def _which(run: Run, classes: pd.DataFrame) -> str:
    hard, easy = classes.iloc[0], classes.iloc[-1]
    mean_depth = with_interval(hard, "mean_depth", "depth_low", "depth_high")
    if len(classes) == 1:
        return f"All of them are of the class {hard['class']}, whose mean depth is {mean_depth}."
    sentence = (
        f"The hardest class is {hard['class']}: its mean depth is {mean_depth}, against "
        f"{number(easy['mean_depth'])} for {easy['class']}, the easiest, and the network is right "
        f"on {percent(hard['accuracy'], 1)} of its images"
    )
    if isinstance(hard["mistaken_for"], str):
        sentence += (
            f"; when it is wrong, it says {hard['mistaken_for']} in "
            f"{percent(hard['mistaken_share'])} of the cases"
        )
    return sentence + "."


def _within(run: Run, factors: Mapping[str, NDArray], hardest: pd.Series) -> list[str]:
    """What makes an image of the hardest class deep, if anything clearly does."""
    members = (run.examples["label"] == hardest["label"]).to_numpy()
    depth = run.examples["depth"].to_numpy()[members]
    found = []
    for name, values in factors.items():
        values = np.asarray(values, np.float64)[members]
        if len(values) > 3 and np.isfinite(values).all() and np.ptp(values) and np.ptp(depth):
            found.append((float(stats.spearmanr(values, depth).statistic), name))
    found.sort(key=lambda pair: (-abs(pair[0]), pair[1]))
    strong = [f"{name} (ρ = {number(rho)})" for rho, name in found[:3] if abs(rho) >= 0.1]
    if not strong or run.examples["label"].nunique() < 2:
        return []
    return [f"Within {hardest['class']} alone, depth goes with {joined(strong)}."]


def convergence_note(run: Run) -> str | None:
    """What to write on figures of a network that did not converge; None where it did."""
    if run.converged:
        return None
    return (
        f"Network not converged: {percent(run.train_accuracy, 1)} of the training set, "
        f"{run.min_train_accuracy * 100:g}\u00a0% required"
    )


def factor_sentence(table: pd.DataFrame) -> str:
    """What the table of factors says, in a sentence; see `tables.by_factor`."""
    if table.empty:
        return "No factor varies together with depth in this test set."
    top = table.iloc[0]
    clear = [row for row in table.itertuples() if row.low > 0 or row.high < 0]
    correlation = f"ρ = {with_interval(top, 'correlation', 'low', 'high')}"
    if clear:
        way = "rises" if top["correlation"] > 0 else "falls"
        sentence = f"Depth {way} most clearly with {top['factor']} ({correlation})"
        if rest := [f"{row.factor} ({number(row.correlation)})" for row in clear[1:4]]:
            sentence += f", then changes with {joined(rest)}"
    else:
        sentence = (
            "No factor is clearly correlated with depth; the strongest is "
            f"{top['factor']} ({correlation})"
        )
    # A rank correlation is blind to what rises and falls again, such as a distance from the middle.
    bent = [
        f"{row.factor} ({percent(row.explained)} of the variance of depth between its bins)"
        for row in table.itertuples()
        if row.explained > 0.02 and row.explained > 3 * row.correlation**2
    ]
    if bent:
        sentence += f"; depth depends, but not in one direction, on {joined(bent)}"
    return f"{sentence}."


def with_interval(row: pd.Series, value: str, low: str, high: str) -> str:
    """Like "7.31 [7.12, 7.50]"."""
    return f"{number(row[value])} [{number(row[low])}, {number(row[high])}]"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as JSON-ready objects."""
    rows = []
    for record in table.to_dict("records"):
        rows.append({str(name): plain(value) for name, value in record.items()})
    return rows
