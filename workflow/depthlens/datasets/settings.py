"""The blocks `datasets`, by their sources, and `replicates` of config.yaml."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, JsonValue, model_validator

from depthlens.blocks import Block, Channels, FilePath, Seed, unique
from depthlens.provenance import user_code

_Bound = TypeVar("_Bound")


def _ordered(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise ValueError(f"the range runs backwards: {values[0]} is above {values[1]}")
    return values


# YAML has lists only; strict mode would ask for a tuple.
Range = Annotated[tuple[_Bound, _Bound], Field(strict=False), AfterValidator(_ordered)]
_Size = Annotated[float, Field(ge=0.02, le=1.5)]
_Offset = Annotated[float, Field(ge=-1.5, le=1.5)]
_Angle = Annotated[float, Field(ge=-360, le=360)]
_Ratio = Annotated[float, Field(ge=1, le=10)]
_Brightness = Annotated[float, Field(ge=0, le=1)]


class Factors(Block):
    """Uniform range [low, high] of each factor that a shape is drawn from."""

    size: Range[_Size] = Field(
        description="radius of the circle around the shape, half widths of the image"
    )
    offset_x: Range[_Offset] = Field(description="its centre, half widths right of the middle")
    offset_y: Range[_Offset] = Field(description="its centre, half widths below the middle")
    rotation: Range[_Angle] = Field(description="degrees")
    aspect_ratio: Range[_Ratio] = Field(
        description="longer over shorter side of rectangle, triangle and ellipse"
    )
    contrast: Range[_Brightness] = Field(
        description="brightness of the shape over the background, 1 is white"
    )
    background: Range[_Brightness] = Field(description="brightness of the background")
    noise: Range[_Brightness] = Field(description="standard deviation of the brightness of a pixel")


class ShapesDataset(Block):
    """Generated images of six shapes."""

    source: Literal["shapes"]
    seed: Seed = Field(description="of the images; training has seeds of its own")
    train_examples: int = Field(ge=6, le=10_000_000, description="training images")
    test_examples: int = Field(ge=6, le=10_000_000, description="test images")
    factors: Factors


ClassNames = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]],
    Field(min_length=2),
    AfterValidator(unique),
]
_Examples = Annotated[
    int | None, Field(ge=1, description="the first so many of the split, null for all")
]


class TorchvisionDataset(Block):
    """A collection that torchvision knows."""

    source: Literal["torchvision"]
    name: Literal[
        "MNIST",
        "FashionMNIST",
        "KMNIST",
        "QMNIST",
        "EMNIST-balanced",
        "EMNIST-byclass",
        "EMNIST-bymerge",
        "EMNIST-digits",
        "EMNIST-letters",
        "EMNIST-mnist",
        "CIFAR10",
        "CIFAR100",
        "SVHN",
        "STL10",
        "USPS",
    ] = Field(description="torchvision's name; of EMNIST with the part")
    data_root: str = Field(
        min_length=1, description="torchvision's root folder: read there, downloaded if absent"
    )
    train_examples: _Examples
    test_examples: _Examples


class ImageFolderDataset(Block):
    """Image files in folders: train/CLASS/… and test/CLASS/…."""

    source: Literal["image_folder"]
    path: FilePath = Field(description="the folder that holds train and test")
    height: int = Field(ge=1, le=4096, description="of every image of the study, pixels")
    width: int = Field(ge=1, le=4096, description="of every image of the study, pixels")
    channels: Channels = Field(description="1 for grey, 3 for red, green and blue")
    resize: Literal["stretch", "crop", "pad"] = Field(
        description="change proportions; cover and cut the sides; or fit and fill with black"
    )
    test_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="share of each class taken for the test split, null if there is a test folder"
    )
    seed: Seed = Field(description="of the choice of test images, if test_share is not null")
    on_error: Literal["stop", "skip"] = Field(
        default="stop", description="damaged images: name them all and stop, or leave them out"
    )
    train_examples: _Examples
    test_examples: _Examples


class HomeworkDataset(Block):
    """Two .npy files, each a dictionary of images x and labels y that numpy.save wrote."""

    source: Literal["homework"]
    train: FilePath = Field(description="file of the training images, such as data.npy")
    test: FilePath = Field(description="file of the test images, such as test_data.npy")
    classes: ClassNames | None = Field(
        description="names of classes 0, 1, …; null for what the labels are"
    )
    train_examples: _Examples
    test_examples: _Examples


class NpzDataset(Block):
    """NumPy archives of images and labels."""

    source: Literal["npz"]
    train: FilePath = Field(description="archive of the training images")
    test: FilePath = Field(description="archive of the test images; it may be the same")
    images: str = Field(
        min_length=1, description="name of the array of images; {split} stands for train and test"
    )
    labels: str = Field(
        min_length=1, description="name of the array of labels; {split} stands for train and test"
    )
    classes: ClassNames | None = Field(
        description="names of classes 0, 1, …; null for what the labels are"
    )
    train_examples: _Examples
    test_examples: _Examples

    @model_validator(mode="after")
    def _splits_differ(self) -> "NpzDataset":
        for key in ("images", "labels"):
            if self.train == self.test and "{split}" not in getattr(self, key):
                raise ValueError(
                    f"{key}: train and test are one file, so the name must hold {{split}}, as in "
                    "x_{split}"
                )
        return self


class FunctionDataset(Block):
    """What a function of yours returns."""

    source: Literal["function"]
    function: Annotated[str, Field(max_length=200, pattern=user_code.NAME)] = Field(
        description='"package.module:function", called with "train" and with "test"'
    )
    arguments: dict[str, JsonValue] = Field(description="further arguments, by name; {} for none")
    files: list[FilePath] = Field(
        description="files that it reads: a change of their content calls it again; [] for none"
    )
    train_examples: _Examples
    test_examples: _Examples


Dataset = Annotated[
    ShapesDataset
    | TorchvisionDataset
    | ImageFolderDataset
    | HomeworkDataset
    | NpzDataset
    | FunctionDataset,
    Field(discriminator="source"),
]


class Replicates(Block):
    """How the images of each replicate are drawn from all images, training and test."""

    held_out: float = Field(
        gt=0, lt=1, description="share of all images that a replicate's network does not see"
    )
    seed: Seed = Field(description="of the draws")
