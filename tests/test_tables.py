"""One writer of tables: whole or not at all, and what is read is what was written."""

import errno
import hashlib
import json
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from depthlens import tables
from depthlens.errors import ArtifactError

ABOUT = {"made_by": "a test"}


def images(n: int = 7) -> tables.Images:
    generator = np.random.default_rng(0)
    return tables.Images(
        example_id=np.arange(n, dtype=np.int32),
        images=generator.integers(0, 256, (n, 3, 4, 5), dtype=np.uint8),
        labels=(np.arange(n) % 2).astype(np.int16),
        classes=["kreis", "größe"],
        factors={"size": generator.random(n, dtype=np.float32)},
    )


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_columns_come_back_with_their_values_and_types(tmp_path):
    columns = {
        "example_id": np.arange(5, dtype=np.int32),
        "votes": np.arange(10, dtype=np.uint16).reshape(5, 2),
        "half": np.linspace(0, 1, 15, dtype=np.float16).reshape(5, 3),
        "correct": np.array([True, False, True, True, False]),
        "name": np.array(["a", None, "c", "", "é"], object),
    }
    tables.write(tmp_path / "deep/er/t.parquet", columns, ABOUT)
    table = tables.read(tmp_path / "deep/er/t.parquet")
    assert table.column_names == list(columns)
    assert table.schema.field("votes").type == pa.list_(
        pa.field("element", pa.uint16(), nullable=False), 2
    )
    assert table.schema.field("half").type == pa.list_(
        pa.field("element", pa.float16(), nullable=False), 3
    )
    np.testing.assert_array_equal(tables.matrix(table["votes"]), columns["votes"])
    np.testing.assert_array_equal(tables.matrix(table["half"]), columns["half"])
    assert tables.matrix(table["half"]).dtype == np.float16
    assert table["name"].to_pylist() == columns["name"].tolist()
    assert table["correct"].to_pylist() == columns["correct"].tolist()


@st.composite
def stored(draw):
    """Values of a column, and how many rows a row group has."""
    values = draw(
        arrays.arrays(
            st.sampled_from([np.float16, np.float32, np.uint8, np.int16]),
            st.tuples(st.integers(1, 30), st.integers(1, 9)),
        )
    )
    return values, draw(st.integers(1, 40))


def write_in_groups(path, values, rows_per_group):
    columns = {
        "example_id": pa.array(np.arange(len(values), dtype=np.int32) * 2 + 3),
        "activation": tables.fixed_size_list(values),
    }
    table = pa.table(columns)
    with tables.writer(path, table.schema, ABOUT) as parquet:
        parquet.write_table(table, row_group_size=rows_per_group)


