"""The blocks `training` and `convergence` of config.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from depthlens.blocks import Block, Device


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
