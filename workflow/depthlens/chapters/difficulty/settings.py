"""The block `chapters.difficulty` of config.yaml."""

from pydantic import Field

from depthlens.blocks import Block, Confidence, Seed


class Difficulty(Block):
    """The claims about prediction depth."""

    confidence_level: Confidence
    bootstrap_samples: int = Field(ge=100, le=1_000_000, description="resamples an interval")
    bootstrap_seed: Seed = Field(description="of the resampling")


SETTINGS = Difficulty
