"""Train one network on one dataset with one seed, and go on where a killed run stopped."""

import json
import logging
from pathlib import Path

import numpy as np
import torch

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.models import checkpoints, devices, networks
from depthlens.progress import bar
from depthlens.training import loop

log = logging.getLogger(__name__)

# Seconds are for the log alone: in a table they would make equal runs differ.
_SCALARS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate")
_PER_EXAMPLE = ("losses", "margins", "predictions")


def run(
    *,
    train_images: Path,
    test_images: Path,
    seed: int,
    checkpoint: Path,
    history: Path,
    dynamics: Path,
    resume: Path,
    cfg: dict,
) -> None:
    """Write checkpoint, history and dynamics.

    Parameters
    ----------
    resume : path
        Where the state after each epoch is kept until the training is finished.
    cfg : dict
        Blocks `training` and `model`.
    """
    settings, architecture = cfg["training"], cfg["model"]["architecture"]
    torch.set_num_threads(settings["threads"])
    devices.make_deterministic()
    device = devices.choose(settings["device"], key="training.device")
    train, test = tables.read_images(train_images), tables.read_images(test_images)
    about = tables.describe(
        "train", {**cfg, "seed": seed}, {"train": train_images, "test": test_images}
    )

    network = networks.build(architecture, n_classes=len(train.classes), seed=seed)
    networks.check_fit(network, architecture, train.images)
    network.to(device)
    optimizer = loop.make_optimizer(
        network,
        settings["optimizer"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        momentum=settings["momentum"],
    )
    done = _restore(resume, about, network, optimizer)
    log.info(
        "training %s on %s: %d examples, epochs %d to %d",
        architecture, device, len(train.labels), len(done) + 1, settings["epochs"],
    )  # fmt: skip
    for epoch in loop.train(
        network,
        optimizer,
        train_images=train.images,
        train_labels=train.labels,
        test_images=test.images,
        test_labels=test.labels,
        epochs=range(len(done) + 1, settings["epochs"] + 1),
        last_epoch=settings["epochs"],
        batch_size=settings["batch_size"],
        decay=settings["decay"],
        seed=seed,
        device=device,
        progress=lambda batches: bar(batches, label="training", unit="batch"),
    ):
        done.append(epoch)
        _keep(resume, about, network, optimizer, done)
        log.info(
            "epoch %d: training accuracy %.4f, test accuracy %.4f, %.1f s",
            epoch.epoch, epoch.train_accuracy, epoch.test_accuracy, epoch.seconds,
        )  # fmt: skip

    _write_history(history, done, about)
    _write_dynamics(dynamics, done, train.example_id, about)
    identity = {"architecture": architecture, "n_classes": len(train.classes)}
    checkpoints.save_tensors(checkpoint, network.state_dict(), {**about, **identity})
    resume.unlink(missing_ok=True)


def _keep(
    path: Path,
    about: dict,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    done: list[loop.Epoch],
) -> None:
    """Save all that the next epoch depends on, and what the finished ones measured."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, tensor in state.items():
            tensors[f"optimizer.{index}.{name}"] = tensor
    for name in _PER_EXAMPLE:
        stacked = np.stack([getattr(epoch, name) for epoch in done])
        tensors[f"epochs.{name}"] = torch.from_numpy(stacked)
    scalars = [{name: getattr(epoch, name) for name in (*_SCALARS, "seconds")} for epoch in done]
    checkpoints.save_tensors(path, tensors, {**about, "epochs": scalars})


def _restore(
    path: Path, about: dict, network: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> list[loop.Epoch]:
    """Take in the state that a killed run left; the epochs that are done, none if there is none."""
    if not path.exists():
        return []
    try:
        tensors, kept = checkpoints.load_tensors(path)
    except ArtifactError as error:
        log.warning("%s: starting from the first epoch", error)
        return []
    scalars = kept.pop("epochs", None)
    if json.dumps(kept, sort_keys=True) != json.dumps(about, sort_keys=True):
        log.info("%s belongs to another config or other images: starting afresh", path)
        return []
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    )
    state: dict[int, dict] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    log.info("going on after epoch %d, kept in %s", len(scalars), path)
    per_example = {name: tensors[f"epochs.{name}"].numpy() for name in _PER_EXAMPLE}
    return [
        loop.Epoch(**values, **{name: rows[index] for name, rows in per_example.items()})
        for index, values in enumerate(scalars)
    ]


def _write_history(path: Path, done: list[loop.Epoch], about: dict) -> None:
    columns = {name: np.array([getattr(epoch, name) for epoch in done]) for name in _SCALARS}
    columns["epoch"] = columns["epoch"].astype(np.int32)
    tables.write(path, columns, about)


def _write_dynamics(path: Path, done: list[loop.Epoch], ids: np.ndarray, about: dict) -> None:
    columns = {
        "epoch": np.repeat(np.array([epoch.epoch for epoch in done], np.int16), len(ids)),
        "example_id": np.tile(ids, len(done)),
        "loss": np.concatenate([epoch.losses for epoch in done]),
        "margin": np.concatenate([epoch.margins for epoch in done]),
        "prediction": np.concatenate([epoch.predictions for epoch in done]),
    }
    tables.write(path, columns, about)
