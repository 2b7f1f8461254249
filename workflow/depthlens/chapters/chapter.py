"""A chapter of experiments: what it declares.

A chapter is a package below `depthlens.chapters`. Its module `contents` has a `CHAPTER`, its
sections are files that hold a `Section`, its `experiments` are what runs on a machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from depthlens.chapters.contents import CHAPTERS
from depthlens.chapters.outline import Outline, OutlinedSection
from depthlens.chapters.section import Section
from depthlens.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A subject: experiments, figures and claims."""

    introduction: Sequence[str]
    sections: Sequence[Section]

    def sweeps(self, block: Mapping) -> list[Sweep]:
        """The sweeps that the chapter's block of config.yaml asks for; those with a cell."""
        made = [make(block) for section in self.sections for make in section.sweeps.values()]
        return [sweep for sweep in made if sweep.cells]


def chapter(name: str) -> Chapter:
    """What the chapter of a package declares."""
    return import_module(f"depthlens.chapters.{name}.contents").CHAPTER


def outline(name: str, block: Mapping) -> Outline:
    """The outline of a chapter under its block of config.yaml.

    It imports what the sections draw with, and so takes its time.
    """
    asked = chapter(name)
    return Outline(
        name=name,
        title=CHAPTERS[name],
        sections=[
            OutlinedSection(part.name, part.title, part.tables, tuple(part.figures))
            for part in asked.sections
        ],
        sweeps=asked.sweeps(block),
    )
