"""Sweeps: one experiment in many settings, one job a cell, all results in one tidy table.

A cell is what one job is about: a mapping such as {"dataset": "shapes", "rate": 0.2, "seed": 1}.
Its name is made of its values alone, so that a sweep that is extended keeps the files it has.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Cell = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """An experiment and the cells that it is made in."""

    name: str
    experiment: str
    """module below `depthlens.chapters` whose function `experiment` makes one cell"""
    cells: Sequence[Cell]
    settings: Mapping
    """what every cell reads of the config besides; a change of it makes all of them again"""
    tables: Sequence[str] = ()
    """what its experiment fills; one table with the name of the sweep, if nothing else is said"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(self.tables) or (self.name,))
        names = [cell_name(cell) for cell in self.cells]
        if len(set(names)) < len(names):
            raise ValueError(f"sweep {self.name}: two cells have one name")

    def by_name(self) -> dict[str, Cell]:
        """Its cells by their names."""
        return {cell_name(cell): cell for cell in self.cells}


def grid(**axes: Iterable) -> list[Cell]:
    """Every combination of the values of some axes, the last axis fastest.

    Parameters
    ----------
    **axes : iterable
        Values by name of the axis.
    """
    values = [list(axis) for axis in axes.values()]
    return [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*values)]


def together(seeds: Sequence[int], n: int) -> list[str]:
    """Seeds in groups of n, for cells that train the networks of several seeds at once.

    Returns
    -------
    list of str
        Each as a cell has it: "1+2+3". A list that grows keeps the groups that were full.
    """
    return ["+".join(map(str, seeds[at : at + n])) for at in range(0, len(seeds), n)]


def seeds_of(group: str) -> list[int]:
    """The seeds of a group that `together` made."""
    return [int(seed) for seed in group.split("+")]


def cell_name(cell: Cell) -> str:
    """A file name for a cell: `key-value` pairs in the order of the cell, joined by `_`.

    Values are written so that no two differ in nothing but the name of their type.
    """
    return "_".join(f"{key}-{_text(value)}" for key, value in cell.items())


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
