"""What is said of a run: numbers that JSON can hold, and sentences that follow the data."""

import json

import numpy as np

from depthlens.chapters.difficulty import contents, numbers, page
from depthlens.tables import Images

LEVEL = 0.95


def things(run, **factors):
    """What is known of a run, of whose images nothing is looked at but their factors."""
    n = len(next(iter(factors.values()), []))
    pixels, label = np.zeros((n, 1, 2, 2), np.uint8), np.zeros(n, int)
    return contents.of_run(run, test=Images(np.arange(n), pixels, label, [], factors), level=LEVEL)


def test_numbers_are_json_without_nan(make_run):
    run = make_run([0, 4], [1, 0], [0, 1])
    found = numbers.of_run(things(run, size=np.arange(2)))
    again = json.loads(json.dumps(found, allow_nan=False))
    assert [row["n"] for row in again["depths"]] == [1, 0, 0, 0, 1]
    assert again["depths"][1]["accuracy"] is None
    assert (again["mean_depth"], again["test_accuracy"]) == (2, 0.5)


def test_explanation_names_the_hardest_class_and_the_strongest_factor(make_run):
    depth = np.array([0, 1, 0, 1] * 10 + [2, 3, 4, 4] * 10)
    run = make_run(depth, depth < 3, [0] * 40 + [1] * 40)
    noise, size = depth + np.linspace(0, 0.1, 80), np.tile([0.1, 0.2], 40)
    text = " ".join(page.explanation(things(run, size=size, noise=noise)))
    assert "The hardest class is ellipse: its mean depth is 3.25" in text
    assert "it says circle in 100\u00a0% of the cases" in text
    assert "Depth rises most clearly with noise" in text
    assert "Within ellipse alone, depth goes with noise" in text


def test_unconverged_network_is_announced_first(make_run):
    run = make_run([0, 4], [1, 0], converged=False)
    first = page.explanation(things(run))[0]
    assert first.replace("\u00a0", " ").startswith(
        "Network not converged: 93.1 % of the training set, 99 % required"
    )
    assert make_run([0], [1]).warning is None


def test_factor_that_rises_and_falls_is_not_passed_over(make_run):
    x = np.linspace(-1, 1, 400)
    depth = np.round(4 * x**2).astype(int)
    text = " ".join(page.explanation(things(make_run(depth, depth < 2), x=x)))
    assert "not in one direction, on x (" in text
