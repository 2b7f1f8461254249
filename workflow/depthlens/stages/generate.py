"""Draw the shapes of one split."""

import logging
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.datasets import shapes

log = logging.getLogger(__name__)


def run(*, split: str, output: Path, cfg: dict) -> None:
    """Write `data/{dataset}/{split}.parquet` from a block of `datasets` with source `shapes`."""
    n_examples = cfg[f"{split}_examples"]
    drawn = shapes.generate(0, n_examples, seed=cfg["seed"], split=split, ranges=cfg["factors"])
    images = tables.Images(
        example_id=np.arange(n_examples, dtype=np.int32),
        images=drawn.images,
        labels=drawn.labels,
        classes=list(shapes.CLASSES),
        factors=drawn.factors,
    )
    about = tables.describe("generate", {"split": split, **cfg}, {})
    tables.write_images(output, images, about)
    log.info("drew %d images of %d classes: %s", n_examples, len(shapes.CLASSES), output)
