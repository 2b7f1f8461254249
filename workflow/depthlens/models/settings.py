"""The networks in the block `models` of config.yaml."""

from typing import Annotated

from pydantic import Field, model_validator

from depthlens.blocks import Architecture, Block, Channels, FilePath


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
    channels: Channels = Field(
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
