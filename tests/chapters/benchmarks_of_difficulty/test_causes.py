import re

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import partial_dependence

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import causes, explained

LEVEL = {"confidence_level": 0.95}
N = 400


@pytest.fixture(scope="module")
def planted(network):
    """Makes a network whose depth is a step function of one factor and of nothing else."""

    def planted(
        seed, *, cause="contrast", sign=-1, dataset="toy", names=("contrast", "size", "noise")
    ):
        random = np.random.default_rng([seed, 5])
        factors = {name: random.random(N) for name in names}
        depth = np.floor(5.99 * (factors[cause] if sign > 0 else 1 - factors[cause])).astype(int)
        columns = {f"factor_{name}": values for name, values in factors.items()}
        labels = random.integers(0, 3, N)
        return network(depth, seed=seed, dataset=dataset, label=labels, **columns)

    return planted


def test_the_planted_cause_has_the_largest_importance_and_its_direction(planted):
    for cause in ("contrast", "size"):
        found = causes.explained(planted(1, cause=cause), seed=1)
        assert max(found.importance, key=found.importance.get) == cause
        assert found.r_squared > 0.9
        others = [value for name, value in found.importance.items() if name != cause]
        assert max(map(abs, others)) < 0.05
        places, depth = found.dependence[cause]
        assert depth[0] - depth[-1] == pytest.approx(0.8 * 6, abs=0.5)
        assert places[[0, -1]] == pytest.approx([0.1, 0.9], abs=0.05)


def test_a_class_that_decides_depth_is_found_too():
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, N)
    depth = np.array([3, 0, 4, 1])[labels]  # no order of the numbers
    found = explained.explain(pd.DataFrame({"size": random.random(N)}), labels, depth, seed=1)
    assert max(found.importance, key=found.importance.get) == explained.CLASS
    assert found.r_squared > 0.99


def test_random_depth_is_not_explained():
    random = np.random.default_rng(4)
    factors = pd.DataFrame({"size": random.random(N), "noise": random.random(N)})
    found = explained.explain(factors, random.integers(0, 3, N), random.integers(0, 6, N), seed=1)
    assert found.r_squared < 0.1
    assert list(found.importance) == ["size", "noise", "class", "random"]


def test_partial_dependence_is_that_of_scikit_learn():
    random = np.random.default_rng(6)
    features = pd.DataFrame(random.random((80, 2)), columns=["a", "b"])
    model = HistGradientBoostingRegressor(max_iter=5).fit(features, features["a"] ** 2)
    places, mine = explained._dependence(model, features, "a", features["a"].to_numpy())
    theirs = partial_dependence(
        model, features, ["a"], method="brute", custom_values={"a": places}, kind="average"
    )
    assert mine == pytest.approx(theirs["average"][0])


def test_claims_follow_the_planted_truth(planted, table):
    rows = table(*(planted(seed) for seed in (1, 2)))
    found = {f.id: f for f in answers.findings(causes.section, {"portraits": rows}, **LEVEL)}
    assert found["factors-explain-depth"].verdict == "supported"
    assert found["contrast-explains-depth"].verdict == "supported"
    assert found["contrast-explains-depth"].value > 0.5
    assert found["low-contrast-is-deep"].verdict == "supported"
    assert found["low-contrast-is-deep"].value < -3
    reverse = table(*(planted(seed, sign=1) for seed in (1, 2)))
    found = {f.id: f for f in answers.findings(causes.section, {"portraits": reverse}, **LEVEL)}
    assert found["low-contrast-is-deep"].verdict == "not supported"


def test_a_factor_that_only_another_dataset_has_is_not_testable(planted, table):
    rows = table(
        *(planted(seed) for seed in (1, 2)),
        *(planted(s, dataset="photos", names=("contrast", "ink")) for s in (1, 2)),
    )
    found = answers.findings(causes.section, {"portraits": rows}, **LEVEL)
    kinds = {(f.dataset, f.id): f.verdict for f in found}
    for claim in ("size-explains-depth", "small-is-deep"):
        assert kinds["photos", claim] == (
            "not testable here, because the images have no factor size"
        )
        assert "not testable" not in kinds["toy", claim]
    assert "noise" in kinds["photos", "noisy-is-deep"]
    assert kinds["photos", "low-contrast-is-deep"] == "supported"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"depth": [0, 1] * 30}, "no factors"),
        ({"depth": [0, 1] * 4, "factor_size": np.arange(8.0)}, "fewer than 20"),
        ({"depth": [1] * 60, "factor_size": np.arange(60.0)}, "the same depth"),
    ],
)
def test_what_cannot_be_explained_is_said(columns, reason, network, table):
    both = table(network(**columns), network(**columns, seed=2))
    found = {f.id: f for f in answers.findings(causes.section, {"portraits": both}, **LEVEL)}
    assert reason in found["factors-explain-depth"].verdict
    drawn = dict(answers.drawings(causes.section, {"portraits": both}, **LEVEL))
    assert "No dataset has factors" in drawn["causes_of_depth"].sentence


def test_figures_and_table_name_the_planted_cause_first(planted, table):
    rows = {"portraits": table(*(planted(seed) for seed in (1, 2)))}
    drawn = dict(answers.drawings(causes.section, rows, **LEVEL))
    assert list(drawn) == ["causes_of_depth", "depth_by_cause"]
    assert ", contrast and " in drawn["causes_of_depth"].sentence
    assert re.search(
        r"mean depth goes from (4\.[5-9]|5\.0) to 0\.\d with contrast",
        drawn["depth_by_cause"].sentence,
    )
    labels = [t.get_text() for t in drawn["causes_of_depth"].figure.axes[0].get_yticklabels()]
    assert labels[0] == "contrast"
    assert set(labels) == {"contrast", "size", "noise", "class", "random"}
    (shown,) = page_tables.report_tables(causes.section, rows, **LEVEL)
    assert [row[1].text for row in shown.rows] == ["contrast", "size", "noise", "class", "random"]
