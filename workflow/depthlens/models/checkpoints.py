"""Trained weights on disk: ours are safetensors; of others' pickles nothing is run."""

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from depthlens import tables
from depthlens.errors import ArtifactError, shortened
from depthlens.models import inputs, networks


def save_tensors(
    path: Path | str, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, object]
) -> None:
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


def load_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
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
    """Give a network the weights of a file, whoever wrote it.

    Parameters
    ----------
    network : torch.nn.Module
    path : path
        safetensors, or what `torch.save` wrote if it is called `.pt`, `.pth`, `.ckpt`, `.bin` or
        `.tar`, of which nothing but tensors and plain containers is read: the network's
        `state_dict`, or a dictionary that holds one. A prefix that all names share (`module.` of
        DistributedDataParallel, `model.` of a training loop) and `_orig_mod.` of torch.compile
        count for nothing. Of tensors that the network ties one is enough.
    name : str
        Of the network, for messages.

    Returns
    -------
    int
        Number of tensors.

    Raises
    ------
    ArtifactError
        If the file is missing or damaged, holds other things than tensors, or does not hold
        exactly the network's tensors.
    """
    wanted = network.state_dict()
    tensors = _renamed(wanted, _read(Path(path)))
    for names in _tied(wanted):
        given = [tensors[name] for name in names if name in tensors]
        if not all(torch.equal(given[0], other) for other in given[1:]):
            raise ArtifactError(
                f"{path}: not the weights of {name}, whose {', '.join(names)} are one tensor: "
                "here they differ"
            )
        tensors |= {name: given[0] for name in names if given}
    if fault := _misfit(wanted, tensors):
        raise ArtifactError(f"{path}: not the weights of {name}: {fault}")
    network.load_state_dict(tensors)
    return len(tensors)


_PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".tar")


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file; it should hold weights")
    if path.suffix.lower() in _PICKLED:
        return _unpickled(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a whole safetensors file ({error}); write it with "
            "safetensors.torch.save_file(network.state_dict(), …), or name what torch.save wrote "
            ".pt"
        ) from None


def _unpickled(path: Path) -> dict[str, torch.Tensor]:
    """The state_dict that torch.save wrote, or the one in a dictionary that it wrote."""
    cure = "write it with torch.save(network.state_dict(), …)"
    try:
        # Without weights_only, whoever made the file could run any code here.
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch makes of a foreign or damaged file
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        fault = (
            f"it holds more than tensors, {foreign[1]}, which is not read, since code would run"
            if foreign
            else f"not a whole file of weights by torch.save ({_first_line(error)})"
        )
        raise ArtifactError(f"{path}: {fault}; {cure}") from None
    if _is_state_dict(found):
        return dict(found)
    entries = found.items() if isinstance(found, Mapping) else ()
    inner = {str(key): value for key, value in entries if _is_state_dict(value)}
    if len(inner) != 1:
        several = f"{len(inner)} sets of weights: {', '.join(inner)}"
        raise ArtifactError(
            f"{path}: it holds {several if inner else 'no dictionary of tensors'}; {cure}"
        )
    return dict(*inner.values())


def _is_state_dict(found: object) -> bool:
    return (
        isinstance(found, Mapping)
        and len(found) > 0
        and all(isinstance(value, torch.Tensor) for value in found.values())
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _renamed(wanted: Iterable[str], found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors by the network's names, if theirs differ in what training tools put before them."""
    names = {name.replace(_COMPILED, ""): name for name in wanted}
    plain = {name.replace(_COMPILED, ""): tensor for name, tensor in found.items()}
    ours, theirs = _shared_prefix(names), _shared_prefix(plain)
    if ours.endswith(theirs) or theirs.endswith(ours):
        plain = {ours + name.removeprefix(theirs): tensor for name, tensor in plain.items()}
    if len(plain) == len(found) and plain.keys() <= names.keys():
        return {names[name]: tensor for name, tensor in plain.items()}
    return dict(found)


_COMPILED = "_orig_mod."  # put into names by torch.compile


def _shared_prefix(names: Iterable[str]) -> str:
    parts = zip(*(name.split(".")[:-1] for name in names), strict=False)
    shared = itertools.takewhile(lambda met: len(set(met)) == 1, parts)
    return "".join(f"{met[0]}." for met in shared)


def _tied(tensors: Mapping[str, torch.Tensor]) -> list[list[str]]:
    """Names of each tensor that has several, as where layers share their weight."""
    names: dict[tuple[object, ...], list[str]] = {}
    for name, tensor in tensors.items():
        if tensor.numel():
            place = tensor.data_ptr(), tensor.shape, tensor.stride()
            names.setdefault(place, []).append(name)
    return [several for several in names.values() if len(several) > 1]


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
    said = [f"{what}: {shortened(names)}" for what, names in faults.items() if names]
    if faults["missing"] and faults["unknown"]:
        said.append("save network.state_dict() of the network alone")
    return "; ".join(said)


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
