"""Which images a replicate holds out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens.datasets.resampling import held_out_rows

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [20, 31, 7]))


def times_held_out(labels, n, share, seed=3) -> np.ndarray:
    rows = [held_out_rows(labels, number=i, share=share, seed=seed) for i in range(1, n + 1)]
    assert all(len(set(row)) == len(row) for row in rows)  # none twice in one
    return np.bincount(np.concatenate(rows), minlength=len(labels))


def test_two_halves_are_complements():
    first, second = (held_out_rows(LABELS, number=i, share=0.5, seed=3) for i in (1, 2))
    assert sorted([*first, *second]) == list(range(len(LABELS)))


@given(
    n=st.integers(1, 9),
    share=st.floats(0.05, 0.95),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_every_image_is_held_out_as_often_as_any_other_of_its_class(n, share, sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    times = times_held_out(labels, n, share, seed)
    for label, size in enumerate(sizes):
        of_class = times[labels == label]
        assert of_class.max() - of_class.min() <= 1
        assert of_class.sum() == round(n * share * size)


@pytest.mark.parametrize(("n", "share"), [(2, 0.5), (3, 0.5), (3, 1 / 3), (10, 0.1), (5, 0.6)])
def test_every_image_is_seen_from_both_sides(n, share):
    times = times_held_out(np.repeat([0, 1], 60), n, share)
    assert times.min() >= 1
    assert times.max() <= n - 1


def test_a_replicate_does_not_depend_on_how_many_follow_but_on_the_seed():
    one = held_out_rows(LABELS, number=3, share=0.3, seed=1)
    assert one.tolist() == held_out_rows(LABELS, number=3, share=0.3, seed=1).tolist()
    assert one.tolist() != held_out_rows(LABELS, number=3, share=0.3, seed=2).tolist()
    assert one.tolist() != held_out_rows(LABELS, number=4, share=0.3, seed=1).tolist()


def test_replicates_are_drawn_at_random():
    # Of 1000 images about a quarter is held out by both of two halves that are drawn on their own.
    labels = np.zeros(1000, int)
    both = set(held_out_rows(labels, number=1, share=0.5, seed=0))
    both &= set(held_out_rows(labels, number=3, share=0.5, seed=0))
    assert 200 < len(both) < 300
