"""What the workflow must know of a chapter while it is built.

Sections import what they draw with, which takes longer than a whole `snakemake -n`: their outline
is kept, and made again when their code or their block of config.yaml has changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from depthlens.sweep import Sweep


class OutlinedSection(NamedTuple):
    """What a rule must know of a section."""

    name: str
    title: str
    tables: Sequence[str]
    figures: Sequence[str]


class Outline(NamedTuple):
    """What the rules must know of a chapter; plain values, so that it can be kept as JSON."""

    name: str
    title: str
    sections: Sequence[OutlinedSection]
    sweeps: Sequence[Sweep]

    def as_json(self) -> dict:
        """As nothing but mappings, lists, texts and numbers."""
        return self._asdict() | {
            "sections": [section._asdict() for section in self.sections],
            # JSON is written with sorted keys, and a cell is named in the order of its own.
            "sweeps": [
                asdict(sweep) | {"cells": [[*cell.items()] for cell in sweep.cells]}
                for sweep in self.sweeps
            ],
        }

    @classmethod
    def from_json(cls, kept: Mapping) -> "Outline":
        """What `as_json` made."""
        return cls(
            name=kept["name"],
            title=kept["title"],
            sections=[OutlinedSection(**section) for section in kept["sections"]],
            sweeps=[
                Sweep(**sweep | {"cells": [dict(cell) for cell in sweep["cells"]]})
                for sweep in kept["sweeps"]
            ],
        )
