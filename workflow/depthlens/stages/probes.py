"""Describe the probes of a trained network."""

import logging
from pathlib import Path

import numpy as np
import torch

from depthlens import tables
from depthlens.models import checkpoints, inputs
from depthlens.probes import describe
from depthlens.probes.plan import plan
from depthlens.probes.record import Recorder

log = logging.getLogger(__name__)

_SAMPLE = 64  # images on which probes are compared with each other


def run(*, images: Path, checkpoint: Path, output: Path, cfg: dict) -> None:
    """Write `probes.parquet`; `cfg` holds the blocks `activations` and `model`."""
    split = tables.read_images(images)
    shape = inputs.input_shape(cfg["model"], split.images.shape[1:])
    network = checkpoints.load_network(
        checkpoint,
        architecture=cfg["model"]["architecture"],
        n_classes=len(split.classes),
        shape=shape,
    )
    prepare = inputs.prepare(cfg["model"])
    sample = torch.tensor(split.images[:_SAMPLE])
    probes = plan(network, cfg["activations"]["probes"], prepare(sample))
    with Recorder(network, probes, dtype=torch.float32, prepare=prepare) as recorder:
        _, activations = recorder(sample)
    equals = describe.duplicates(activations)
    fields = describe.receptive_fields(network, probes, width=shape[2])
    sizes = [tuple(values.shape[1:]) for values in activations]
    tables.write(
        output,
        {
            "index": np.arange(len(probes), dtype=np.int16),
            "name": np.array([probe.name for probe in probes], object),
            "kind": np.array([probe.kind for probe in probes], object),
            "shape": np.array(["×".join(map(str, size)) for size in sizes], object),
            "dims": np.array([int(np.prod(size)) for size in sizes], np.int32),
            "parameters": np.array(describe.parameters(network, probes), np.int64),
            "receptive_field": np.array(fields, object),
            "duplicate_of": np.array(
                [None if first is None else probes[first].name for first in equals], object
            ),
        },
        tables.describe("probes", cfg, {"checkpoint": checkpoint, "images": images}),
    )
    for probe, first in zip(probes, equals, strict=True):
        if first is not None:
            log.info("%s equals %s", probe.name, probes[first].name)
