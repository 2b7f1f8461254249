"""Which points of a network are probed, and what they are called."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torchvision.models.resnet import ResNet

from depthlens.errors import StudyError, closest
from depthlens.models import networks


class Probe(NamedTuple):
    """One point of a network."""

    name: str
    """`NN-name`, NN counting from 00 in forward order: names files, so dots become dashes"""
    kind: str
    """"input", "module" or "softmax" """
    module: str
    """module whose output is read; "" for the input and for softmax, which is of the output"""


def plan(network: nn.Module, probes: str | Sequence[str]) -> list[Probe]:
    """The probes of a network, in forward order.

    Parameters
    ----------
    network : torch.nn.Module
    probes : "children", "blocks", or sequence of str
        `children`: the input, then the output of each child of the network. `blocks`, for residual
        networks: input, stem, every residual block, pooled, logits, softmax (the placement of
        Baldock et al. 2021, appendix A.5, with blocks read after their last ReLU). Or names of
        modules as `network.named_modules()` gives them; then the order is that of the list, and
        the words "input" and "softmax" may stand in it.

    Raises
    ------
    StudyError
        If a module does not exist, is named twice, or `blocks` is asked of another family.
    """
    if probes == "children":
        points = ["input", *(name for name, _ in network.named_children())]
    elif probes == "blocks":
        points = _residual_blocks(network)
    else:
        points = list(probes)
    known = [name for name, _ in network.named_modules() if name]
    found = []
    for point in points:
        if point not in (*known, "input", "softmax"):
            raise StudyError(
                f"activations.probes: the network has no module {point!r}"
                f"{closest(point, [*known, 'input', 'softmax'])}"
            )
        if points.count(point) > 1:
            raise StudyError(f"activations.probes: {point!r} is named twice")
        # A module of the network wins over our words for what is outside of it.
        if point in known:
            found.append(("module", point))
        else:
            found.append((point, ""))
    width = max(2, len(str(len(found) - 1)))
    return [
        Probe(f"{index:0{width}d}-{point.replace('.', '-')}", kind, module)
        for index, (point, (kind, module)) in enumerate(zip(points, found, strict=True))
    ]


class Outline(NamedTuple):
    """What is known of the probes of an architecture before there are weights."""

    names: list[str]
    """of all probes, in forward order"""
    features: str
    """name of one of them: see `feature_probe`"""


def outline(architecture: str, probes: str | Sequence[str]) -> Outline:
    """The probes of an architecture, without making its weights; raises as `plan`."""
    with torch.device("meta"):
        network = networks.build(architecture, n_classes=2, seed=0)
    found = plan(network, probes)
    return Outline([probe.name for probe in found], feature_probe(network, found))


def feature_probe(network: nn.Module, probes: Sequence[Probe]) -> str:
    """Name of the probe that sees the features: the deepest before the last linear layer.

    Of a network without one, or where nothing before it is probed, it is the last probe that is
    neither the softmax nor the input, or else the first.
    """
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    last = linear[-1] if linear else ""

    def gives_logits(probe: Probe) -> bool:
        return bool(last) and f"{last}.".startswith(f"{probe.module}.")

    modules = [probe for probe in probes if probe.kind == "module"]
    before = [probe for probe in modules if not gives_logits(probe)]
    return (before or modules or probes)[-1 if modules else 0].name


def _residual_blocks(network: nn.Module) -> list[str]:
    if not isinstance(network, ResNet):
        raise StudyError(
            f"activations.probes: blocks is for residual networks, not {type(network).__name__}; "
            "use children or a list of modules"
        )
    blocks = [
        f"layer{stage}.{index}"
        for stage in range(1, 5)
        for index in range(len(getattr(network, f"layer{stage}")))
    ]
    return ["input", "maxpool", *blocks, "avgpool", "fc", "softmax"]
