"""The block `figures` of config.yaml."""

from pydantic import Field

from depthlens.blocks import Block


class Figures(Block):
    """How figures look."""

    gallery_images: int = Field(ge=4, le=200, description="images in each gallery")
    confidence_level: float = Field(gt=0, lt=1, description="of every interval drawn")
    dpi: int = Field(ge=50, le=600, description="dots per inch of the PNG files")
