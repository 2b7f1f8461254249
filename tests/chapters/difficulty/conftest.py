"""Runs small enough to compute on paper."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters.difficulty.tables import Run, Split
from depthlens.scores.catalogue import SCORES


def make_split(depth, *, n_probes, seed=0, train=False, scores=None, ks=(1, 5, 30), by_k=None):
    """A split whose scores all follow one hidden difficulty, and its depths too."""
    depth, random = np.asarray(depth, np.int64), np.random.default_rng(seed)
    n = len(depth)

    def near(share):
        step = random.integers(-1, 2, n) * (random.random(n) < share)
        return np.clip(depth + step, 0, n_probes)

    if scores is None:
        hidden = depth + random.normal(0, 2, n)
        scores = pd.DataFrame(
            {score.name: score.harder * (hidden + random.normal(0, 3, n)) for score in SCORES}
        )
        scores.loc[random.permutation(n)[n // 2 :], "input_margin"] = np.nan
    depths = {
        "example_id": np.arange(n),
        "depth": depth,
        "depth_last_probe": np.minimum(near(0.2), n_probes - 1),
        "depth_label": near(0.3),
    }
    if train:
        depths["depth_self_voting"] = np.maximum(depth - (random.random(n) < 0.4), 0)
    return Split(
        depths=pd.DataFrame(depths),
        depth_by_k=np.stack([near(0.3) for _ in ks], axis=1) if by_k is None else np.asarray(by_k),
        ks=tuple(ks),
        n_neighbors=30,
        scores=scores,
    )


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
    test=None,
    train=None,
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
        test=make_split(depth, n_probes=n_probes) if test is None else test,
        train=train,
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


@pytest.fixture(name="make_split")
def _make_split():
    return make_split
