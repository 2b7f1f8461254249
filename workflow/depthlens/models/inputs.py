"""What a network sees of images. It needs no library of networks, so that importing it is quick."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from depthlens.errors import StudyError

Prepare = Callable[[torch.Tensor], torch.Tensor]
Shape = tuple[int, int, int]


def prepare(model: Mapping[str, Any]) -> Prepare:
    """What a network sees of images, as one function; the only place that decides it.

    Parameters
    ----------
    model : mapping
        A block of `models`; the keys `channels`, `mean`, `std` and `input_size` may be absent.

    Returns
    -------
    callable
        Takes a tensor of shape (n, 1 or 3, height, width), uint8 or brightness in [0, 1] as
        floating point. Gives floating point of shape (n, channels, height, width), float32 for
        uint8: brightness in [0, 1], resized to `input_size` (bilinear, antialiased), a grey
        channel repeated, less `mean` and divided by `std`. Raises StudyError where colour images
        meet a network that takes one channel.
    """
    channels = model.get("channels", 3)
    size = model.get("input_size")
    mean, std = (
        None if model.get(key) is None else torch.tensor(model[key]).view(1, -1, 1, 1)
        for key in ("mean", "std")
    )

    def see(images: torch.Tensor) -> torch.Tensor:
        if images.shape[1] not in (1, channels):
            raise StudyError(
                f"models: channels is {channels}, but the images have {images.shape[1]}; set "
                f"channels to {images.shape[1]}, or study the images in grey"
            )
        seen = images if images.is_floating_point() else images.float() / 255
        if size is not None and list(seen.shape[2:]) != list(size):
            rows, columns = map(_resizing, seen.shape[2:], size)
            seen = rows.to(seen) @ seen @ columns.to(seen).T
        seen = seen.expand(-1, channels, -1, -1)
        if mean is not None and std is not None:
            seen = (seen - mean.to(seen)) / std.to(seen)
        return seen

    return see


network_input = prepare({})
"""What a network sees where a config says nothing else: brightness in [0, 1], three channels."""


def input_shape(model: Mapping[str, Any], image_shape: tuple[int, ...]) -> Shape:
    """Shape (channels, height, width) of what a network sees of images of another shape.

    Parameters
    ----------
    model : mapping
        As for `prepare`.
    image_shape : (channels, height, width)
    """
    height, width = model.get("input_size") or image_shape[-2:]
    return model.get("channels", 3), height, width


def _resizing(before: int, after: int) -> torch.Tensor:
    """Share of each pixel of a line in each pixel of a longer or shorter one, (after, before).

    As a matrix, because on a GPU torch has no deterministic gradient of its own resizing.
    """
    lines = torch.eye(before)[None, None]
    return functional.interpolate(
        lines, (after, before), mode="bilinear", align_corners=False, antialias=True
    )[0, 0]
