"""From what a module gives to the one tensor that its probe keeps."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import torch


def first_tensor(output: object, skipped: int = 0) -> torch.Tensor | None:
    """The first tensor in what a module gave, behind some that are skipped; None if there is none.

    Looks, depth-first, into tuples, lists, mappings (by value, in their order) and the attributes
    of other objects, in the order in which they were set: of the outputs of transformers it is
    `last_hidden_state`, of a pair of activations and indices it is the activations.
    """
    return next(itertools.islice(tensors(output), skipped, None), None)


def tensors(output: object) -> Iterator[torch.Tensor]:
    """All tensors in what a module gave, in the order of `first_tensor`."""
    return _tensors(output, set())


def _tensors(output: object, seen: set[int]) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
        return
    if id(output) in seen or isinstance(output, (str, bytes, torch.nn.Module, type)):
        return
    seen.add(id(output))
    parts: Iterable[object]
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, (tuple, list)):
        parts = output
    elif dataclasses.is_dataclass(output):
        parts = [getattr(output, field.name) for field in dataclasses.fields(output)]
    else:
        parts = getattr(output, "__dict__", {}).values()
    for part in parts:
        yield from _tensors(part, seen)


class Reduction(NamedTuple):
    """A part of an output that a probe keeps instead of all of it."""

    dims: tuple[int, ...]
    """of the outputs that it takes, the batch among them"""
    takes: str
    """those outputs in words"""
    reduce: Callable[[torch.Tensor], torch.Tensor]
    """gives shape (n, features)"""


REDUCTIONS = {
    # Over tokens, or over places. Three dimensions are a sequence, more are channels before places.
    "mean": Reduction(
        (3, 4, 5),
        "(n, tokens, features) or (n, channels, height, width)",
        lambda values: values.mean(1) if values.dim() == 3 else values.flatten(2).mean(2),
    ),
    # Which of four dimensions holds channels cannot be seen: Swin has (n, height, width, channels).
    "channels_last_mean": Reduction(
        (3, 4, 5), "(n, height, width, channels)", lambda values: values.flatten(1, -2).mean(1)
    ),
    "class_token": Reduction((3,), "(n, tokens, features)", lambda values: values[:, 0]),
}
"""What may follow a colon in a list of probes."""
