"""Train one network on one dataset with one seed, and go on where a killed run stopped."""

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import torch

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.models import checkpoints, devices, inputs, networks
from depthlens.progress import bar
from depthlens.training import augmentation, loop, schedules

log = logging.getLogger(__name__)

# Seconds are for the log alone: in a table they would make equal runs differ.
_SCALARS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate")
_OUTCOMES = tuple(field.name for field in dataclasses.fields(loop.Outcomes))
_SPLITS = ("train", "test")


def run(
    *,
    train_images: Path,
    test_images: Path,
    seed: int,
    checkpoint: Path,
    history: Path,
    dynamics: Path,
    dynamics_test: Path,
    snapshots: Path,
    resume: Path,
    cfg: dict,
) -> None:
    """Write checkpoint, history, the dynamics of both splits, and snapshots.

    Parameters
    ----------
    snapshots : path
        Weights after some of the epochs, as `{epoch}.{name in state_dict}`.
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

    n_classes = len(train.classes)
    prepare = inputs.prepare(cfg["model"])
    network = networks.build(
        architecture,
        n_classes=n_classes,
        seed=seed,
        shape=inputs.input_shape(cfg["model"], train.images.shape[1:]),
    )
    networks.check_fit(network, architecture, train.images, n_classes=n_classes, prepare=prepare)
    looks = augmentation.looks(
        settings["augmentation"],
        seed=seed,
        example_id=train.example_id,
        image_shape=train.images.shape[1:],
        device=device,
    )
    network.to(device)
    optimizer = loop.make_optimizer(
        network,
        settings["optimizer"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        momentum=settings["momentum"],
    )
    done, kept = _restore(resume, about, network, optimizer)
    wanted = loop.snapshot_epochs(settings["snapshots"], settings["epochs"])
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
        schedule=schedules.make(
            settings["schedule"], warmup=settings["warmup"], decay=settings["decay"]
        ),
        seed=seed,
        device=device,
        looks=looks,
        label_smoothing=settings["label_smoothing"],
        prepare=prepare,
        progress=lambda batches: bar(batches, label="training", unit="batch"),
    ):
        done.append(epoch)
        if epoch.epoch in wanted:
            for name, tensor in network.state_dict().items():
                kept[f"{epoch.epoch}.{name}"] = tensor.detach().cpu().clone()
        _keep(resume, about, network, optimizer, done, kept)
        log.info(
            "epoch %d: training accuracy %.4f, test accuracy %.4f, %.1f s",
            epoch.epoch, epoch.train_accuracy, epoch.test_accuracy, epoch.seconds,
        )  # fmt: skip

    _write_history(history, done, about)
    for path, name, ids in (
        (dynamics, "train", train.example_id),
        (dynamics_test, "test", test.example_id),
    ):
        _write_dynamics(path, [getattr(epoch, name) for epoch in done], ids, about)
    identity = {"architecture": architecture, "n_classes": n_classes}
    checkpoints.save_tensors(snapshots, kept, {**about, **identity, "epochs": wanted})
    checkpoints.save_tensors(checkpoint, network.state_dict(), {**about, **identity})
    resume.unlink(missing_ok=True)


def _keep(
    path: Path,
    about: dict,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    done: list[loop.Epoch],
    kept: dict[str, torch.Tensor],
) -> None:
    """Save all that the next epoch depends on, and what the finished ones left."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, tensor in state.items():
            tensors[f"optimizer.{index}.{name}"] = tensor
    for split in _SPLITS:
        for name in _OUTCOMES:
            stacked = np.stack([getattr(getattr(epoch, split), name) for epoch in done])
            tensors[f"{split}.{name}"] = torch.from_numpy(stacked)
    tensors.update({f"snapshots.{name}": tensor for name, tensor in kept.items()})
    scalars = [{name: getattr(epoch, name) for name in (*_SCALARS, "seconds")} for epoch in done]
    checkpoints.save_tensors(path, tensors, {**about, "epochs": scalars})


def _restore(
    path: Path, about: dict, network: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[list[loop.Epoch], dict[str, torch.Tensor]]:
    """Take in the state that a killed run left.

    Returns
    -------
    The epochs that are done, none if there is no such state, and the snapshots that were kept.
    """
    if not path.exists():
        return [], {}
    try:
        tensors, kept = checkpoints.load_tensors(path)
    except ArtifactError as error:
        log.warning("%s: starting from the first epoch", error)
        return [], {}
    scalars = kept.pop("epochs", None)
    if json.dumps(kept, sort_keys=True) != json.dumps(about, sort_keys=True):
        log.info("%s belongs to another config or other images: starting afresh", path)
        return [], {}
    network.load_state_dict(_below("network.", tensors))
    state: dict[int, dict] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    log.info("going on after epoch %d, kept in %s", len(scalars), path)
    outcomes = {split: _below(f"{split}.", tensors) for split in _SPLITS}

    def met(split: str, index: int) -> loop.Outcomes:
        return loop.Outcomes(**{k: rows[index].numpy() for k, rows in outcomes[split].items()})

    done = [
        loop.Epoch(**values, train=met("train", index), test=met("test", index))
        for index, values in enumerate(scalars)
    ]
    return done, _below("snapshots.", tensors)


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _write_history(path: Path, done: list[loop.Epoch], about: dict) -> None:
    columns = {name: np.array([getattr(epoch, name) for epoch in done]) for name in _SCALARS}
    columns["epoch"] = columns["epoch"].astype(np.int32)
    tables.write(path, columns, about)


def _write_dynamics(path: Path, done: list[loop.Outcomes], ids: np.ndarray, about: dict) -> None:
    columns = {
        "epoch": np.repeat(np.arange(1, len(done) + 1, dtype=np.int16), len(ids)),
        "example_id": np.tile(ids, len(done)),
    }
    for name in _OUTCOMES:
        columns[name] = np.concatenate([getattr(outcomes, name) for outcomes in done])
    tables.write(path, columns, about)
