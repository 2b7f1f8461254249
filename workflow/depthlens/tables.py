"""Every table of the study is read and written here: Parquet, whole or not at all.

A file is written under a temporary name in its own folder and renamed into place when it is
complete, so that whoever finds it finds all of it. The metadata key `depthlens` holds one JSON
string: what made the file, from which config and inputs.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from depthlens.errors import ArtifactError

if TYPE_CHECKING:  # importing it takes longer than reading a table
    import pandas as pd

METADATA_KEY = b"depthlens"
_ROW_GROUP_BYTES = 32 * 2**20


class Images(NamedTuple):
    """A split of a dataset in memory."""

    example_id: NDArray[np.int32]
    """shape (n_examples,), ascending"""
    images: NDArray[np.uint8]
    """shape (n_examples, channels, height, width)"""
    labels: NDArray[np.integer]
    """shape (n_examples,), index into `classes`, of their `class_type`"""
    classes: list[str]
    factors: dict[str, NDArray[np.float32]]
    """one array of shape (n_examples,) a factor that describes the image"""
    files: list[str] | None = None
    """of each image the path below its folder, where images are files"""


def class_type(n_classes: int) -> np.dtype[np.signedinteger]:
    """The type of the numbers of classes, 0 … n_classes - 1: int16, wider where it must be."""
    return np.promote_types(np.int16, np.min_scalar_type(-n_classes))


def describe(made_by: str, config: object, inputs: Mapping[str, Path | str]) -> dict[str, object]:
    """Metadata of an artifact: the stage, its config block and the SHA-256 of what it read."""
    return {
        "made_by": made_by,
        "config": config,
        "inputs": {
            name: {"path": str(path), "sha256": sha256(path)} for name, path in inputs.items()
        },
    }


def sha256(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises
    ------
    ArtifactError
        If there is no such file.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; run the rule that makes it") from None


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path that becomes `path` if the block ends well and vanishes if it does not.

    The name is the same every time: what a killed process left is overwritten by the next.

    Raises
    ------
    ArtifactError
        If the disk is full, read-only or otherwise refuses.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:  # a full or read-only disk, a folder in the way
        reason = error.strerror or str(error).splitlines()[0]
        raise ArtifactError(f"{path}: cannot be written ({reason}); nothing was kept") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def check_writable(path: Path | str) -> None:
    """Raise before any work what `replacing` would raise after it; nothing is left behind.

    Raises
    ------
    ArtifactError
        If no file can be made in the folder, or in the last of those on its way that is there.
    """
    folder = Path(path)
    if not folder.is_dir():
        folder = folder.parent
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be written ({folder}: {error.strerror}); name another place"
        ) from None


def write_text(path: Path | str, text: str) -> None:
    """Write a small text file whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: object) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file of the study.

    Raises
    ------
    ArtifactError
        If it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; run the rule that makes it") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # not UTF-8, or not JSON
        raise ArtifactError(f"{path}: not JSON ({error}); delete it and run again") from None


@contextlib.contextmanager
def writer(
    path: Path | str, schema: pa.Schema, metadata: Mapping[str, object]
) -> Iterator[pq.ParquetWriter]:
    """A Parquet file that is written batch by batch and appears only when it is whole.

    Parameters
    ----------
    path : path
    schema : pyarrow.Schema
        Columns. Lists of floats are stored plainly: they neither repeat nor compress well.
    metadata : mapping
        JSON-ready, stored under the key `depthlens`; see `describe`.
    """
    schema = schema.with_metadata(
        {METADATA_KEY: json.dumps(metadata, sort_keys=True, ensure_ascii=False)}
    )
    lists = [field.type.value_type for field in schema if pa.types.is_fixed_size_list(field.type)]
    plain = any(pa.types.is_floating(value) for value in lists)
    with replacing(path) as partial:
        parquet = pq.ParquetWriter(
            partial,
            schema,
            compression="none" if plain else "zstd",
            use_dictionary=False,
            write_statistics=not plain,
            write_page_checksum=True,
            store_schema=True,
        )
        with parquet:
            yield parquet


