"""config.yaml as a whole: its blocks together, what they ask of each other, and every message.

What the keys of a block mean, and their ranges, stands in `settings` of the room that it is about,
such as `knn/settings.py`; here stand the study itself and where checkpoints come from.
`workflow/schemas/config.schema.json` is generated from all of them (`depthlens schema`).
"""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from depthlens import plain_yaml
from depthlens.blocks import Block, Name, Names, Seed, unique
from depthlens.chapters.contents import CHAPTERS
from depthlens.datasets.settings import Dataset, Replicates
from depthlens.errors import ConfigError, closest
from depthlens.figures.settings import Figures
from depthlens.knn.settings import KNN
from depthlens.models.settings import Network
from depthlens.probes.settings import Activations, Recording
from depthlens.scores.settings import Scores
from depthlens.training.settings import Convergence, Training


class Study(Block):
    """Which datasets × models × seeds are studied."""

    datasets: Names = Field(description="names from the block datasets")
    models: Names = Field(description="names from the block models")
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


class Checkpoints(Block):
    """Where trained networks come from."""

    source: Literal["train", "pull"] = Field(
        description="train them here, or let DVC pull those that others trained"
    )


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
_DATASETS_BY_SOURCE = {
    get_args(model.model_fields["source"].annotation)[0]: model
    for model in get_args(get_args(Dataset)[0])
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
