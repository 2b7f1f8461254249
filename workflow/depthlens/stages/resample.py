"""The images of one replicate: all of a dataset, divided anew into seen and held out."""

import logging
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.datasets.resampling import held_out_rows
from depthlens.errors import ArtifactError

log = logging.getLogger(__name__)


def run(
    *,
    train_images: Path,
    test_images: Path,
    number: int,
    train_output: Path,
    test_output: Path,
    cfg: dict,
) -> None:
    """Write the tables of images that a replicate trains on and is tested on.

    In them `example_id` counts through the pool: training images keep theirs, that of a test image
    is behind the last of theirs.

    Parameters
    ----------
    train_images, test_images : path
        Of the dataset.
    number : int
        Of the replicate, from 1.
    train_output, test_output : path
    cfg : dict
        Block `replicates`.

    Raises
    ------
    ArtifactError
        If the two tables are not of one dataset.
    """
    train, test = tables.read_images(train_images), tables.read_images(test_images)
    same = train.classes == test.classes and train.images.shape[1:] == test.images.shape[1:]
    if not same or train.factors.keys() != test.factors.keys():
        raise ArtifactError(
            f"{test_images}: other classes, sizes or factors than {train_images}; delete both and "
            "run again"
        )
    pool = tables.Images(
        example_id=np.concatenate([train.example_id, test.example_id + len(train.example_id)]),
        images=np.concatenate([train.images, test.images]),
        labels=np.concatenate([train.labels, test.labels]),
        classes=train.classes,
        factors={
            name: np.concatenate([values, test.factors[name]])
            for name, values in train.factors.items()
        },
    )
    held_out = np.zeros(len(pool.labels), bool)
    held_out[held_out_rows(pool.labels, number=number, share=cfg["held_out"], seed=cfg["seed"])] = (
        True
    )
    about = tables.describe(
        "resample", {**cfg, "number": number}, {"train": train_images, "test": test_images}
    )
    for path, chosen in ((train_output, ~held_out), (test_output, held_out)):
        tables.write_images(path, _some(pool, chosen), about)
    log.info(
        "replicate %d: %d images to learn from, %d held out",
        number, (~held_out).sum(), held_out.sum(),
    )  # fmt: skip


def _some(pool: tables.Images, chosen: np.ndarray) -> tables.Images:
    return tables.Images(
        example_id=pool.example_id[chosen],
        images=pool.images[chosen],
        labels=pool.labels[chosen],
        classes=pool.classes,
        factors={name: values[chosen] for name, values in pool.factors.items()},
    )
