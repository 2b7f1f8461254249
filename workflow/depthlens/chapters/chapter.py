"""What a chapter of experiments declares: its sweeps, and its sections with figures and claims.

A chapter is a package below `depthlens.chapters` whose `CHAPTER` is one of these; the rules, the
page and the targets follow from it. It is read while the workflow is built, and so imports nothing
that takes time.

A section is a module of that package with three functions, all of the tidy tables that it reads, by
their names:

- `evaluate(tables, *, confidence_level) -> list[Finding]`: its claims and their verdicts;
- `draw(tables, *, confidence_level) -> dict[str, Drawing]`: a figure for each name in `figures`;
- `report_tables(tables, *, confidence_level) -> list[Table]`: what the page shows beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from depthlens.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question of a chapter."""

    name: str
    """its module in the package of the chapter"""
    title: str
    explanation: Sequence[str]
    """paragraphs: what was done and what it means, with every reduction of size"""
    tables: Sequence[str]
    """which it reads, of sweeps of the chapter"""
    figures: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A subject: experiments, figures and claims."""

    name: str
    """of its package, its block in `chapters` of config.yaml, and its target"""
    title: str
    introduction: Sequence[str]
    sections: Sequence[Section]
    sweeps: Callable[[Mapping], list[Sweep]]
    """of its block of config.yaml"""
