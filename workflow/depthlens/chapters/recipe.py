"""How the many small networks of a chapter are built and trained, as its block says it."""

from pydantic import Field

from depthlens.blocks import Architecture, Block


class Recipe(Block):
    """How the many small networks of a chapter are built and trained; one CPU thread each."""

    architecture: Architecture = Field(description="as of a network of the block models")
    train_examples: int = Field(ge=20, description="training images, the classes in equal shares")
    test_examples: int = Field(ge=20, description="test images, the classes in equal shares")
    epochs: int = Field(ge=1, le=10_000, description="passes over the training images")
    batch_size: int = Field(ge=2, le=65_536, description="examples a step")
    learning_rate: float = Field(gt=0, le=10, description="of Adam, until it falls at the end")
