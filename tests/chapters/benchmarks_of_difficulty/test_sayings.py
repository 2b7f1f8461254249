import numpy as np
import pandas as pd
import pytest
from scipy import stats

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import sayings

LEVEL = {"confidence_level": 0.95}

# Of ten images, at 0, 1/4, 1/2, 3/4, 1 of the computation and never: 7, 0, 1, 0, 1, 1.
DEPTH = [0] * 7 + [2, 4, 5]
OTHER = [0] * 5 + [1, 1, 3, 3, 3]


def verdicts(*networks):
    rows = pd.concat(networks, ignore_index=True)
    found = answers.findings(sayings.section, {"portraits": rows}, **LEVEL)
    return {(f.id, f.dataset): f for f in found}


def test_correlations_are_signed_by_difficulty(network):
    rows = [network(DEPTH, seed=s, grand=-np.asarray(DEPTH)) for s in (1, 2)]
    found = verdicts(*rows)
    assert found["depth-follows-forgetting", "toy"].value == pytest.approx(1)
    assert found["depth-follows-margin", "toy"].value == pytest.approx(1)
    assert found["depth-follows-gradients", "toy"].value == pytest.approx(-1)
    assert found["depth-follows-gradients", "toy"].verdict == "not supported"


def test_ratio_of_errors_is_that_of_the_last_two_and_first_two_depths(network):
    depth = [0] * 10 + [1] * 10 + [3] * 2 + [5] * 2
    correct = np.ones(24, bool)
    correct[[0, 20, 22, 23]] = False  # 1 of 20 shallow ones, 3 of 4 deep ones
    rows = [network(depth, seed=s, correct=correct) for s in (1, 2)]
    found = verdicts(*rows)["deep-are-often-wrong", "toy"]
    assert found.value == pytest.approx(15)
    assert found.verdict == "supported"


@pytest.mark.parametrize(
    ("depth", "correct", "reason"),
    [
        ([0, 1, 2], [True, True, False], "too few depths"),
        ([0, 1, 2, 3], [True, True, False, False], "misclassifies no image of the first two"),
    ],
)
def test_no_ratio_without_shallow_errors(depth, correct, reason, network):
    rows = [network(depth, seed=s, correct=np.array(correct)) for s in (1, 2)]
    assert reason in verdicts(*rows)["deep-are-often-wrong", "toy"].verdict


def test_one_seed_is_no_interval(network):
    found = verdicts(network(DEPTH))
    reasons = ("fewer than two seeds", "misclass", "no factor aspect_ratio")
    assert all(any(reason in f.verdict for reason in reasons) for f in found.values())


def test_elongation_counts_within_the_classes_in_which_it_varies(network):
    label = np.repeat([0, 1, 2], 4)
    depth = np.array([0, 1, 2, 3, 3, 1, 2, 0, 3, 3, 3, 3])
    # Rising with depth in the first class, in the second 0.4; in the third always 1.
    ratio = np.array([1.2, 1.3, 1.4, 1.5, 1.5, 1.3, 1.2, 1.4, 1, 1, 1, 1])
    expected = (1 + stats.spearmanr(depth[4:8], ratio[4:8]).statistic) / 2
    rows = [network(depth, seed=s, label=label, factor_aspect_ratio=ratio) for s in (1, 2)]
    found = verdicts(*rows)["elongated-is-deep", "toy"]
    assert found.value == pytest.approx(expected) and found.verdict == "supported"
    round_ = [network(depth, seed=s, label=label, factor_aspect_ratio=1.0) for s in (1, 2)]
    assert "in no class" in verdicts(*round_)["elongated-is-deep", "toy"].verdict


def test_a_score_that_was_not_computed_is_named(network):
    rows = [network(DEPTH, seed=s, grand=np.nan) for s in (1, 2)]
    assert "GraNd was not computed" in verdicts(*rows)["depth-follows-gradients", "toy"].verdict


def test_only_the_first_architecture_counts(network):
    rows = [network(DEPTH, seed=s) for s in (1, 2)]
    rows += [network([5] * 10, seed=s, architecture="other") for s in (1, 2)]
    found = verdicts(*rows)
    assert found["depth-follows-forgetting", "toy"].value == pytest.approx(1)
    assert {f.model for f in found.values()} == {"net"}


def test_figures_say_what_was_found(network, table):
    rows = [network(DEPTH, seed=s) for s in (1, 2)]
    rows += [network(OTHER, seed=s, dataset="second") for s in (1, 2)]
    drawn = dict(answers.drawings(sayings.section, {"portraits": table(*rows)}, **LEVEL))
    assert list(drawn) == ["what_depth_follows"]
    assert "on toy forgetting events 1.00, output margin 1.00 and GraNd 1.00" in (
        drawn["what_depth_follows"].sentence
    )
    (shown,) = page_tables.report_tables(sayings.section, {"portraits": table(*rows)}, **LEVEL)
    assert len(shown.rows) == 2 * len(sayings.section.claims)
    said = {(row[0].text, row[1].text): row[3].text for row in shown.rows}
    assert said["toy", "Depth follows how often an image is forgotten."] == "1.000"
    # No shallow image is wrong.
    assert said["toy", sayings.section.claims["deep-are-often-wrong"].claim.statement] == "—"
