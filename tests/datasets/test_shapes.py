"""Shapes: the same bytes everywhere, and what is drawn is what the factors say."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from depthlens.datasets import shapes

RANGES = {
    "size": (0.2, 0.7),
    "offset_x": (-0.4, 0.4),
    "offset_y": (-0.4, 0.3),
    "rotation": (-90.0, 360.0),
    "aspect_ratio": (1.1, 2.0),
    "contrast": (0.1, 0.8),
    "background": (0.0, 0.1),
    "noise": (0.0, 0.15),
}
# White shapes on black, without noise: a pixel is its coverage.
CLEAN = RANGES | {
    "size": (0.5, 0.9),
    "offset_x": (-0.1, 0.1),
    "offset_y": (-0.1, 0.1),
    "contrast": (1, 1),
    "background": (0, 0),
    "noise": (0, 0),
}


def draw(start=0, stop=60, *, seed=1, split="train", ranges=RANGES):
    return shapes.generate(start, stop, seed=seed, split=split, ranges=ranges)


def equal(one: shapes.Shapes, two: shapes.Shapes) -> bool:
    return (
        np.array_equal(one.images, two.images)
        and np.array_equal(one.labels, two.labels)
        and all(np.array_equal(one.factors[name], two.factors[name]) for name in shapes.FACTORS)
    )


DIGEST = f"""
import hashlib
from depthlens.datasets import shapes
import numpy as np
on = [f for f, has in np._core._multiarray_umath.__cpu_features__.items() if has]
drawn = shapes.generate(0, 900, seed=1, split="test", ranges={RANGES!r})
digest = hashlib.sha256(drawn.images.tobytes() + drawn.labels.tobytes())
for values in drawn.factors.values():
    digest.update(values.tobytes())
