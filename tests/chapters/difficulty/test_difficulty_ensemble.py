"""Corners, ranks and agreement of an ensemble, on cards small enough to compute on paper."""

import dataclasses

import numpy as np
import pytest

from depthlens.chapters.difficulty import card, contents
from depthlens.chapters.difficulty.card import HELD_OUT, TRAIN
from depthlens.chapters.difficulty.corners import CORNERS, corners, histogram, quarter
from depthlens.chapters.difficulty.ensemble import consensus, ranked

LEVEL = 0.95
RELIABILITY = [
    ("depth", "held_out", 0.6),
    ("depth", "train", 0.7),
    ("loss", "held_out", 0.8),
    ("loss", "train", 0.2),
    ("entropy", "train", -0.1),
]


def texts(figure):
    return [text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))]


def draw(made, note=None):
    return dict(contents.drawings(contents.of_ensemble(made, level=LEVEL), note=note))


def spread(make_ensemble, n=200, **options):
    random = np.random.default_rng(0)
    train, held_out = np.round(random.random((2, n)) * 8) / 2
    return make_ensemble(train, held_out, reliability=RELIABILITY, **options)


def test_histogram_counts_each_image_at_the_nearest_depths(make_ensemble):
    made = make_ensemble([0, 0.49, 0.5, 4, np.nan], [0, 0, 3.5, 1.2, 2])
    found = histogram(corners(made), 5)
    assert found.shape == (5, 5) and found.sum() == 4
    assert found[0, 0] == 2 and found[1, 4] == 1 and found[4, 1] == 1


@pytest.mark.parametrize("corner", CORNERS, ids=lambda corner: corner.name)
def test_images_of_a_corner_are_those_nearest_to_it(make_ensemble, corner):
    made = spread(make_ensemble)
    x, y = corner.held_out * made.n_probes, corner.train * made.n_probes
    away = [
        ((row[TRAIN] - y) ** 2 + (row[HELD_OUT] - x) ** 2, row["example_id"])
        for _, row in made.card.iterrows()
        if (row[TRAIN] >= 2, row[HELD_OUT] >= 2) == (bool(corner.train), bool(corner.held_out))
    ]
    expected = [example for _, example in sorted(away)[:12]]
    assert quarter(corners(made), corner).head(12)["example_id"].tolist() == expected


def test_images_with_a_depth_on_one_side_only_are_in_no_corner(make_ensemble):
    made = make_ensemble([0, np.nan, 4], [0, 0, np.nan])
    assert [len(quarter(corners(made), corner)) for corner in CORNERS] == [0, 0, 1, 0]


def test_every_image_is_in_the_quarter_of_one_corner(make_ensemble):
    made = make_ensemble([0, 1.9, 2, 4, 4], [0, 4, 1, 2, 0])
    found = corners(made).value_counts(["train", "held_out"]).to_dict()
    assert found == {(0, 0): 1, (0, 1): 1, (1, 0): 2, (1, 1): 1}


def test_hardest_are_deepest_unseen_then_least_agreed_on(make_ensemble):
    made = make_ensemble([1] * 5, [4, 2, 4, np.nan, 4], agreed=[0.9, 0.1, 0.5, 0.1, 0.5])
    assert card.hardest(made, 4)["example_id"].tolist() == [2, 4, 0, 1]


def test_resemblance_is_the_product_that_it_says(make_ensemble):
    made = make_ensemble(
        [3, 3, 4, 4], [1, 1, 0, 2],
        label=[0, 0, 0, 0], consensus=[1, 0, 1, -1], agreed=[0.8, 0.8, 1.0, np.nan],
    )  # fmt: skip
    found = card.resemblance(made)
    assert found[:3].tolist() == pytest.approx([3 / 4 * 3 / 4 * 0.8, 0, 1])
    assert np.isnan(found[3])
    assert card.lookalikes(made, 9)["example_id"].tolist() == [2, 0]


def test_agreement_is_averaged_at_each_held_out_depth(make_ensemble):
    made = make_ensemble(
        [0] * 4, [0, 0.4, 2.5, 3], label=[0] * 4, consensus=[0, 0, 1, 1], agreed=[1, 0.5, 0.75, 1]
    )
    table = consensus(made, LEVEL)
    assert table["depth"].tolist() == [0, 3] and table["n"].tolist() == [2, 2]
    assert table["consensus"].tolist() == [0.75, 0.875]
    assert table["label"].tolist() == [0.75, 0.125]


def test_pictures_are_found_by_split_and_number(make_ensemble):
    made = spread(make_ensemble, n=9)
    rows = made.card.iloc[[7, 1]]
    found = made.pictures(rows)
    assert (found[0] == made.images["test"].images[2]).all()
    assert (found[1] == made.images["train"].images[1]).all()
    assert made.pictures(rows.head(0)).shape == (0, 1, 6, 6)


def test_reliabilities_are_ranked_by_the_held_out_side(make_ensemble):
    table = ranked(spread(make_ensemble))
    assert table["score"].tolist() == ["loss", "loss", "depth", "depth", "entropy"]
    assert table["side"].tolist() == ["held_out", "train", "held_out", "train", "train"]


def test_every_figure_of_an_ensemble_is_drawn_once_in_order(make_ensemble):
    drawn = draw(spread(make_ensemble), note="Beware")
    assert list(drawn) == contents.ensemble_figures()
    for drawing in drawn.values():
        assert drawing.title and drawing.sentence.endswith(".") and drawing.alt
        shown = texts(drawing.figure)
        assert "Beware" in shown and any("n = " in text for text in shown)


def test_four_corners_write_the_number_of_images_in_each_cell(make_ensemble):
    made = make_ensemble([0] * 7 + [4] * 5, [0] * 7 + [1] * 5)
    drawing = draw(made)["four_corners"]
    shown = texts(drawing.figure)
    assert {"7", "5"} <= set(shown)
    assert sum("mislabelled" in text for text in shown) == 1
    assert "58.3 % are easy" in drawing.sentence.replace("\u00a0", " ")


def test_reliability_says_how_many_networks_are_needed(make_ensemble):
    drawing = draw(spread(make_ensemble))["reliability"]
    assert "prediction depth has 0.60 [0.50, 0.70] (0.9 with 6 networks)" in drawing.sentence
    assert {"6", "4", "36", "∞"} <= set(texts(drawing.figure))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "case",
    [
        {"train": [2.0], "held_out": [1.0]},
        {"train": [np.nan] * 4, "held_out": [1.0] * 4},
        {"train": [1.0] * 4, "held_out": [np.nan] * 4, "agreed": [np.nan] * 4,
         "consensus": [-1] * 4},
        {"train": [0.0] * 30, "held_out": [0.0] * 30, "classes": ["one"], "n_probes": 1},
        {"train": [30.0, 0.0], "held_out": [0.0, 30.0], "n_probes": 30, "channels": 3},
    ],
    ids=["one image", "never learned", "never held out", "one class", "many probes"],
)  # fmt: skip
def test_extreme_ensembles_are_drawn_without_a_warning(make_ensemble, case):
    made = make_ensemble(**case)
    for drawing in draw(made).values():
        drawing.figure.draw_without_rendering()
    alone = dataclasses.replace(made, n_networks=1, card=made.card.assign(n_held_out=1))
    for drawing in draw(alone).values():
        assert drawing.sentence
