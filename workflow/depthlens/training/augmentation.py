"""Images as training meets them: cropped and mirrored at random, anew in every epoch.

What becomes of an example depends on seed, epoch and its id alone, never on order, size or device
of a batch: random bits come from Philox, whose draws are found by counting (as `datasets.shapes`
does), and pixels are moved, not computed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from depthlens.errors import StudyError

Look = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Of images, shape (n, channels, height, width), and the rows of their examples, shape (n,): what
training meets in their place."""


def as_they_are(images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The images themselves."""
    return images


def looks(
    steps: Sequence[Mapping[str, Any]],
    *,
    seed: int,
    example_id: NDArray[np.integer],
    image_shape: tuple[int, ...],
    device: torch.device,
) -> Callable[[int], Look]:
    """How images are changed in each epoch.

    Parameters
    ----------
    steps : sequence of mappings
        One after the other: `name` is `random_crop`, with `padding` black pixels on each side of
        which a window of the old size is taken, or `horizontal_flip`, with probability 1/2.
    seed : int
        0 … 2³² - 1.
    example_id : int array, shape (n,)
        Of the examples, 0 or more, by their rows.
    image_shape : (channels, height, width)
    device : torch.device
        Of the images.

    Returns
    -------
    function of the number of the epoch
        Gives a `Look`, of images of any type.

    Raises
    ------
    StudyError
        If a window could miss the image.
    """
    for step in steps:
        if step.get("padding", 0) >= min(image_shape[1:]):
            height, width = image_shape[1:]
            raise StudyError(
                f"training.augmentation: random_crop pads by {step['padding']} pixels, so that a "
                f"window could miss an image of {height}×{width}; take a smaller padding"
            )
    if not steps:
        return lambda epoch: as_they_are

    def of_epoch(epoch: int) -> Look:
        changes = [
            _change(step, _draws(seed, epoch, place, example_id), device)
            for place, step in enumerate(steps)
        ]

        def look(images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            for change in changes:
                images = change(images, rows)
            return images

        return look

    return of_epoch


def _draws(
    seed: int, epoch: int, place: int, example_id: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """Four 64-bit draws for each example, for the step at some place; shape (n, 4)."""
    # Philox makes four draws a counter step: one step an example. The second word of the counter
    # is 0 where images are generated from the same key.
    key, counter = np.array([seed, epoch], np.uint64), np.array([0, place + 1, 0, 0], np.uint64)
    bits = np.random.Philox(key=key, counter=counter).random_raw(4 * (int(example_id.max()) + 1))
    return bits.reshape(-1, 4)[example_id]


def _change(step: Mapping[str, Any], draws: NDArray[np.uint64], device: torch.device) -> Look:
    if step["name"] == "horizontal_flip":
        mirrored = torch.tensor((draws[:, 0] >> np.uint64(63)).astype(bool), device=device)
        return lambda images, rows: torch.where(
            mirrored[rows][:, None, None, None], images.flip(3), images
        )
    padding = step["padding"]
    # A whole number below 2·padding + 1 from 32 bits, in integers.
    corners = (draws[:, :2] >> np.uint64(32)) * np.uint64(2 * padding + 1) >> np.uint64(32)
    places = torch.tensor(corners.astype(np.int64), device=device)
    return lambda images, rows: _windows(
        functional.pad(images, (padding,) * 4), places[rows], images.shape[2:]
    )


def _windows(images: torch.Tensor, corners: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """The part of each image whose upper left corner is at a row and a column, shape (n, 2)."""
    height, width = size
    every = images.unfold(2, height, 1).unfold(3, width, 1)  # a view of all windows
    example = torch.arange(len(images), device=images.device)
    return every[example, :, corners[:, 0], corners[:, 1]]
