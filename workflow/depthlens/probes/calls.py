"""What runs when a network predicts: every call of its modules, in the order in which they end."""

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import fx, nn
from torch.utils.hooks import RemovableHandle

from depthlens.errors import StudyError
from depthlens.probes import graphs
from depthlens.probes.reductions import tensors


@contextlib.contextmanager
def watch(
    network: nn.Module,
    tell: Callable[[str, object], None],
    modules: Collection[str] | None = None,
) -> Iterator[None]:
    """Within it, hear of every call of a network's modules, and of nodes of graphs, when it ends.

    Parameters
    ----------
    network : torch.nn.Module
    tell : callable
        Called as `tell(call, output)`. The call is the module's name, as `named_modules` has it
        ("" for the network itself), and of its second call in a forward pass `name#2`, and so on;
        of a node of a graph it is the node's, behind that of the module whose graph it is.
    modules : collection of str, optional
        Names of those to hear of; all, if not given.
    """
    times: Counter[str] = Counter()

    def ended(name: str, output: object) -> None:
        times[name] += 1
        tell(name if times[name] == 1 else f"{name}#{times[name]}", output)

    with contextlib.ExitStack() as watching:

        def keep(hook: RemovableHandle) -> None:
            watching.callback(hook.remove)

        keep(network.register_forward_pre_hook(lambda *_: times.clear()))
        for name, module in network.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # it takes no hooks
            if modules is None or name in modules:
                hook = functools.partial(lambda name, *call: ended(name, call[-1]), name)
                keep(module.register_forward_hook(hook))
            if isinstance(module, fx.GraphModule):
                path = f"{name}." if name else ""
                of_node = functools.partial(
                    lambda path, node, output: ended(f"{path}{node}", output), path
                )
                watching.enter_context(graphs.interpreted(module, of_node))
        yield


def evaluate(network: nn.Module) -> nn.Module:
    """The network, in evaluation mode; raises as `check_watchable`."""
    check_watchable(network)
    with contextlib.suppress(NotImplementedError):  # of torch.export: its mode is fixed
        network.eval()
    return network


def check_watchable(network: nn.Module) -> None:
    """Refuse a network whose activations cannot be had.

    Raises
    ------
    StudyError
        If it is of TorchScript, or was exported while it was in training mode.
    """
    if isinstance(network, torch.jit.ScriptModule):
        raise StudyError(
            "models: TorchScript does not tell what its modules give; give the torch.nn.Module "
            "that it was made from"
        )
    nodes = (node for module in network.modules() for node in graphs.nodes(module).values())
    if any(map(graphs.is_in_training, nodes)):
        raise StudyError(
            "models: the network was exported in training mode, in which its answers are drawn or "
            "depend on the batch; call its eval() before torch.export"
        )


def module_of(call: str) -> str:
    """Name of the module of a call: `pool` of `pool#2`."""
    return call.partition("#")[0]


class Given(NamedTuple):
    """Shapes of a tensor that a call gives, for two images and for three."""

    two: tuple[int, ...] | None = None
    """None for no tensor"""
    three: tuple[int, ...] | None = None
    place: int = 0
    """among all tensors that the call gives"""

    @property
    def axis(self) -> int | None:
        """The one that is as long as there are images, if it alone changes; None if there is none.

        Of one batch alone a length proves nothing: of 64 images there may be 64 tokens each.
        """
        if self.two is None or self.three is None or len(self.two) != len(self.three):
            return None
        ends = zip(self.two, self.three, strict=True)
        changes = [axis for axis, (one, other) in enumerate(ends) if one != other]
        if len(changes) != 1 or (self.two[changes[0]], self.three[changes[0]]) != (2, 3):
            return None
        return changes[0]

    @property
    def can_be_kept(self) -> bool:
        """Whether there is something of each image."""
        return self.two is not None and self.axis is not None and len(self.two) > 1


def trace(network: nn.Module, images: torch.Tensor) -> dict[str, Given]:
    """The calls of a network's modules, in the order in which they end, and what they give.

    Parameters
    ----------
    network : torch.nn.Module
        Runs twice, in evaluation mode, and is left in its own; raises what it raises.
    images : float tensor, shape (n, …)
        What the network takes, on its device; one image is enough.
    """
    modes = [(module, module.training) for module in network.modules()]
    shapes: list[dict[str, list[tuple[int, ...]]]] = []

    def keep(call: str, output: object) -> None:
        shapes[-1][call] = [tuple(values.shape) for values in tensors(output)]

    try:
        with watch(evaluate(network), keep), torch.inference_mode():
            for n_images in (2, 3):
                shapes.append({})
                network(torch.cat([images[:3]] * 3)[:n_images])
    finally:
        for module, training in modes:
            module.training = training
    two, three = shapes
    # The network's own output is its logits: the first, and no other will do.
    return {
        call: _first_kept(two.get(call, []), given if call else given[:1])
        for call, given in three.items()
    }


def _first_kept(two: Sequence[tuple[int, ...]], three: Sequence[tuple[int, ...]]) -> Given:
    """The first tensor that can be kept, or else the first."""
    # How many there are may depend on the images.
    given = [Given(*ends, place) for place, ends in enumerate(zip(two, three, strict=False))]
    return next((one for one in given if one.can_be_kept), given[0] if given else Given())
