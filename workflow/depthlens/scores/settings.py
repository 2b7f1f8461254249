"""The block `scores` of config.yaml."""

from pydantic import Field

from depthlens.blocks import Block, Seed


class Scores(Block):
    """The scores beside depth, and how many images the costly ones are computed for."""

    early_epoch: int = Field(ge=1, le=10_000, description="epoch at which EL2N and GraNd are read")
    gradient_examples: int | None = Field(
        ge=1,
        description="images a split with input margin and variance of gradients, null for all",
    )
    attack_examples: int = Field(
        ge=0, description="images a split whose margin is searched by projected gradient descent"
    )
    attack_steps: int = Field(ge=1, le=10_000, description="gradient steps of each search")
    seed: Seed = Field(description="of the choice of these images")
