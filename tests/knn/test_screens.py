"""Screens never err by more than they say: against float64 and against fractions."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from depthlens.knn import screens

CPU = torch.device("cpu")
NAMES = ["bfloat16", "float32", "float64"]


def screen_of(name: str, dims: int) -> screens.Screen:
    return screens.choose(CPU, dims, name)[0]


def squared_distances(
    screen: screens.Screen, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a sweep makes of float32 points: |q|² + |r|² - 2 q·r, and |q|² + |r|² alone."""
    a, b = (torch.from_numpy(some.astype(np.float32)).to(screen.result) for some in (a, b))
    buffer = torch.empty(len(a) * len(b), dtype=screen.dtype)
    with torch.inference_mode(), screens.pinned_precision():
        products = screen.product(a.to(screen.dtype), b.to(screen.dtype), buffer)
        sums = screens.squares(a).double()[:, None] + screens.squares(b).double()
    assert products.shape == (len(a), len(b))
    return (sums - 2 * products.double()).numpy(), sums.numpy()


def exact_squared_distances(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of float32 points, and |q|² + |r|², in extended precision."""
    a, b = (some.astype(np.float32).astype(np.longdouble) for some in (a, b))
    distances = np.stack([np.square(query - b).sum(1) for query in a])
    return distances, np.square(a).sum(1)[:, None] + np.square(b).sum(1)


def check(screen: screens.Screen, a: np.ndarray, b: np.ndarray) -> float:
    """The bound holds; returns the largest share of it that is used."""
    dims = a.shape[1]
    found, _ = squared_distances(screen, a, b)
    exact, sums = exact_squared_distances(a, b)
    allowed = screen.epsilon(dims) * sums + screens.TINY * dims
    share = np.abs(found - exact) / allowed
    assert share.max() <= 1, f"{screen.name}: {float(share.max())} of the bound"
    return float(share.max())


def magnitudes(generator, n, dims):
    """Coordinates of very different sizes."""
    sizes = 10.0 ** generator.uniform(-9, 1, (n, dims))
    return (generator.normal(size=(n, dims)) * sizes).astype(np.float32)


KINDS = {
    "any sign": lambda generator, n, dims: generator.normal(size=(n, dims)),
    "one sign": lambda generator, n, dims: generator.uniform(0.5, 1, (n, dims)),
    "cancelling": lambda generator, n, dims: (
        (-1.0) ** np.arange(dims) * generator.uniform(0.99, 1, (n, dims))
    ),
    "sparse": lambda generator, n, dims: (
        generator.normal(size=(n, dims)) * (generator.random((n, dims)) < 0.1)
    ),
    "magnitudes": magnitudes,
    "tiny": lambda generator, n, dims: generator.normal(size=(n, dims)) * 1e-30,
    # All coordinates halfway between two numbers of the screen's type, and rounded one way.
    "halfway in bfloat16": lambda generator, n, dims: (
        np.full((n, dims), 1 + 2.0**-8) * 2.0 ** generator.integers(-2, 2, (n, 1))
    ),
    "rounded up in bfloat16": lambda generator, n, dims: np.full((n, dims), 1 + 3 * 2.0**-8),
    "nearly halfway": lambda generator, n, dims: np.full((n, dims), 1 + 2.0**-8 - 2.0**-23),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dims", [1, 2, 63, 300, 513, 5000])
def test_the_bound_holds_whatever_the_points(name, kind, dims):
    generator = np.random.default_rng(dims)
    a, b = (KINDS[kind](generator, n, dims) for n in (9, 11))
    check(screen_of(name, dims), a, np.concatenate([b, a[:4], -a[:4]]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [4096, 4097, 16384, 16385, 20000])
def test_the_bound_holds_for_points_that_are_multiplied_piece_by_piece(name, dims):
    generator = np.random.default_rng(dims)
    for kind in ("any sign", "one sign", "halfway in bfloat16"):
        a = KINDS[kind](generator, 4, dims)
        check(screen_of(name, dims), a, np.concatenate([a, KINDS[kind](generator, 4, dims)]))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    dims=st.integers(1, 700),
    kind=st.sampled_from(sorted(KINDS)),
    exponent=st.integers(-10, 10),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_bound_holds_for_points_of_any_length(name, dims, kind, exponent, seed):
    generator = np.random.default_rng(seed)
    a, b = (KINDS[kind](generator, n, dims) for n in (3, 5))
    check(screen_of(name, dims), a, b * 2.0**exponent)


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    points=st.integers(1, 6).flatmap(
        lambda dims: st.lists(
            st.lists(st.floats(-4, 4, width=32), min_size=dims, max_size=dims),
            min_size=2,
            max_size=2,
        )
    ),
)
def test_the_bound_holds_in_exact_fractions(name, points):
    q, r = np.array(points, np.float32)
    screen = screen_of(name, len(q))
    found, _ = squared_distances(screen, q[None], r[None])
    exact_q, exact_r = ([Fraction(float(x)) for x in some] for some in (q, r))
    exact = sum((x - y) ** 2 for x, y in zip(exact_q, exact_r, strict=True))
    sums = sum(x * x for x in exact_q) + sum(x * x for x in exact_r)
    allowed = Fraction(screen.epsilon(len(q))) * sums + Fraction(screens.TINY) * len(q)
    assert abs(Fraction(float(found[0, 0])) - exact) <= allowed


@pytest.mark.parametrize(
    ("name", "dims", "most"),
    [
        ("bfloat16", 1, 0.012),
        ("bfloat16", 16384, 0.014),
        ("float32", 1, 1e-4),
        ("float32", 16384, 1.2e-3),
        ("float64", 16384, 1e-11),
    ],
)
def test_the_bound_is_small_enough_to_be_of_use(name, dims, most):
    assert 0 < screen_of(name, dims).epsilon(dims) < most


def test_the_worst_points_use_most_of_the_bound_of_bfloat16():
    # A bound that is far too large would cost nothing but time, and nobody would see it.
    a = np.full((1, 3), 1 + 2.0**-8)
    assert check(screen_of("bfloat16", 3), a, a) > 0.6


@pytest.mark.parametrize("dims", [1, 500, 513, 3000])
def test_squares_keep_their_digits(dims):
    points = np.random.default_rng(0).uniform(0.5, 1, (7, dims)).astype(np.float32)
    found = screens.squares(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(found, np.square(points.astype(np.float64)).sum(1), rtol=1e-5)


def test_screens_are_tried_up_to_float64_whichever_is_first():
    for number, name in enumerate(NAMES):
        assert [screen.name for screen in screens.choose(CPU, 10, name)] == NAMES[number:]
    assert [screen.name for screen in screens.choose(CPU, 10)] == ["float32", "float64"]


def test_an_unknown_precision_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="'float16': one of auto, bfloat16, float32, float64"):
        screens.choose(CPU, 10, "float16")


def test_products_are_as_precise_as_they_say_whatever_the_caller_allows():
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        a = np.random.default_rng(0).uniform(0.5, 1, (64, 512))
        assert check(screen_of("float32", 512), a, a) < 1
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
