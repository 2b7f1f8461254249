"""Which points of a network are probed, and what they are called."""

import inspect
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.nn.utils import parametrize

from depthlens.errors import StudyError, closest, shortened
from depthlens.models import inputs, networks
from depthlens.probes import graphs
from depthlens.probes.calls import Given, module_of, trace
from depthlens.probes.reductions import REDUCTIONS

log = logging.getLogger(__name__)


class Probe(NamedTuple):
    """One point of a network."""

    name: str
    """`NN-name`, NN counting from 00 in forward order; it names files, so dots become dashes"""
    kind: str
    """"input", "module" or "softmax" """
    module: str
    """module whose output is read, `#2` behind it for its second call, and so on; "" for the input
    and for softmax, which is of the output"""
    reduction: str = ""
    """what is kept of each output, a key of `reductions.REDUCTIONS`, "" for all of it"""
    axis: int = 0
    """of the output, that follows the images"""
    gives_logits: bool = False
    """it is or holds the last linear layer that runs"""
    place: int = 0
    """of the tensor that is read, among all that the module gives"""


def plan(network: nn.Module, probes: str | Sequence[str], images: torch.Tensor) -> list[Probe]:
    """The probes of a network, in forward order.

    Parameters
    ----------
    network : torch.nn.Module
        Runs twice, in evaluation mode, and is left in its own; raises what it raises.
    probes : "children", "blocks", or sequence of str
        `children`: the input, then the output of each child of the network (of a child that does
        not run as a whole, such as a ModuleList, of each child of it). `blocks`: the input,
        every block or layer as `_blocks` finds them, and softmax. Or a list of modules as
        `network.named_modules()` names them, `#2` behind the name for a module's second call;
        then the order is that of the list, and the words "input" and "softmax" may stand in it.
        A node of a torch.fx graph is named as there, and so are the children of such a graph.
        `*` stands for anything within one dotted part: `encoder.layers.*` gives, at its place, all
        calls that match, in the order in which they run. `:mean`, `:channels_last_mean` or
        `:class_token` after a name or pattern keeps a part of each output: see
        `depthlens.probes.reductions`.
    images : float tensor, shape (n, …)
        A few that the network takes, on its device.

    Raises
    ------
    StudyError
        If a module or what follows its colon does not exist, if a module in the list does not run,
        if a pattern matches none that does, or if one is named twice; if one in the list gives
        no tensor in which one axis is proven to follow the images: of `children` and `blocks` it
        is left out; or if the first axis of the network's output does not follow them.
    """
    calls = trace(network, images)
    if calls[""].axis != 0:
        raise StudyError(
            f"models: the network's output {_shapes(calls[''])}; a classifier gives logits of "
            "shape (n_images, n_classes)"
        )
    return _plan(network, probes, calls)


def _plan(
    network: nn.Module, probes: str | Sequence[str], calls: Mapping[str, Given]
) -> list[Probe]:
    if probes in ("children", "blocks"):
        found = (_children if probes == "children" else _blocks)(network, calls)
        for name in found:
            if not calls[name].can_be_kept:
                level = logging.INFO if calls[name].two is None else logging.WARNING
                log.log(level, "not read: %s, whose output %s", name, _shapes(calls[name]))
        kept = [_Point(name) for name in found if calls[name].can_be_kept]
        points = [_Point("input"), *kept, *[_Point("softmax")][: probes == "blocks"]]
    else:
        known = [name for name, _ in network.named_modules() if name]
        points = [point for asked in probes for point in _expand(asked, known, calls)]
        for name, _ in points:
            if name in calls and not calls[name].can_be_kept:
                raise StudyError(
                    f"activations.probes: the output of the module {name!r} "
                    f"{_shapes(calls[name])}; probe the block around it"
                )
    names = [point.name for point in points]
    for point in points:
        if names.count(point.name) > 1:
            raise StudyError(f"activations.probes: {point.name!r} is named twice")
    width = max(2, len(str(len(points) - 1)))
    linear = {name for name, module in network.named_modules() if _weight_dims(module) == 2}
    linear |= {name for name, node in _nodes(network).items() if graphs.is_linear(node)}
    ran = list(map(module_of, calls))
    last = next((name for name in reversed(ran) if name in linear), None)
    planned = []
    for index, (call, reduction) in enumerate(points):
        # A module of the network wins over our words for what is outside of it.
        kind, module = ("module", call) if call in calls else (call, "")
        plain = "-".join([*call.split("."), *filter(None, [reduction])])
        gives_logits = kind == "module" and f"{last}.".startswith(f"{module_of(module)}.")
        given = calls[call] if module else Given()
        name = f"{index:0{width}d}-{plain}"
        axis = given.axis or 0
        planned.append(Probe(name, kind, module, reduction, axis, gives_logits, given.place))
    return planned


