"""Images of edges: what the words say, pixel by pixel, and the same bytes everywhere."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens.datasets import edges

KINDS = edges.KINDS


def drawn(n=200, **options) -> edges.Edges:
    return edges.generate(n, **{"classes": edges.KINDS, "seed": 3, "split": "train", **options})


def test_images_are_uint8_and_classes_take_turns():
    found = drawn(4)
    assert found.images.shape == (20, 1, 28, 28) and found.images.dtype == np.uint8
    assert found.labels.tolist() == list(range(5)) * 4


@given(st.integers(0, 2**62 - 1), st.sampled_from(edges.SPLITS))
def test_an_image_is_what_its_factors_say(seed, split):
    found = edges.generate(2, classes=edges.KINDS, seed=seed, split=split)
    for place, label in enumerate(found.labels):
        factors = {name: values[place] for name, values in found.factors.items()}
        expected = np.full((28, 28), factors["background"], np.float64)
        for direction in ("horizontal", "vertical"):
            has = edges.KINDS[label] in (direction, "both")
            assert has != np.isnan(factors[f"{direction}_start"])
            if has:
                start, width = (int(factors[f"{direction}_{key}"]) for key in ("start", "width"))
                band = slice(start, min(start + width, 28))
                rows = (band, slice(None)) if direction == "horizontal" else (slice(None), band)
                expected[rows] = factors[f"{direction}_intensity"]
        if edges.KINDS[label] == "diagonal":
            angle = np.deg2rad(factors["diagonal_angle"])
            for row in range(28):
                for column in range(28):
                    # Distance from the line through (start, middle row) at that angle, y upwards.
                    x, y = column - factors["diagonal_start"], 13.5 - row
                    distance = abs(x * np.sin(angle) - y * np.cos(angle))
                    if abs(distance - factors["diagonal_width"] / 2) < 1e-5:
                        expected[row, column] = found.images[place, 0, row, column] / 255
                    elif distance < factors["diagonal_width"] / 2:
                        expected[row, column] = factors["diagonal_intensity"]
        np.testing.assert_allclose(found.images[place, 0], expected * 255, atol=0.51)


def test_factors_have_the_ranges_of_their_names():
    found = drawn(2000)
    factors = found.factors
    assert 0 <= factors["background"].min() < 0.01 and 0.19 < factors["background"].max() <= 0.2
    for direction in ("horizontal", "vertical", "diagonal"):
        there = ~np.isnan(factors[f"{direction}_start"])
        assert set(factors[f"{direction}_start"][there]) == set(range(1, 28))
        assert set(factors[f"{direction}_width"][there]) == {1, 2, 3, 4}
        intensity = factors[f"{direction}_intensity"][there]
        assert 0.25 <= intensity.min() < 0.26 and 0.99 < intensity.max() <= 1
    angles = factors["diagonal_angle"]
    assert set(angles[~np.isnan(angles)]) == {30, 45, 120, 135}


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.6])
def test_places_of_training_and_validation_edges_do_not_overlap(ratio):
    starts = {
        split: drawn(split=split, location_ratio=ratio).factors["vertical_start"]
        for split in ("train", "validation")
    }
    train, validation = (set(values[~np.isnan(values)]) for values in starts.values())
    assert train == set(range(1, int(np.ceil(28 * ratio))))
    assert validation == set(range(int(np.ceil(28 * ratio)), 28))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_edges_of_a_half_lie_in_it_and_none_is_empty(split):
    found = drawn(400, classes=("horizontal", "vertical"), split=split, location_ratio=0.5)
    bright = found.images[:, 0] != found.images[:, 0, :, :].min(axis=(1, 2), keepdims=True)
    for label, axis in ((0, 2), (1, 1)):
        lines = bright[found.labels == label].all(axis=axis)
        assert lines.any(axis=1).all()
        own = slice(1, 14) if split == "train" else slice(14, 28)
        assert lines[:, own].any(axis=0).all()
        lines[:, own] = False
        assert not lines.any()
        # What is cut off at the border is less wide than it was drawn.
        assert found.factors[f"{KINDS[label]}_width"][found.labels == label].max() == 4


def test_an_image_does_not_depend_on_how_many_are_drawn():
    few, many = drawn(3), drawn(50)
    assert np.array_equal(few.images, many.images[: len(few.images)])


def test_splits_and_seeds_are_different_images():
    first = drawn().images
    assert not np.array_equal(first, drawn(split="validation").images)
    assert not np.array_equal(first, drawn(seed=4).images)


def test_bytes_are_the_same_on_every_machine():
    found = hashlib.sha256(drawn(40).images.tobytes()).hexdigest()
    assert found == "f05dd6d931d63918a229128b0bc2e01191ca6c4bb9d2cfdc52c0febf9dbeddf9"


def test_a_permutation_moves_pixels_alike_in_all_images():
    images = drawn(4).images
    moved = edges.permute_pixels(images, seed=1)
    assert np.array_equal(np.sort(moved.reshape(20, -1)), np.sort(images.reshape(20, -1)))
    marks = np.arange(784, dtype=np.int64).reshape(1, 1, 28, 28)
    order = edges.permute_pixels(marks, seed=1).ravel()
    assert np.array_equal(moved.reshape(20, -1), images.reshape(20, -1)[:, order])
    assert not np.array_equal(order, np.arange(784))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": "valid"}, "split must be one of"),
        ({"classes": ("horizontal", "slanted")}, "no such class: slanted"),
        ({"location_ratio": 0.03}, "no place for the edges of the train"),
        ({"location_ratio": 0.99, "split": "validation"}, "no place for the edges of the val"),
    ],
)
def test_what_cannot_be_drawn_is_said(options, words):
    with pytest.raises(ValueError, match=words):
        drawn(**options)
