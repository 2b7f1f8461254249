"""What runs when a network predicts: every call of its modules, in the order in which they end."""

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterator

import torch
from torch import nn


@contextlib.contextmanager
def watch(
    network: nn.Module,
    tell: Callable[[str, object], None],
    modules: Collection[str] | None = None,
) -> Iterator[None]:
    """Within it, hear of every call of a network's modules when it ends.

    Parameters
    ----------
    network : torch.nn.Module
    tell : callable
        Called as `tell(call, output)`. The call is the module's name, as `named_modules` has it
        ("" for the network itself), and of its second call in a forward pass `name#2`, and so on.
    modules : collection of str, optional
        Names of those to hear of; all, if not given.
    """
    times: Counter[str] = Counter()

    def ended(_module: nn.Module, _inputs: object, output: object, *, name: str) -> None:
        times[name] += 1
        tell(name if times[name] == 1 else f"{name}#{times[name]}", output)

    hooks = [network.register_forward_pre_hook(lambda *_: times.clear())]
    hooks += [
        module.register_forward_hook(functools.partial(ended, name=name))
        for name, module in network.named_modules()
        if modules is None or name in modules
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def module_of(call: str) -> str:
    """Name of the module of a call: `pool` of `pool#2`."""
    return call.partition("#")[0]


def trace(network: nn.Module, images: torch.Tensor) -> list[str]:
    """The calls of a network's modules, in the order in which they end.

    Parameters
    ----------
    network : torch.nn.Module
        Runs in evaluation mode, and is left in its own; raises what it raises.
    images : float tensor, shape (n, …)
        What the network takes, on its device; one image is enough.
    """
    calls: list[str] = []
    modes = [(module, module.training) for module in network.modules()]
    try:
        with watch(network.eval(), lambda call, _: calls.append(call)), torch.inference_mode():
            network(images.clone())
    finally:
        for module, training in modes:
            module.training = training
    return calls
