"""The block `chapters.representation` of config.yaml."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from depthlens.blocks import ChapterBlock, Name, unique
from depthlens.chapters.recipe import Recipe


class RepresentationNetwork(Recipe):
    """A network and the images that it learns."""

    dataset: Name = Field(description="a name from the block datasets")


class Representation(ChapterBlock):
    """What networks have learned, by the number of training images."""

    shares: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2), AfterValidator(unique)
    ] = Field(description="of the training images, ascending; the last must be 1")
    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote for depth")
    embedded: int = Field(
        ge=100,
        le=100_000,
        description="test images with a depth, among which neighbours are looked for too",
    )
    convnet: RepresentationNetwork
    resnet: RepresentationNetwork

    def datasets_named(self) -> Mapping[str, list[str]]:
        """See `ChapterBlock`."""
        return {f"{name}.dataset": [getattr(self, name).dataset] for name in ("convnet", "resnet")}

    @model_validator(mode="after")
    def _shares_fit(self) -> "Representation":
        if self.shares != sorted(self.shares) or self.shares[-1] != 1:
            raise ValueError("shares: must ascend and end with 1")
        for key in ("convnet", "resnet"):
            recipe = getattr(self, key)
            fewest = round(self.shares[0] * recipe.train_examples)
            if self.n_neighbors >= fewest:
                raise ValueError(
                    f"n_neighbors: {self.n_neighbors} neighbours, but the smallest share of "
                    f"{key}.train_examples is {fewest}; lower it"
                )
            if self.embedded > recipe.test_examples:
                raise ValueError(
                    f"embedded: {self.embedded}, but {key}.test_examples is "
                    f"{recipe.test_examples}; lower it"
                )
        return self


SETTINGS = Representation
