"""What is searched: activations of a finished run, and points that are made as they are read."""

from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from depthlens import tables

K = 30


class Run(NamedTuple):
    """A run of the study whose activations are there."""

    folder: Path
    dims: dict[str, int]
    """of every probe, in forward order"""

    def path(self, split: str, probe: str) -> Path:
        return self.folder / f"activations/{split}/{probe}.parquet"

    @property
    def labels(self) -> Path:
        return self.folder / "predictions/train.parquet"

    def widest(self, dims: int) -> str:
        """The last probe with so many numbers an example."""
        return [probe for probe, width in self.dims.items() if width == dims][-1]

    def read(self, probe: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Test queries and training references in memory."""
        columns = [
            tables.read(self.path(split, probe), ["activation"])["activation"]
            for split in ("test", "train")
        ]
        queries, references = (tables.matrix(column).astype(np.float32) for column in columns)
        return queries, references


def find(folder: Path, widths: tuple[int, ...]) -> Run:
    """The run in a folder; an error says how to make it."""
    paths = sorted((folder / "activations/train").glob("*.parquet"))
    needed = [folder / f"predictions/{split}.parquet" for split in ("train", "test")]
    dims = {path.stem: pq.read_schema(path).field("activation").type.list_size for path in paths}
    if not set(widths) <= set(dims.values()) or not all(path.exists() for path in needed):
        raise click.ClickException(
            f"{folder}: no activations of {', '.join(map(str, widths))} dims; make them first: "
            f"snakemake {' '.join(map(str, needed))}"
        )
    return Run(folder, dims)


def synthesize(folder: Path, widths: tuple[int, ...], *, n_references: int, n_queries: int) -> Run:
    """A run of the same form from random numbers, to try the measurements on."""
    random = np.random.default_rng(0)
    for split, n_examples in (("train", n_references), ("test", n_queries)):
        label = random.integers(0, 6, n_examples).astype(np.int16)
        ids = np.arange(n_examples, dtype=np.int32)
        about = {"classes": list("abcdef")}
        tables.write(
            folder / f"predictions/{split}.parquet", {"example_id": ids, "label": label}, about
        )
        for index, width in enumerate(widths):
            centres = 3 * random.standard_normal((60, width))
            values = centres[ids % 60] + random.standard_normal((n_examples, width))
            columns = {"example_id": ids, "activation": values.astype(np.float16)}
            tables.write(folder / f"activations/{split}/{index:02}-random.parquet", columns, {})
    return find(folder, widths)


def gaussian(dims: int, *, n_references: int, n_queries: int) -> tuple[NDArray, NDArray]:
    """Queries and references without any structure: all distances are about the same."""
    random = np.random.default_rng(0)
    return tuple(
        random.standard_normal((rows, dims), dtype=np.float32) for rows in (n_queries, n_references)
    )


class Generated:
    """Uniform random points that lie nowhere: the same rows however they are asked for.

    Parameters
    ----------
    rows, dims : int
        Dims must be a multiple of 8: a step of the generator gives eight numbers.
    seed : int
    """

    source = "generated"
    _MOST_BYTES = 2**25

    def __init__(self, rows: int, dims: int, *, seed: int):
        if dims % 8:
            raise ValueError(f"{dims} dims are not a multiple of 8")
        self.ids, self.dims, self.seed = np.arange(rows), dims, seed

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        stop = min(stop, start + max(1, self._MOST_BYTES // (4 * self.dims)))
        bits = np.random.Philox(key=self.seed).advance(start * self.dims // 8)
        return np.random.Generator(bits).random((stop - start, self.dims), dtype=np.float32)
