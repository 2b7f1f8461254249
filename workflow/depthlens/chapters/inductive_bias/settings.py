"""The block `chapters.inductive_bias` of config.yaml."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from depthlens.blocks import Block, ChapterBlock, FilePath, Share, unique

EdgeImages = Annotated[int, Field(ge=1, le=100_000)]
KernelSize = Annotated[int, Field(ge=2, le=13)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]


class EdgeRecipe(Block):
    """How long and how fast networks learn images of edges."""

    learning_rate: float = Field(gt=0, le=10, description="of SGD, constant")
    epochs: Epochs = Field(description="passes over the training images")


class EdgeTraining(EdgeRecipe):
    """How networks are trained on images of edges."""

    images: EdgeImages = Field(description="training images a class")


class Overfit(EdgeTraining):
    """A few images that are learned by heart."""

    batch_size: int = Field(ge=1, le=65_536, description="examples a step, here alone")


class EdgeSizes(EdgeRecipe):
    """How networks are trained on several numbers of images of edges."""

    images: Annotated[list[EdgeImages], Field(min_length=1), AfterValidator(unique)] = Field(
        description="training images a class, ascending"
    )


class ShiftRecipe(EdgeRecipe):
    """A way to train where validation edges lie elsewhere."""

    kernel_size: KernelSize = Field(description="of convolutions, pixels")


class DomainShift(Block):
    """Validation edges in rows and columns where no training edge lies."""

    images: Annotated[list[EdgeImages], Field(min_length=1), AfterValidator(unique)] = Field(
        description="training images a class, ascending"
    )
    location_ratio: Share = Field(
        description="training edges lie in this share of the image, the others in the rest"
    )
    large_kernels: ShiftRecipe
    small_kernels: ShiftRecipe


class Permuted(EdgeSizes):
    """Images whose pixels are all moved alike."""

    weight_decay: float = Field(ge=0, le=1, description="of SGD")
    kernel_sizes: Annotated[list[KernelSize], Field(min_length=1), AfterValidator(unique)] = Field(
        description="of convolutions; the first is that of every number of images"
    )


class EdgeSearch(Block):
    """A random search over learning rate, epochs and kernel size."""

    budget: int = Field(ge=1, le=1000, description="candidates of each network")
    images: EdgeImages = Field(description="training images a class")
    learning_rate: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="drawn between these, its logarithm uniformly"
    )
    epochs: Annotated[list[Epochs], Field(min_length=1), AfterValidator(unique)] = Field(
        description="one of these"
    )
    kernel_size: Annotated[list[KernelSize], Field(min_length=1), AfterValidator(unique)] = Field(
        description="one of these"
    )


class Translation(EdgeTraining):
    """Images that are shifted."""

    location_ratio: Share = Field(description="edges start in this share of the image")
    shifts: Annotated[
        list[Annotated[int, Field(ge=0, le=14)]], Field(min_length=2), AfterValidator(unique)
    ] = Field(description="pixels right and down, 0 first")


class EdgeDepth(EdgeTraining):
    """Prediction depth of images of edges."""

    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote")


class InductiveBias(ChapterBlock):
    """Convolutions against an MLP, on generated images of edges."""

    seeds_at_once: int = Field(
        ge=1, le=1000, description="networks that one job trains together, one a seed"
    )
    validation_images: EdgeImages = Field(description="a class")
    batch_size: int = Field(ge=1, le=65_536, description="examples a step")
    momentum: float = Field(ge=0, lt=1, description="of SGD")
    overfit: Overfit
    few_images: EdgeSizes
    frozen_detectors: EdgeRecipe
    longer: EdgeSizes
    domain_shift: DomainShift
    permuted: Permuted
    five_classes: EdgeSizes
    pooling: EdgeSizes
    width_and_depth: EdgeTraining
    matching: Annotated[list[EdgeImages], Field(min_length=1), AfterValidator(unique)] = Field(
        description="training images a class that the MLP gets besides, ascending"
    )
    search: EdgeSearch
    translation: Translation
    depth: EdgeDepth
    averaging_sizes: Annotated[
        list[Annotated[int, Field(ge=2, le=31)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(description="of averaging filters, pixels")
    picture: FilePath | None = Field(description="to be filtered; null for one of scikit-learn")

    @model_validator(mode="after")
    def _neighbours_exist(self) -> "InductiveBias":
        if self.depth.n_neighbors >= 3 * self.depth.images:
            raise ValueError(
                f"depth.n_neighbors: {self.depth.n_neighbors} neighbours of "
                f"{3 * self.depth.images} training images; lower it"
            )
        return self


SETTINGS = InductiveBias
