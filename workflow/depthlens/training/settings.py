"""The blocks `training` and `convergence` of config.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from depthlens.blocks import Block, Device


class RandomCrop(Block):
    """A window of the old size, anywhere in the image with black pixels around it."""

    name: Literal["random_crop"]
    padding: int = Field(ge=1, le=2048, description="black pixels on each side")


class HorizontalFlip(Block):
    """Left and right change places, with probability 1/2."""

    name: Literal["horizontal_flip"]


Augmentation = Annotated[RandomCrop | HorizontalFlip, Field(discriminator="name")]


class Training(Block):
    """How every network is trained: cross-entropy, shuffled each epoch."""

    epochs: int = Field(ge=1, le=10_000, description="passes over the training images")
    batch_size: int = Field(ge=2, le=65_536, description="examples a step")
    augmentation: list[Augmentation] = Field(
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
    device: Device
    threads: int = Field(
        ge=1, le=1024, description="CPU threads; the last bits of the weights depend on them"
    )
    snapshots: int = Field(
        ge=0,
        le=1000,
        description="states of the network kept along the way, for the variance of gradients",
    )

    @model_validator(mode="after")
    def _no_share_is_ignored(self) -> "Training":
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


class Convergence(Block):
    """When a network has learned enough for its difficulties to mean something."""

    min_train_accuracy: float = Field(
        ge=0, le=1, description="share of the training images it must get right"
    )
    allow_unconverged: bool = Field(
        description="compute depth all the same; every figure then says so"
    )