def write(path: Path | str, columns: Mapping[str, object], metadata: Mapping[str, object]) -> None:
    """Write a table that fits in memory, but for columns that are made while they are written.

    Parameters
    ----------
    path : path
    columns : mapping of name to array or function
        Arrays of shape (n_rows,), or (n_rows, width), which become a `fixed_size_list` column; or
        functions that make such an array of a slice of the rows. At least one is no function.
    metadata : mapping
        See `writer`.
    """
    known = {name: _column(values) for name, values in columns.items() if not callable(values)}
    makers = {name: make for name, make in columns.items() if callable(make)}
    n_rows = len(next(iter(known.values())))

    def rows(start: int, stop: int) -> pa.Table:
        arrays = {
            name: known[name][start:stop]
            if name in known
            else _column(makers[name](slice(start, stop)))
            for name in columns
        }
        fields = [
            pa.field(name, array.type, nullable=not pa.types.is_fixed_size_list(array.type))
            for name, array in arrays.items()
        ]
        return pa.table(list(arrays.values()), schema=pa.schema(fields))

    first = rows(0, 1)
    made = sum(first[name].nbytes for name in makers)
    n_bytes = made * n_rows + sum(array.nbytes for array in known.values())
    step = rows_per_group(n_bytes, n_rows)
    with writer(path, first.schema, metadata) as parquet:
        for start in range(0, max(1, n_rows), step):
            parquet.write_table(rows(start, start + step), row_group_size=step)


def write_frame(path: Path | str, frame: "pd.DataFrame", metadata: Mapping[str, object]) -> None:
    """Write a DataFrame of numbers, texts and arrays of one width a column; see `write`."""
    write(path, {name: _values(frame[name]) for name in frame}, metadata)


def _values(column: "pd.Series") -> NDArray[Any]:
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return values
    if len(values) and isinstance(values[0], np.ndarray):
        return np.stack(values)
    return np.array(values, object)


def rows_per_group(n_bytes: int, n_rows: int) -> int:
    """Rows of a row group of about 32 MiB: what a reader holds in memory at a time."""
    return max(1, _ROW_GROUP_BYTES // max(1, n_bytes // max(1, n_rows)))


def fixed_size_list(values: NDArray[Any]) -> pa.FixedSizeListArray:
    """An Arrow column of equally long lists from an array of shape (n_rows, width)."""
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=_list_type(values))


def fixed_size_list_field(name: str, values: NDArray[Any]) -> pa.Field:
    """The field of a column that `fixed_size_list` makes."""
    return pa.field(name, _list_type(values), nullable=False)