def _shapes(given: Given) -> str:
    if given.two is None or given.three is None:
        return "is no tensor for each image"
    if given.axis is not None:
        return f"has the shape {given.two} for 2 images"
    return (
        f"has the shape {given.two} for 2 images and {given.three} for 3, so that no axis is known "
        "to follow the images"
    )


def _blocks(network: nn.Module, calls: Mapping[str, Given]) -> list[str]:
    """The calls that `blocks` reads, in the order in which they run.

    A layer is a module whose `weight` is a matrix or more: a convolution or linear layer, also if
    parametrised, pruned, quantised or wrapped by what gives its weight on (as LoRA of peft does),
    and a recurrent layer; not a norm or an embedding. What such a module holds is part of it. From
    the network down into its children, each module is

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
    What has no effect on the values (dropout, flattening) and what runs before the first layer
    is not read, and neither is what does not run.

    Returns
    -------
    list of str
        For a ResNet: maxpool (the end of its stem), every residual block, avgpool, fc.
    """
    found: list[str] = []
    extends = False  # the last of `found`, if something follows it
    roles = dict(_roles(network, calls))
    _tell_idle(roles)
    _tell_left_out(network, calls, [name for name, role in roles.items() if role in _KEPT])
    for call in calls:
        role = roles.get(module_of(call))
        if role in _KEPT:
            found.append(call)
            extends = role == "layer"
        elif not found or not role or not calls[call].can_be_kept:
            continue
        elif extends and role == "follows":
            found[-1] = call
        else:
            found.append(call)
            extends = True
    return found


class Outline(NamedTuple):
    """What is known of the probes of an architecture before there are weights."""

    names: list[str]
    """of all probes, in forward order"""
    features: str
    """name of one of them: see `feature_probe`"""


def outline(
    architecture: str,
    probes: str | Sequence[str],
    *,
    channels: int = 3,
    sizes: Sequence[Sequence[int]] = (),
) -> Outline:
    """The probes of an architecture, without making its weights if it can be; raises as `plan`.

    Parameters
    ----------
    architecture : str
    probes : "children", "blocks", or sequence of str
    channels : int
        That the network takes.
    sizes : sequence of (height, width)
        Of images that it may be given, tried before those of well-known collections. If it takes
        none of them, its modules are supposed to run once each, in the order of their definition.
    """
    shapes = [(channels, height, width) for height, width in (*sizes, *_SIZES)]
    network, calls = _outlined(architecture, shapes)
    found = _plan(network, probes, calls)
    return Outline([probe.name for probe in found], feature_probe(found))


def _outlined(
    architecture: str, shapes: Sequence[inputs.Shape]
) -> tuple[nn.Module, dict[str, Given]]:
    """A network and its calls."""
    for make in (_without_weights, networks.build):
        made = make(architecture, n_classes=2, seed=0, shape=shapes[0])
        if made is None:
            continue
        network = made
        home = next((value.device for value in network.parameters()), None)
        for shape in shapes:
            try:
                return network, trace(network, torch.zeros((1, *shape), device=home))
            except StudyError:
                raise
            except Exception:  # whatever a network raises that takes images of another size
                continue
    log.warning(
        "models: %s takes images of none of the sizes that were tried, so that each of its modules "
        "is supposed to run once, in the order of their definition; set input_size to tell more",
        architecture,
    )
    whatever = Given((2, 1), (3, 1))
    return network, {name: whatever for name, module in network.named_modules() if _runs(module)}


def feature_probe(probes: Sequence[Probe]) -> str:
    """Name of the probe that sees the features: the deepest before the last linear layer.

    Of a network without one, or where nothing before it is probed, it is the last probe that is
    neither the softmax nor the input, or else the first.
    """
    modules = [probe for probe in probes if probe.kind == "module"]
    before = [probe for probe in modules if not probe.gives_logits]
    return (before or modules or probes)[-1 if modules else 0].name