@settings(deadline=None)  # the time is that of a disk
@given(stored(), st.data())
def test_rows_are_those_asked_for_up_to_the_end_of_their_row_group(tmp_path_factory, case, data):
    values, group = case
    path = tmp_path_factory.mktemp("t") / "t.parquet"
    write_in_groups(path, values, group)
    rows = tables.Rows(path, "activation")
    assert rows.dims == values.shape[1]
    assert rows.source == str(path)
    assert rows.ids.dtype == np.int64
    np.testing.assert_array_equal(rows.ids, np.arange(len(values)) * 2 + 3)
    for _ in range(5):  # forwards and backwards
        start = data.draw(st.integers(0, len(values) - 1))
        stop = data.draw(st.integers(start + 1, len(values)))
        piece = rows.read(start, stop)
        assert piece.dtype == values.dtype
        end = min(stop, (start // group + 1) * group)
        np.testing.assert_array_equal(piece, values[start:end])


@settings(deadline=None)  # the time is that of a disk
@given(stored(), st.integers(1, 40))
def test_a_table_read_piece_by_piece_is_the_table(tmp_path_factory, case, at_once):
    values, group = case
    path = tmp_path_factory.mktemp("t") / "t.parquet"
    write_in_groups(path, values, group)
    rows, pieces, start = tables.Rows(path, "activation"), [], 0
    while start < len(values):
        pieces.append(rows.read(start, min(start + at_once, len(values))))
        start += len(pieces[-1])
    np.testing.assert_array_equal(np.concatenate(pieces), values)


def test_a_table_without_rows_has_no_ids(tmp_path):
    columns = {"example_id": np.empty(0, np.int32), "activation": np.empty((0, 4), np.float32)}
    tables.write(tmp_path / "t.parquet", columns, ABOUT)
    rows = tables.Rows(tmp_path / "t.parquet", "activation")
    assert rows.ids.shape == (0,)
    assert rows.dims == 4


def test_rows_of_a_column_that_is_missing_are_refused(tmp_path):
    tables.write(tmp_path / "t.parquet", {"example_id": np.arange(3)}, ABOUT)
    with pytest.raises(ArtifactError, match=r"t\.parquet: has no column activation"):
        tables.Rows(tmp_path / "t.parquet", "activation")
    with pytest.raises(ArtifactError, match=r"none\.parquet: no such file"):
        tables.Rows(tmp_path / "none.parquet", "activation")


def test_matrix_of_a_table_of_several_chunks_is_in_order():
    values = np.arange(24, dtype=np.float32).reshape(8, 3)
    column = pa.chunked_array(
        [tables.fixed_size_list(values[:5]), tables.fixed_size_list(values[5:])]
    )
    np.testing.assert_array_equal(tables.matrix(column), values)
    np.testing.assert_array_equal(tables.matrix(column.slice(2, 4)), values[2:6])


def test_a_column_major_array_is_stored_by_rows(tmp_path):
    values = np.asfortranarray(np.arange(12, dtype=np.int16).reshape(4, 3))
    tables.write(tmp_path / "t.parquet", {"v": values}, ABOUT)
    np.testing.assert_array_equal(tables.matrix(tables.read(tmp_path / "t.parquet")["v"]), values)


def test_metadata_is_one_json_string_under_our_key(tmp_path):
    tables.write(tmp_path / "t.parquet", {"a": np.arange(3)}, {"b": [1, "ü"], "a": None})
    raw = pq.read_schema(tmp_path / "t.parquet").metadata[b"depthlens"]
    assert raw.decode() == '{"a": null, "b": [1, "ü"]}'
    assert tables.metadata(tmp_path / "t.parquet") == {"a": None, "b": [1, "ü"]}


def test_equal_tables_are_equal_bytes(tmp_path):
    for name in ("one", "two"):
        tables.write_images(tmp_path / name, images(), ABOUT)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_a_column_that_is_made_while_it_is_written_is_the_same_bytes(tmp_path, monkeypatch, n):
    monkeypatch.setattr(tables, "_ROW_GROUP_BYTES", 5000)
    votes, asked = np.arange(n * 7, dtype=np.uint16).reshape(n, 7), []

    def make(some):
        asked.append(len(votes[some]))
        return votes[some]

    for name, column in (("whole", votes), ("made", make)):
        columns = {"example_id": np.arange(n, dtype=np.int32), "votes": column}
        tables.write(tmp_path / name, columns, ABOUT)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "made").read_bytes()
    assert max(asked) <= 5000 // (7 * 2 + 4)


def test_describe_records_the_digest_of_every_input(tmp_path):
    (tmp_path / "in").write_bytes(b"abc")
    about = tables.describe("train", {"k": 1}, {"train": tmp_path / "in"})
    assert about["made_by"] == "train"
    assert about["config"] == {"k": 1}
    expected = hashlib.sha256(b"abc").hexdigest()
    assert about["inputs"]["train"] == {"path": str(tmp_path / "in"), "sha256": expected}


def test_images_come_back_as_they_were(tmp_path):
    split = images()
    tables.write_images(tmp_path / "images.parquet", split, ABOUT)
    back = tables.read_images(tmp_path / "images.parquet")
    for name in ("example_id", "images", "labels"):
        np.testing.assert_array_equal(getattr(back, name), getattr(split, name))
        assert getattr(back, name).dtype == getattr(split, name).dtype
    assert back.classes == split.classes
    np.testing.assert_array_equal(back.factors["size"], split.factors["size"])


def test_images_are_stored_channel_first_as_the_contract_says(tmp_path):
    split = images()
    tables.write_images(tmp_path / "images.parquet", split, ABOUT)
    table = pq.read_table(tmp_path / "images.parquet")
    assert table.column_names == ["example_id", "label", "image", "size"]
    assert table.schema.field("image").type == pa.list_(
        pa.field("element", pa.uint8(), nullable=False), 60
    )
    assert table.schema.field("example_id").type == pa.int32()
    assert table.schema.field("label").type == pa.int16()
    assert table["image"][2].as_py()[20:25] == split.images[2, 1, 0].tolist()
    about = json.loads(table.schema.metadata[b"depthlens"])
    assert about["shape"] == [3, 4, 5]
    assert about["classes"] == ["kreis", "größe"]


def test_a_table_of_ours_without_images_is_no_table_of_images(tmp_path):
    tables.write(tmp_path / "t.parquet", {"example_id": np.arange(3)}, ABOUT)
    with pytest.raises(ArtifactError, match=r"t\.parquet: not a table of images.*label, image"):
        tables.read_images(tmp_path / "t.parquet")


def test_a_missing_file_is_named(tmp_path):
    for reader in (tables.read, tables.open_table, tables.metadata, tables.sha256):
        with pytest.raises(ArtifactError, match=r"none\.parquet: no such file"):
            reader(tmp_path / "none.parquet")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, kept):
    path = tmp_path / "images.parquet"
    tables.write_images(path, images(200), ABOUT)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ArtifactError, match=r"images\.parquet: not a whole Parquet file"):
        tables.read_images(path)


def test_a_file_with_a_hole_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables.write(path, {"label": np.arange(5000), "example_id": np.arange(5000)}, ABOUT)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(ArtifactError, match=r"t\.parquet: damaged"):
        tables.read(path)


