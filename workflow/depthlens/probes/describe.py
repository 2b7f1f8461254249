"""What a probe sees and holds: its size, its parameters, its receptive field, its double."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from depthlens.probes.calls import module_of, watch
from depthlens.probes.plan import Probe
from depthlens.probes.reductions import first_tensor

_TALL = 1025  # rows of the picture on which receptive fields are measured: taller than ResNets see


def parameters(network: nn.Module, plan: Sequence[Probe]) -> list[int]:
    """Number of trained parameters in each probe's module; 0 where it is not of a module."""
    modules = dict(network.named_modules())
    held = [modules.get(module_of(probe.module)) if probe.module else None for probe in plan]
    return [sum(value.numel() for value in module.parameters()) if module else 0 for module in held]


def duplicates(activations: Sequence[torch.Tensor]) -> list[int | None]:
    """Index of the first earlier probe whose activations are equal to a probe's, or None.

    Parameters
    ----------
    activations : sequence of tensors, one a probe, shape (n_examples, …)
        Compared flattened, value by value, on whatever examples are given: an equality that
        holds for some dozens of real images is one of structure.
    """
    flat = [values.flatten(1) for values in activations]
    return [
        next((first for first in range(index) if torch.equal(flat[first], values)), None)
        for index, values in enumerate(flat)
    ]


def receptive_fields(network: nn.Module, plan: Sequence[Probe], *, width: int) -> list[int | None]:
    """Rows of an image that can reach the central unit of each probe; None where all can.

    Measured, not derived from the layers, so that it holds for any network: on a tall image and a
    copy of the network whose weights are all positive and whose nonlinearities are removed, a unit
    has a gradient with respect to exactly those pixels that can reach it.

    Parameters
    ----------
    network : torch.nn.Module
    plan : sequence of Probe
    width : int
        Of the images that the network is made for.

    Returns
    -------
    list of int or None, one a probe
        1 for the input; None too where the network takes images of one height only, where a
        probe keeps a reduction of its module's output, and where what the module gives is not
        (n, channels, height, width).
    """
    positive = _linear_and_positive(network)
    outputs: dict[str, torch.Tensor | None] = {}
    places = {probe.module: probe.place for probe in plan}

    def keep(call: str, output: object) -> None:
        outputs[call] = first_tensor(output, places.get(call, 0))

    generator = torch.Generator().manual_seed(0)
    channels = _channels(network)
    image = torch.rand(1, channels, _TALL, width, generator=generator, dtype=torch.float64) + 0.5
    image.requires_grad_()
    try:
        with watch(positive, keep, {module_of(probe.module) for probe in plan}):
            positive(image)
    except Exception:  # whatever a network of one image size raises, and there are many ways
        outputs.clear()
    fields: list[int | None] = []
    for probe in plan:
        if probe.kind == "input":
            fields.append(1)
        elif probe.kind == "softmax" or probe.reduction or probe.module not in outputs:
            fields.append(None)
        else:
            fields.append(_rows_that_reach(outputs[probe.module], image))
    return fields


def _channels(network: nn.Module) -> int:
    """Of the images that a network takes, by its first convolution."""
    convolutions = (m for m in network.modules() if isinstance(m, nn.modules.conv._ConvNd))
    first = next(convolutions, None)
    return 3 if first is None else first.in_channels


def _rows_that_reach(output: torch.Tensor | None, image: torch.Tensor) -> int | None:
    if output is None or output.dim() != 4 or not output.requires_grad:
        return None  # no place in the image any more
    # Of a tall image the maps are tall: else their last dimension holds the channels, as Swin's.
    if image.shape[2] >= image.shape[3] and output.shape[2] < output.shape[3]:
        return None
    unit = output[0, 0, output.shape[2] // 2, output.shape[3] // 2]
    (gradient,) = torch.autograd.grad(unit, image, retain_graph=True, allow_unused=True)
    if gradient is None:
        return None
    rows = gradient.abs().sum((0, 1, 3)).nonzero()
    reach = int(rows.max() - rows.min()) + 1 if len(rows) else 0
    return reach if 0 < reach < _TALL else None


def _linear_and_positive(network: nn.Module) -> nn.Module:
    """A copy through which every positive input passes on a positive share of itself."""
    twin = copy.deepcopy(network).cpu().double().eval()
    generator = torch.Generator().manual_seed(0)
    activations = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Sigmoid, nn.Hardsigmoid)
    for name, module in list(twin.named_modules()):
        parent = twin.get_submodule(name.rpartition(".")[0]) if "." in name else twin
        child = name.rpartition(".")[2]
        if isinstance(module, activations):
            setattr(parent, child, nn.Identity())
        elif isinstance(module, nn.MaxPool2d):
            # Only the largest value has a gradient; the mean reaches as far and reaches all.
            mean = nn.AvgPool2d(
                module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode
            )
            setattr(parent, child, mean)
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            # How far its units see depends on the size of the image: to the end of any image.
            setattr(parent, child, _GlobalMean(module.output_size))
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.reset_parameters()  # the weight is 1 and the bias 0, if it has them
        elif isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            weight = module.weight.data
            share = 1 / weight[0].numel()
            weight.copy_(torch.rand(weight.shape, generator=generator, dtype=weight.dtype) + 0.5)
            weight.mul_(share)
    return twin


class _GlobalMean(nn.Module):
    """A pooling all of whose units see everything."""

    def __init__(self, size: int | tuple[int | None, int | None] | None) -> None:
        super().__init__()
        self._size = size if isinstance(size, tuple | list) else (size, size)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        ends = zip(self._size, values.shape[2:], strict=True)
        size = [given if asked is None else asked for asked, given in ends]
        return values.mean((2, 3), keepdim=True).expand(-1, -1, *size)
