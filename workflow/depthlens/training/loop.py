"""Train a classifier epoch by epoch and record what each training example went through."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from depthlens.models.networks import network_input

Progress = Callable[[Iterable], Iterable]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training examples measured.

    The training figures are of the pass itself: each example's at the moment the network met it,
    before the step that it took part in.
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
    losses: NDArray[np.float32]
    """cross-entropy of each training example, nats"""
    margins: NDArray[np.float32]
    """logit of its class less the largest other logit"""
    predictions: NDArray[np.int16]
    """class with the largest logit"""


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
    train_labels: NDArray[np.int16],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.int16],
    epochs: range,
    last_epoch: int,
    batch_size: int,
    decay: float,
    seed: int,
    device: torch.device,
    progress: Progress = lambda batches: batches,
) -> Iterator[Epoch]:
    """Minimise cross-entropy; yield after every epoch.

    An epoch's order of examples and dropout depend on `seed` and its number alone. So a run that
    goes on from the state after epoch e ends with the bits of one that was never stopped.

    Parameters
    ----------
    network, optimizer
        Changed in place; the network is on `device`.
    train_images, test_images : uint8 array, shape (n, channels, height, width)
    train_labels, test_labels : int16 array, shape (n,)
    epochs : range
        Numbers of the epochs to run, the first epoch being 1.
    last_epoch : int
        Number of the epoch at whose end the training is finished.
    decay : float, 0 … 1
        Share of all steps, the last ones, over which the learning rate falls linearly towards 0.
    batch_size : int
        A last batch of one example joins the one before it: batch statistics need two.
    progress : callable
        Wraps the iterable of batches of an epoch.
    """
    train_set = [torch.tensor(array, device=device) for array in (train_images, train_labels)]
    test_set = [torch.tensor(array, device=device) for array in (test_images, test_labels)]
    full_rate = optimizer.defaults["lr"]
    for epoch in epochs:
        start = time.perf_counter()
        batches = _batches(len(train_labels), batch_size, seed, epoch)
        shares = [
            rate_share(step, last_epoch * len(batches), decay)
            for step in range((epoch - 1) * len(batches), epoch * len(batches))
        ]
        losses, margins, predictions = _one_pass(
            network,
            optimizer,
            *train_set,
            batches,
            rates=[full_rate * share for share in shares],
            seed=_epoch_seed(seed, epoch),
            progress=progress,
        )
        test_loss, test_accuracy = evaluate(network, *test_set, batch_size=batch_size)
        yield Epoch(
            epoch=epoch,
            train_loss=float(losses.mean(dtype=np.float64)),
            train_accuracy=float((predictions == train_labels).mean()),
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            learning_rate=optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - start,
            losses=losses,
            margins=margins,
            predictions=predictions,
        )


def evaluate(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, batch_size: int
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy in evaluation mode."""
    network.eval()
    loss, correct = 0.0, 0
    with torch.inference_mode():
        for batch, classes in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            logits = network(network_input(batch))
            loss += functional.cross_entropy(logits, classes.long(), reduction="sum").item()
            correct += (logits.argmax(1) == classes).sum().item()
    return loss / len(labels), correct / len(labels)


def rate_share(step: int, n_steps: int, decay: float) -> float:
    """Share of the full learning rate at a step: 1, then linearly towards 0.

    Parameters
    ----------
    step : int
        0 … n_steps - 1.
    n_steps : int
        Of the whole training.
    decay : float, 0 … 1
        Share of the steps, the last ones, over which the rate falls; 0 keeps it constant.
    """
    return min(1.0, (n_steps - step) / (decay * n_steps)) if decay else 1.0


def margins_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Logit of the labelled class less the largest other logit, shape (n,)."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return own[:, 0] - others.amax(1)


def _one_pass(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    batches: list[torch.Tensor],
    *,
    rates: list[float],
    seed: int,
    progress: Progress,
) -> tuple[NDArray, NDArray, NDArray]:
    """One epoch of steps; loss, margin and prediction of every example, in their order."""
    network.train()
    losses, margins = torch.empty(2, len(labels), device=labels.device)
    predictions = torch.empty(len(labels), dtype=torch.int16, device=labels.device)
    devices = [labels.device] if labels.device.type == "cuda" else []
    # Dropout draws from the global generator: lend it this epoch's seed.
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        for batch, rate in zip(progress(batches), rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = batch.to(labels.device)
            classes = labels[batch].long()
            logits = network(network_input(images[batch]))
            loss = functional.cross_entropy(logits, classes, reduction="none")
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
            with torch.no_grad():
                losses[batch] = loss
                margins[batch] = margins_of(logits, classes)
                predictions[batch] = logits.argmax(1).to(torch.int16)
    return losses.cpu().numpy(), margins.cpu().numpy(), predictions.cpu().numpy()


def _batches(n_examples: int, batch_size: int, seed: int, epoch: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(_epoch_seed(seed, epoch))
    batches = list(torch.randperm(n_examples, generator=generator).split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        single = batches.pop()
        batches[-1] = torch.cat([batches[-1], single])
    return batches


def _epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for every epoch of every run, well mixed."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
