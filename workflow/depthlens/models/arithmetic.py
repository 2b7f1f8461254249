"""Arithmetic of convolutions: sizes, parameters and receptive fields, by formula and as measured.

The formulas are Dumoulin and Visin's (2016), arXiv 1603.07285, for output sizes, and Araujo,
Norris and Sim's (2019), Distill, "Computing receptive fields", for receptive fields.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

_SMALLEST_IMAGE = 128
"""rows and columns that a receptive field is first looked for in"""
Local = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
"""What looks at a part of the image."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one layer of a network makes of an image."""

    name: str
    kind: str
    """class of the module"""
    kernel_size: int
    """1 where a layer looks at one pixel at a time"""
    output_size: int
    """rows and columns of what it gives"""
    parameters: int
    receptive_field: int
    """rows and columns of the image that one of its values depends on"""


def output_size(size: int, *, kernel_size: int, stride: int, padding: int) -> int:
    """Rows or columns that a convolution or pooling gives.

    ⌊(size + padding - kernel_size) / stride⌋ + 1, where `padding` counts both sides together.
    """
    return (size + padding - kernel_size) // stride + 1


def convolution_parameters(*, channels: int, filters: int, kernel_size: int, bias: bool) -> int:
    """filters · (channels · kernel_size² + 1), without the 1 if there is no bias."""
    return filters * (channels * kernel_size**2 + bias)


def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Rows and columns of the image that a value behind some layers depends on.

    1 + Σ (kernel size - 1) · product of the strides before; L layers of kernel K and stride 1 have
    L (K - 1) + 1.

    Parameters
    ----------
    layers : list of (kernel_size, stride)
    """
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def by_formula(network: nn.Sequential, *, size: int) -> list[Layer]:
    """Convolutions and poolings of a network, up to the first layer that mixes the whole image.

    Parameters
    ----------
    network : torch.nn.Sequential
        Of convolutions, poolings and layers that treat values one by one. Kernels are square and
        not dilated.
    size : int
        Rows and columns of the image.
    """
    layers, passed = [], []
    for name, module in _local(network):
        kernel_size, stride = _one(module.kernel_size), _one(module.stride)
        passed.append((kernel_size, stride))
        if isinstance(module, nn.Conv2d):
            parameters = convolution_parameters(
                channels=module.in_channels,
                filters=module.out_channels,
                kernel_size=kernel_size,
                bias=module.bias is not None,
            )
        else:
            parameters = 0
        # Of both sides together: what is written as a word keeps the size, or is none.
        of_words = {"same": kernel_size - 1, "valid": 0}
        padding = (
            of_words[module.padding]
            if isinstance(module.padding, str)
            else 2 * _one(module.padding)
        )
        size = output_size(size, kernel_size=kernel_size, stride=stride, padding=padding)
        layers.append(
            Layer(
                name=name,
                kind=type(module).__name__,
                kernel_size=kernel_size,
                output_size=size,
                parameters=parameters,
                receptive_field=receptive_field(passed),
            )
        )
    return layers


def as_measured(network: nn.Sequential, *, size: int) -> list[Layer]:
    """The same layers, by running the network and asking autograd.

    The receptive field of a layer is where the image has an influence on the value in the middle
    of its output, in a copy of the network whose weights are all 1, whose poolings are averages,
    and which is given an image large enough that no border is met.

    Parameters
    ----------
    network, size
        As for `by_formula`.
    """
    layers = []
    seen = torch.zeros(1, _channels(network), size, size)
    through: list[nn.Module] = []
    wanted = dict(_local(network))
    for name, module in network.named_children():
        if isinstance(module, Local | nn.ReLU):
            seen = module(seen)
            through.append(module)
        if name not in wanted:
            continue
        layers.append(
            Layer(
                name=name,
                kind=type(module).__name__,
                kernel_size=_one(wanted[name].kernel_size),
                output_size=seen.shape[-1],
                parameters=sum(parameter.numel() for parameter in module.parameters()),
                receptive_field=_measured_field(through, _channels(network)),
            )
        )
        if len(layers) == len(wanted):
            break
    return layers


def _local(network: nn.Sequential) -> Iterator[tuple[str, Local]]:
    for name, module in network.named_children():
        if isinstance(module, nn.AdaptiveAvgPool2d | nn.Flatten | nn.Linear):
            return
        if isinstance(module, Local):
            yield name, module


def _measured_field(layers: list[nn.Module], channels: int) -> int:
    plain = [_transparent(module) for module in layers]
    size = _SMALLEST_IMAGE
    while True:
        image = torch.ones(1, channels, size, size, requires_grad=True)
        seen = image
        for module in plain:
            seen = module(seen)
        middle = seen.shape[-1] // 2
        (gradient,) = torch.autograd.grad(seen[0, 0, middle, middle], image)
        rows = gradient[0].abs().sum(dim=(0, 2)).nonzero()
        first, last = int(rows.min()), int(rows.max())
        # A field that comes near a border may go on beyond it.
        if size // 4 <= first and last < size - size // 4:
            return last - first + 1
        size *= 2


def _transparent(module: nn.Module) -> nn.Module:
    """The layer with weights of 1; an average for a maximum, which would look at one value."""
    if isinstance(module, nn.MaxPool2d):
        return nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
    module = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1)
    return module


def _channels(network: nn.Sequential) -> int:
    return next(m for m in network.modules() if isinstance(m, nn.Conv2d)).in_channels


def _one(value: int | tuple[int, ...]) -> int:
    if isinstance(value, int):
        return value
    if value[0] != value[1]:
        raise ValueError(f"kernels, strides and paddings must be square, not {value}")
    return value[0]
