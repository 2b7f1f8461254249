"""The models behind config.yaml: what each key means, its range, and the message when it is wrong.

`workflow/schemas/config.schema.json` is generated from here (`depthlens schema`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from depthlens import plain_yaml
from depthlens.errors import ConfigError, closest
from depthlens.provenance import user_code


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("input should be a valid number")
    return value


# Names become folders and parts of commands.
Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64, description="a plain name")
]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Block(BaseModel):
    """A block of config.yaml: no other keys than these, no type guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _ordered(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise ValueError(f"the range runs backwards: {values[0]} is above {values[1]}")
    return values


def _range(low: float, high: float, description: str) -> Any:
    number = Annotated[float, Field(ge=low, le=high)]
    # YAML has lists only; strict mode would ask for a tuple.
    return Annotated[
        tuple[number, number],
        Field(strict=False, description=description),
        AfterValidator(_ordered),
    ]


def _unique(values: list) -> list:
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


class Study(Block):
    """Which datasets × models × seeds are studied."""

    datasets: Annotated[list[Name], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="names from the block datasets"
    )
    models: Annotated[list[Name], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="names from the block models"
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="one training run each"
    )
    replicates: int = Field(
        ge=0,
        le=10_000,
        description="further networks a dataset × model, each trained on other images",
    )
    splits: Annotated[
        list[Literal["train", "test"]], Field(min_length=1), AfterValidator(_unique)
    ] = Field(description="splits whose depth is computed; must include test")
    reports: Annotated[
        str, Field(max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*$")
    ] = Field(description="folder of the report, its figures and claims")

    @model_validator(mode="after")
    def _test_is_studied(self) -> "Study":
        if "test" not in self.splits:
            raise ValueError("splits must include test: figures and claims are about it")
        return self


class Factors(Block):
    """Uniform range [low, high] of each factor that a shape is drawn from."""

    size: _range(0.02, 1.5, "radius of the circle around the shape, half widths of the image")
    offset_x: _range(-1.5, 1.5, "its centre, half widths right of the middle")
    offset_y: _range(-1.5, 1.5, "its centre, half widths below the middle")
    rotation: _range(-360, 360, "degrees")
    aspect_ratio: _range(1, 10, "longer over shorter side of rectangle, triangle and ellipse")
    contrast: _range(0, 1, "brightness of the shape over the background, 1 is white")
    background: _range(0, 1, "brightness of the background")
    noise: _range(0, 1, "standard deviation of the brightness of a pixel")


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
    AfterValidator(_unique),
]
_Examples = Annotated[
    int | None, Field(ge=1, description="the first so many of the split, null for all")
]
FilePath = Annotated[str, Field(min_length=1)]


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
    channels: Annotated[Literal[1, 3], BeforeValidator(_no_truth_value)] = Field(
        description="1 for grey, 3 for red, green and blue"
    )
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


def _architecture(name: str) -> str:
    if ":" in name and not name.startswith("timm:") and not re.fullmatch(user_code.NAME, name):
        raise ValueError(
            f"{name!r} is neither timm:NAME nor a function of yours, package.module:function"
        )
    return name


class Network(Block):
    """A network to study, and what it sees of images."""

    architecture: Annotated[
        str, Field(min_length=1, max_length=200), AfterValidator(_architecture)
    ] = Field(
        description="a torchvision classifier, mlp7, vgg16_small, a narrow one of ours, timm:NAME, "
        'or a function of yours as "package.module:function"'
    )
    weights: FilePath | None = Field(
        default=None,
        description="state_dict, as safetensors or .pt: then it is not trained; null trains it",
    )
    channels: Annotated[Literal[1, 3], BeforeValidator(_no_truth_value)] = Field(
        default=3, description="that it takes; grey images are repeated to 3"
    )
    mean: list[float] | None = Field(
        default=None, description="subtracted from the brightness (0 … 1) of each channel"
    )
    std: list[Annotated[float, Field(gt=0)]] | None = Field(
        default=None, description="then divided by, for each channel"
    )
    input_size: (
        Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)]
        | None
    ) = Field(
        default=None, description="[height, width] that images are resized to, null for their own"
    )

    @model_validator(mode="after")
    def _one_mean_and_std_a_channel(self) -> "Network":
        if (self.mean is None) != (self.std is None):
            given, missing = ("mean", "std") if self.std is None else ("std", "mean")
            raise ValueError(f"{given} is given without {missing}; give both, or neither")
        for key in ("mean", "std"):
            values = getattr(self, key)
            if values is not None and len(values) != self.channels:
                raise ValueError(
                    f"{key} has {len(values)} values; the network takes {self.channels} channels"
                )
        return self


