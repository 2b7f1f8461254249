"""The models behind config.yaml: what each key means, its range, and the message when it is wrong.

Those of chapters stand with the chapters.

`workflow/schemas/config.schema.json` is generated from here (`depthlens schema`).
"""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from depthlens import plain_yaml
from depthlens.blocks import Architecture, Block, FilePath, Name, Seed, unique
from depthlens.chapters.contents import CHAPTERS
from depthlens.errors import ConfigError, closest
from depthlens.provenance import user_code


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("input should be a valid number")
    return value


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


class Study(Block):
    """Which datasets × models × seeds are studied."""

    datasets: Annotated[list[Name], Field(min_length=1), AfterValidator(unique)] = Field(
        description="names from the block datasets"
    )
    models: Annotated[list[Name], Field(min_length=1), AfterValidator(unique)] = Field(
        description="names from the block models"
    )
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)] = Field(
        description="one training run each"
    )
    replicates: int = Field(
        ge=0,
        le=10_000,
        description="further networks a dataset × model, each trained on other images",
    )
    splits: Annotated[
        list[Literal["train", "test"]], Field(min_length=1), AfterValidator(unique)
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


class Network(Block):
    """A network to study, and what it sees of images."""

    architecture: Architecture = Field(
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


class RandomCrop(Block):
    """A window of the old size, anywhere in the image with black pixels around it."""

    name: Literal["random_crop"]
    padding: int = Field(ge=1, le=2048, description="black pixels on each side")


class HorizontalFlip(Block):
    """Left and right change places, with probability 1/2."""

    name: Literal["horizontal_flip"]


class Training(Block):
    """How every network is trained: cross-entropy, shuffled each epoch."""

    epochs: int = Field(ge=1, le=10_000, description="passes over the training images")
    batch_size: int = Field(ge=2, le=65_536, description="examples a step")
    augmentation: list[Annotated[RandomCrop | HorizontalFlip, Field(discriminator="name")]] = Field(
        description="changes of the images that training meets, in order; [] for none"
    )
    label_smoothing: float = Field(
        ge=0, lt=1, description="share of each label that is spread over all classes evenly"
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field(description="update rule")
    learning_rate: float = Field(gt=0, le=10, description="the highest of the schedule")
    schedule: Literal["linear", "cosine", "one_cycle"] = Field(
        description="how the rate falls: over the last share decay; along half a cosine; or along "
        "half cosines up from 1/25 and down to 1/250,000"
    )
    warmup: float = Field(
        ge=0,
        lt=1,
        description="share of the training, its beginning, over which the rate rises: linearly "
        "from 0, in one_cycle along half a cosine",
    )
    decay: float = Field(
        ge=0,
        le=1,
        description="share of the training, its end, over which the rate of linear falls to 0; 0 "
        "for the other schedules",
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
    def _schedule_has_room(self) -> "Training":
        if self.schedule != "linear" and self.decay:
            raise ValueError(
                f"decay: {self.schedule} falls over all steps after the warmup; set decay to 0"
            )
        if self.schedule == "one_cycle" and not self.warmup:
            raise ValueError(
                "warmup: one_cycle rises first; set warmup to the share of the training that it "
                "takes, such as 0.3"
            )
        if self.warmup + self.decay > 1:
            raise ValueError(
                f"warmup: {self.warmup:g} and decay {self.decay:g} are more than the whole training"
            )
        return self

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
        list[Annotated[int, Field(ge=1, le=65_535)]], Field(min_length=1), AfterValidator(unique)
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


Chapters = create_model(
    "Chapters",
    __base__=Block,
    __doc__="Settings of each chapter.",
    **{
        name: import_module(f"depthlens.chapters.{name}.settings").SETTINGS
        for name in ("difficulty", *CHAPTERS)
    },
)


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
        for chapter in CHAPTERS:
            named = getattr(self.chapters, chapter).datasets_named()
            for key, name in ((key, name) for key, names in named.items() for name in names):
                if name not in self.datasets:
                    raise ValueError(
                        f"chapters.{chapter}.{key}: {name!r} is not in the block "
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
    **{f"chapters.{name}": field.annotation for name, field in Chapters.model_fields.items()},
}

_DATASETS = Config.model_fields["datasets"].annotation
_MODELS = Config.model_fields["models"].annotation
_STEPS = Training.model_fields["augmentation"].annotation
_STEPS_BY_NAME = {"random_crop": RandomCrop, "horizontal_flip": HorizontalFlip}
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


def check_blocks(names: Sequence[str], values: Any) -> dict:
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
        tag, tags = fault["ctx"]["tag"], fault["ctx"]["expected_tags"]
        kind = fault["ctx"]["discriminator"].strip("'")
        hint = closest(tag, [known.strip("'") for known in tags.split(", ")])
        return f"{key}.{kind}: unknown {kind} {tag!r}{hint}"
    if fault["type"] == "union_tag_not_found":
        kind = fault["ctx"]["discriminator"].strip("'")
        return f"{key}.{kind}: this key is missing"
    if fault["type"] == "model_attributes_type":
        return f"{key}: must be a block of keys and values, not {fault['input']!r}"
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
            block = _STEPS_BY_NAME if block is _STEPS else block
        elif isinstance(block, type) and issubclass(block, BaseModel):
            path.append(str(part))
            siblings = list(block.model_fields)
            field = block.model_fields.get(part)
            block = field.annotation if field else None
        elif block in (_DATASETS, _MODELS):
            path.append(str(part))
            block = Network if block is _MODELS else _DATASETS_BY_SOURCE
        elif block in (_DATASETS_BY_SOURCE, _STEPS_BY_NAME):
            block = block.get(part)
    return path, siblings
