"""Measure whether a network has learned enough for its difficulties to mean something."""

import logging
from pathlib import Path

from depthlens import tables

log = logging.getLogger(__name__)


def run(*, train_predictions: Path, test_predictions: Path, output: Path, cfg: dict) -> None:
    """Write `convergence.json`: what was measured in evaluation mode, and what is asked for.

    It never refuses: `depth` reads the file and does.
    """
    accuracy = {}
    for split, path in (("train", train_predictions), ("test", test_predictions)):
        table = tables.read(path, ["label", "prediction"])
        accuracy[split] = float(
            (table["label"].to_numpy() == table["prediction"].to_numpy()).mean()
        )
    converged = accuracy["train"] >= cfg["min_train_accuracy"]
    tables.write_json(
        output,
        {
            "train_accuracy": accuracy["train"],
            "test_accuracy": accuracy["test"],
            "converged": converged,
            **cfg,
        },
    )
    log.info(
        "%s: accuracy %.4f on the training set (%.4f asked for), %.4f on the test set",
        "converged" if converged else "NOT converged",
        accuracy["train"], cfg["min_train_accuracy"], accuracy["test"],
    )  # fmt: skip
