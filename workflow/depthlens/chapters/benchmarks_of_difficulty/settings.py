"""The block `chapters.benchmarks_of_difficulty` of config.yaml."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from depthlens.blocks import (
    Architecture,
    Block,
    ChapterBlock,
    FilePath,
    Name,
    Names,
    Share,
    unique,
)
from depthlens.chapters.recipe import Recipe

Shares = Annotated[list[Share], Field(min_length=1), AfterValidator(unique)]
ScoreName = Literal[
    "depth",
    "depth_label",
    "loss",
    "confidence",
    "output_margin",
    "entropy",
    "iteration_learned",
    "first_learned",
    "forgetting_events",
    "area_under_margin",
    "datamap_confidence",
    "datamap_variability",
    "el2n",
    "grand",
    "knn_disagreement",
    "prototype_distance",
]


class LabelNoise(Block):
    """Wrong labels that are put in, to be found."""

    datasets: Names = Field(description="names from the block datasets")
    kinds: Annotated[
        list[Literal["uniform", "asymmetric", "adjacent", "feature"]],
        Field(min_length=1),
        AfterValidator(unique),
    ] = Field(description="how the wrong label is chosen")
    rates: Shares = Field(description="shares of the training images that get a wrong label")


class Foreign(Block):
    """Images that do not belong, to be recognised."""

    held_out_classes: int = Field(ge=1, le=100, description="classes that the network never sees")


class EarlyExit(Block):
    """Leaving a network before its end."""

    recipe: Recipe
    exit_loss_weights: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="of the last head's loss, and of that of every earlier one"
    )
    entropy: float = Field(gt=0, description="an image leaves where it is below, nats")


class Subsets(Block):
    """Training on a part of the images, in an order, or on those that were labelled first."""

    scores: Annotated[list[ScoreName], Field(min_length=1), AfterValidator(unique)] = Field(
        description="measures that choose"
    )
    shares: Shares = Field(description="of the training images that are kept")


class Oversampling(Block):
    """Images that come more often than the others."""

    share: float = Field(gt=0, lt=1, description="of the training images, the deepest")
    times: Annotated[
        list[Annotated[int, Field(ge=2, le=100)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(description="times that they come in a pass")


class Portraits(Block):
    """Networks of several architectures on the same images."""

    architectures: Annotated[
        list[Architecture],
        Field(min_length=1),
        AfterValidator(unique),
    ] = Field(description="the first is the one that claims are about")
    recipe: Recipe = Field(description="its architecture is replaced by each of the list")


class Along(Block):
    """Depth along a training, and by linear classifiers at its end."""

    recipe: Recipe
    epochs: Annotated[
        list[Annotated[int, Field(ge=1)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(description="after which depth is measured, ascending; the last is the recipe's")
    components: int = Field(
        ge=1, le=10_000, description="principal components that linear classifiers learn from"
    )

    @model_validator(mode="after")
    def _epochs_end_with_the_training(self) -> "Along":
        if self.epochs != sorted(self.epochs) or self.epochs[-1] != self.recipe.epochs:
            raise ValueError(
                f"epochs must ascend and end with recipe.epochs, {self.recipe.epochs}: "
                f"{self.epochs}"
            )
        return self


class Human(Block):
    """What people said of the images of a dataset, in files of NumPy arrays (.npy)."""

    counts: FilePath | None = Field(
        description="answers of each class for every test image, as CIFAR-10H has them; or null"
    )
    labels: FilePath | None = Field(
        description="the label that somebody gave each training image, as CIFAR-10N has it; or null"
    )


class BenchmarksOfDifficulty(ChapterBlock):
    """What difficulty is good for, each use beside choosing at random."""

    datasets: Names = Field(description="names from the block datasets")
    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote")
    early_epoch: int = Field(ge=1, le=10_000, description="epoch at which EL2N and GraNd are read")
    recipe: Recipe = Field(description="of every network, where nothing else is said")
    label_noise: LabelNoise
    foreign: Foreign
    early_exit: EarlyExit
    subsets: Subsets
    oversampling: Oversampling
    portraits: Portraits
    along: Along
    human: dict[Name, Human] = Field(description="by dataset; {} where there is none")

    def datasets_named(self) -> Mapping[str, list[str]]:
        """See `ChapterBlock`."""
        return {
            "datasets": self.datasets,
            "label_noise.datasets": self.label_noise.datasets,
            "human": list(self.human),
        }

    @model_validator(mode="after")
    def _epochs_and_neighbours_exist(self) -> "BenchmarksOfDifficulty":
        recipes = {
            "recipe": self.recipe,
            "early_exit.recipe": self.early_exit.recipe,
            "portraits.recipe": self.portraits.recipe,
            "along.recipe": self.along.recipe,
        }
        for key, recipe in recipes.items():
            if self.early_epoch > recipe.epochs:
                raise ValueError(
                    f"early_epoch: {self.early_epoch} is beyond {key}.epochs, {recipe.epochs}"
                )
            if self.n_neighbors >= recipe.train_examples:
                raise ValueError(
                    f"n_neighbors: {self.n_neighbors} neighbours, but {key}.train_examples is "
                    f"{recipe.train_examples}; lower it"
                )
        return self


SETTINGS = BenchmarksOfDifficulty
