"""What the models of all blocks of config.yaml are made of.

A block's model says what each key means and its range; it stands in the module `settings` of the
room that the block is about.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from depthlens.provenance import user_code

# Names become folders and parts of commands.
Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64, description="a plain name")
]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
FilePath = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Confidence = Annotated[float, Field(gt=0, lt=1, description="of every interval")]


class Block(BaseModel):
    """A block of config.yaml: no other keys than these, no type guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def unique(values: list[Hashable]) -> list[Hashable]:
    """The values, if none stands twice."""
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


def known_architecture(name: str) -> str:
    """The name of a network, if it can be one."""
    if ":" in name and not name.startswith("timm:") and not re.fullmatch(user_code.NAME, name):
        raise ValueError(
            f"{name!r} is neither timm:NAME nor a function of yours, package.module:function"
        )
    return name


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("input should be a valid number")
    return value


Names = Annotated[list[Name], Field(min_length=1), AfterValidator(unique)]
Seeds = Annotated[list[Seed], Field(min_length=2), AfterValidator(unique)]
Architecture = Annotated[
    str, Field(min_length=1, max_length=200), AfterValidator(known_architecture)
]
Channels = Annotated[Literal[1, 3], BeforeValidator(_no_truth_value)]
Device = Annotated[
    Literal["auto", "cpu", "cuda"], Field(description="auto takes a GPU where there is one")
]


class ChapterBlock(Block):
    """Settings of a chapter of experiments."""

    seeds: Seeds = Field(description="of images and networks; intervals are over these")
    confidence_level: Confidence

    def datasets_named(self) -> Mapping[str, list[str]]:
        """Names of datasets that the block mentions, by its keys."""
        return {}
