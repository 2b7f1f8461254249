"""One forward pass: a table a probe, and the network's own answer."""

import itertools
import json
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from depthlens import tables
from depthlens.errors import StudyError
from depthlens.models import checkpoints
from depthlens.probes.plan import Probe
from depthlens.probes.record import check_finite
from depthlens.stages import activations

WIDTHS = {
    "00-input": 1 * 32 * 32,
    "01-conv1": 16 * 16 * 16,
    "02-bn1": 16 * 16 * 16,
    "03-relu": 16 * 16 * 16,
    "04-maxpool": 16 * 8 * 8,
    "05-layer1": 16 * 8 * 8,
    "06-layer2": 32 * 4 * 4,
    "07-layer3": 64 * 2 * 2,
    "08-layer4": 128,
    "09-avgpool": 128,
    "10-fc": 6,
}


def run(run_, folder, blocks, split="test", **changed):
    activations.run(
        images=run_.images(split),
        checkpoint=run_.checkpoint,
        output=folder / "activations",
        predictions=folder / "predictions.parquet",
        cfg={"activations": blocks["activations"] | changed, "model": blocks["model"]},
    )


def test_other_probes_than_the_workflow_waits_for_are_refused_before_any_work(
    tiny_run, blocks, tmp_path
):
    how = {
        "images": tiny_run.images("test"),
        "checkpoint": tiny_run.checkpoint,
        "output": tmp_path / "activations",
        "predictions": tmp_path / "predictions.parquet",
        "cfg": {"activations": blocks["activations"], "model": blocks["model"]},
    }
    with pytest.raises(StudyError, match=r"resnet18_narrow runs other .* input_size to \[32, 32\]"):
        activations.run(**how, expect=json.dumps([*WIDTHS, "11-softmax"]))
    assert list(tmp_path.iterdir()) == []
    activations.run(**how, expect=json.dumps(list(WIDTHS)))
    assert {path.stem for path in how["output"].iterdir()} == set(WIDTHS)


def values(path) -> np.ndarray:
    return tables.matrix(tables.read(path)["activation"])


def test_there_is_a_table_for_every_probe_of_both_splits(tiny_run, blocks):
    assert tiny_run.probe_names == list(WIDTHS)
    for split in ("train", "test"):
        n = blocks["dataset"][f"{split}_examples"]
        files = {path.stem for path in tiny_run.activations(split, "").parent.glob("*.parquet")}
        assert files == set(WIDTHS)
        for probe, width in WIDTHS.items():
            file = pq.ParquetFile(tiny_run.activations(split, probe))
            assert file.schema_arrow.names == ["example_id", "activation"]
            assert file.schema_arrow.field("example_id").type == pa.int32()
            assert file.schema_arrow.field("activation").type == pa.list_(
                pa.field("element", pa.float32(), nullable=False), width
            )
            assert file.read()["example_id"].to_pylist() == list(range(n))