def _without_weights(architecture: str, **options: Any) -> nn.Module | None:
    if ":" in architecture and not architecture.startswith("timm:"):
        return None  # a user's module, imported in there, would keep constants without numbers
    try:
        with torch.device("meta"):
            return networks.build(architecture, **options)
    except RuntimeError:  # RegNet computes its sizes with tensors
        return networks.build(architecture, **options).to("meta")


def _nodes(network: nn.Module) -> dict[str, fx.Node]:
    """Of all graphs in a network, by the names of their calls."""
    return {
        f"{path}.{name}".lstrip("."): node
        for path, module in network.named_modules()
        for name, node in graphs.nodes(module).items()
    }


def _children(network: nn.Module, calls: Mapping[str, Given]) -> list[str]:
    """Calls of the children of a network, and of theirs where one does not run as a whole."""
    ran, reached = set(map(module_of, calls)), _reached(calls)
    roles: dict[str, str] = {}

    def descend(parent: nn.Module, path: str) -> None:
        roles.update({f"{path}{name}": "child" for name in graphs.nodes(parent)})
        for name, child in _own_children(parent):
            full = f"{path}{name}"
            if full in ran:
                roles[full] = "child"
            elif full in reached:
                descend(child, f"{full}.")
            elif _is_something(child):
                roles[full] = "idle"

    descend(network, "")
    _tell_idle(roles)
    return [call for call in calls if roles.get(module_of(call)) == "child"]


def _reached(calls: Iterable[str]) -> set[str]:
    """Modules that run, and those that hold one that does."""
    return {
        name.rsplit(".", above)[0]
        for name in map(module_of, calls)
        for above in range(name.count(".") + 1)
    }


def _tell_idle(roles: Mapping[str, str]) -> None:
    if idle := [name for name, role in roles.items() if role == "idle"]:
        log.info("not read, since the network predicts without them: %s", ", ".join(idle))


def _tell_left_out(network: nn.Module, calls: Collection[str], kept: Sequence[str]) -> None:
    """Say so if more of a network's matrices lie outside its layers and blocks than inside."""
    ran = set(map(module_of, calls))
    holders = [
        name
        for name, module in network.named_modules()
        if name in ran
        and not isinstance(module, _NORMS_AND_EMBEDDINGS)
        and any(_dims(value) > 1 for value in module.parameters(recurse=False))
    ]
    inside = tuple(f"{name}." for name in kept)
    left = [name or "the network itself" for name in holders if not f"{name}.".startswith(inside)]
    if 2 * len(left) > len(holders):
        log.warning(
            "blocks: %d of %d modules with matrices of weights are none of its layers or blocks "
            "and have no probe of their own: %s; a list of probes can name them",
            len(left), len(holders), shortened(left),
        )  # fmt: skip


class _Point(NamedTuple):
    """What a list of probes asks for."""

    name: str
    reduction: str = ""


def _expand(asked: str, known: Sequence[str], calls: Collection[str]) -> list[_Point]:
    """The points that an entry of a list stands for."""
    name, colon, reduction = asked.partition(":")
    if colon and reduction not in REDUCTIONS:
        raise StudyError(
            f"activations.probes: {asked!r} ends in an unknown {reduction!r}"
            f"{closest(reduction, REDUCTIONS)}"
        )
    if name in calls or (name in ("input", "softmax") and name not in known):
        return [_Point(name, reduction)]
    pattern = re.compile("[^.]*".join(map(re.escape, name.split("*"))))
    matches = [_Point(call, reduction) for call in calls if call and pattern.fullmatch(call)]
    if not matches:
        if module_of(name) in known:
            times = sum(module_of(call) == module_of(name) for call in calls)
            runs = f"runs {times} times" if times else "does not run"
            raise StudyError(
                f"activations.probes: the module {module_of(name)!r} {runs} when the network "
                f"predicts; leave {name!r} out of the list"
            )
        lacks = "no module matches" if "*" in name else "the network has no module"
        raise StudyError(
            f"activations.probes: {lacks} {name!r}{closest(name, [*known, 'input', 'softmax'])}"
        )
    return matches


# Sizes of images of well-known collections, ImageNet's for Inception among them.
_SIZES = ((32, 32), (28, 28), (224, 224), (64, 64), (96, 96), (16, 16), (299, 299), (384, 384))

