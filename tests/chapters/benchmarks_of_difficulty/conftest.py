"""What the tests of this chapter share: tables small enough to compute on paper, tiny images."""

import numpy as np
import pandas as pd
import pytest

from depthlens.tables import Images

RECIPE = {
    "architecture": "mlp7_narrow",
    "train_examples": 24,
    "test_examples": 12,
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 1e-3,
}
SETTINGS = {"recipe": RECIPE, "n_neighbors": 3, "early_epoch": 1}


def _split(n, seed):
    random = np.random.default_rng(seed)
    return Images(
        example_id=np.arange(n, dtype=np.int32),
        images=random.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8),
        labels=np.arange(n, dtype=np.int16) % 3,
        classes=["a", "b", "c"],
        factors={"size": random.random(n, dtype=np.float32)},
    )


IMAGES = {"toy": (_split(60, 0), _split(40, 1))}


def _network(depth, *, dataset="toy", architecture="net", seed=1, n_probes=5, **columns):
    """One network's test images; probe i is reached with i / (n_probes - 1) of the computation."""
    depth = np.asarray(depth)
    n = len(depth)
    filled = {
        "label": np.zeros(n, int),
        "correct": np.ones(n, bool),
        "forgetting_events": depth,
        "output_margin": -depth,
        "grand": depth,
    }
    return pd.DataFrame(
        {
            "dataset": dataset,
            "architecture": architecture,
            "train_examples": 40,
            "seed": seed,
            "example_id": np.arange(n),
            "depth": depth,
            "n_probes": n_probes,
            "relative_depth": depth / n_probes,
            "computation": np.append(np.linspace(0, 1, n_probes), 1.0)[depth],
            **(filled | columns),
        }
    )


def _table(*networks):
    return pd.concat(networks, ignore_index=True)


@pytest.fixture(scope="session")
def network():
    """Makes the rows of one network as the sweep `portraits` gives them."""
    return _network


@pytest.fixture(scope="session")
def table():
    """Puts the rows of several networks together."""
    return _table


@pytest.fixture(scope="session")
def toy_images():
    """A dataset `toy` of random images of three classes: 60 to train, 40 to test."""
    return IMAGES


@pytest.fixture(scope="session")
def toy_settings():
    """What an experiment on them needs."""
    return SETTINGS
