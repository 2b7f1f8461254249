"""Which points of a network are probed, and what they are called."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn

from depthlens.errors import StudyError, closest
from depthlens.models import networks
from depthlens.probes.reductions import REDUCTIONS


class Probe(NamedTuple):
    """One point of a network."""

    name: str
    """`NN-name`, NN counting from 00 in forward order: names files, so dots become dashes"""
    kind: str
    """"input", "module" or "softmax" """
    module: str
    """module whose output is read; "" for the input and for softmax, which is of the output"""
    reduction: str = ""
    """what is kept of each output: a key of `reductions.REDUCTIONS`, "" for all of it"""
    placed: bool = False
    """its place is that of its definition, not one that was asked for: must run in this order"""


def plan(network: nn.Module, probes: str | Sequence[str]) -> list[Probe]:
    """The probes of a network, in forward order.

    Parameters
    ----------
    network : torch.nn.Module
    probes : "children", "blocks", or sequence of str
        `children`: the input, then the output of each child of the network (of a ModuleList, which
        gives none, of each child of it). `blocks`: the input,
        every block or layer as `block_modules` finds them, and softmax. Or a list of modules as
        `network.named_modules()` names them; then the order is that of the list, and the words
        "input" and "softmax" may stand in it. `*` stands for anything within one dotted part:
        `encoder.layers.*` gives, at its place, all modules that match, in order of definition.
        `:mean`, `:channels_last_mean` or `:class_token` after a name or pattern keeps a part of
        each output: see `depthlens.probes.reductions`.

    Raises
    ------
    StudyError
        If a module or what follows its colon does not exist, if a pattern matches no module, or
        if a module is named twice.
    """
    known = [name for name, _ in network.named_modules() if name]
    if probes == "children":
        points = [_Point("input"), *map(_Point, _running_children(network))]
        derived = True
    elif probes == "blocks":
        points = [_Point(name) for name in ("input", *block_modules(network), "softmax")]
        derived = True
    else:
        points = [point for asked in probes for point in _expand(asked, known)]
        derived = False
    names = [point.name for point in points]
    for point in points:
        if names.count(point.name) > 1:
            raise StudyError(f"activations.probes: {point.name!r} is named twice")
    width = max(2, len(str(len(points) - 1)))
    found = []
    for index, (name, reduction, matched) in enumerate(points):
        # A module of the network wins over our words for what is outside of it.
        kind, module = ("module", name) if name in known else (name, "")
        plain = "-".join([*name.split("."), *filter(None, [reduction])])
        placed = kind == "module" and (derived or matched)
        found.append(Probe(f"{index:0{width}d}-{plain}", kind, module, reduction, placed))
    return found


def block_modules(network: nn.Module) -> list[str]:
    """Names of the modules that `blocks` reads, in order of definition.

    A layer is a module without children whose weight is a matrix or more: a convolution or linear
    layer, not a norm or an embedding. From the network down into its children, each module is

    - a *layer*, if it holds one layer in all, such as a convolution with its norm and activation;
    - a *block*, if it holds several, has a forward pass of its own (not that of `nn.Sequential`)
      and its class is met at least twice in the network: ResNet's BasicBlock, DenseNet's
      dense block, a ViT's encoder block. A class whose instances hold a plain list or sequence of
      two blocks of one class is a stage and not a block. A module that holds no blocks but stands
      in one container with some is one, too, like Inception's reductions;
    - what *follows*, if it holds no layer: norms, activations, pooling;
    - else a container: its children are looked at instead.

    A block is read at its own output. A layer is read after all that follows it, so after its
    nonlinearity and pooling, as a residual block is read after its last ReLU. What follows a
    block is read after the last of it. Adaptive pooling opens a probe of its own, as in ResNets.
    What has no effect on the values (dropout, flattening) and what stands before the first layer
    is not read.

    Returns
    -------
    list of str
        For a ResNet: maxpool (the end of its stem), every residual block, avgpool, fc.
    """
    found: list[str] = []
    extends = False  # the last of `found`, if something follows it
    for name, role in _roles(network):
        if role in ("block", "layer"):
            found.append(name)
            extends = role == "layer"
        elif found and extends and role == "follows":
            found[-1] = name
        elif found:
            found.append(name)
            extends = True
    return found


class Outline(NamedTuple):
    """What is known of the probes of an architecture before there are weights."""

    names: list[str]
    """of all probes, in forward order"""
    features: str
    """name of one of them: see `feature_probe`"""


def outline(architecture: str, probes: str | Sequence[str]) -> Outline:
    """The probes of an architecture, without making its weights if it can be; raises as `plan`."""
    network = _without_weights(architecture) or networks.build(architecture, n_classes=2, seed=0)
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


def _without_weights(architecture: str) -> nn.Module | None:
    if ":" in architecture and not architecture.startswith("timm:"):
        return None  # a user's module, imported in there, would keep constants without numbers
    try:
        with torch.device("meta"):
            return networks.build(architecture, n_classes=2, seed=0)
    except RuntimeError:  # RegNet and Swin compute their sizes with tensors
        return None


def _running_children(parent: nn.Module, path: str = "") -> Iterator[str]:
    for name, child in parent.named_children():
        if _runs(child):
            yield f"{path}{name}"
        else:
            yield from _running_children(child, f"{path}{name}.")


class _Point(NamedTuple):
    """What a list of probes asks for."""

    name: str
    reduction: str = ""
    matched: bool = False
    """by a pattern"""


def _expand(asked: str, known: Sequence[str]) -> list[_Point]:
    """The points that an entry of a list stands for."""
    name, colon, reduction = asked.partition(":")
    if colon and reduction not in REDUCTIONS:
        raise StudyError(
            f"activations.probes: {asked!r} ends in an unknown {reduction!r}"
            f"{closest(reduction, REDUCTIONS)}"
        )
    if name in (*known, "input", "softmax"):
        return [_Point(name, reduction)]
    pattern = re.compile("[^.]*".join(map(re.escape, name.split("*"))))
    matches = [_Point(module, reduction, True) for module in known if pattern.fullmatch(module)]
    if not matches:
        lacks = "no module matches" if "*" in name else "the network has no module"
        raise StudyError(
            f"activations.probes: {lacks} {name!r}{closest(name, [*known, 'input', 'softmax'])}"
        )
    return matches


# In evaluation mode they change no value, or only the shape.
_WITHOUT_EFFECT = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)
_NORMS_AND_EMBEDDINGS = (
    nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.EmbeddingBag,
)  # fmt: skip
_POOLS_ALL = (
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip


def _roles(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Names and roles ("layer", "block", "follows", "pooling") that `block_modules` speaks of."""
    blocks = _block_classes(network)
    known = {name for name, _ in network.named_modules()}  # of shared modules only the first

    def descend(parent: nn.Module, path: str) -> Iterator[tuple[str, str]]:
        among_blocks = any(type(child) in blocks for child in parent.children())
        for name, child in parent.named_children():
            full = f"{path}{name}"
            if full not in known:
                continue
            layers = _n_layers(child)
            holds_blocks = any(type(part) in blocks for part in child.modules())
            own = not _is_plain(child)
            if not _runs(child):
                yield from descend(child, f"{full}.")
            elif layers == 0:
                parts = [part for part in child.modules() if not any(part.children())]
                if any(isinstance(part, _POOLS_ALL) for part in parts):
                    yield full, "pooling"
                elif not all(isinstance(part, _WITHOUT_EFFECT) for part in parts):
                    yield full, "follows"
            elif layers == 1:
                yield full, "layer"
            elif type(child) in blocks or (among_blocks and own and not holds_blocks):
                yield full, "block"
            else:
                yield from descend(child, f"{full}.")

    return descend(network, "")


def _block_classes(network: nn.Module) -> set[type]:
    met = Counter(
        type(module)
        for module in network.modules()
        if not _is_plain(module) and _n_layers(module) > 1
    )
    repeated = {kind for kind, times in met.items() if times > 1}

    def holds_several(module: nn.Module) -> bool:
        return any(
            _is_plain(child) and Counter(map(type, child.children()))[kind] > 1
            for child in module.children()
            for kind in repeated
        )

    stages = {type(module) for module in network.modules() if holds_several(module)}
    return repeated - stages


def _n_layers(module: nn.Module) -> int:
    return sum(map(_is_layer, module.modules()))


def _is_layer(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    if any(module.children()) or isinstance(module, _NORMS_AND_EMBEDDINGS):
        return False
    if isinstance(weight, nn.UninitializedParameter):
        return True  # of a lazy layer: it has no dimensions before the first forward pass
    return isinstance(weight, nn.Parameter) and weight.dim() > 1


def _is_plain(module: nn.Module) -> bool:
    """Whether it only holds others, in a list or in sequence."""
    return type(module).forward is nn.Sequential.forward or not _runs(module)


def _runs(module: nn.Module) -> bool:
    return type(module).forward is not nn.Module.forward