class Training(Block):
    """How every network is trained: cross-entropy, shuffled each epoch, no augmentation."""

    epochs: int = Field(ge=1, le=10_000, description="passes over the training images")
    batch_size: int = Field(ge=2, le=65_536, description="examples a step")
    optimizer: Literal["adam", "adamw", "sgd"] = Field(description="update rule")
    learning_rate: float = Field(gt=0, le=10, description="until the decay begins")
    decay: float = Field(
        ge=0, le=1, description="share of the training, its end, over which the rate falls to 0"
    )
    weight_decay: float = Field(ge=0, le=1, description="L2 penalty (decoupled for adamw)")
    momentum: float = Field(ge=0, lt=1, description="of sgd; adam and adamw ignore it")
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="auto takes a GPU where there is one"
    )
    threads: int = Field(
        ge=1, le=1024, description="CPU threads; the last bits of the weights depend on them"
    )
    snapshots: int = Field(
        ge=0,
        le=1000,
        description="states of the network kept along the way, for the variance of gradients",
    )

    @model_validator(mode="after")
    def _snapshots_differ(self) -> "Training":
        if self.snapshots > self.epochs:
            raise ValueError(
                f"snapshots: {self.snapshots} of {self.epochs} epochs; one an epoch at most"
            )
        return self


class Replicates(Block):
    """How the images of each replicate are drawn from all images, training and test."""

    held_out: float = Field(
        gt=0, lt=1, description="share of all images that a replicate's network does not see"
    )
    seed: Seed = Field(description="of the draws")


class Checkpoints(Block):
    """Where trained networks come from."""

    source: Literal["train", "pull"] = Field(
        description="train them here, or let DVC pull those that others trained"
    )


class Convergence(Block):
    """When a network has learned enough for its difficulties to mean something."""

    min_train_accuracy: float = Field(
        ge=0, le=1, description="share of the training images it must get right"
    )
    allow_unconverged: bool = Field(
        description="compute depth all the same; every figure then says so"
    )


class Recording(Block):
    """The forward pass that records every probe."""

    probes: Literal["children", "blocks"] | Annotated[list[str], Field(min_length=1)] = Field(
        description="children, blocks, or a list of module names: * stands for anything within one "
        "dotted part; :mean, :channels_last_mean or :class_token behind a name keep a part"
    )
    dtype: Literal["float16", "float32"] = Field(description="of the stored activations")
    batch_size: int = Field(ge=1, le=65_536, description="images a forward pass")
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="auto takes a GPU where there is one"
    )


class Activations(Recording):
    """The forward pass that records every probe, and what becomes of its files."""

    keep: bool = Field(
        description="keep them after use: gigabytes, but another k needs no new forward pass"
    )


class KNN(Block):
    """The k-nearest-neighbour classifier on each probe."""

    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote")
    metric: Literal["euclidean", "cosine"] = Field(description="distance between activations")
    sensitivity: Annotated[
        list[Annotated[int, Field(ge=1, le=65_535)]], Field(min_length=1), AfterValidator(_unique)
    ] = Field(description="other k whose depths are computed in the same pass")
    memory: float = Field(gt=0, le=100_000, description="working memory of a job, GB")
    shards: int = Field(ge=1, le=1000, description="jobs that share the references of a probe")
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="auto takes a GPU where there is one"
    )


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


class Figures(Block):
    """How figures look."""

    gallery_images: int = Field(ge=4, le=200, description="images in each gallery")
    confidence_level: float = Field(gt=0, lt=1, description="of every interval drawn")
    dpi: int = Field(ge=50, le=600, description="dots per inch of the PNG files")


