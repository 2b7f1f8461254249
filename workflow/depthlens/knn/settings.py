"""The block `knn` of config.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from depthlens.blocks import Block, Device, unique


class KNN(Block):
    """The k-nearest-neighbour classifier on each probe."""

    n_neighbors: int = Field(ge=1, le=65_535, description="k: neighbours that vote")
    metric: Literal["euclidean", "cosine"] = Field(description="distance between activations")
    sensitivity: Annotated[
        list[Annotated[int, Field(ge=1, le=65_535)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(description="other k whose depths are computed in the same pass")
    memory: float = Field(gt=0, le=100_000, description="working memory of a job, GB")
    shards: int = Field(ge=1, le=1000, description="jobs that share the references of a probe")
    device: Device
