"""Trained weights on disk: safetensors, never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from depthlens import tables
from depthlens.errors import ArtifactError, shortened
from depthlens.models import inputs, networks


def save_tensors(path: Path | str, tensors: Mapping[str, torch.Tensor], metadata: Mapping) -> None:
    """Write named tensors and one JSON string of metadata, whole or not at all."""
    # One metadata key only: safetensors writes several in random order.
    about = {"depthlens": json.dumps(metadata, sort_keys=True, ensure_ascii=False)}
    contiguous: dict[str, torch.Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        # safetensors refuses two names for one memory, as tied layers have.
        contiguous[name] = plain.clone() if storage in storages else plain
        storages.add(storage)
    with tables.replacing(path) as partial:
        try:
            save_file(contiguous, partial, about)
        except SafetensorError as error:  # what safetensors makes of a full disk
            raise OSError(str(error)) from None


def load_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what `save_tensors` wrote.

    Raises
    ------
    ArtifactError
        If the file is missing, not safetensors, or not made by depthlens.
    """
    if not Path(path).is_file():
        raise ArtifactError(f"{path}: no such file; run the rule train")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # A copy: the file may be replaced while the tensors are in use.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a whole safetensors file ({error}); delete it and run again"
        ) from None
    if "depthlens" not in metadata:
        raise ArtifactError(f"{path}: safetensors, but not made by depthlens; move it away")
    return tensors, json.loads(metadata["depthlens"])


def load_network(
    path: Path | str,
    *,
    architecture: str,
    n_classes: int,
    shape: inputs.Shape = (3, 32, 32),
) -> nn.Module:
    """The trained network of a checkpoint, in evaluation mode.

    Parameters
    ----------
    path : path
    architecture, n_classes, shape
        As for `networks.build`.

    Raises
    ------
    ArtifactError
        If the checkpoint is damaged or of another network.
    """
    weights, about = load_tensors(path)
    found = (about.get("architecture"), about.get("n_classes"))
    if found != (architecture, n_classes):
        raise ArtifactError(
            f"{path}: a checkpoint of another network ({found[0]} with {found[1]} classes, not "
            f"{architecture} with {n_classes}); delete it and run again"
        )
    network = networks.build(architecture, n_classes=n_classes, seed=0, shape=shape)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ArtifactError(
            f"{path}: its weights do not fit {architecture} ({str(error).splitlines()[-1].strip()})"
        ) from None
    return network.eval()


def load_weights(network: nn.Module, path: Path | str, *, name: str) -> int:
    """Give a network the weights of a safetensors file, whoever wrote it.

    Parameters
    ----------
    network : torch.nn.Module
    path : path
        Of tensors by the names of the network's `state_dict`.
    name : str
        Of the network, for messages.

    Returns
    -------
    int
        Number of tensors.

    Raises
    ------
    ArtifactError
        If the file is missing or damaged, or does not hold exactly the network's tensors.
    """
    tensors = _read(path)
    if fault := _misfit(network.state_dict(), tensors):
        raise ArtifactError(f"{path}: not the weights of {name}: {fault}")
    network.load_state_dict(tensors)
    return len(tensors)


def _read(path: Path | str) -> dict[str, torch.Tensor]:
    if not Path(path).is_file():
        raise ArtifactError(f"{path}: no such file; it should hold weights as safetensors")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a whole safetensors file ({error}); write it with "
            "safetensors.torch.save_file(network.state_dict(), …)"
        ) from None


def _misfit(wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> str:
    """What is wrong with the names and shapes of tensors; "" if nothing is."""
    other = [
        f"{name} ({_shape(found[name])}, not {_shape(wanted[name])})"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    faults = {
        "missing": [name for name in wanted if name not in found],
        "unknown": sorted(name for name in found if name not in wanted),
        "of another shape": other,
    }
    return "; ".join(f"{what}: {shortened(names)}" for what, names in faults.items() if names)


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
