"""Runs small enough to compute on paper."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters.difficulty.tables import Run


def make_run(
    depth,
    correct,
    label=None,
    *,
    prediction=None,
    confidence=None,
    classes=("circle", "ellipse"),
    duplicate_of=(None, None, None, None),
    converged=True,
    seed=0,
    knn=None,
    first="input",
):
    n, n_probes = len(depth), len(duplicate_of)
    label = np.zeros(n, int) if label is None else np.asarray(label)
    correct = np.asarray(correct, bool)
    if prediction is None:
        prediction = np.where(correct, label, (label + 1) % len(classes))
    names = [f"{index:02d}-{f'p{index}' if index else first}" for index in range(n_probes)]
    return Run(
        dataset="toy",
        model="net",
        seed=seed,
        classes=list(classes),
        examples=pd.DataFrame(
            {
                "example_id": np.arange(n),
                "label": label,
                "prediction": prediction,
                "confidence": np.full(n, 0.5) if confidence is None else confidence,
                "correct": correct,
                "depth": np.asarray(depth),
            }
        ),
        knn=np.zeros((n, n_probes), int) if knn is None else np.asarray(knn),
        probes=pd.DataFrame(
            {
                "name": names,
                "kind": "Conv2d",
                "shape": "4×2×2",
                "dims": 16,
                "parameters": 10,
                "receptive_field": np.nan,
                "duplicate_of": pd.Series(list(duplicate_of), dtype=object),
            }
        ),
        train_accuracy=1.0 if converged else 0.931,
        test_accuracy=float(correct.mean()),
        min_train_accuracy=0.99,
        converged=converged,
    )


@pytest.fixture(name="make_run")
def _make_run():
    return make_run
