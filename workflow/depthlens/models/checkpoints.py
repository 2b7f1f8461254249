"""Trained weights on disk: safetensors, never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.models import networks


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
    shape: networks.Shape = (3, 32, 32),
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
