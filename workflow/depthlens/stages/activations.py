"""One forward pass over a split: every probe's activations, and the network's own answer."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from depthlens import tables
from depthlens.errors import StudyError
from depthlens.models import checkpoints, devices, inputs
from depthlens.probes.plan import Probe, plan
from depthlens.probes.record import Recorder, check_finite
from depthlens.progress import bar

log = logging.getLogger(__name__)

_SAMPLE = 3  # images on which the network is looked at


def run(
    *,
    images: Path,
    checkpoint: Path,
    output: Path,
    predictions: Path,
    cfg: dict,
    expect: str | None = None,
) -> None:
    """Write `{output}/{probe}.parquet` for each probe, and `predictions`.

    Memory holds the images and two batches of activations: it does not grow with the split.

    Parameters
    ----------
    output : path
        Folder of the activations.
    predictions : path
        Columns `example_id`, `label`, `prediction`, `confidence` float32 (softmax of the predicted
        class), `logits` float32 [classes].
    cfg : dict
        Blocks `activations` and `model`.
    expect : str, optional
        Names of the probes that the workflow waits for, as a JSON list.

    Raises
    ------
    StudyError
        If the network has other probes, or one gives what is not finite.
    """
    settings = cfg["activations"]
    devices.make_deterministic()
    device = devices.choose(settings["device"], key="activations.device")
    split = tables.read_images(images)
    network = checkpoints.load_network(
        checkpoint,
        architecture=cfg["model"]["architecture"],
        n_classes=len(split.classes),
        shape=inputs.input_shape(cfg["model"], split.images.shape[1:]),
    ).to(device)
    prepare = inputs.prepare(cfg["model"])
    sample = torch.tensor(split.images[:_SAMPLE], device=device)
    probes = plan(network, settings["probes"], prepare(sample))
    if expect is not None and json.loads(expect) != [probe.name for probe in probes]:
        size = list(split.images.shape[-2:])
        raise StudyError(
            f"models: {cfg['model']['architecture']} runs other modules, or in another order, than "
            f"was known before it met images; set its input_size to {size} and run again"
        )
    about = tables.describe("activations", cfg, {"checkpoint": checkpoint, "images": images})
    dtype = getattr(torch, settings["dtype"])

    answers = []
    starts = range(0, len(split.images), settings["batch_size"])
    with (
        Recorder(network, probes, dtype=dtype, prepare=prepare) as recorder,
        _one_table_each(output, probes, about) as write,
    ):
        for start in bar(starts, label="activations", unit="batch"):
            rows = slice(start, start + settings["batch_size"])
            batch = torch.tensor(split.images[rows], device=device)
            logits, activations = recorder(batch)
            write(
                split.example_id[rows],
                [activation.flatten(1).cpu().numpy() for activation in activations],
            )
            confidence, prediction = logits.softmax(1).max(1)
            answers.append([part.cpu().numpy() for part in (prediction, confidence, logits)])
    prediction, confidence, logits = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    tables.write(
        predictions,
        {
            "example_id": split.example_id,
            "label": split.labels,
            "prediction": prediction.astype(tables.class_type(len(split.classes))),
            "confidence": confidence,
            "logits": logits,
        },
        {**about, "classes": split.classes},
    )
    log.info(
        "%d examples at %d probes: accuracy %.4f",
        len(prediction), len(probes), (prediction == split.labels).mean(),
    )  # fmt: skip


@contextlib.contextmanager
def _one_table_each(
    folder: Path, probes: Sequence[Probe], about: dict
) -> Iterator[Callable[[NDArray, Sequence[NDArray]], None]]:
    """A function that writes one batch of every probe while its caller computes the next.

    It takes ids and activations, and hands them over once the batch before is written: so rows
    stay in order, two batches are in memory, and what went wrong with one is raised at the next.
    """
    writers: list[pq.ParquetWriter] = []
    pending: list[Future] = []

    def finish() -> None:
        for part in pending:
            part.result()
        pending.clear()

    def write(ids: NDArray, values: Sequence[NDArray]) -> None:
        if not writers:  # the first batch tells the sizes
            for probe, value in zip(probes, values, strict=True):
                writers.append(files.enter_context(_writer(folder, probe.name, value, about)))
        finish()
        for probe, writer, value in zip(probes, writers, values, strict=True):
            pending.append(threads.submit(_write, writer, probe, ids, value))

    # Threads end before files do: none may be closed or taken away while it is written to.
    with contextlib.ExitStack() as files, ThreadPoolExecutor(torch.get_num_threads()) as threads:
        yield write
        finish()


def _write(writer: pq.ParquetWriter, probe: Probe, ids: NDArray, values: NDArray) -> None:
    check_finite(values, probe, ids, key="activations.dtype")
    columns = [pa.array(ids), tables.fixed_size_list(values)]
    writer.write_batch(pa.record_batch(columns, schema=writer.schema))


def _writer(
    folder: Path, name: str, sample: NDArray, about: dict
) -> AbstractContextManager[pq.ParquetWriter]:
    columns = [
        pa.field("example_id", pa.int32(), nullable=False),
        tables.fixed_size_list_field("activation", sample),
    ]
    return tables.writer(folder / f"{name}.parquet", pa.schema(columns), about)