class DifficultyChapter(Block):
    """The claims about prediction depth."""

    confidence_level: float = Field(gt=0, lt=1, description="of every interval printed")
    bootstrap_samples: int = Field(ge=100, le=1_000_000, description="resamples an interval")
    bootstrap_seed: Seed = Field(description="of the resampling")


class Recipe(Block):
    """How the many small networks of a chapter are built and trained; one CPU thread each."""

    architecture: Annotated[
        str, Field(min_length=1, max_length=200), AfterValidator(_architecture)
    ] = Field(description="as of a network of the block models")
    train_examples: int = Field(ge=20, description="training images, the classes in equal shares")
    test_examples: int = Field(ge=20, description="test images, the classes in equal shares")
    epochs: int = Field(ge=1, le=10_000, description="passes over the training images")
    batch_size: int = Field(ge=2, le=65_536, description="examples a step")
    learning_rate: float = Field(gt=0, le=10, description="of Adam, until it falls at the end")


Names = Annotated[list[Name], Field(min_length=1), AfterValidator(_unique)]
Share = Annotated[float, Field(gt=0, lt=1)]
Shares = Annotated[list[Share], Field(min_length=1), AfterValidator(_unique)]
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
        AfterValidator(_unique),
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

    scores: Annotated[list[ScoreName], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="measures that choose"
    )
    shares: Shares = Field(description="of the training images that are kept")


class Portraits(Block):
    """Networks of several architectures on the same images."""

    architectures: Annotated[
        list[Annotated[str, AfterValidator(_architecture)]],
        Field(min_length=1),
        AfterValidator(_unique),
    ] = Field(description="the first is the one that claims are about")
    recipe: Recipe = Field(description="its architecture is replaced by each of the list")


class Human(Block):
    """What people said of the images of a dataset, in files of NumPy arrays (.npy)."""

    counts: FilePath | None = Field(
        description="answers of each class for every test image, as CIFAR-10H has them; or null"
    )
    labels: FilePath | None = Field(
        description="the label that somebody gave each training image, as CIFAR-10N has it; or null"
    )


class BenchmarksOfDifficulty(Block):
    """What difficulty is good for, each use beside choosing at random."""

    datasets: Names = Field(description="names from the block datasets")
    seeds: Annotated[list[Seed], Field(min_length=2), AfterValidator(_unique)] = Field(
        description="of images, labels and networks; intervals are over these"
    )
    confidence_level: float = Field(gt=0, lt=1, description="of every interval")
    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote")
    early_epoch: int = Field(ge=1, le=10_000, description="epoch at which EL2N and GraNd are read")
    recipe: Recipe = Field(description="of every network, where nothing else is said")
    label_noise: LabelNoise
    foreign: Foreign
    early_exit: EarlyExit
    subsets: Subsets
    portraits: Portraits
    human: dict[Name, Human] = Field(description="by dataset; {} where there is none")

    @model_validator(mode="after")
    def _epochs_and_neighbours_exist(self) -> "BenchmarksOfDifficulty":
        recipes = {
            "recipe": self.recipe,
            "early_exit.recipe": self.early_exit.recipe,
            "portraits.recipe": self.portraits.recipe,
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


class RepresentationNetwork(Recipe):
    """A network and the images that it learns."""

    dataset: Name = Field(description="a name from the block datasets")


class Representation(Block):
    """What networks have learned, by the number of training images."""

    seeds: Annotated[list[Seed], Field(min_length=2), AfterValidator(_unique)] = Field(
        description="of images and networks; intervals are over these"
    )
    confidence_level: float = Field(gt=0, lt=1, description="of every interval")
    shares: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2), AfterValidator(_unique)
    ] = Field(description="of the training images, ascending; the last must be 1")
    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote for depth")
    embedded: int = Field(
        ge=100, le=100_000, description="test images with a depth and a place in the embedding"
    )
    convnet: RepresentationNetwork
    resnet: RepresentationNetwork

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


EdgeImages = Annotated[int, Field(ge=1, le=100_000)]
KernelSize = Annotated[int, Field(ge=2, le=13)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]


class EdgeTraining(Block):
    """How networks are trained on images of edges."""

    images: EdgeImages = Field(description="training images a class")
    learning_rate: float = Field(gt=0, le=10, description="of SGD, constant")
    epochs: Epochs = Field(description="passes over the training images")