def matrix(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """The array of shape (n_rows, width) behind a `fixed_size_list` column."""
    width = column.type.list_size
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
    dtype = column.type.value_type.to_pandas_dtype()
    return (np.concatenate(parts) if parts else np.empty(0, dtype)).reshape(-1, width)


def open_table(path: Path | str, columns: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a table of the study after checking that it is one.

    Raises
    ------
    ArtifactError
        If the file is missing, truncated, not Parquet, not made by depthlens, or lacks a column.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; run the rule that makes it") from None
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(
            f"{path}: not a whole Parquet file ({reason}); delete it and run again"
        ) from None
    if METADATA_KEY not in (file.schema_arrow.metadata or {}):
        raise ArtifactError(
            f"{path}: a Parquet file, but not made by depthlens (no 'depthlens' metadata); "
            "move it away and run again"
        )
    if missing := [name for name in columns if name not in file.schema_arrow.names]:
        raise ArtifactError(
            f"{path}: has no column {', '.join(missing)} (it has "
            f"{', '.join(file.schema_arrow.names)}); delete it and run again"
        )
    return file


def read(path: Path | str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table of the study whole; raises as `open_table` does."""
    file = open_table(path, columns or ())
    try:
        return file.read(columns=list(columns) if columns else None)
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(
            f"{path}: damaged ({str(error).splitlines()[0]}); delete it and run again"
        ) from None


class Rows:
    """Rows of a `fixed_size_list` column, read piece by piece.

    Parameters
    ----------
    path : path
    column : str

    Raises
    ------
    ArtifactError
        As `open_table` does, and if a piece cannot be read.
    """

    def __init__(self, path: Path | str, column: str):
        self.source, self.column = str(path), column
        self._file = open_table(path, ("example_id", column))
        groups = self._file.metadata
        sizes = [groups.row_group(group).num_rows for group in range(groups.num_row_groups)]
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self.dims: int = self._file.schema_arrow.field(column).type.list_size
        # The row group of the last piece: the next one may well be in it.
        self._kept: tuple[int, NDArray[Any]] | None = None
        self.ids: NDArray[np.int64] = self._read(None, "example_id").to_numpy().astype(np.int64)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows from `start` to the end of their row group or to `stop`, as they are stored.

        Row group by row group: Arrow's own batches keep many groups in memory, and are slower.

        Returns
        -------
        array, shape (1 … stop - start, dims)
        """
        group = int(np.searchsorted(self._ends, start, side="right"))
        if self._kept is None or self._kept[0] != group:
            self._kept = None  # two groups need not be held
            self._kept = group, matrix(self._read(group, self.column))
        first = int(self._ends[group]) - len(self._kept[1])
        return self._kept[1][start - first : stop - first]

    def _read(self, group: int | None, column: str) -> pa.ChunkedArray:
        try:
            if group is None:
                return self._file.read(columns=[column])[column]
            return self._file.read_row_group(group, columns=[column])[column]
        except (pa.ArrowInvalid, OSError) as error:
            raise ArtifactError(
                f"{self.source}: damaged ({str(error).splitlines()[0]}); delete it and run again"
            ) from None


def metadata(path: Path | str) -> dict[str, Any]:
    """What made a table, from which config and inputs; raises as `open_table` does."""
    return json.loads(open_table(path).schema_arrow.metadata[METADATA_KEY])


def write_images(path: Path | str, split: Images, metadata: Mapping[str, object]) -> None:
    """Write a split of a dataset; `shape` and `classes` are added to the metadata."""
    write(
        path,
        {
            "example_id": split.example_id,
            "label": split.labels,
            "image": split.images.reshape(len(split.images), int(np.prod(split.images.shape[1:]))),
            **split.factors,
            **({"file": np.array(split.files, object)} if split.files is not None else {}),
        },
        {**metadata, "shape": list(split.images.shape[1:]), "classes": split.classes},
    )


def read_images(path: Path | str) -> Images:
    """Read a split of a dataset; raises as `open_table` does."""
    table = read(path)
    about = json.loads(table.schema.metadata[METADATA_KEY])
    if missing := [c for c in ("example_id", "label", "image") if c not in table.column_names] + [
        k for k in ("shape", "classes") if k not in about
    ]:
        raise ArtifactError(f"{path}: not a table of images, it lacks {', '.join(missing)}")
    described = [name for name in table.column_names[3:] if name != "file"]
    return Images(
        example_id=table["example_id"].to_numpy(),
        images=matrix(table["image"]).reshape(-1, *about["shape"]),
        labels=table["label"].to_numpy(),
        classes=about["classes"],
        factors={name: table[name].to_numpy() for name in described},
        files=table["file"].to_pylist() if "file" in table.column_names else None,
    )


def _list_type(values: NDArray[Any]) -> pa.DataType:
    # Values that cannot be missing are read and written half as fast again, or faster.
    element = pa.field("element", pa.from_numpy_dtype(values.dtype), nullable=False)
    return pa.list_(element, values.shape[1])


def _column(values: object) -> pa.Array:
    values = values if isinstance(values, np.ndarray) else np.asarray(values)
    if values.ndim == 2:
        return fixed_size_list(values)
    return pa.array(values.tolist()) if values.dtype == object else pa.array(values)
