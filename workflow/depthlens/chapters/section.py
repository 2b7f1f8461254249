"""A question of a chapter, declared in one file that is read from top to bottom.

What stands in the file registers itself: sweeps (what is run), claims, figures and tables of the
page. Functions name what they read by their parameters: tables of sweeps, or what else the chapter
gives. `answers` runs them.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from depthlens.figures.sheet import Column
from depthlens.ledger import Claim, Threshold
from depthlens.sweep import Cell, Sweep

Block = Mapping
"""the block of a chapter in config.yaml"""


class Bounds(TypedDict, total=False):
    """Of the values for which a claim counts as supported; see `depthlens.ledger.Threshold`."""

    above: float
    at_least: float
    below: float
    at_most: float


@dataclass(frozen=True)
class DeclaredClaim:
    """A claim, and the function that measures it."""

    claim: Claim
    measure: Callable
    networks: tuple[str, ...]
    """architectures that it is about; all that there are, if none is named"""


@dataclass(frozen=True)
class DeclaredFigure:
    """A figure, and the function that draws it and returns the sentence to be said."""

    title: str
    shows: str
    alt: str
    draw: Callable


@dataclass(frozen=True)
class DeclaredTable:
    """A table of the page, and the function that gives its tidy rows."""

    id: str
    caption: str
    rows: Callable
    keys: tuple[str, ...]
    values: tuple[str, ...]


class Entry(NamedTuple):
    """What a table of the page shows in one place where its column does not say how."""

    text: str
    sort: float
    picture: NDArray[np.uint8] | None = None
    """shape (channels, height, width)"""


@dataclass(eq=False)
class Section:
    """What is asked, and what registers itself below.

    Parameters
    ----------
    module : str
        `__name__` of the file, below `depthlens.chapters.{chapter}`.
    title : str
    text : str or sequence of str
        Paragraphs: what was done and what it means, with every reduction of size.
    columns : mapping of str to Column
        How the chapter calls the columns of its tables.
    per : str
        Column whose values are judged apart: a claim is given the rows of one of them.
    """

    module: str
    title: str
    text: str | Sequence[str]
    columns: Mapping[str, Column] = field(default_factory=dict)
    per: str = "dataset"
    sweeps: dict[str, Callable[[Block], Sweep]] = field(default_factory=dict, init=False)
    derive: dict[str, Callable] = field(default_factory=dict, init=False)
    claims: dict[str, DeclaredClaim] = field(default_factory=dict, init=False)
    figures: dict[str, DeclaredFigure] = field(default_factory=dict, init=False)
    shown: list[DeclaredTable] = field(default_factory=list, init=False)

    @property
    def chapter(self) -> str:
        """Name of the chapter: the package of the file."""
        return self.module.split(".")[-2]

    @property
    def name(self) -> str:
        """Name of the section: the file."""
        return self.module.split(".")[-1]

    @property
    def explanation(self) -> Sequence[str]:
        """The paragraphs of its text."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    @property
    def tables(self) -> tuple[str, ...]:
        """What its functions read, in the order in which they first do."""
        functions = [
            *(declared.measure for declared in self.claims.values()),
            *(declared.draw for declared in self.figures.values()),
            *(declared.rows for declared in self.shown),
        ]
        return tuple(dict.fromkeys(self._sources(functions)))

    def sources(self, name: str) -> list[str]:
        """A table, and what it is derived from."""
        return [name, *(self._sources([self.derive[name]]) if name in self.derive else ())]

    def _sources(self, functions: Iterable[Callable]) -> Iterator[str]:
        """Tables that functions read themselves, or by what is derived."""
        for function in functions:
            for name in parameters(function):
                if name in self.derive:
                    yield from self._sources([self.derive[name]])
                else:
                    yield name

    def needs(self, function: Callable) -> set[str]:
        """What must be there for a function to run, itself or for what is derived for it."""
        found = set()
        for name in parameters(function, optional=False):
            found |= self.needs(self.derive[name]) if name in self.derive else {name}
        return found

    def sweep(
        self,
        name: str,
        experiment: str,
        *,
        cells: Callable[[Block], Iterable[Cell]],
        settings: Callable[[Block], Mapping],
        tables: Sequence[str] = (),
    ) -> None:
        """Declare what is run: see `depthlens.sweep.Sweep`.

        Parameters
        ----------
        name : str
        experiment : str
            Module below the chapter's `experiments`.
        cells, settings : callables
            Of the chapter's block.
        tables : sequence of str
            What the experiment fills, where that is not one table of the sweep's name.
        """
        self.sweeps[name] = lambda block: Sweep(
            name=name,
            experiment=f"{self.chapter}.experiments.{experiment}",
            cells=list(cells(block)),
            settings=settings(block),
            tables=tables,
        )

    def derived(self, function: Callable) -> Callable:
        """Register a function that makes a table of others: it is read by the function's name."""
        return self._keep(self.derive, function.__name__, function, function)

    def claim(
        self,
        statement: str,
        *,
        source: str,
        measure: str,
        networks: Sequence[str] = (),
        over_seeds: bool = True,
        **bounds: Unpack[Bounds],
    ) -> Callable[[Callable], Callable]:
        """Register a function that measures a claim; the claim's id is the function's name.

        The function returns one value a seed, a Series or a list, of which the mean counts, or a
        `Measurement`. It raises NotTestableError where the tables cannot speak to the claim; a
        column or level of a table that is missing is taken for that, too.

        Parameters
        ----------
        statement, source, measure : str
            See `depthlens.ledger.Claim`.
        networks : sequence of str
            Architectures that it is about: it is given their rows only.
        over_seeds : bool
            Whether the value is a mean over seeds, which the measure then says.
        **bounds : float
            Of the threshold: `above`, `at_least`, `below`, `at_most`.
        """

        def register(function: Callable) -> Callable:
            id = function.__name__.replace("_", "-")
            claim = Claim(
                chapter=self.chapter,
                id=id,
                statement=statement,
                source=source,
                measure=f"{measure}, mean over seeds" if over_seeds else measure,
                threshold=Threshold(**bounds),
            )
            declared = DeclaredClaim(claim, function, tuple(networks))
            return self._keep(self.claims, id, declared, function)

        return register

    def figure(self, title: str, *, shows: str = "", alt: str) -> Callable[[Callable], Callable]:
        """Register a function that draws on a `Sheet` and returns the sentence to be said.

        Its name is the figure's; its first parameter is the sheet.

        Parameters
        ----------
        title : str
            The subject of the finding.
        shows : str
            What is shown; the frame adds below it what was trained and what intervals mean.
        alt : str
            What is to be seen, for who does not see it.
        """

        def register(function: Callable) -> Callable:
            declared = DeclaredFigure(title, shows, alt, function)
            return self._keep(self.figures, function.__name__, declared, function)

        return register

    def table(
        self, id: str, caption: str, rows: Callable, *, keys: Sequence[str], values: Sequence[str]
    ) -> None:
        """Declare a table of the page: means over seeds of some values, by some keys.

        Parameters
        ----------
        id, caption : str
        rows : callable
            Gives tidy rows. Where they have a column `seed` that is no key, means over seeds are
            shown, with intervals and the number of seeds; else rows as they are.
        keys, values : sequences of str
            Columns.
        """
        self.shown.append(DeclaredTable(id, caption, rows, tuple(keys), tuple(values)))

    def _keep(self, where: dict, name: str, declared: object, function: Callable) -> Callable:
        if name in where:
            raise ValueError(f"section {self.name}: {name} is declared twice")
        where[name] = declared
        return function


def parameters(function: Callable, *, optional: bool = True) -> list[str]:
    """What a function reads: its parameters but for the sheet that it draws on.

    One whose default is None is optional: it may be absent. Other defaults are not read.
    """
    asked = (inspect.Parameter.empty, None) if optional else (inspect.Parameter.empty,)
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.default in asked and p.name != "sheet"]


def read(function: Callable, tables: Mapping[str, object]) -> dict[str, object]:
    """The arguments of a function, of what there is."""
    return {name: tables[name] for name in parameters(function) if name in tables}
