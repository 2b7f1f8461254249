"""Take over a network that was trained elsewhere: its weights become a checkpoint of the study."""

import logging
from pathlib import Path

from depthlens import tables
from depthlens.models import checkpoints, inputs, networks

log = logging.getLogger(__name__)

_SAMPLE = 8  # images that the network is tried on


def run(*, images: Path, weights: Path, checkpoint: Path, cfg: dict) -> None:
    """Write the checkpoint, after the weights were found to fit network and images.

    Parameters
    ----------
    images : path
        Training images: the network is tried on the first few, and must give one logit for each
        of their classes.
    weights : path
        See `models.checkpoints.load_weights`.
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
        shape=inputs.input_shape(cfg, split.images.shape[1:]),
    )
    n_tensors = checkpoints.load_weights(network, weights, name=architecture)
    networks.check_fit(
        network,
        architecture,
        split.images[:_SAMPLE],
        n_classes=n_classes,
        prepare=inputs.prepare(cfg),
    )
    about = tables.describe("adopt", cfg, {"images": images, "weights": weights})
    identity = {"architecture": architecture, "n_classes": n_classes}
    checkpoints.save_tensors(checkpoint, network.state_dict(), {**about, **identity})
    log.info("%s: %d tensors of %s fit", weights, n_tensors, architecture)
