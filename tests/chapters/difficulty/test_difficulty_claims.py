"""Each claim on runs whose value is arithmetic on paper."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from depthlens.chapters.difficulty import contents
from depthlens.chapters.difficulty.runs import Runs
from depthlens.datasets import shapes

OPTIONS = {"confidence_level": 0.95, "bootstrap_samples": 100, "bootstrap_seed": 0}


def evaluate(*runs):
    return {finding.id: finding for finding in contents.findings(Runs(runs=runs, **OPTIONS))}


def spread(*cells):
    """Columns depth, correct and label from (depth, right, wrong[, label]) of several cells."""
    depth, correct, label = [], [], []
    for d, right, wrong, *of in cells:
        depth += [d] * (right + wrong)
        correct += [True] * right + [False] * wrong
        label += (of or [0]) * (right + wrong)
    return depth, correct, label


def test_claims_have_their_thresholds():
    claims = [one.claim for section in contents.SECTIONS for one in section.claims.values()]
    assert [(claim.id, str(claim.threshold)) for claim in claims] == [
        ("accuracy-falls-with-depth", "≤ -0.9"),
        ("shallowest-are-right", "≥ 0.95"),
        ("deepest-are-wrong", "≤ 0.5"),
        ("ellipse-is-hardest", "> 0"),
        ("quarter-settled-at-input", "> 0.25"),
        ("deep-fail-more-often", "≥ 5 and ≤ 20"),
        ("first-peak", "≤ 2"),
        ("second-peak", "≤ 2"),
        ("second-peak-is-right", "≥ 0.95 and ≤ 0.98"),
        ("last-are-rarely-right", "≥ 0.35 and ≤ 0.4"),
        ("two-classes-have-tails", "≥ 2"),
        ("last-are-of-three-classes", "≥ 0.9"),
        ("deep-are-learned-late", "> 0"),
        ("deep-have-small-margins", "< 0"),
        ("self-votes-hide-depth", "> 0"),
    ]


def test_rank_correlation_is_scipys_over_depths_with_thirty_images(make_run):
    cells = [(0, 38, 2), (1, 30, 10), (2, 33, 7), (3, 9, 20), (4, 5, 35)]
    found = evaluate(make_run(*spread(*cells)))["accuracy-falls-with-depth"]
    # Depth 3 has 29 images: it is no point of the correlation.
    expected = stats.spearmanr([0, 1, 2, 4], [38 / 40, 30 / 40, 33 / 40, 5 / 40]).statistic
    assert found.value == pytest.approx(expected)
    assert found.n == 160
    assert found.low <= found.value <= found.high


def test_rank_correlation_needs_three_depths_and_accuracies_that_differ(make_run):
    two = evaluate(make_run(*spread((0, 30, 0), (1, 10, 20), (2, 29, 0))))
    assert "fewer than 3 depths" in two["accuracy-falls-with-depth"].verdict
    flat = evaluate(make_run(*spread((0, 30, 0), (1, 30, 0), (2, 30, 0))))
    assert flat["accuracy-falls-with-depth"].verdict.endswith("the same at every depth")


def test_nothing_is_settled_at_an_input_that_is_not_probed(make_run):
    found = evaluate(make_run(*spread((0, 60, 0), (1, 40, 0)), first="layer1"))
    verdict = found["quarter-settled-at-input"].verdict
    assert verdict == "not testable here, because the input is not probed"
    assert found["shallowest-are-right"].verdict == "supported"


def test_proportions_are_counted_and_have_wilson_intervals(make_run):
    found = evaluate(make_run(*spread((0, 19, 1), (2, 40, 10), (3, 3, 4), (4, 2, 1))))
    shallow = found["shallowest-are-right"]
    wilson = stats.binomtest(19, 20).proportion_ci(method="wilson")
    assert (shallow.value, shallow.n, shallow.verdict) == (0.95, 20, "supported")
    assert (shallow.low, shallow.high) == pytest.approx((wilson.low, wilson.high))
    assert found["deepest-are-wrong"].value == 0.5
    assert found["deepest-are-wrong"].verdict == "supported"
    assert found["quarter-settled-at-input"].value == 20 / 80
    assert found["quarter-settled-at-input"].verdict == "not supported"  # more than, not at least


def test_last_two_depths_skip_the_impossible_one(make_run):
    columns = spread((0, 9, 1), (2, 1, 3), (4, 0, 4))
    plain = evaluate(make_run(*columns))["deepest-are-wrong"]
    assert (plain.value, plain.n) == (0, 4)  # depths 3 and 4
    same = make_run(*columns, duplicate_of=[None, None, None, "02-p2"])
    skipped = evaluate(same)["deepest-are-wrong"]
    assert (skipped.value, skipped.n) == (1 / 8, 8)  # depths 2 and 4


def test_error_ratio_compares_the_last_two_depths_with_the_first_two(make_run):
    found = evaluate(make_run(*spread((0, 45, 2), (1, 50, 3), (2, 0, 9), (3, 5, 4), (4, 0, 1))))
    ratio = found["deep-fail-more-often"]
    assert ratio.value == pytest.approx((5 / 10) / (5 / 100))
    assert (ratio.n, ratio.verdict) == (110, "supported")
    assert ratio.low < ratio.value < ratio.high


def test_error_ratio_needs_a_misclassified_shallow_image(make_run):
    found = evaluate(make_run(*spread((0, 45, 0), (4, 0, 1))))["deep-fail-more-often"]
    assert found.verdict == (
        "not testable here, because no test image of a depth of 0 or 1 is misclassified"
    )


def test_ellipse_gap_is_to_the_hardest_other_class(make_run):
    depth, correct, label = spread((4, 2, 2, 1), (2, 3, 1, 0), (3, 4, 4, 2), (0, 4, 4, 2))
    run = make_run(depth, correct, label, classes=["circle", "ellipse", "heart"])
    gap = evaluate(run)["ellipse-is-hardest"]
    assert (gap.value, gap.verdict) == (4 - 2, "supported")
    swapped = make_run(depth, correct, label, classes=["circle", "heart", "ellipse"])
    assert evaluate(swapped)["ellipse-is-hardest"].value == 1.5 - 4


@pytest.fixture
def of_shapes(make_run):
    """A run on the six shapes, whose fourth probe is the max pooling of a ResNet."""

    def of_shapes(*cells):
        run = make_run(*spread(*cells), classes=shapes.CLASSES, duplicate_of=(None,) * 5)
        return dataclasses.replace(run, probes=run.probes.replace("04-p4", "04-maxpool"))

    return of_shapes


def test_peaks_are_places_of_depths_by_their_images(of_shapes, make_run):
    found = evaluate(of_shapes((0, 50, 0), (1, 30, 0), (2, 20, 0), (4, 39, 1), (5, 3, 5)))
    assert (found["first-peak"].value, found["second-peak"].value) == (1, 2)
    assert found["second-peak-is-right"].value == 39 / 40
    assert found["second-peak-is-right"].verdict == "supported"
    last = found["last-are-rarely-right"]
    assert (last.value, last.verdict) == (42 / 48, "not supported")
    flat = evaluate(of_shapes((0, 10, 0), (1, 30, 0), (2, 20, 0), (3, 40, 0), (4, 5, 0)))
    assert (flat["first-peak"].value, flat["second-peak"].value) == (4, 5)
    assert flat["first-peak"].verdict == flat["second-peak"].verdict == "not supported"
    others = evaluate(make_run([0, 4], [1, 1], duplicate_of=(None,) * 5))
    assert others["second-peak"].verdict.endswith("not the max pooling of a ResNet")


def test_tails_are_shares_of_classes_at_the_last_two_depths(make_run):
    classes = ["ellipse", "rectangle", "heart", "circle"]
    columns = spread((0, 5, 0, 0), (4, 5, 0, 0), (1, 6, 0, 1), (3, 4, 0, 1), (0, 9, 0, 2))
    columns = [a + b for a, b in zip(columns, spread((4, 1, 0, 2), (4, 2, 0, 3)), strict=True)]
    columns = [a + b for a, b in zip(columns, spread((1, 8, 0, 3)), strict=True)]
    found = evaluate(make_run(*columns, classes=classes))
    # Half, 40, 10 and 20 % of the classes; of what is there 10 of 12 are of the first three.
    assert found["two-classes-have-tails"].value == 2
    assert found["last-are-of-three-classes"].value == pytest.approx(10 / 12)
    assert found["last-are-of-three-classes"].verdict == "not supported"
    swapped = evaluate(make_run(*columns, classes=[*classes[2:], *classes[:2]]))
    assert swapped["two-classes-have-tails"].value == 0
    missing = evaluate(make_run([0, 4], [1, 1]))
    assert missing["last-are-of-three-classes"].verdict.endswith("no class called rectangle")


def test_empty_sets_are_not_testable_and_say_why(make_run):
    found = evaluate(make_run([1, 2], [1, 0], classes=["a", "b"]))
    assert found["shallowest-are-right"].verdict.endswith("no test image has depth 0")
    assert found["deepest-are-wrong"].verdict.endswith("no test image has a depth of 3 or 4")
    assert found["ellipse-is-hardest"].verdict.endswith("no class called ellipse")
    assert found["quarter-settled-at-input"].value == 0


def test_unconverged_network_tests_nothing(make_run):
    columns = spread((0, 45, 2), (1, 50, 3), (3, 5, 4), (4, 0, 1))
    found = evaluate(make_run(*columns), make_run(*columns, converged=False, seed=1))
    assert {finding.verdict for finding in found.values()} == {
        "not testable here, because the network did not converge"
    }


def test_seeds_are_pooled_without_pretending_to_more_images(make_run):
    one = make_run(*spread((0, 18, 2), (4, 1, 9)))
    two = dataclasses.replace(make_run(*spread((0, 20, 0), (4, 3, 7))), seed=1)
    found = evaluate(one, two)["shallowest-are-right"]
    assert (found.value, found.n) == (38 / 40, 40)
    wilson = stats.binomtest(19, 20).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


def test_runs_of_other_images_are_not_pooled(make_run):
    with pytest.raises(ValueError, match="seed 3"):
        evaluate(make_run([0, 1], [1, 1]), make_run([0], [1], seed=3))


def test_equal_seeds_give_equal_intervals(make_run):
    run = make_run(*spread((0, 45, 2), (1, 50, 3), (3, 5, 4), (4, 0, 1)))
    assert repr(evaluate(run)) == repr(evaluate(run))


def test_resampling_tallies_the_same_images_in_every_seed(make_run):
    one, two = make_run([0, 1], [1, 0]), make_run([2, 3], [1, 1], seed=1)
    counts = Runs(runs=[one, two], **OPTIONS).tally(np.array([2, 0]))
    assert counts[:, :, 0].tolist() == [[0, 2], [0, 0], [0, 2], [0, 0], [0, 0]]


def scored(make_split, depth, **scores):
    return make_split(depth, n_probes=4, scores=pd.DataFrame(scores))


def test_scores_are_correlated_with_depth_as_scipy_does_over_test_images(make_run, make_split):
    depth, learned, margin = [0, 1, 1, 3, 4], [1, 1, 2, 2, 5], [9.0, 2.0, 8.0, 3.0, 0.5]
    split = scored(make_split, depth, iteration_learned=learned, output_margin=margin)
    found = evaluate(make_run(depth, [1] * 5, test=split))
    late, small = found["deep-are-learned-late"], found["deep-have-small-margins"]
    assert late.value == pytest.approx(stats.spearmanr(depth, learned).statistic)
    assert small.value == pytest.approx(stats.spearmanr(depth, margin).statistic)
    assert (late.verdict, small.verdict) == ("supported", "supported")
    assert (late.n, small.n) == (5, 5) and late.low <= late.value <= late.high


def test_correlations_of_several_seeds_are_averaged(make_run, make_split):
    depth = [0, 1, 2, 4]
    runs = [
        make_run(depth, [1] * 4, seed=seed, test=scored(make_split, depth, iteration_learned=of))
        for seed, of in enumerate(([1, 2, 3, 4], [1, 3, 2, 4]))
    ]
    found = evaluate(*runs)["deep-are-learned-late"]
    assert (found.value, found.n) == (pytest.approx((1 + 0.8) / 2), 4)


def test_scores_that_are_not_there_or_say_nothing_test_no_claim(make_run, make_split):
    depth = [0, 1, 2]
    for scores in ({"loss": depth}, {"iteration_learned": [np.nan] * 3}):
        nothing = evaluate(make_run(depth, [1] * 3, test=scored(make_split, depth, **scores)))
        verdict = nothing["deep-are-learned-late"].verdict
        assert verdict.endswith("iteration learned was not computed")
    partial = scored(make_split, depth, output_margin=[1, np.nan, 2], iteration_learned=[1, 1, 1])
    found = evaluate(make_run(depth, [1] * 3, test=partial))
    assert found["deep-have-small-margins"].verdict.endswith(
        "some test images have no output margin"
    )
    assert "is the same for all images" in found["deep-are-learned-late"].verdict
    assert "training images is not studied" in found["self-votes-hide-depth"].verdict


def test_self_votes_are_measured_by_the_mean_difference_they_make(make_run, make_split):
    train = make_split([0, 2, 4, 1], n_probes=4, train=True)
    train.depths["depth_self_voting"] = [0, 0, 3, 1]
    found = evaluate(make_run([0, 1], [1, 1], train=train))["self-votes-hide-depth"]
    assert (found.value, found.n, found.verdict) == (0.75, 4, "supported")
    train.depths["depth_self_voting"] = train.depths["depth"]
    same = evaluate(make_run([0, 1], [1, 1], train=train))["self-votes-hide-depth"]
    assert (same.value, same.verdict) == (0, "not supported")