# In evaluation mode they change no value, or only the shape.
_WITHOUT_EFFECT = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)
_NORMS_AND_EMBEDDINGS = (
    nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.EmbeddingBag,
)  # fmt: skip
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)  # their weights have names of their own
_KEPT = ("block", "layer")  # roles that open a probe
_POOLS_ALL = (
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip


def _roles(network: nn.Module, calls: Collection[str]) -> Iterator[tuple[str, str]]:
    """Names and roles ("layer", "block", "follows", "pooling") that `_blocks` speaks of; "idle"."""
    ran, reached = set(map(module_of, calls)), _reached(calls)
    blocks = _block_classes(network)
    known = {name for name, _ in network.named_modules()}  # of shared modules only the first

    def descend(parent: nn.Module, path: str) -> Iterator[tuple[str, str]]:
        for name, node in graphs.nodes(parent).items():
            yield f"{path}{name}", graphs.role(node)
        among_blocks = any(_kind(child) in blocks for child in parent.children())
        for name, child in _own_children(parent):
            full = f"{path}{name}"
            if full not in known:
                continue
            layers = len(_layers(child))
            holds_blocks = any(_kind(part) in blocks for part in child.modules())
            own = not _is_plain(child)
            if full not in reached:
                if _is_something(child):
                    yield full, "idle"
            elif full not in ran:  # a list, or its children are called by others
                yield from descend(child, f"{full}.")
            elif layers == 0:
                parts = [part for part in child.modules() if not any(part.children())]
                if any(isinstance(part, _POOLS_ALL) for part in parts):
                    yield full, "pooling"
                elif not all(isinstance(part, _WITHOUT_EFFECT) for part in parts):
                    yield full, "follows"
            elif layers == 1:
                yield full, "layer"
            elif _kind(child) in blocks or (among_blocks and own and not holds_blocks):
                yield full, "block"
            else:
                yield from descend(child, f"{full}.")

    return descend(network, "")


def _block_classes(network: nn.Module) -> set[type]:
    met = Counter(
        _kind(module)
        for module in network.modules()
        if not _is_plain(module) and len(_layers(module)) > 1
    )
    repeated = {kind for kind, times in met.items() if times > 1}

    def holds_several(module: nn.Module) -> bool:
        return any(
            _is_plain(child) and Counter(map(_kind, child.children()))[kind] > 1
            for child in module.children()
            for kind in repeated
        )

    stages = {_kind(module) for module in network.modules() if holds_several(module)}
    return repeated - stages


def _layers(module: nn.Module) -> set[nn.Module]:
    if _is_layer(module):
        return {module}
    return set().union(*map(_layers, module.children()))


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, _RECURRENT) or _weight_dims(module) > 1


def _weight_dims(module: nn.Module) -> int:
    """Dimensions of the weight of a layer, 0 of what has none or is a norm or an embedding."""
    if isinstance(module, _NORMS_AND_EMBEDDINGS):
        return 0
    if parametrize.is_parametrized(module, "weight"):
        # To ask for the weight would compute it, which moves spectral_norm's state in training.
        originals = module.get_submodule("parametrizations.weight").state_dict().values()
        return max(original.dim() for original in originals)
    if isinstance(module, nn.Linear):
        return 2  # also a lazy one's, which has no dimensions before the first forward pass
    weight = getattr(module, "weight", None)
    if inspect.ismethod(weight) and hasattr(module, "set_weight_bias"):
        weight = weight()  # quantised by torch
    return _dims(weight) if isinstance(weight, torch.Tensor) else 0


def _dims(weight: torch.Tensor) -> int:
    # A lazy convolution's has no dimensions before the first forward pass.
    return 3 if isinstance(weight, nn.UninitializedParameter) else weight.dim()


def _kind(module: nn.Module) -> type:
    """Its class: each module that is parametrised has one of its own, made from that."""
    return parametrize.type_before_parametrizations(module)


def _own_children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Its children by name, without what computes its parameters."""
    computes = module.parametrizations if parametrize.is_parametrized(module) else None
    return ((name, child) for name, child in module.named_children() if child is not computes)


def _is_plain(module: nn.Module) -> bool:
    """Whether it only holds others, in a list or in sequence."""
    return type(module).forward is nn.Sequential.forward or not _runs(module)


def _is_something(module: nn.Module) -> bool:
    """Whether it could run, or holds what could: not an empty list."""
    return any(map(_runs, module.modules()))


def _runs(module: nn.Module) -> bool:
    return type(module).forward is not nn.Module.forward
