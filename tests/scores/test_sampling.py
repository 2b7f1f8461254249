"""The choice of images for the costly scores."""

import numpy as np

from depthlens.scores.sampling import choose

IMAGES = np.random.default_rng(0).integers(0, 256, (200, 1, 4, 4), np.uint8)


def test_the_choice_is_of_images_not_of_rows():
    rows = choose(IMAGES, 50, seed=1)
    order = np.random.default_rng(1).permutation(200)
    elsewhere = choose(IMAGES[order], 50, seed=1)
    assert sorted(order[elsewhere]) == rows.tolist()


def test_two_splits_of_a_pool_choose_mostly_the_same_images_as_the_pool():
    early = set(choose(IMAGES, 60, seed=1))
    halves = np.arange(100), np.arange(100, 200)
    chosen = {int(rows[row]) for rows in halves for row in choose(IMAGES[rows], 30, seed=1)}
    assert len(early & chosen) >= 50


def test_a_smaller_choice_is_part_of_a_larger_one_and_all_are_taken_where_there_are_fewer():
    few, many = choose(IMAGES, 10, seed=3), choose(IMAGES, 40, seed=3)
    assert len(few) == 10 and set(few) < set(many)
    assert choose(IMAGES, None, seed=3).tolist() == list(range(200))
    assert choose(IMAGES, 999, seed=3).tolist() == list(range(200))
    assert choose(IMAGES, 0, seed=3).tolist() == []


def test_the_seed_decides():
    assert set(choose(IMAGES, 50, seed=1)) != set(choose(IMAGES, 50, seed=2))
    np.testing.assert_array_equal(choose(IMAGES, 50, seed=1), choose(IMAGES, 50, seed=1))


def test_every_image_is_as_likely_as_any_other():
    times = np.zeros(200)
    for seed in range(200):
        times[choose(IMAGES, 50, seed=seed)] += 1
    # 50 expected, standard deviation √(200 · 1/4 · 3/4) ≈ 6.
    assert times.min() > 25 and times.max() < 75