class EdgeSizes(Block):
    """How networks are trained on several numbers of images of edges."""

    images: Annotated[list[EdgeImages], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="training images a class, ascending"
    )
    learning_rate: float = Field(gt=0, le=10, description="of SGD, constant")
    epochs: Epochs = Field(description="passes over the training images")


class ShiftRecipe(Block):
    """A way to train where validation edges lie elsewhere."""

    kernel_size: KernelSize = Field(description="of convolutions, pixels")
    learning_rate: float = Field(gt=0, le=10, description="of SGD, constant")
    epochs: Epochs = Field(description="passes over the training images")


class DomainShift(Block):
    """Validation edges where no training edge was."""

    images: EdgeImages = Field(description="training images a class")
    location_ratio: Share = Field(
        description="training edges start in this share of the image, the others in the rest"
    )
    large_kernels: ShiftRecipe
    small_kernels: ShiftRecipe


class Permuted(EdgeSizes):
    """Images whose pixels are all moved alike."""

    weight_decay: float = Field(ge=0, le=1, description="of SGD")
    kernel_sizes: Annotated[list[KernelSize], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="of convolutions; the first is that of every number of images"
    )


class EdgeSearch(Block):
    """A random search over learning rate, epochs and kernel size."""

    budget: int = Field(ge=1, le=1000, description="candidates of each network")
    images: EdgeImages = Field(description="training images a class")
    learning_rate: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="drawn between these, its logarithm uniformly"
    )
    epochs: Annotated[list[Epochs], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="one of these"
    )
    kernel_size: Annotated[list[KernelSize], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="one of these"
    )


class Translation(EdgeTraining):
    """Images that are shifted."""

    location_ratio: Share = Field(description="edges start in this share of the image")
    shifts: Annotated[
        list[Annotated[int, Field(ge=0, le=14)]], Field(min_length=2), AfterValidator(_unique)
    ] = Field(description="pixels right and down, 0 first")


class EdgeDepth(EdgeTraining):
    """Prediction depth of images of edges."""

    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote")


