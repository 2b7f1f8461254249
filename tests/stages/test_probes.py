"""The table of probes."""

import pyarrow as pa

from depthlens import tables


def test_the_table_of_a_resnet_at_32_pixels(tiny_run):
    table = tables.read(tiny_run.folder / "probes.parquet")
    assert table.column_names == [
        "index", "name", "kind", "shape", "dims", "parameters", "receptive_field", "duplicate_of",
    ]  # fmt: skip
    rows = {row["name"]: row for row in table.to_pylist()}
    assert [row["index"] for row in rows.values()] == list(range(11))
    assert rows["00-input"]["shape"] == "1×32×32"
    assert rows["00-input"]["kind"] == "input"
    assert rows["06-layer2"] == {
        "index": 6,
        "name": "06-layer2",
        "kind": "module",
        "shape": "32×4×4",
        "dims": 512,
        # two blocks: 16 → 32 with a shortcut of 1×1, then 32 → 32
        "parameters": 32 * 9 * (16 + 3 * 32) + 16 * 32 + 5 * 2 * 32,
        "receptive_field": 99,
        "duplicate_of": None,
    }
    assert rows["09-avgpool"]["duplicate_of"] == "08-layer4"
    assert [row["name"] for row in rows.values() if row["duplicate_of"]] == ["09-avgpool"]
    assert rows["10-fc"]["receptive_field"] is None
    assert rows["10-fc"]["dims"] == 6
    assert pa.types.is_integer(table.schema.field("receptive_field").type)


def test_sizes_are_those_of_the_activations(tiny_run):
    table = tables.read(tiny_run.folder / "probes.parquet")
    for row in table.to_pylist():
        file = tables.open_table(tiny_run.activations("train", row["name"]))
        assert file.schema_arrow.field("activation").type.list_size == row["dims"]