def test_the_last_probe_and_the_predictions_are_the_networks_answer(tiny_run):
    test = tables.read_images(tiny_run.images("test"))
    network = checkpoints.load_network(
        tiny_run.checkpoint, architecture="resnet18_narrow", n_classes=6
    )
    with torch.inference_mode():
        logits = network((torch.tensor(test.images) / 255).repeat(1, 3, 1, 1)).double().numpy()
    stored = values(tiny_run.activations("test", "10-fc"))
    np.testing.assert_allclose(stored, logits, rtol=1e-3, atol=1e-4)

    table = tables.read(tiny_run.predictions("test"))
    assert table.column_names == ["example_id", "label", "prediction", "confidence", "logits"]
    np.testing.assert_allclose(tables.matrix(table["logits"]), logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(table["label"], test.labels)
    np.testing.assert_array_equal(table["prediction"], stored.argmax(1))
    share = np.exp(logits - logits.max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    np.testing.assert_allclose(table["confidence"], share.max(1), rtol=1e-3)
    assert table.schema.field("prediction").type == pa.int16()
    assert table.schema.field("confidence").type == pa.float32()
    assert tables.metadata(tiny_run.predictions("test"))["classes"] == test.classes


def test_the_input_is_the_image(tiny_run):
    test = tables.read_images(tiny_run.images("test"))
    stored = values(tiny_run.activations("test", "00-input"))
    np.testing.assert_allclose(stored, test.images.reshape(len(stored), -1) / 255, rtol=1e-6)


def test_a_float16_file_holds_the_float32_values_rounded(tmp_path, tiny_run, blocks):
    run(tiny_run, tmp_path, blocks, dtype="float16")
    for probe, width in WIDTHS.items():
        half = values(tmp_path / f"activations/{probe}.parquet")
        assert half.dtype == np.float16
        full = values(tiny_run.activations("test", probe))
        np.testing.assert_array_equal(half, full.astype(np.float16))
        if width > 1000:
            sizes = [
                path.stat().st_size
                for path in (
                    tmp_path / f"activations/{probe}.parquet",
                    tiny_run.activations("test", probe),
                )
            ]
            assert sizes[0] < 0.6 * sizes[1]
    # The network's own answer does not depend on how activations are stored.
    one = tables.read(tmp_path / "predictions.parquet")
    assert one.equals(tables.read(tiny_run.predictions("test")))


def test_batch_size_changes_no_prediction_and_next_to_nothing_else(tmp_path, tiny_run, blocks):
    run(tiny_run, tmp_path, blocks, batch_size=5)
    one = tables.read(tmp_path / "predictions.parquet")
    other = tables.read(tiny_run.predictions("test"))
    np.testing.assert_array_equal(one["prediction"], other["prediction"])
    for probe in WIDTHS:
        np.testing.assert_allclose(
            values(tmp_path / f"activations/{probe}.parquet"),
            values(tiny_run.activations("test", probe)),
            rtol=1e-3,
            atol=1e-4,
        )


def test_the_same_call_gives_the_same_bytes(tmp_path, tiny_run, blocks):
    run(tiny_run, tmp_path, blocks)
    for probe in WIDTHS:
        again = tmp_path / f"activations/{probe}.parquet"
        assert again.read_bytes() == tiny_run.activations("test", probe).read_bytes()


def test_a_pass_that_is_broken_off_leaves_no_file(tmp_path, tiny_run, blocks, monkeypatch):
    def broken(starts, **_):
        yield from list(starts)[:1]
        raise KeyboardInterrupt

    monkeypatch.setattr(activations, "bar", broken)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_run, tmp_path, blocks)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("batch", [1, 2])
def test_what_goes_wrong_while_writing_is_raised_and_leaves_no_file(
    tmp_path, tiny_run, blocks, monkeypatch, batch
):
    calls, column = itertools.count(1), tables.fixed_size_list

    def broken(values):
        # The last table of the first batch, or of the last, which no other batch follows.
        if next(calls) == batch * len(WIDTHS):
            raise MemoryError
        return column(values)

    monkeypatch.setattr(tables, "fixed_size_list", broken)
    with pytest.raises(MemoryError):
        run(tiny_run, tmp_path, blocks)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_table_has_one_writer_at_a_time_however_slow(tmp_path, tiny_run, blocks, monkeypatch):
    write, busy = activations._write, set()

    def slow_at_first(writer, probe, ids, values):
        assert probe not in busy  # two of them would crash the interpreter
        busy.add(probe)
        if ids[0] == 0:
            time.sleep(0.05)
        write(writer, probe, ids, values)
        busy.remove(probe)

    monkeypatch.setattr(activations, "_write", slow_at_first)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2 * len(WIDTHS))
    run(tiny_run, tmp_path, blocks)
    for probe in WIDTHS:
        slow = tmp_path / f"activations/{probe}.parquet"
        assert slow.read_bytes() == tiny_run.activations("test", probe).read_bytes()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_activation_that_is_not_finite_is_named(dtype, value):
    values = np.zeros((3, 4), dtype)
    values[0] = np.finfo(dtype).max, np.finfo(dtype).min, -0.0, np.finfo(dtype).tiny
    probe, ids = Probe("05-layer1", "module", "layer1"), np.array([7, 8, 9])
    check_finite(values, probe, ids, key="dtype")
    values[1, 2] = value
    with pytest.raises(StudyError, match=f"probe 05-layer1: .* example 8 is not a finite {dtype}"):
        check_finite(values, probe, ids, key="dtype")


def test_an_unknown_module_is_refused_before_anything_is_written(tmp_path, tiny_run, blocks):
    with pytest.raises(StudyError, match="no module 'layer5'"):
        run(tiny_run, tmp_path, blocks, probes=["layer5"])
    assert list(tmp_path.iterdir()) == []