print(digest.hexdigest(), *on)
"""


def test_same_bytes_without_this_processors_special_instructions():
    machine = np._core._multiarray_umath
    found = [name for name in machine.__cpu_dispatch__ if machine.__cpu_features__[name]]
    with_all, without = (
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(disabled)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for disabled in ([], found)
    )
    assert without[0] == with_all[0]
    assert set(found) <= set(with_all[1:])
    assert not set(found) & set(without[1:])  # they really were off


def test_these_bytes_are_those_of_every_machine():
    drawn = draw(0, 120)
    digest = hashlib.sha256(drawn.images.tobytes()).hexdigest()[:16]
    assert digest == "017f0b15067da34c"


@settings(max_examples=15)
@given(st.integers(0, 2000), st.integers(0, 9), st.integers(0, 9))
def test_an_example_is_the_same_whatever_is_drawn_around_it(example, before, after):
    alone = draw(example, example + 1)
    start = max(0, example - before)
    among = draw(start, example + 1 + after)
    row = example - start
    assert np.array_equal(among.images[row], alone.images[0])
    assert among.labels[row] == alone.labels[0]
    assert all(among.factors[name][row] == alone.factors[name][0] for name in shapes.FACTORS)


def test_an_example_is_the_same_in_the_next_block_of_the_rendering():
    edge = shapes._BLOCK
    whole = draw(edge - 3, edge + 3)
    apart = [draw(edge - 3, edge), draw(edge, edge + 3)]
    many = draw(0, edge + 3)
    assert np.array_equal(whole.images, np.concatenate([part.images for part in apart]))
    assert np.array_equal(whole.images, many.images[edge - 3 :])


def test_the_same_call_gives_the_same_images():
    assert equal(draw(), draw())


def test_seeds_and_splits_have_nothing_in_common():
    variants = [draw(), draw(seed=2), draw(split="test"), draw(seed=2, split="test")]
    sizes = [tuple(variant.factors["size"]) for variant in variants]
    assert not set.intersection(*map(set, sizes))
    images = {image.tobytes() for variant in variants for image in variant.images}
    assert len(images) == 4 * 60


def test_examples_do_not_repeat():
    drawn = draw(0, 1200)
    assert len(set(drawn.factors["size"].tolist())) > 1190  # float32 has some collisions
    assert len({image.tobytes() for image in drawn.images}) == 1200


def test_a_factor_of_one_value_leaves_the_others_as_they_were():
    drawn, other = draw(), draw(ranges=RANGES | {"contrast": (0.5, 0.5)})
    for name in set(shapes.FACTORS) - {"contrast"}:
        assert np.array_equal(drawn.factors[name], other.factors[name])
    assert np.all(other.factors["contrast"] == 0.5)


def test_classes_come_in_the_promised_order_and_in_equal_shares():
    assert shapes.CLASSES == (
        "circle", "square", "rectangle", "right_triangle", "heart", "ellipse",
    )  # fmt: skip
    labels = draw(0, 600).labels
    assert np.bincount(labels).tolist() == [100] * 6
    for start in (1, 5, 100):
        assert sorted(draw(start, start + 6).labels) == list(range(6))


def test_images_and_columns_have_the_promised_types():
    drawn = draw(0, 12)
    assert drawn.images.shape == (12, 1, 32, 32)
    assert drawn.images.dtype == np.uint8
    assert drawn.labels.dtype == np.int16
    assert tuple(drawn.factors) == shapes.FACTORS
    assert all(v.shape == (12,) and v.dtype == np.float32 for v in drawn.factors.values())


def test_no_example_is_an_empty_split():
    drawn = draw(4, 4)
    assert drawn.images.shape == (0, 1, 32, 32)
    assert all(values.shape == (0,) for values in drawn.factors.values())


def test_factors_are_uniform_within_their_ranges():
    drawn = draw(0, 1800)
    one_proportion = np.isin(drawn.labels, [0, 1, 4])
    for name, values in drawn.factors.items():
        low, high = RANGES[name]
        if name == "aspect_ratio":
            assert np.all(values[one_proportion] == 1)
            values = values[~one_proportion]
        assert np.float32(low) <= values.min()
        assert values.max() <= np.float32(high)
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4, name


def test_factors_are_independent_of_each_other_and_of_the_class():
    drawn = draw(0, 3000)
    columns = np.array([drawn.factors[n] for n in shapes.FACTORS if n != "aspect_ratio"])
    correlation = np.corrcoef(np.vstack([columns, drawn.labels]))
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.08


# Areas within the unit circle, a = longer over shorter side.
def heart_area() -> float:
    """(x² + y² - 1)³ = x² y³ solved for y, in a circle of radius 5/4."""
    top = 1.1390284910285  # where both solutions meet
    height, _ = integrate.quad(
        lambda x: np.sqrt(max(0.0, np.cbrt(x) ** 4 + 4 * (1 - x * x))), 0, top, limit=200
    )
    return 2 * height / 1.25**2


AREAS = {
    "circle": lambda a: np.pi,
    "square": lambda a: 2.0,
    "rectangle": lambda a: 4 * a / (1 + a * a),
    "right_triangle": lambda a: 2 * a / (1 + a * a),
    "heart": lambda a: heart_area(),
    "ellipse": lambda a: np.pi / a,
}


@pytest.mark.parametrize("shape", shapes.CLASSES)
def test_the_area_that_is_lit_is_that_of_the_shape(shape):
    drawn = draw(0, 600, ranges=CLEAN)
    rows = np.flatnonzero(drawn.labels == shapes.CLASSES.index(shape))
    lit = drawn.images[rows, 0].astype(np.float64).sum((1, 2)) / 255 / 16**2
    expected = np.array(
        [
            AREAS[shape](float(drawn.factors["aspect_ratio"][row]))
            * float(drawn.factors["size"][row]) ** 2
            for row in rows
        ]
    )
    ratio = lit / expected
    assert np.abs(ratio - 1).max() < 0.03
    assert abs(ratio.mean() - 1) < 0.003


def outline(shape: str, aspect: float) -> np.ndarray:
    """Corners of a polygon in the unit circle (y down), from its angles on that circle."""
    if shape == "right_triangle":
        # Thales: the right angle lies on the circle over the diameter along x.
        right = 2 * np.arctan(1 / aspect)
        angles = np.array([np.pi, 0, right])
    else:
        half = np.arctan(1 / aspect)
        angles = np.array([half, np.pi - half, np.pi + half, -half])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def inside(shape: str, aspect: float, points: np.ndarray) -> np.ndarray:
    """Points (…, 2) within a shape of the unit circle, by other formulas than the package's."""
    x, y = points[..., 0], points[..., 1]
    if shape == "circle":
        return np.hypot(x, y) <= 1
    if shape == "ellipse":
        focus = np.sqrt(1 - 1 / aspect**2)
        return np.hypot(x - focus, y) + np.hypot(x + focus, y) <= 2
    if shape == "heart":
        across, up = 1.25 * x, 0.25 - 1.25 * y
        lean, room = np.cbrt(across**2), np.cbrt(across**2) ** 2 + 4 * (1 - across**2)
        return (room >= 0) & (np.abs(2 * up - lean) <= np.sqrt(np.maximum(room, 0)))
    corners = outline(shape, aspect)
    sides = np.stack(
        [
            (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
            for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)
        ]
    )
    return np.all(sides >= 0, axis=0) | np.all(sides <= 0, axis=0)


