"""Bring one split of a torchvision collection into the study's own table."""

import logging
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.datasets import collections
from depthlens.errors import StudyError

log = logging.getLogger(__name__)


def run(*, split: str, output: Path, cfg: dict) -> None:
    """Write `data/{dataset}/{split}.parquet` from a block of `datasets` of source `torchvision`."""
    images, labels, classes = collections.load(cfg["name"], split, cfg["data_root"])
    wanted = cfg[f"{split}_examples"] or len(images)
    if wanted > len(images):
        raise StudyError(
            f"datasets: {split}_examples is {wanted}, but {cfg['name']} has {len(images)}"
        )
    images, labels = images[:wanted], labels[:wanted]
    if absent := [classes[c] for c in range(len(classes)) if not (labels == c).any()]:
        raise StudyError(
            f"datasets: no {split} example of {', '.join(absent)} among the first {wanted} of "
            f"{cfg['name']}; raise {split}_examples"
        )
    table = tables.Images(
        example_id=np.arange(wanted, dtype=np.int32),
        images=images,
        labels=labels,
        classes=classes,
        factors=collections.measure(images),
    )
    # Where the files lay is no property of the images: it stays out of the bytes.
    about = {key: value for key, value in cfg.items() if key != "data_root"}
    tables.write_images(output, table, tables.describe("import_images", about, {}))
    log.info("imported %d images of %d classes: %s", wanted, len(classes), output)
