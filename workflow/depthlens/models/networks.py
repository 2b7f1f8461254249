"""Any torchvision classifier by name, with random weights and a last layer of the right size."""

import numpy as np
import torch
import torchvision.models
from numpy.typing import NDArray
from torch import nn

from depthlens.errors import StudyError, closest

# These two return auxiliary outputs while they train, unless told not to.
_WITH_AUXILIARY_OUTPUTS = ("googlenet", "inception_v3")


def build(architecture: str, *, n_classes: int, seed: int) -> nn.Module:
    """A torchvision classifier with random weights.

    Parameters
    ----------
    architecture : str
        A name that `torchvision.models.list_models(module=torchvision.models)` gives.
    n_classes : int
        Outputs of the last layer.
    seed : int
        Of the initial weights.

    Raises
    ------
    StudyError
        If torchvision has no such classifier.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if architecture not in known:
        raise StudyError(
            f"models: torchvision has no classifier {architecture!r}{closest(architecture, known)}"
        )
    options = (
        {"aux_logits": False, "init_weights": True}
        if architecture in _WITH_AUXILIARY_OUTPUTS
        else {}
    )
    # torchvision draws from the global generator: lend it ours and give it back.
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        return torchvision.models.get_model(
            architecture, weights=None, num_classes=n_classes, **options
        )


def network_input(images: torch.Tensor) -> torch.Tensor:
    """What a network sees of images: brightness in [0, 1], a grey channel repeated to three.

    Parameters
    ----------
    images : uint8 tensor, shape (n, 1 or 3, height, width)

    Returns
    -------
    float32 tensor, shape (n, 3, height, width)
    """
    return (images.float() / 255).expand(-1, 3, -1, -1)


def check_fit(network: nn.Module, architecture: str, images: NDArray[np.uint8]) -> None:
    """Try one forward pass, so that a network that does not fit the images is named at once.

    Raises
    ------
    StudyError
        With torch's reason.
    """
    try:
        with torch.inference_mode():
            network.eval()(network_input(torch.tensor(images[:2])))
    except (RuntimeError, AssertionError, ValueError) as error:
        shape = "×".join(map(str, images.shape[1:]))
        reason = str(error).strip().splitlines()[0]
        raise StudyError(
            f"models: {architecture} does not take images of {shape} ({reason}); "
            "choose another architecture"
        ) from None
