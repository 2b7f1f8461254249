"""Corruptions against their definitions, written out pixel by pixel."""

import math

import numpy as np
import pytest

from depthlens.datasets import corruptions

GREY = np.random.default_rng(0).integers(0, 256, (4, 2, 9, 7), dtype=np.uint8)


def corrupt(images, name, severity, seed=0):
    generator = np.random.default_rng(seed)
    return corruptions.corrupt(images, name, severity=severity, generator=generator)


def test_noise_has_the_deviation_of_its_severity():
    flat = np.full((20, 1, 40, 40), 128, np.uint8)
    for severity, deviation in enumerate((0.04, 0.06, 0.08, 0.09, 0.10), start=1):
        noisy = corrupt(flat, "noise", severity) / 255
        assert noisy.std() == pytest.approx(deviation, rel=0.02)
        assert noisy.mean() == pytest.approx(128 / 255, abs=0.002)


def test_noise_is_that_of_the_generator():
    assert (corrupt(GREY, "noise", 3) == corrupt(GREY, "noise", 3)).all()
    assert (corrupt(GREY, "noise", 3) != corrupt(GREY, "noise", 3, seed=1)).any()


def test_less_contrast_leaves_a_share_of_each_difference_from_the_mean_of_its_channel():
    found = corrupt(GREY, "contrast", 5)
    for image, changed in zip(GREY.reshape(-1, 9, 7), found.reshape(-1, 9, 7), strict=True):
        mean = sum(int(value) for value in image.flat) / image.size
        for before, after in zip(image.flat, changed.flat, strict=True):
            assert abs(float(after) - (mean + 0.15 * (before - mean))) <= 0.5 + 1e-9


def test_blur_spreads_a_point_as_a_gaussian():
    point = np.zeros((1, 1, 11, 11), np.uint8)
    point[0, 0, 5, 5] = 255
    blurred = corrupt(point, "blur", 5)[0, 0]  # a standard deviation of one pixel
    weights = [math.exp(-(d**2) / 2) for d in range(-4, 5)]
    for d in range(4):
        expected = 255 * (math.exp(-(d**2) / 2) / sum(weights)) * (1 / sum(weights))
        assert abs(float(blurred[5, 5 + d]) - expected) <= 0.5 + 1e-6
        assert blurred[5, 5 + d] == blurred[5 - d, 5]


def test_blur_mixes_neither_images_nor_channels():
    lone = np.zeros((3, 2, 8, 8), np.uint8)
    lone[1, 0] = 200
    blurred = corrupt(lone, "blur", 5)
    assert (blurred == lone).all()  # an even image stays as it is


def test_what_does_not_exist_is_refused():
    for name, severity in (("fog", 1), ("blur", 0), ("blur", 6)):
        with pytest.raises(ValueError, match="no corruption"):
            corrupt(GREY, name, severity)


def test_fitted_pads_around_and_keeps_the_centre():
    small = np.arange(1, 10, dtype=np.uint8).reshape(1, 1, 3, 3)
    padded = corruptions.fitted(small, (1, 5, 5))
    assert (padded[0, 0, 1:4, 1:4] == small[0, 0]).all() and padded.sum() == small.sum()
    assert (corruptions.fitted(padded, (1, 3, 3)) == small).all()
    assert corruptions.fitted(small, (1, 1, 5))[0, 0].tolist() == [[0, 4, 5, 6, 0]]


def test_fitted_changes_channels():
    colour = np.stack([np.full((2, 2), value, np.uint8) for value in (10, 20, 60)])[None]
    assert (corruptions.fitted(colour, (1, 2, 2)) == 30).all()
    grey = corruptions.fitted(colour[:, :1], (3, 2, 2))
    assert grey.shape == (1, 3, 2, 2) and (grey == 10).all()
    assert (corruptions.fitted(colour, (3, 2, 2)) == colour).all()
