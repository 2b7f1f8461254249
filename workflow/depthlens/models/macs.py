"""Multiply-accumulates of a network, counted by torch."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from depthlens.probes.calls import evaluate, watch


def count(run: Callable[[], object]) -> int:
    """Multiply-accumulates of what `run` does: convolutions and products of matrices.

    torch counts two operations a multiply-accumulate, and leaves out what costs a network little:
    norms, nonlinearities, pooling and sums.

    Parameters
    ----------
    run : callable
        Called once, without gradients.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def up_to_modules(network: nn.Module, image: torch.Tensor, modules: Sequence[str]) -> list[int]:
    """Multiply-accumulates of one image from the input to the end of each module.

    Parameters
    ----------
    network : torch.nn.Module
        Is put into evaluation mode.
    image : float tensor, shape (1, channels, height, width), on the network's device
    modules : sequence of str
        As `probes.calls` names them: `#2` behind the name for a module's second call.

    Returns
    -------
    list of int
        As long as `modules`.
    """
    counter = FlopCounterMode(display=False)
    found: dict[str, int] = {}

    def ended(call: str, _output: object) -> None:
        found[call] = counter.get_total_flops() // 2

    with torch.no_grad(), counter, watch(evaluate(network), ended):
        network(image)
    return [found[name] for name in modules]
