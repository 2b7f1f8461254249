"""Nodes of a torch.fx graph, as torch.fx and torch.export make them: what runs without a module."""

import contextlib
import re
from collections.abc import Callable, Iterator

from torch import fx, nn

_CALLS = ("call_function", "call_method")  # a module that a graph calls is heard of as a module
_LAYER = re.compile(r"conv|linear|addmm")
_POOLS_ALL = re.compile(r"adaptive_(avg|max)_pool")
_WITHOUT_EFFECT = re.compile(r"dropout|flatten|reshape|view|contiguous|clone|detach|getitem")
# Place of the argument that says that an operator is as it is in training.
_TRAINING = {"aten.dropout.default": 2, "aten.batch_norm.default": 5}


def nodes(module: nn.Module) -> dict[str, fx.Node]:
    """Every function or method that a module's own graph calls, by the name of the node."""
    if not isinstance(module, fx.GraphModule):
        return {}
    return {node.name: node for node in module.graph.nodes if node.op in _CALLS}


def role(node: fx.Node) -> str:
    """What a node is to `blocks`: "layer", "pooling", "follows", or "" for nothing."""
    name = getattr(node.target, "__name__", str(node.target))
    if _LAYER.search(name):
        return "layer"
    if _POOLS_ALL.search(name):
        return "pooling"
    return "" if _WITHOUT_EFFECT.search(name) else "follows"


def is_linear(node: fx.Node) -> bool:
    """Whether it is a linear layer."""
    return role(node) == "layer" and "conv" not in str(node.target)


def is_in_training(node: fx.Node) -> bool:
    """Whether it is an operator as torch.export leaves it of a network in training mode."""
    place = _TRAINING.get(str(node.target), len(node.args))
    return place < len(node.args) and node.args[place] is True


@contextlib.contextmanager
def interpreted(module: fx.GraphModule, tell: Callable[[str, object], None]) -> Iterator[None]:
    """Within it, a graph runs node by node; hear of each that `nodes` names when it ends."""

    class Telling(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            given = super().run_node(node)
            if node.op in _CALLS:
                tell(node.name, given)
            return given

    before = vars(module).get("forward")
    module.forward = lambda *inputs: Telling(module).run(*inputs)
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
