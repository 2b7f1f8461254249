"""What difficulty is good for: each use of it tested, choosing at random always beside it."""

from collections.abc import Mapping

from depthlens.chapters.chapter import Chapter, Section
from depthlens.sweep import Sweep

SECTIONS: tuple[Section, ...] = ()


def sweeps(block: Mapping) -> list[Sweep]:
    """The sweeps that a block `chapters.benchmarks_of_difficulty` of config.yaml asks for."""
    return []


CHAPTER = Chapter(
    name="benchmarks_of_difficulty",
    title="Does difficulty deliver?",
    introduction=(),
    sections=SECTIONS,
    sweeps=sweeps,
)
