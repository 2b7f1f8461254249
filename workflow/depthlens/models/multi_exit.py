"""A residual network with a head after each of its stages, so that easy images can leave early."""

import functools
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

from depthlens.errors import StudyError
from depthlens.models import macs

STAGES = ("layer1", "layer2", "layer3", "layer4")
"""children of a ResNet after which an image can leave; the last one's head is the network's own"""

_STEM = ("conv1", "bn1", "relu", "maxpool")
_CHILDREN = (*_STEM, *STAGES, "avgpool", "fc")


class MultiExit(nn.Module):
    """A ResNet with heads: global average pooling and one linear layer after each stage.

    The weights of the trunk stay those of the network that is given; the earlier heads are drawn
    from a seed. The trunk of an exit is computed only if somebody asks for it: see `exits`.

    Parameters
    ----------
    trunk : torch.nn.Module
        A ResNet of torchvision or `resnet18_narrow`, which becomes part of this network.
    n_classes : int
    seed : int
        Of the initial weights of the three new heads.

    Raises
    ------
    StudyError
        If the children of the network are not those of a ResNet.

    References
    ----------
    Teerapittayanon, McDanel, Kung (2016), BranchyNet, arXiv 1709.01686, section III: exits with a
    common loss, left by entropy. Kaya, Hong, Dumitraş (2019), arXiv 1810.07052: such heads on
    ResNets.
    """

    def __init__(self, trunk: nn.Module, *, n_classes: int, seed: int) -> None:
        super().__init__()
        children = tuple(name for name, _ in trunk.named_children())
        if children != _CHILDREN:
            raise StudyError(
                f"early_exit: heads after each stage need a ResNet, whose parts are "
                f"{', '.join(_CHILDREN)}, not {', '.join(children)}; set architecture to one of "
                "torchvision's ResNets or resnet18_narrow"
            )
        self.trunk = trunk
        # What a stage gives is what the next one's first convolution takes.
        widths = [getattr(trunk, stage)[0].conv1.in_channels for stage in STAGES[1:]]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.heads = nn.ModuleList(nn.Linear(width, n_classes) for width in widths)

    def exits(self, images: torch.Tensor) -> Iterator[torch.Tensor]:
        """Logits of one head after the other, each computed when it is asked for.

        Parameters
        ----------
        images : float tensor, shape (n, channels, height, width)

        Yields
        ------
        float tensor, shape (n, n_classes)
        """
        part = dict(self.trunk.named_children())
        seen = images
        for name in _STEM:
            seen = part[name](seen)
        for stage, head in zip(STAGES, [*self.heads, part["fc"]], strict=True):
            seen = part[stage](seen)
            yield head(part["avgpool"](seen).flatten(1))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Logits of every head, the network's own last."""
        return tuple(self.exits(images))


class JointLoss:
    """Cross-entropies of all heads added up with weights: a criterion of `training.loop`.

    Parameters
    ----------
    last, earlier : float
        Weight of the last head's loss, and of that of each earlier one.
    """

    def __init__(self, *, last: float, earlier: float) -> None:
        self.last, self.earlier = last, earlier

    def __call__(
        self, outputs: Sequence[torch.Tensor], classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the last head, and the weighted sum of losses of each example, nats."""
        losses = [functional.cross_entropy(each, classes, reduction="none") for each in outputs]
        return outputs[-1], self.last * losses[-1] + self.earlier * sum(losses[:-1])


def multiply_accumulates(network: MultiExit, image: torch.Tensor) -> list[int]:
    """Multiply-accumulates of one image that leaves at each exit, with every head on its way.

    Parameters
    ----------
    network : MultiExit
        Is put into evaluation mode.
    image : float tensor, shape (1, channels, height, width), on the network's device

    Returns
    -------
    list of int, length 4
    """
    network.eval()

    def leave(at: int) -> None:
        for index, _ in enumerate(network.exits(image)):
            if index == at:
                return

    return [macs.count(functools.partial(leave, at)) for at in range(len(STAGES))]