def test_a_foreign_parquet_file_is_named(tmp_path):
    pd.DataFrame({"example_id": [0], "activation": [1.0]}).to_parquet(tmp_path / "f.parquet")
    with pytest.raises(ArtifactError, match=r"f\.parquet: .*not made by depthlens"):
        tables.read(tmp_path / "f.parquet")


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "f.parquet").write_text("example_id,label\n0,1\n" * 50)
    with pytest.raises(ArtifactError, match=r"f\.parquet: not a whole Parquet file"):
        tables.read(tmp_path / "f.parquet")


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    tables.write(tmp_path / "t.parquet", {"example_id": np.arange(3)}, ABOUT)
    with pytest.raises(ArtifactError, match=r"has no column label .*it has example_id"):
        tables.read(tmp_path / "t.parquet", ["example_id", "label"])


def test_only_the_asked_columns_are_read(tmp_path):
    tables.write(tmp_path / "t.parquet", {"a": np.arange(3), "b": np.arange(3)}, ABOUT)
    assert tables.read(tmp_path / "t.parquet", ["b"]).column_names == ["b"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_write_that_is_broken_off_leaves_nothing(tmp_path, error):
    schema = pa.schema([("a", pa.int64())])
    with pytest.raises(type(error)), tables.writer(tmp_path / "t.parquet", schema, ABOUT) as file:
        file.write_table(pa.table({"a": [1, 2]}))
        raise error
    assert names_in(tmp_path) == []


def test_a_write_that_is_broken_off_leaves_the_old_file(tmp_path):
    tables.write(tmp_path / "t.parquet", {"a": np.arange(3)}, ABOUT)
    before = (tmp_path / "t.parquet").read_bytes()
    with pytest.raises(KeyboardInterrupt), tables.replacing(tmp_path / "t.parquet") as partial:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "t.parquet").read_bytes() == before
    assert names_in(tmp_path) == ["t.parquet"]


def test_nobody_sees_a_file_before_it_is_whole(tmp_path):
    with tables.replacing(tmp_path / "t.txt") as partial:
        partial.write_text("half")
        assert not (tmp_path / "t.txt").exists()
        assert partial.parent == tmp_path  # a rename within one folder is one step
    assert (tmp_path / "t.txt").read_text() == "half"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_refuses_is_one_clear_error_and_leaves_nothing(tmp_path, number):
    with (
        pytest.raises(ArtifactError) as caught,
        tables.replacing(tmp_path / "t.parquet") as partial,
    ):
        partial.write_bytes(b"half")
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == (
        f"{tmp_path / 't.parquet'}: cannot be written ({os.strerror(number)}); nothing was kept"
    )
    assert names_in(tmp_path) == []


def test_a_folder_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "t.parquet").mkdir()
    with pytest.raises(ArtifactError, match="cannot be written"):
        tables.write(tmp_path / "t.parquet", {"a": np.arange(3)}, ABOUT)
    assert names_in(tmp_path) == ["t.parquet"]


def test_a_file_where_a_folder_should_be_is_one_clear_error(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(ArtifactError, match=r"results/run/t\.parquet: cannot be written"):
        tables.write(tmp_path / "results/run/t.parquet", {"a": np.arange(3)}, ABOUT)


def test_equal_json_values_are_equal_bytes(tmp_path):
    tables.write_json(tmp_path / "one", {"a": 1, "b": "ü"})
    tables.write_json(tmp_path / "two", {"b": "ü", "a": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert tables.read_json(tmp_path / "one") == {"a": 1, "b": "ü"}


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe"])
def test_json_that_is_damaged_is_named(tmp_path, content):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"c\.json: not JSON"):
        tables.read_json(tmp_path / "c.json")


def test_missing_json_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"c\.json: no such file"):
        tables.read_json(tmp_path / "c.json")


@given(width=st.integers(1, 10**6), n_rows=st.integers(0, 10**6))
def test_row_groups_hold_about_32_mib(width, n_rows):
    rows = tables.rows_per_group(width * n_rows, n_rows)
    assert rows >= 1
    if n_rows and rows > 1:
        assert 16 * 2**20 < rows * width <= 32 * 2**20


def test_a_large_table_has_several_row_groups(tmp_path):
    values = np.zeros((3000, 4096), np.float32)
    tables.write(tmp_path / "t.parquet", {"v": values}, ABOUT)
    groups = pq.ParquetFile(tmp_path / "t.parquet").metadata.num_row_groups
    assert groups == 2


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / "t.parquet"
    values = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    tables.write(path, {"example_id": np.arange(50, dtype=np.int32), "activation": values}, ABOUT)
    content = bytearray(path.read_bytes())
    content[content.index(values[20].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"t\.parquet: damaged .*delete it and run again"):
        tables.read(path)
    with pytest.raises(ArtifactError, match=r"t\.parquet: damaged"):
        tables.Rows(path, "activation").read(0, 10)


def test_ids_that_are_damaged_are_found(tmp_path):
    path = tmp_path / "t.parquet"
    values = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    ids = np.random.default_rng(1).permutation(10**6)[:50].astype(np.int32)
    tables.write(path, {"example_id": ids, "activation": values}, ABOUT)
    content = bytearray(path.read_bytes())
    content[content.index(ids[20].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"t\.parquet: damaged .*delete it and run again"):
        tables.Rows(path, "activation")
