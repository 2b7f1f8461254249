"""Wrong labels: how many there are, and which."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens.chapters.benchmarks_of_difficulty.experiments.noise import corrupt, nearest_class

N_CLASSES = 5


def images(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise around a mean brightness of its own for each class: 20, 60, 70, 150, 250."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % N_CLASSES
    means = np.array([20, 60, 70, 150, 250])[labels]
    return rng.normal(means[:, None, None, None], 3, (n, 1, 4, 4)).clip(0, 255).astype(
        np.uint8
    ), labels


def made(kind: str, rate: float, n: int = 1000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    pictures, labels = images(n)
    rng = np.random.default_rng(seed)
    return labels, corrupt(
        pictures, labels, kind=kind, rate=rate, n_classes=N_CLASSES, generator=rng
    )


@pytest.mark.parametrize("kind", ["uniform", "asymmetric", "adjacent"])
@given(rate=st.floats(0, 1))
def test_exactly_the_share_is_wrong(kind, rate):
    labels, noisy = made(kind, rate, n=200)
    assert (noisy != labels).sum() == round(rate * 200)
    assert noisy.min() >= 0 and noisy.max() < N_CLASSES


@pytest.mark.parametrize("kind", ["uniform", "adjacent"])
@pytest.mark.parametrize("n_classes", [20_000, 32_768, 40_000])
def test_wrong_classes_are_classes_however_many_there_are(kind, n_classes):
    labels = np.arange(n_classes - 500, n_classes)
    images = np.zeros((500, 1, 1, 1), np.uint8)
    wrong = corrupt(
        images, labels, kind=kind, rate=1.0, n_classes=n_classes,
        generator=np.random.default_rng(0),
    )  # fmt: skip
    apart = (wrong.astype(np.int64) - labels) % n_classes
    assert ((wrong >= 0) & (wrong < n_classes) & (apart != 0)).all()
    if kind == "adjacent":
        assert set(apart) == {1, n_classes - 1}


def test_uniform_noise_goes_to_every_other_class_alike():
    labels, noisy = made("uniform", 1.0, n=20_000)
    steps = np.bincount((noisy - labels) % N_CLASSES, minlength=N_CLASSES)
    assert steps[0] == 0
    np.testing.assert_allclose(steps[1:], 5_000, rtol=0.06)


def test_adjacent_noise_goes_one_class_up_or_down():
    labels, noisy = made("adjacent", 0.5)
    steps = (noisy - labels)[noisy != labels] % N_CLASSES
    assert set(steps) == {1, N_CLASSES - 1}


def test_asymmetric_noise_goes_to_the_class_that_looks_nearest():
    pictures, labels = images(500)
    assert nearest_class(pictures, labels, N_CLASSES).tolist() == [1, 2, 1, 2, 3]
    labels, noisy = made("asymmetric", 0.3)
    wrong = noisy != labels
    assert (noisy[wrong] == np.array([1, 2, 1, 2, 3])[labels[wrong]]).all()


def test_feature_noise_depends_on_the_image_and_has_its_rate_on_average():
    labels, noisy = made("feature", 0.3, n=5000)
    assert abs((noisy != labels).mean() - 0.3) < 0.03
    # The class an image goes to is nearly decided by its class here: all of one look alike.
    for label in range(N_CLASSES):
        goes_to = np.bincount(noisy[(labels == label) & (noisy != labels)], minlength=N_CLASSES)
        assert goes_to[label] == 0
        assert goes_to.max() > 0.5 * goes_to.sum()


@pytest.mark.parametrize("kind", ["uniform", "asymmetric", "adjacent", "feature"])
def test_the_generator_decides_and_nothing_else(kind):
    assert np.array_equal(made(kind, 0.2)[1], made(kind, 0.2)[1])
    assert not np.array_equal(made(kind, 0.2)[1], made(kind, 0.2, seed=2)[1])
