"""One forward pass over a split: every probe's activations, and the network's own answer."""

import contextlib
import logging
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from depthlens import tables
from depthlens.errors import StudyError
from depthlens.models import checkpoints, devices
from depthlens.probes.plan import Probe, plan
from depthlens.probes.record import Recorder
from depthlens.progress import bar

log = logging.getLogger(__name__)


def run(*, images: Path, checkpoint: Path, output: Path, predictions: Path, cfg: dict) -> None:
    """Write `{output}/{probe}.parquet` for each probe, and `predictions`.

    Memory holds the images and one batch of activations: it does not grow with the split.

    Parameters
    ----------
    output : path
        Folder of the activations.
    predictions : path
        Columns `example_id`, `label`, `prediction` int16, `confidence` float32 (softmax of the
        predicted class).
    cfg : dict
        Blocks `activations` and `model`.
    """
    settings = cfg["activations"]
    devices.make_deterministic()
    device = devices.choose(settings["device"], key="activations.device")
    split = tables.read_images(images)
    network = checkpoints.load_network(
        checkpoint, architecture=cfg["model"]["architecture"], n_classes=len(split.classes)
    ).to(device)
    probes = plan(network, settings["probes"])
    about = tables.describe("activations", cfg, {"checkpoint": checkpoint, "images": images})
    dtype = getattr(torch, settings["dtype"])

    answers = []
    starts = range(0, len(split.images), settings["batch_size"])
    with Recorder(network, probes, dtype=dtype) as recorder, contextlib.ExitStack() as files:
        writers: list = []
        for start in bar(starts, label="activations", unit="batch"):
            rows = slice(start, start + settings["batch_size"])
            batch = torch.tensor(split.images[rows], device=device)
            logits, activations = recorder(batch)
            values = [activation.flatten(1).cpu().numpy() for activation in activations]
            _check_finite(values, probes, split.example_id[rows], settings["dtype"])
            if not writers:  # the first batch tells the sizes
                writers = [
                    files.enter_context(_writer(output, probe.name, value, about))
                    for probe, value in zip(probes, values, strict=True)
                ]
            ids = pa.array(split.example_id[rows])
            for writer, value in zip(writers, values, strict=True):
                columns = [ids, tables.fixed_size_list(value)]
                writer.write_batch(pa.record_batch(columns, schema=writer.schema))
            confidence, prediction = logits.softmax(1).max(1)
            answers.append((prediction.cpu().numpy(), confidence.cpu().numpy()))
    prediction, confidence = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    tables.write(
        predictions,
        {
            "example_id": split.example_id,
            "label": split.labels,
            "prediction": prediction.astype(np.int16),
            "confidence": confidence,
        },
        {**about, "classes": split.classes},
    )
    log.info(
        "%d examples at %d probes: accuracy %.4f",
        len(prediction), len(probes), (prediction == split.labels).mean(),
    )  # fmt: skip


def _check_finite(
    values: list[np.ndarray], probes: list[Probe], ids: np.ndarray, dtype: str
) -> None:
    for value, probe in zip(values, probes, strict=True):
        finite = np.isfinite(value).all(axis=1)
        if not finite.all():
            cure = "; set activations.dtype to float32" if dtype == "float16" else ""
            raise StudyError(
                f"probe {probe.name}: the activation of example {ids[np.argmin(finite)]} is not a "
                f"finite {dtype}{cure}"
            )


def _writer(folder: Path, name: str, sample: np.ndarray, about: dict) -> AbstractContextManager:
    columns = [
        pa.field("example_id", pa.int32(), nullable=False),
        tables.fixed_size_list_field("activation", sample),
    ]
    return tables.writer(folder / f"{name}.parquet", pa.schema(columns), about)
