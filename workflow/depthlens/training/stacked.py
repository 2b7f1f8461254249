"""Train many small networks of one architecture at once: their weights lie in one tensor.

A network of some hundred weights leaves a processor idle: most of a step is spent on calling
operations. Here one operation is done for all networks, each with images, order of the examples and
learning rate of its own. `training.loop` trains one network after another, and is what the tests
hold this against.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from depthlens.training.loop import batches_of

Images = Sequence[NDArray[np.uint8]] | Sequence[NDArray[np.float32]]
"""Of each network an array of shape (n, channels, height, width), all of one shape.

Bytes are brightness, of which 255 is 1; other numbers are features, taken as they are."""
Progress = Callable[[Iterable[Any]], Iterable[Any]]
_FORWARD_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What all networks say of some images at one time of their training."""

    epoch: int
    """passes over the training images that are behind them: 0, 1, …"""
    logits: dict[str, NDArray[np.float32]]
    """by name of the images: shape (n_networks, n, n_classes)"""


class Stack:
    """Networks of one architecture as one function.

    Parameters
    ----------
    networks : sequence of torch.nn.Sequential
        Alike in everything but their weights. Made of convolutions that keep the size of the image,
        which is reflected at its borders; ReLU; 2×2 pooling, average, or maximum behind a
        convolution and ReLU; global average pooling; flattening; linear layers. They are not
        changed before `write_back`.
    device : torch.device

    Raises
    ------
    ValueError
        If there is no network, a layer is of another kind, or the networks differ.
    """

    def __init__(self, networks: Sequence[nn.Sequential], device: torch.device) -> None:
        if not networks:
            raise ValueError("there must be a network to be trained")
        self._networks = list(networks)
        described = {str(network) for network in networks}
        if len(described) > 1:
            raise ValueError("networks that are trained at once must be alike in all but weights")
        weights = [dict(network.named_parameters()) for network in networks]
        self.parameters = {
            name: torch.stack([of_one[name].detach() for of_one in weights])
            .to(device)
            .requires_grad_(parameter.requires_grad)
            for name, parameter in weights[0].items()
        }
        """by name, shape (n_networks, …)"""
        self._layers = list(_layers(networks[0]))

    def __len__(self) -> int:
        return len(self._networks)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n_networks, n, n_classes).

        Parameters
        ----------
        images : float tensor, shape (n_networks, n, height, width, channels)
            Channels last: a convolution then is one product of matrices.
        """
        for layer in self._layers:
            images = layer(images, self.parameters)
        return images

    @torch.no_grad()
    def write_back(self) -> None:
        """Give the networks the weights of the stack."""
        for place, network in enumerate(self._networks):
            for name, parameter in network.named_parameters():
                parameter.copy_(self.parameters[name][place])


def train(
    networks: Sequence[nn.Sequential],
    *,
    images: Images,
    labels: Sequence[NDArray[np.integer]],
    evaluated: Mapping[str, Images],
    at_epochs: Sequence[int],
    batch_size: int,
    learning_rate: float | Sequence[float],
    momentum: float,
    weight_decay: float = 0.0,
    seeds: Sequence[int],
    device: torch.device,
    progress: Progress = lambda epochs: epochs,
) -> Iterator[Moment]:
    """Minimise cross-entropy by stochastic gradient descent; yield at some epochs.

    Each network is trained as `training.loop.train` would with the optimizer `sgd`, a constant
    rate, images as they are and no label smoothing: the same batches in the same order, the same
    steps but for rounding.

    Parameters
    ----------
    networks : sequence of torch.nn.Sequential
        See `Stack`. They have the trained weights whenever a moment is yielded.
    images, labels : sequences of arrays
        The training images of each network, as many for one as for another.
    evaluated : mapping of name to sequence of arrays
        Images that are looked at in every moment.
    at_epochs : sequence of int
        Ascending, when that is; the last ends the training. 0 is before the first step.
    batch_size : int
    learning_rate : float or sequence of float
        Of all networks, or of each.
    momentum, weight_decay : float
        As in torch.optim.SGD.
    seeds : sequence of int
        Of the order of the examples of each network.
    device : torch.device
    progress : callable
        Wraps the iterable of epochs.

    Raises
    ------
    ValueError
        If the networks cannot be stacked (see `Stack`) or lists are not as long as the networks.
    """
    for name, given in (("images", images), ("labels", labels), ("seeds", seeds)):
        if len(given) != len(networks):
            raise ValueError(f"{name}: {len(given)} for {len(networks)} networks")
    stack = Stack(networks, device)
    pixels = _channels_last(images, device)
    classes = torch.tensor(np.stack(labels), device=device).long()
    shown = {name: _channels_last(of_each, device) for name, of_each in evaluated.items()}
    step = _Steps(stack, learning_rate, momentum, weight_decay)
    rows = torch.arange(len(networks), device=device)[:, None]

    def moment(epoch: int) -> Moment:
        stack.write_back()
        return Moment(epoch=epoch, logits={name: _logits(stack, of) for name, of in shown.items()})

    if 0 in at_epochs:
        yield moment(0)
    for epoch in progress(range(1, at_epochs[-1] + 1)):
        orders = [batches_of(classes.shape[1], batch_size, seed, epoch) for seed in seeds]
        # Batches of one epoch are alike in size over the networks.
        for batch in (torch.stack(of_each).to(device) for of_each in zip(*orders, strict=True)):
            step(pixels[rows, batch], classes[rows, batch])
        if epoch in at_epochs:
            yield moment(epoch)


class _Steps:
    """Stochastic gradient descent with momentum, as torch.optim.SGD, on stacked parameters."""

    def __init__(
        self,
        stack: Stack,
        learning_rate: float | Sequence[float],
        momentum: float,
        weight_decay: float,
    ) -> None:
        self._stack = stack
        self._momentum, self._weight_decay = momentum, weight_decay
        self._learned = [value for value in stack.parameters.values() if value.requires_grad]
        self._velocities = [torch.zeros_like(value) for value in self._learned]
        rates = torch.tensor(
            np.broadcast_to(np.asarray(learning_rate, np.float32), len(stack)).copy()
        )
        self._rates = [
            rates.to(value.device).view(-1, *[1] * (value.dim() - 1)) for value in self._learned
        ]

    def __call__(self, images: torch.Tensor, classes: torch.Tensor) -> None:
        logits = self._stack(images)
        loss = (
            functional.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="sum")
            / classes.shape[1]
        )
        gradients = torch.autograd.grad(loss, self._learned)
        with torch.no_grad():
            for value, velocity, gradient, rate in zip(
                self._learned, self._velocities, gradients, self._rates, strict=True
            ):
                if self._weight_decay:
                    gradient = gradient.add(value, alpha=self._weight_decay)
                velocity.mul_(self._momentum).add_(gradient)
                value.addcmul_(velocity, rate, value=-1)


def _channels_last(images: Images, device: torch.device) -> torch.Tensor:
    """Brightness in [0, 1], or features, shape (n_networks, n, height, width, channels)."""
    stacked = torch.tensor(np.stack([np.moveaxis(of_one, 1, -1) for of_one in images]))
    return stacked.to(device).float() / (255 if stacked.dtype == torch.uint8 else 1)


@torch.no_grad()
def _logits(stack: Stack, images: torch.Tensor) -> NDArray[np.float32]:
    parts = [stack(part) for part in images.split(_FORWARD_BATCH, dim=1)]
    return torch.cat(parts, dim=1).cpu().numpy()


# ── layers ──────────────────────────────────────────────────────────────────────────────────────

Parameters = Mapping[str, torch.Tensor]
Layer = Callable[[torch.Tensor, Parameters], torch.Tensor]


def _layers(network: nn.Sequential) -> Iterator[Layer]:
    """What the layers of a network do to stacked activations, channels last."""
    children = list(network.named_children())
    place = 0
    while place < len(children):
        name = children[place][0]
        match [module for _, module in children[place : place + 3]]:
            case [nn.Conv2d() as convolution, nn.ReLU(), nn.MaxPool2d() as pooling]:
                # The maximum commutes with adding a bias and with ReLU, which have less to do then.
                _check_pooling(pooling)
                yield _convolution(name, convolution, pooled=True)
                place += 3
            case [module, *_]:
                yield _layer(name, module)
                place += 1


def _layer(name: str, module: nn.Module) -> Layer:
    match module:
        case nn.Conv2d():
            return _convolution(name, module, pooled=False)
        case nn.ReLU():
            return lambda seen, _: torch.relu(seen)
        case nn.AvgPool2d():
            _check_pooling(module)
            return lambda seen, _: _in_fours(seen).mean(dim=(3, 5))
        case nn.AdaptiveAvgPool2d(output_size=1 | (1, 1)):
            return lambda seen, _: seen.mean(dim=(2, 3), keepdim=True)
        case nn.Flatten(start_dim=1, end_dim=-1):
            return lambda seen, _: seen.movedim(-1, 2).flatten(2)
        case nn.Linear():
            return lambda seen, given: torch.baddbmm(
                given[f"{name}.bias"][:, None], seen, given[f"{name}.weight"].mT
            )
    raise ValueError(f"layer {name}, {module}, cannot be stacked where it is")


def _check_pooling(module: nn.MaxPool2d | nn.AvgPool2d) -> None:
    plain = type(module)(2)
    if str(module) != str(plain):
        raise ValueError(f"{module} cannot be stacked; only {plain} can")


def _in_fours(seen: torch.Tensor) -> torch.Tensor:
    """Rows and columns in pairs: shape (m, n, height/2, 2, width/2, 2, channels)."""
    m, n, height, width, channels = seen.shape
    return seen.reshape(m, n, height // 2, 2, width // 2, 2, channels)


def _convolution(name: str, module: nn.Conv2d, *, pooled: bool) -> Layer:
    """A convolution; if `pooled`, with ReLU and 2×2 maximum pooling."""
    size = module.kernel_size[0]
    plain = nn.Conv2d(
        module.in_channels, module.out_channels, size, padding="same", padding_mode="reflect"
    )
    if str(module) != str(plain):
        raise ValueError(f"layer {name}, {module}, cannot be stacked; only {plain} can")
    bases: dict[tuple[int, torch.device], torch.Tensor] = {}

    def layer(seen: torch.Tensor, given: Parameters) -> torch.Tensor:
        width = seen.shape[3]
        if (width, seen.device) not in bases:
            bases[width, seen.device] = _shifts(size, width).to(seen.device)
        basis = bases[width, seen.device]
        bias = given[f"{name}.bias"][:, None, None, None]
        if not pooled:
            return _convolve(seen, given[f"{name}.weight"], basis, by_parity=False) + bias
        # Even columns lie before odd ones, so that the maximum compares long runs of memory.
        sums = _convolve(seen, given[f"{name}.weight"], basis, by_parity=True)
        m, n, height, _, filters = sums.shape
        largest = _MaximumOfFour.apply(sums.view(m, n, height // 2, 2, 2, width // 2 * filters))
        return torch.relu(largest.view(m, n, height // 2, width // 2, filters) + bias)

    return layer


def _shifts(size: int, width: int) -> torch.Tensor:
    """For each column of a kernel, which column of a reflected image meets which result.

    Returns
    -------
    float tensor, shape (size, width, width)
        1 at [j, source, x] where column j of the kernel, at result x, meets column `source`.
    """
    shifts = torch.zeros(size, width, width)
    for column, x in itertools.product(range(size), range(width)):
        shifts[column, _reflected(x + column - (size - 1) // 2, width), x] = 1
    return shifts


def _reflected(place: int, length: int) -> int:
    """The place that a row or column beyond the border shows; the border itself is not repeated."""
    return -place if place < 0 else min(place, 2 * (length - 1) - place)


def _convolve(
    seen: torch.Tensor, kernels: torch.Tensor, shifts: torch.Tensor, *, by_parity: bool
) -> torch.Tensor:
    """A convolution of each network's images with its own kernels, as one product of matrices.

    As matrices a convolution has a row for each pixel around a place; with few channels it then
    moves more memory than it computes. Here a row is `size` whole lines of the image, and a matrix
    made of the kernel gives all results along a line at once. That multiplies by many zeros, and
    is quicker all the same.

    Parameters
    ----------
    seen : tensor, shape (m, n, height, width, channels)
    kernels : tensor, shape (m, filters, channels, size, size)
    shifts : tensor, shape (size, width, width)
        See `_shifts`.
    by_parity : bool
        Even columns of the result before odd ones.

    Returns
    -------
    tensor, shape (m, n, height, width, filters)
    """
    m, n, height, width, channels = seen.shape
    filters, size = kernels.shape[1], kernels.shape[3]
    before = (size - 1) // 2
    after = size - 1 - before
    lines = seen.reshape(m, n, height, width * channels)
    above = lines[:, :, 1 : before + 1].flip(2)
    below = lines[:, :, height - after - 1 : height - 1].flip(2)
    around = torch.cat([above, lines, below], dim=2).unfold(2, size, 1).mT
    around = around.reshape(m, n * height, size * width * channels)

    spread = (kernels.reshape(-1, size) @ shifts.flatten(1)).view(
        m, filters, channels, size, width, *((width // 2, 2) if by_parity else (width, 1))
    )
    # To (size, width, channels) by (parity, width, filters).
    spread = spread.permute(0, 3, 4, 2, 6, 5, 1).reshape(m, size * width * channels, -1)
    return torch.bmm(around, spread).view(m, n, height, width, filters)


class _MaximumOfFour(torch.autograd.Function):
    """The largest of four values; the gradient goes to the first of those that are largest.

    Of a tensor of shape (m, n, height, 2, 2, run): the maximum over both axes of length 2.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: torch.Tensor) -> torch.Tensor:
        first, second, third, fourth = _four(values)
        largest = torch.maximum(torch.maximum(first, second), torch.maximum(third, fourth))
        ctx.save_for_backward(values, largest)
        return largest

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        values, largest = ctx.saved_tensors
        spread = torch.empty_like(values)
        taken = torch.zeros_like(largest, dtype=torch.bool)
        for value, place in zip(_four(values), _four(spread), strict=True):
            won = (value == largest) & ~taken
            torch.mul(gradient, won, out=place)
            taken |= won
        return spread


def _four(values: torch.Tensor) -> list[torch.Tensor]:
    return [values[:, :, :, row, column] for row in range(2) for column in range(2)]
