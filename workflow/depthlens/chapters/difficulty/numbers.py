"""The chapter's numbers for machines: summary.json, of a run and of an ensemble."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from depthlens.chapters.difficulty.card import HELD_OUT, TRAIN
from depthlens.chapters.difficulty.corners import CORNERS, quarter

HEADLINE = ("train_accuracy", "test_accuracy", "mean_depth")
"""what a study is compared by: names in summary.json"""

_DIGITS = 6  # significant ones in summary.json: more would differ between processors


def of_run(things: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the report says of one run, as JSON-ready numbers, tables as one object a row.

    Parameters
    ----------
    things : mapping
        See `contents.of_run`.
    """
    run, neighbours = things["run"], things["neighbours"]
    found = {
        name: getattr(run, name)
        for name in ("dataset", "model", "seed", "converged", "train_accuracy", "test_accuracy")
    }
    found |= {
        name: things[name] for name in ("depths", "classes", "factors", "scores", "references")
    }
    found |= {
        "confidence_level": things["level"],
        "n_test": len(run.examples),
        "mean_depth": run.examples["depth"].mean(),
        "probes": things["probes"].drop(columns="probe"),
        "neighbours": {
            split: neighbours[neighbours["split"] == split].drop(columns="split")
            for split in run.splits
        },
    }
    if "self_votes" in things:
        found["self_voting"] = things["self_votes"]
    return plain(found)


def of_ensemble(things: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the report says of an ensemble, as JSON-ready numbers.

    Images count that have a depth on both sides; `corners` has those in each quarter of the plane.
    """
    ensemble, corners = things["ensemble"], things["corners"]
    return plain(
        {
            "dataset": ensemble.dataset,
            "model": ensemble.model,
            "n_networks": ensemble.n_networks,
            "n_images": len(corners),
            "mean_depth": {"train": corners[TRAIN].mean(), "held_out": corners[HELD_OUT].mean()},
            "corners": [
                {
                    "corner": corner.name,
                    "training": corner.train,
                    "held_out": corner.held_out,
                    "n": len(quarter(corners, corner)),
                }
                for corner in CORNERS
            ],
            "consensus_by_depth": things["consensus"],
            "reliability": things["ranked"],
        }
    )


def headline(found: Iterable[Mapping[str, Any]]) -> dict[str, dict]:
    """The numbers by which studies are compared, by dataset, model and seed.

    Down to `{dataset: {model: {"seed1": {"mean_depth": 7.31, …}}}}`: scalars, as DVC's metrics
    leave out lists and all that is in them.
    """
    heads: dict[str, dict] = {}
    for run in found:
        seeds = heads.setdefault(run["dataset"], {}).setdefault(run["model"], {})
        seeds[f"seed{run['seed']}"] = {name: run[name] for name in HEADLINE}
    return heads


def plain(value: Any) -> Any:
    """What JSON can hold: six significant digits, None for no number; an object a row."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
