"""Candidates of the random search: drawn in their ranges, the first ones whatever the budget."""

import math

import numpy as np

from depthlens.chapters.inductive_bias.experiments import learning, search

SPACE = {"learning_rate": [1e-3, 3e-2], "epochs": [1, 2, 3], "kernel_size": [3, 5]}
SETTINGS = {
    "classes": ["horizontal", "vertical", "none"], "validation_images": 3, "batch_size": 5,
    "momentum": 0.9, "images": 2, "splits": ("train", "validation", "test"), "search": SPACE,
}  # fmt: skip


def test_candidates_lie_in_their_ranges_and_spread_over_them():
    found = [search.drawn(number, SPACE) for number in range(1, 61)]
    rates = np.array([candidate["learning_rate"] for candidate in found])
    assert (rates >= 1e-3).all() and (rates <= 3e-2).all()
    # Half of them below the geometric middle, not the arithmetic one.
    assert 0.3 < (rates < math.sqrt(1e-3 * 3e-2)).mean() < 0.7
    assert {candidate["epochs"] for candidate in found} == {1, 2, 3}
    assert {candidate["kernel_size"] for candidate in found} == {3, 5}
    assert len(set(rates)) == 60


def made(architecture, candidate):
    cell = {"architecture": architecture, "candidate": candidate, "seeds": "1+2"}
    return search.experiment({}, cell=cell, settings=SETTINGS, progress=lambda epochs: epochs)


def test_a_candidate_is_trained_as_it_was_drawn():
    drawn = search.drawn(2, SPACE)
    rows = made("cnn", 2)
    cell = {"architecture": "cnn", "seeds": "1+2", **drawn}
    plain = learning.experiment({}, cell=cell, settings=SETTINGS, progress=lambda epochs: epochs)
    assert rows[list(plain)].equals(plain)
    assert set(rows["split"]) == {"train", "validation", "test"}
    assert rows[["learning_rate", "epochs", "kernel_size"]].drop_duplicates().to_dict(
        "records"
    ) == [drawn]


def test_an_mlp_gets_the_same_draws_and_has_no_kernels():
    rows, drawn = made("mlp", 3), search.drawn(3, SPACE)
    assert set(rows["kernel_size"]) == {0} and set(rows["epochs"]) == {drawn["epochs"]}
