"""A small copy of a difficulty card, to be given away."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from depthlens import tables
from depthlens.errors import StudyError

log = logging.getLogger(__name__)

_MANTISSA = 23  # bits of a float32 behind its leading one


def run(*, card: Path, output: Path, bits: int) -> None:
    """Write the columns of a card with fewer significant bits, so that they compress.

    Parameters
    ----------
    card, output : path
    bits : int
        Significant bits that are kept of each float32, 2 … 24: 8 are off by 0.2 % at most. Range,
        infinities and NaN stay.

    Raises
    ------
    StudyError
        If `bits` is out of range, or the copy would replace the card.
    """
    if not 2 <= bits <= _MANTISSA + 1:
        raise StudyError(f"--bits: between 2 and {_MANTISSA + 1}, not {bits}")
    if output.resolve() == card.resolve():
        raise StudyError(f"{output}: is the card itself; name another file")
    table = tables.read(card)
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    for name in floats:
        values = rounded(table[name].to_numpy(), bits)
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    with tables.replacing(output) as partial:
        pq.write_table(
            table,
            partial,
            compression="zstd",
            compression_level=19,
            use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],
            column_encoding={
                # Bytes of one significance side by side: those that were cleared take no room.
                **dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
                **{f.name: "DELTA_BINARY_PACKED" for f in table.schema if _is_int(f.type)},
            },
            write_statistics=False,
        )
    log.info("%s: %d images, %d bytes", output, len(table), output.stat().st_size)


def _is_int(kind: pa.DataType) -> bool:
    return pa.types.is_int16(kind) or pa.types.is_int32(kind)


def rounded(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """The nearest numbers with so many significant bits; infinities and NaN stay."""
    values = np.ascontiguousarray(values, np.float32)
    spare = _MANTISSA + 1 - bits
    half = np.uint32((1 << spare) >> 1)
    near = ((values.view(np.uint32) + half) & ~np.uint32((1 << spare) - 1)).view(np.float32)
    return np.where(np.isfinite(values), near, values)