def rendered(shape: str, factors: dict[str, float], fine: int = 16) -> np.ndarray:
    """Coverage of each pixel in float64, with many samples a pixel."""
    n = 32 * fine
    at = (np.arange(n) + 0.5) / n * 2 - 1
    x, y = np.meshgrid(at - factors["offset_x"], at - factors["offset_y"])
    turned = (x + 1j * y) * np.exp(-1j * np.deg2rad(factors["rotation"])) / factors["size"]
    covered = inside(shape, factors["aspect_ratio"], np.stack([turned.real, turned.imag], -1))
    return covered.reshape(32, fine, 32, fine).mean((1, 3))


def test_every_pixel_is_covered_as_a_finer_rendering_says():
    drawn = draw(0, 48, ranges=CLEAN | {"size": (0.15, 0.95)})
    for row in range(48):
        shape = shapes.CLASSES[drawn.labels[row]]
        factors = {name: float(values[row]) for name, values in drawn.factors.items()}
        difference = drawn.images[row, 0] / 255 - rendered(shape, factors)
        assert np.abs(difference).max() < 0.17, (shape, factors)
        assert np.abs(difference).mean() < 0.006, (shape, factors)
        assert abs(difference.mean()) < 0.002, (shape, factors)


def test_every_shape_fills_the_circle_of_its_size_and_no_more():
    drawn = draw(0, 240, ranges=CLEAN)
    at = (np.arange(32) + 0.5) / 16 - 1
    for row in range(240):
        x, y = np.meshgrid(at - drawn.factors["offset_x"][row], at - drawn.factors["offset_y"][row])
        reach = np.hypot(x, y)[drawn.images[row, 0] > 0].max()
        diagonal = np.sqrt(2) / 32  # from the centre of a pixel to its corner
        size = drawn.factors["size"][row]
        assert reach <= size + diagonal
        assert reach >= size - 2 * diagonal, shapes.CLASSES[drawn.labels[row]]


def test_brightness_is_background_and_contrast():
    ranges = CLEAN | {"background": (0.2, 0.2), "contrast": (0.6, 0.6)}
    images = draw(0, 60, ranges=ranges).images
    assert images.min() == 51  # 0.2
    assert images.max() == 204  # 0.8


def test_brightness_beyond_white_and_black_is_cut():
    bright = draw(0, 12, ranges=CLEAN | {"background": (0.8, 0.8)}).images
    assert bright.min() == 204
    assert bright.max() == 255
    noisy = draw(0, 12, ranges=CLEAN | {"noise": (0.5, 0.5)}).images
    assert noisy.min() == 0
    assert noisy.max() == 255


def test_noise_has_mean_zero_the_deviation_it_says_and_no_pattern():
    flat = RANGES | {"contrast": (0, 0), "background": (0.5, 0.5), "noise": (0.1, 0.1)}
    pixels = draw(0, 120, ranges=flat).images[:, 0] / 255
    n = pixels.size
    assert abs(pixels.mean() - 0.5) < 5 * 0.1 / np.sqrt(n)
    assert abs(pixels.std() / 0.1 - 1) < 5 / np.sqrt(2 * n) + 1e-3
    assert np.abs(pixels.mean(0) - 0.5).max() < 5.5 * 0.1 / np.sqrt(120)
    for shifted in (pixels[:, 1:], pixels[:, :, 1:], pixels[1:]):
        ahead = pixels[: shifted.shape[0], : shifted.shape[1], : shifted.shape[2]]
        assert abs(np.corrcoef(ahead.ravel(), shifted.ravel())[0, 1]) < 5 / np.sqrt(n)
    # Nearly normal: a sum of eight bytes has an excess kurtosis of -0.15.
    assert abs(stats.skew(pixels.ravel())) < 0.03
    assert abs(stats.kurtosis(pixels.ravel()) + 0.15) < 0.05


@given(st.lists(st.floats(-4000, 4000, width=32), min_size=1, max_size=20))
def test_sine_and_cosine_are_those_of_numpy(degrees):
    degrees = np.array(degrees, np.float32)
    sine, cosine = shapes._sine_cosine(degrees)
    radians = np.deg2rad(degrees.astype(np.float64))
    np.testing.assert_allclose(sine, np.sin(radians), atol=1e-7)
    np.testing.assert_allclose(cosine, np.cos(radians), atol=1e-7)


def test_quarter_turns_are_exact():
    sine, cosine = shapes._sine_cosine(np.array([-90, 0, 90, 180, 270, 360], np.float32))
    assert sine.tolist() == [-1, 0, 1, 0, -1, 0]
    assert cosine.tolist() == [0, 1, 0, -1, 0, 1]


def test_faults_are_named():
    with pytest.raises(ValueError, match="split must be one of"):
        draw(split="validation")
    with pytest.raises(ValueError, match="start <= stop"):
        draw(3, 2)
    with pytest.raises(ValueError, match="start <= stop"):
        draw(-1, 2)
    with pytest.raises(ValueError, match="no range for noise"):
        draw(ranges={name: RANGES[name] for name in RANGES if name != "noise"})
