"""Shapes as a table of images."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from depthlens import tables
from depthlens.datasets import shapes
from depthlens.stages import generate


def test_the_table_holds_the_images_their_classes_and_their_factors(tiny_run, blocks):
    dataset = blocks["dataset"]
    for split in ("train", "test"):
        n = dataset[f"{split}_examples"]
        drawn = shapes.generate(0, n, seed=dataset["seed"], split=split, ranges=dataset["factors"])
        back = tables.read_images(tiny_run.images(split))
        np.testing.assert_array_equal(back.example_id, np.arange(n))
        np.testing.assert_array_equal(back.images, drawn.images)
        np.testing.assert_array_equal(back.labels, drawn.labels)
        assert back.classes == list(shapes.CLASSES)
        assert list(back.factors) == list(shapes.FACTORS)
        for name, values in drawn.factors.items():
            np.testing.assert_array_equal(back.factors[name], values)


def test_the_columns_are_those_that_users_were_promised(tiny_run):
    schema = pq.read_schema(tiny_run.images("train"))
    assert schema.names == ["example_id", "label", "image", *shapes.FACTORS]
    assert schema.field("image").type == pa.list_(
        pa.field("element", pa.uint8(), nullable=False), 32 * 32
    )


def test_the_first_images_of_a_larger_set_are_the_same(tmp_path, tiny_run, blocks):
    more = blocks["dataset"] | {"test_examples": 60}
    generate.run(split="test", output=tmp_path / "t.parquet", cfg=more)
    few, many = (
        tables.read_images(tiny_run.images("test")),
        tables.read_images(tmp_path / "t.parquet"),
    )
    np.testing.assert_array_equal(many.images[: len(few.images)], few.images)


def test_the_same_config_gives_the_same_bytes(tmp_path, tiny_run, blocks):
    generate.run(split="test", output=tmp_path / "t.parquet", cfg=blocks["dataset"])
    assert (tmp_path / "t.parquet").read_bytes() == tiny_run.images("test").read_bytes()