class InductiveBias(Block):
    """Convolutions against an MLP, on generated images of edges."""

    seeds: Annotated[list[Seed], Field(min_length=2), AfterValidator(_unique)] = Field(
        description="of images and networks; intervals are over these"
    )
    seeds_at_once: int = Field(
        ge=1, le=1000, description="networks that one job trains together, one a seed"
    )
    confidence_level: float = Field(gt=0, lt=1, description="of every interval")
    validation_images: EdgeImages = Field(description="a class")
    batch_size: int = Field(ge=1, le=65_536, description="examples a step")
    momentum: float = Field(ge=0, lt=1, description="of SGD")
    overfit: EdgeTraining
    few_images: EdgeSizes
    longer: EdgeTraining
    domain_shift: DomainShift
    permuted: Permuted
    pooling: EdgeTraining
    width_and_depth: EdgeTraining
    matching: Annotated[list[EdgeImages], Field(min_length=1), AfterValidator(_unique)] = Field(
        description="training images a class that the MLP gets besides, ascending"
    )
    search: EdgeSearch
    translation: Translation
    depth: EdgeDepth
    averaging_sizes: Annotated[
        list[Annotated[int, Field(ge=2, le=31)]], Field(min_length=1), AfterValidator(_unique)
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


class Chapters(Block):
    """Settings of each chapter."""

    difficulty: DifficultyChapter
    benchmarks_of_difficulty: BenchmarksOfDifficulty
    representation: Representation
    inductive_bias: InductiveBias


class Config(Block):
    """The whole study."""

    study: Study
    datasets: dict[Name, Dataset]
    models: dict[Name, Network]
    training: Training
    checkpoints: Checkpoints
    replicates: Replicates
    convergence: Convergence
    activations: Activations
    knn: KNN
    scores: Scores
    figures: Figures
    chapters: Chapters

    @model_validator(mode="after")
    def _names_are_defined(self) -> "Config":
        for key, defined in (("datasets", self.datasets), ("models", self.models)):
            for name in getattr(self.study, key):
                if name not in defined:
                    hint = closest(name, defined)
                    raise ValueError(f"study.{key}: {name!r} is not in the block {key}{hint}")
        return self

    @model_validator(mode="after")
    def _datasets_of_chapters_are_defined(self) -> "Config":
        benchmarks, representation = (
            self.chapters.benchmarks_of_difficulty,
            self.chapters.representation,
        )
        named = {
            "benchmarks_of_difficulty.datasets": benchmarks.datasets,
            "benchmarks_of_difficulty.label_noise.datasets": benchmarks.label_noise.datasets,
            "benchmarks_of_difficulty.human": benchmarks.human,
            "representation.convnet.dataset": [representation.convnet.dataset],
            "representation.resnet.dataset": [representation.resnet.dataset],
        }
        for key, names in named.items():
            for name in names:
                if name not in self.datasets:
                    raise ValueError(
                        f"chapters.{key}: {name!r} is not in the block "
                        f"datasets{closest(name, self.datasets)}"
                    )
        return self

    @model_validator(mode="after")
    def _neighbours_exist(self) -> "Config":
        k = max(self.knn.n_neighbors, *self.knn.sensitivity)
        key = "n_neighbors" if k == self.knn.n_neighbors else "sensitivity"
        for name in self.study.datasets:
            dataset = self.datasets[name]
            if dataset.train_examples is None:
                continue
            seen = dataset.train_examples
            if self.study.replicates and dataset.test_examples is not None:
                pool = dataset.train_examples + dataset.test_examples
                seen = min(seen, int(pool * (1 - self.replicates.held_out)))
            # Leave-one-out has one reference fewer.
            references = seen // self.knn.shards - ("train" in self.study.splits)
            if k > references:
                each = f" in each of {self.knn.shards} shards" if self.knn.shards > 1 else ""
                raise ValueError(
                    f"knn.{key}: {k} neighbours of {references} "
                    f"references{each}; datasets.{name}.train_examples has too few for it"
                )
        return self

    @model_validator(mode="after")
    def _replicates_see_every_image_from_both_sides(self) -> "Config":
        n, held_out = self.study.replicates, self.replicates.held_out
        if n and min(round(n * held_out, 9), round(n * (1 - held_out), 9)) < 1:
            raise ValueError(
                f"study.replicates: {n} replicates that hold out {held_out:g} of the images do not "
                "see every image from both sides; raise study.replicates, or bring "
                "replicates.held_out nearer to 0.5"
            )
        if n and "train" not in self.study.splits:
            raise ValueError(
                "study.replicates: replicates compare training depth with held-out depth; "
                "study.splits must include train"
            )
        return self

    @model_validator(mode="after")
    def _replicates_are_trained(self) -> "Config":
        for name in self.study.models if self.study.replicates else ():
            if self.models[name].weights is not None:
                raise ValueError(
                    f"study.replicates: replicates are trained, but models.{name} has weights; "
                    "set study.replicates to 0, or take it out of study.models"
                )
        return self

    @model_validator(mode="after")
    def _early_epoch_exists(self) -> "Config":
        if self.scores.early_epoch > self.training.epochs:
            raise ValueError(
                f"scores.early_epoch: {self.scores.early_epoch} is beyond training.epochs, "
                f"{self.training.epochs}"
            )
        return self


# What a step may be given, by the name that it has there.
BLOCKS: dict[str, Any] = {
    "config": Config,
    "dataset": Dataset,
    "model": Network,
    "training": Training,
    "replicates": Replicates,
    "convergence": Convergence,
    "activations": Recording,  # whether files are kept changes nothing in them
    "knn": KNN,
    "scores": Scores,
    "figures": Figures,
    "chapters.difficulty": DifficultyChapter,
    "chapters.benchmarks_of_difficulty": BenchmarksOfDifficulty,
    "chapters.representation": Representation,
    "chapters.inductive_bias": InductiveBias,
}

_DATASETS = Config.model_fields["datasets"].annotation
_MODELS = Config.model_fields["models"].annotation
_DATASETS_BY_SOURCE = {
    "shapes": ShapesDataset,
    "torchvision": TorchvisionDataset,
    "image_folder": ImageFolderDataset,
    "homework": HomeworkDataset,
    "npz": NpzDataset,
    "function": FunctionDataset,
}


def check(values: Mapping, *, source: str = "config.yaml") -> Config:
    """Check a configuration against the models.

    Parameters
    ----------
    values : mapping
        As read from YAML.
    source : str
        File to name in messages.

    Raises
    ------
    ConfigError
        With one line a fault: its key, what is wrong with it, the closest valid key.
    """
    try:
        return Config.model_validate(_plain(values))
    except ValidationError as error:
        found = error.errors()
        keys = [_locate(fault["loc"])[0] for fault in found]
        faults = dict.fromkeys(
            _sentence(fault)
            for fault, key in zip(found, keys, strict=True)
            # Where a word or a list may stand: the message about what was written is enough.
            if not (keys.count(key) > 1 and _is_about_the_other(fault))
        )
        raise ConfigError("\n".join(f"{source}: {fault}" for fault in faults)) from None


def check_blocks(names: Sequence[str], values: object) -> dict:
    """Check what one step is given of the configuration.

    Parameters
    ----------
    names : sequence of str
        Keys of `BLOCKS`. For one, `values` is that block; for several, a mapping by name.
    values : object
        As read from JSON.

    Returns
    -------
    dict
        The same as `values`.

    Raises
    ------
    ConfigError
        With one line a fault.
    """
    given = values if isinstance(values, Mapping) else {}
    blocks = {names[0]: values} if len(names) == 1 else {name: given.get(name) for name in names}
    for name, block in blocks.items():
        try:
            TypeAdapter(BLOCKS[name]).validate_python(block)
        except ValidationError as error:
            faults = [
                f"--cfg: {'.'.join([name, *map(str, fault['loc'])])}: "
                f"{fault['msg'].removeprefix('Value error, ').lower()}"
                for fault in error.errors()
            ]
            raise ConfigError("\n".join(faults)) from None
    return values


def load(path: Path | str) -> Config:
    """Read and check a configuration file; raises `ConfigError`."""
    return check(plain_yaml.read([path]), source=str(path))


def schema() -> str:
    """JSON schema of config.yaml, as text."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _plain(values: object) -> object:
    """Ordinary dicts and lists from whatever the YAML reader made."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return values


def _is_about_the_other(fault: Mapping) -> bool:
    """Whether a fault is that a word is no list, or a list is no word."""
    return (fault["type"] == "list_type" and isinstance(fault["input"], str)) or (
        fault["type"] == "literal_error" and isinstance(fault["input"], list)
    )


def _sentence(fault: Mapping) -> str:
    """One line about one fault that pydantic found."""
    path, siblings = _locate(fault["loc"])
    # A key can be any text, and must not make two lines of one.
    key = ".".join(part if part.isprintable() else repr(part) for part in path)
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key{closest(path[-1], siblings)}"
    if fault["type"] == "missing":
        return f"{key}: this key is missing"
    if fault["type"] == "union_tag_invalid":
        source = fault["ctx"]["tag"]
        return f"{key}.source: unknown source {source!r}{closest(source, _DATASETS_BY_SOURCE)}"
    message = fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if not key:
        return message
    given = fault.get("input")
    shown = "" if isinstance(given, (dict, list, tuple)) else f", not {given!r}"
    return f"{key}: {message}{shown}"


def _locate(location: tuple) -> tuple[list[str], list[str]]:
    """The key that the user wrote, and the keys that are valid where it stands.

    Pydantic's location also names the branches of a union, which are no keys.
    """
    path: list[str] = []
    siblings: list[str] = []
    block: Any = Config
    for part in location:
        if isinstance(part, int):
            path.append(str(part))
        elif isinstance(block, type) and issubclass(block, BaseModel):
            path.append(str(part))
            siblings = list(block.model_fields)
            field = block.model_fields.get(part)
            block = field.annotation if field else None
        elif block in (_DATASETS, _MODELS):
            path.append(str(part))
            block = Network if block is _MODELS else _DATASETS_BY_SOURCE
        elif block is _DATASETS_BY_SOURCE:
            block = block.get(part)
    return path, siblings
