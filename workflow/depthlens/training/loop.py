"""Train a classifier epoch by epoch and record what each example went through."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from depthlens.models.inputs import Prepare, network_input
from depthlens.scores.norms import error_norm, last_layer_gradient_norm
from depthlens.training.augmentation import Look, as_they_are
from depthlens.training.schedules import Schedule

Progress = Callable[[Iterable[Any]], Iterable[Any]]
Criterion = Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Of what a network gives and the classes: logits, shape (n, n_classes), and losses, shape (n,)."""


def cross_entropy(
    outputs: torch.Tensor, classes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The criterion of a network that gives logits."""
    return outputs, functional.cross_entropy(outputs, classes, reduction="none")


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What a network made of each example of a split, in their order: arrays of shape (n,)."""

    loss: NDArray[np.float32]
    """cross-entropy, nats"""
    margin: NDArray[np.float32]
    """logit of its class less the largest other logit"""
    prediction: NDArray[np.integer]
    """class with the largest logit"""
    error_norm: NDArray[np.float32]
    """length of softmax less the one-hot label, 0 … √2 (EL2N)"""
    gradient_norm: NDArray[np.float32]
    """length of the loss gradient with respect to weights and bias of the last linear layer; NaN
    where the network does not end in one (GraNd of the last layer)"""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training examples measured.

    The training figures are of the pass itself: each example's at the moment the network met it,
    before the step that it took part in. The test figures are of evaluation mode, after the pass.
    """

    epoch: int
    """1, 2, …"""
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    learning_rate: float
    """of the last step"""
    seconds: float
    train: Outcomes
    test: Outcomes


def make_optimizer(
    network: nn.Module, name: str, *, learning_rate: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """The optimizer that a config names: adam, adamw or sgd."""
    parameters = network.parameters()
    if name == "sgd":
        return torch.optim.SGD(
            parameters, lr=learning_rate, weight_decay=weight_decay, momentum=momentum
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(parameters, lr=learning_rate, weight_decay=weight_decay)


def train(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.integer],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.integer],
    epochs: range,
    last_epoch: int,
    batch_size: int,
    schedule: Schedule,
    seed: int,
    device: torch.device,
    looks: Callable[[int], Look] = lambda epoch: as_they_are,
    label_smoothing: float = 0.0,
    prepare: Prepare = network_input,
    criterion: Criterion = cross_entropy,
    progress: Progress = lambda batches: batches,
) -> Iterator[Epoch]:
    """Minimise a loss, cross-entropy if nothing else is said; yield after every epoch.

    An epoch's order of examples and dropout depend on `seed` and its number alone. So a run that
    goes on from the state after epoch e ends with the bits of one that was never stopped.

    Parameters
    ----------
    network, optimizer
        Changed in place; the network is on `device`.
    train_images, test_images : uint8 array, shape (n, channels, height, width)
    train_labels, test_labels : signed int array, shape (n,)
    epochs : range
        Numbers of the epochs to run, the first epoch being 1.
    last_epoch : int
        Number of the epoch at whose end the training is finished.
    batch_size : int
        See `batches_of`.
    schedule : callable
        Share of the optimizer's learning rate at each step of the whole training.
    looks : callable
        Gives for each epoch what training meets in place of the images: see `augmentation.looks`.
        Test images are never changed.
    label_smoothing : float, 0 … 1
        See `take_steps`.
    prepare : callable
        Makes of a batch of images what the network takes.
    criterion : callable
        Makes logits and losses of what the network gives, for networks that give more than logits.
    progress : callable
        Wraps the iterable of batches of an epoch.
    """
    images, labels = (torch.tensor(part, device=device) for part in (train_images, train_labels))
    test_set = torch.tensor(test_images, device=device), torch.tensor(test_labels, device=device)
    full_rate = optimizer.defaults["lr"]
    for epoch in epochs:
        start = time.perf_counter()
        batches = batches_of(len(train_labels), batch_size, seed, epoch)
        shares = [
            schedule(step, last_epoch * len(batches))
            for step in range((epoch - 1) * len(batches), epoch * len(batches))
        ]
        train = take_steps(
            network,
            optimizer,
            images,
            labels,
            batches,
            rates=[full_rate * share for share in shares],
            seed=epoch_seed(seed, epoch),
            look=looks(epoch),
            label_smoothing=label_smoothing,
            prepare=prepare,
            criterion=criterion,
            progress=progress,
        )
        test = evaluate(
            network, *test_set, batch_size=batch_size, prepare=prepare, criterion=criterion
        )
        yield Epoch(
            epoch=epoch,
            train_loss=float(train.loss.mean(dtype=np.float64)),
            train_accuracy=float((train.prediction == train_labels).mean()),
            test_loss=float(test.loss.mean(dtype=np.float64)),
            test_accuracy=float((test.prediction == test_labels).mean()),
            learning_rate=optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - start,
            train=train,
            test=test,
        )


def evaluate(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    batch_size: int,
    prepare: Prepare = network_input,
    criterion: Criterion = cross_entropy,
) -> Outcomes:
    """What a network makes of examples in evaluation mode."""
    network.eval()
    notes = _Notes(labels)
    with torch.inference_mode(), _last_layer_input(network) as features:
        for rows in torch.arange(len(labels), device=labels.device).split(batch_size):
            classes = labels[rows].long()
            logits, loss = criterion(network(prepare(images[rows])), classes)
            notes.take(rows, logits, classes, loss, features())
    return notes.outcomes()


def snapshot_epochs(n_snapshots: int, last_epoch: int) -> list[int]:
    """Epochs after which the network is kept: evenly spaced, the last one among them.

    Parameters
    ----------
    n_snapshots : int
        0 … last_epoch.
    last_epoch : int

    Returns
    -------
    list of int, length n_snapshots, ascending
    """
    return [-(-last_epoch * number // n_snapshots) for number in range(1, n_snapshots + 1)]


class _Notes:
    """Outcomes of a split that are written down batch by batch, on the network's device."""

    def __init__(self, labels: torch.Tensor) -> None:
        n, device = len(labels), labels.device
        self._floats = torch.full((4, n), torch.nan, device=device)
        self._predictions = torch.full((n,), -1, dtype=labels.dtype, device=device)

    @torch.no_grad()
    def take(
        self,
        rows: torch.Tensor,
        logits: torch.Tensor,
        classes: torch.Tensor,
        loss: torch.Tensor,
        features: torch.Tensor | None,
    ) -> None:
        """Note a batch; `features` is what the last linear layer was given, if there is one."""
        errors = error_norm(logits, classes)
        if features is None:
            norms = torch.full_like(errors, torch.nan)
        else:
            norms = last_layer_gradient_norm(errors, features)
        self._floats[:, rows] = torch.stack([loss, margins_of(logits, classes), errors, norms])
        self._predictions[rows] = logits.argmax(1).to(self._predictions.dtype)

    def outcomes(self) -> Outcomes:
        loss, margin, error_norm, gradient_norm = self._floats.cpu().numpy()
        return Outcomes(
            loss=loss,
            margin=margin,
            prediction=self._predictions.cpu().numpy(),
            error_norm=error_norm,
            gradient_norm=gradient_norm,
        )


@contextlib.contextmanager
def _last_layer_input(
    network: nn.Module,
) -> Iterator[Callable[[], torch.Tensor | None]]:
    """A function that gives what the network's last layer was given in the last forward pass.

    The last layer is a linear module whose output is what the network returns; where there is
    none, it gives None.
    """
    seen: dict[str, torch.Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        seen["input"], seen["output"] = inputs[0].detach(), output

    def check(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if seen.get("output") is not output:
            seen.clear()

    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_hook(keep) for module in linear]
    hooks.append(network.register_forward_hook(check))
    try:
        yield lambda: seen.get("input")
    finally:
        for hook in hooks:
            hook.remove()


def margins_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Logit of the labelled class less the largest other logit, shape (n,)."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return own[:, 0] - others.amax(1)


def take_steps(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    batches: list[torch.Tensor],
    *,
    rates: list[float],
    seed: int,
    look: Look = as_they_are,
    label_smoothing: float = 0.0,
    prepare: Prepare = network_input,
    criterion: Criterion = cross_entropy,
    progress: Progress = lambda batches: batches,
) -> Outcomes:
    """Train on batches, and note what each example was to the network when it was last met.

    Parameters
    ----------
    network, optimizer
        Changed in place; the network is on the device of the images.
    images : uint8 tensor, shape (n, channels, height, width)
    labels : signed int tensor, shape (n,)
    batches : list of int tensors
        Rows of the examples of each step.
    rates : list of float
        Learning rate of each step.
    seed : int
        Of dropout.
    look : callable
        Gives what is met in place of the images.
    label_smoothing : float, 0 … 1
        Share of each label that is spread over all classes evenly, in the loss that is minimised
        (Szegedy et al. 2016, arXiv 1512.00567, section 7). The loss that is noted has none of it.
    prepare, criterion, progress : callable
        As for `train`.

    Returns
    -------
    Outcomes
        NaN and class -1 for an example that no batch holds.
    """
    network.train()
    notes = _Notes(labels)
    devices = [labels.device] if labels.device.type == "cuda" else []
    # Dropout draws from the global generator: lend it this epoch's seed.
    with torch.random.fork_rng(devices=devices), _last_layer_input(network) as features:
        torch.manual_seed(seed)
        for batch, rate in zip(progress(batches), rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = batch.to(labels.device)
            classes = labels[batch].long()
            seen = look(images[batch], batch)
            logits, loss = criterion(network(prepare(seen)), classes)
            minimised = loss
            if label_smoothing:
                of_all_classes = -functional.log_softmax(logits, 1).mean(1)
                minimised = (1 - label_smoothing) * loss + label_smoothing * of_all_classes
            optimizer.zero_grad()
            minimised.mean().backward()
            optimizer.step()
            notes.take(batch, logits, classes, loss.detach(), features())
    return notes.outcomes()


def batches_of(n_examples: int, batch_size: int, seed: int, epoch: int) -> list[torch.Tensor]:
    """Rows of the examples of each step of an epoch, every example once.

    A last batch of one example joins the one before it: batch statistics need two.
    """
    generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
    batches = list(torch.randperm(n_examples, generator=generator).split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        single = batches.pop()
        batches[-1] = torch.cat([batches[-1], single])
    return batches


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for every epoch of every run, well mixed."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
