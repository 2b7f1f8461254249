"""Sweeps: cells, and names that stay when a sweep is extended."""

import pytest

from depthlens.sweep import Sweep, cell_name, grid, seeds_of, together


def sweep(cells) -> Sweep:
    return Sweep(name="s", experiment="x.y", cells=cells, settings={})


def test_a_grid_is_every_combination():
    assert grid(a=["x", "y"], b=[1, 2]) == [
        {"a": "x", "b": 1},
        {"a": "x", "b": 2},
        {"a": "y", "b": 1},
        {"a": "y", "b": 2},
    ]


def test_names_tell_what_a_cell_is_and_do_not_depend_on_the_others():
    assert (
        cell_name({"dataset": "shapes", "rate": 0.2, "seed": 1}) == "dataset-shapes_rate-0.2_seed-1"
    )
    few = sweep(grid(rate=[0.1], seed=[1])).by_name()
    more = sweep(grid(rate=[0.05, 0.1], seed=[1, 2])).by_name()
    assert few.items() <= more.items()


def test_close_numbers_have_names_of_their_own():
    assert cell_name({"rate": 0.1234567891}) != cell_name({"rate": 0.1234567892})


def test_two_cells_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two cells have one name"):
        sweep([{"a": 1}, {"a": "1"}])


def test_seeds_in_groups_keep_the_groups_that_were_full():
    assert together([1, 2, 3, 4, 5], 2) == ["1+2", "3+4", "5"]
    assert together([1, 2, 3, 4], 2) == together([1, 2, 3, 4, 9], 2)[:2]
    assert [seed for group in together([4, 1, 7], 2) for seed in seeds_of(group)] == [4, 1, 7]


def test_a_sweep_fills_a_table_of_its_own_name_if_nothing_else_is_said():
    assert sweep([]).tables == ("s",)
    assert Sweep(name="s", experiment="x", cells=[], settings={}, tables=["a", "b"]).tables == (
        "a",
        "b",
    )
