"""The block `activations` of config.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from depthlens.blocks import Block, Device


class Recording(Block):
    """The forward pass that records every probe."""

    probes: Literal["children", "blocks"] | Annotated[list[str], Field(min_length=1)] = Field(
        description="children, blocks, or a list of module names: * stands for anything within one "
        "dotted part; :mean, :channels_last_mean or :class_token behind a name keep a part"
    )
    dtype: Literal["float16", "float32"] = Field(description="of the stored activations")
    batch_size: int = Field(ge=1, le=65_536, description="images a forward pass")
    device: Device


class Activations(Recording):
    """The forward pass that records every probe, and what becomes of its files."""

    keep: bool = Field(
        description="keep them after use: gigabytes, but another k needs no new forward pass"
    )
