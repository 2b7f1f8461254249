"""Runs small enough to compute on paper."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters.difficulty.card import RELIABILITY, Ensemble
from depthlens.chapters.difficulty.run import Run, Split
from depthlens.scores.catalogue import SCORES
from depthlens.tables import Images


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


def make_ensemble(
    train, held_out, *, label=None, consensus=None, agreed=None, n_probes=4, classes=("a", "b"),
    reliability=(), size=6, channels=1,
):  # fmt: skip
    """Networks of which each image has these mean depths; the first half is the train split."""
    train, held_out = np.asarray(train, np.float32), np.asarray(held_out, np.float32)
    n, half = len(train), (len(train) + 1) // 2
    label = np.arange(n) % len(classes) if label is None else np.asarray(label)
    ids = np.concatenate([np.arange(half), np.arange(n - half)]).astype(np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (n, channels, size, size)).astype(np.uint8)
    agreed = np.full(n, 0.75, np.float32) if agreed is None else np.asarray(agreed, np.float32)
    consensus = label if consensus is None else np.asarray(consensus)
    parts = {"train": slice(0, half), "test": slice(half, n)}
    return Ensemble(
        dataset="toy",
        model="net",
        classes=list(classes),
        n_networks=4,
        n_probes=n_probes,
        card=pd.DataFrame(
            {
                "example_id": np.arange(n),
                "split": np.where(np.arange(n) < half, "train", "test"),
                "split_id": ids,
                "label": label,
                "n_train": 2,
                "n_held_out": 2,
                "consensus": consensus,
                "consensus_consistency": agreed,
                "label_consistency": np.where(consensus == label, agreed, 1 - agreed),
                "ensemble_agreement": agreed,
                "depth_train_mean": train,
                "depth_train_std": np.float32(0.5),
                "depth_held_out_mean": held_out,
                "depth_held_out_std": np.float32(0.5),
            }
        ),
        reliability=pd.DataFrame(
            [
                {
                    "score": score,
                    "side": side,
                    "n_examples": n,
                    "measurements": 2.0,
                    "reliability": value,
                    "low": value - 0.1,
                    "high": value + 0.1,
                    "networks_needed": 9 * (1 - value) / value if value > 0 else np.inf,
                }
                for score, side, value in reliability
            ],
            columns=RELIABILITY,
        ),
        images={
            name: Images(ids[part], pixels[part], label[part], list(classes), {})
            for name, part in parts.items()
        },
    )


@pytest.fixture(name="make_run")
def _make_run():
    return make_run


@pytest.fixture(name="make_split")
def _make_split():
    return make_split


@pytest.fixture(name="make_ensemble")
def _make_ensemble():
    return make_ensemble
