"""Finding wrong labels: what counts as found, and what is claimed of it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import label_noise
from depthlens.chapters.benchmarks_of_difficulty.experiments.label_noise import detection
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}


def test_detection_is_the_share_of_pairs_in_order():
    """Of wrong and right labels every pair is counted; a tie is half."""
    scores = pd.DataFrame(
        {
            "depth": [3, 1, 2, 2],
            "area_under_margin": [-1.0, 2.0, -1.0, 0.0],  # small is hard
            "loss": [np.inf, 0.0, np.nan, 5.0],
            "label": [0, 0, 0, 0],  # no score
        }
    )
    wrong = np.array([True, False, True, False])
    found = detection(scores, wrong).set_index("score")
    assert found.loc["depth", "auroc"] == (1 + 1 + 1 + 0.5) / 4
    assert found.loc["area_under_margin", "auroc"] == 1.0
    assert found.loc["loss", "auroc"] == 1.0  # the wrong one that is known is above both
    assert found.loc["loss", ["n", "wrong"]].tolist() == [3, 1]
    assert found.loc["area_under_margin", "auprc"] == 1.0
    assert set(found.index) == {"depth", "area_under_margin", "loss"}


def test_where_no_label_is_wrong_nothing_is_measured():
    found = detection(pd.DataFrame({"depth": [1, 2]}), np.array([False, False]))
    assert found["auroc"].isna().all() and found["auprc"].isna().all()


def table(auroc: dict[str, float], *, kinds=("uniform", "feature"), seeds=(1, 2, 3), rates=(0.2,)):
    """A sweep in which the scores have these AUROC, a little different from seed to seed."""
    each = itertools.product(kinds, rates, seeds, auroc.items())
    rows = [
        {
            "dataset": "shapes", "kind": kind, "rate": rate, "seed": seed,
            "architecture": "resnet18_narrow", "train_examples": 4000, "score": score,
            "auroc": value + (seed - 2) * 0.01 - (0.1 if kind == "feature" else 0),
            "auprc": value / 2, "n": 4000, "wrong": 800,
        }
        for kind, rate, seed, (score, value) in each
    ]  # fmt: skip
    return {"label_noise": pd.DataFrame(rows)}


AUROC = {
    "depth": 0.8,
    "depth_self_voting": 0.7,
    "loss": 0.85,
    "area_under_margin": 0.95,
    "random": 0.5,
}


def verdicts(tables) -> dict[str, str]:
    found = answers.findings(label_noise.section, tables, **LEVEL)
    return {finding.id: finding.verdict for finding in found}


def test_claims_follow_from_the_table():
    assert verdicts(table(AUROC)) == {
        "wrong-labels-are-deep": SUPPORTED,
        "area-under-margin-finds-wrong-labels": SUPPORTED,
        "training-tells-more-than-its-end": SUPPORTED,
        "depth-finds-more-than-loss": NOT_SUPPORTED,
        "self-votes-hide-wrong-labels": SUPPORTED,
        "feature-noise-is-harder-to-find": SUPPORTED,
    }
    changed = AUROC | {"depth": 0.4, "depth_self_voting": 0.45, "area_under_margin": 0.8}
    assert verdicts(table(changed)) == {
        "wrong-labels-are-deep": NOT_SUPPORTED,
        "area-under-margin-finds-wrong-labels": NOT_SUPPORTED,
        "training-tells-more-than-its-end": NOT_SUPPORTED,
        "depth-finds-more-than-loss": NOT_SUPPORTED,
        "self-votes-hide-wrong-labels": NOT_SUPPORTED,
        "feature-noise-is-harder-to-find": SUPPORTED,
    }


def test_a_value_is_the_mean_over_seeds_with_students_interval():
    found = answers.findings(label_noise.section, table(AUROC), **LEVEL)
    depth = next(finding for finding in found if finding.id == "wrong-labels-are-deep")
    # 0.79, 0.80, 0.81: standard error 0.01 / √3, t of two degrees of freedom 4.3027.
    half = 4.302653 * 0.01 / np.sqrt(3)
    assert depth.value == pytest.approx(0.8)
    assert (depth.low, depth.high) == (pytest.approx(0.8 - half), pytest.approx(0.8 + half))
    assert (depth.n, depth.dataset, depth.model) == (3, "shapes", "resnet18_narrow")


def test_claims_are_about_the_rate_nearest_to_a_fifth():
    both = table(AUROC, rates=(0.4, 0.25))
    of_other = both["label_noise"]["rate"] == 0.4
    both["label_noise"].loc[of_other, "auroc"] = 0.1
    assert verdicts(both)["wrong-labels-are-deep"] == SUPPORTED


def test_what_was_not_made_is_not_testable():
    found = verdicts(table(AUROC, kinds=("uniform",)))
    assert found["feature-noise-is-harder-to-find"] == (
        "not testable here, because no network was trained under feature noise"
    )
    one_seed = set(verdicts(table(AUROC, seeds=(1,))).values())
    assert one_seed == {"not testable here, because fewer than two seeds were measured"}


@pytest.mark.parametrize("rates", [(0.2,), (0.05, 0.2)])
def test_figures_say_what_is_in_the_table(rates):
    drawn = dict(answers.drawings(label_noise.section, table(AUROC, rates=rates), **LEVEL))
    assert set(drawn) == {"label_noise_scores", "label_noise_rates"}
    said = drawn["label_noise_scores"].sentence
    assert "Area under the margin finds wrong labels best" in said and "0.90" in said
    shown = {text.get_text() for text in drawn["label_noise_scores"].figure.texts}
    assert any("4\u202f000 training images, 3 seeds" in text for text in shown)


def test_figures_have_a_panel_for_every_dataset():
    one = table(AUROC, rates=(0.05, 0.2))["label_noise"]
    both = {"label_noise": pd.concat([one, one.assign(dataset="mnist")], ignore_index=True)}
    drawn = dict(answers.drawings(label_noise.section, both, **LEVEL))
    titles = {ax.get_title(loc="left") for ax in drawn["label_noise_scores"].figure.axes}
    assert titles == {"shapes", "mnist"}
    assert len(drawn["label_noise_rates"].figure.axes) == 2 * 2  # kinds × datasets


def test_the_page_has_both_measures_of_every_score():
    (found,) = page_tables.report_tables(label_noise.section, table(AUROC), **LEVEL)
    assert len(found.rows) == 2 * len(AUROC)
    row = next(row for row in found.rows if row[3].text == "Prediction depth")
    assert (row[4].sort, row[6].sort) == (pytest.approx(0.8), pytest.approx(0.4))
