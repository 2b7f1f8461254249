"""Take over a network that was trained elsewhere: its weights become a checkpoint of the study."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.models import checkpoints, networks

log = logging.getLogger(__name__)

_SAMPLE = 8  # images that the network is tried on
_MOST_NAMES = 4


def run(*, images: Path, weights: Path, checkpoint: Path, cfg: dict) -> None:
    """Write the checkpoint, after the weights were found to fit network and images.

    Parameters
    ----------
    images : path
        Training images: the network is tried on the first few, and must give one logit for each
        of their classes.
    weights : path
        safetensors file of the network's `state_dict`, whoever wrote it.
    cfg : dict
        The block `model`.

    Raises
    ------
    ArtifactError
        If the file is missing or damaged, or does not hold exactly the network's tensors.
    StudyError
        If the network cannot be built, does not take the images, or has other classes.
    """
    split = tables.read_images(images)
    architecture, n_classes = cfg["architecture"], len(split.classes)
    network = networks.build(
        architecture,
        n_classes=n_classes,
        seed=0,
        shape=networks.input_shape(cfg, split.images.shape[1:]),
    )
    tensors = _read(weights)
    if fault := _misfit(network.state_dict(), tensors):
        raise ArtifactError(f"{weights}: not the weights of {architecture}: {fault}")
    network.load_state_dict(tensors)
    networks.check_fit(
        network,
        architecture,
        split.images[:_SAMPLE],
        n_classes=n_classes,
        prepare=networks.prepare(cfg),
    )
    about = tables.describe("adopt", cfg, {"images": images, "weights": weights})
    identity = {"architecture": architecture, "n_classes": n_classes}
    checkpoints.save_tensors(checkpoint, network.state_dict(), {**about, **identity})
    log.info("%s: %d tensors of %s fit", weights, len(tensors), architecture)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not Path(path).is_file():
        raise ArtifactError(f"{path}: no such file; models.….weights names it")
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
    return "; ".join(f"{what}: {_some(names)}" for what, names in faults.items() if names)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
