"""Classifiers by name, with random weights and a last layer of the right size."""

from collections.abc import Callable

import numpy as np
import torch
import torchvision.models
from numpy.typing import NDArray
from torch import nn

from depthlens.errors import StudyError, closest
from depthlens.models.architectures import MLP7, ResNet18, SmallConvNet, VGG16Small
from depthlens.models.inputs import Prepare, Shape, network_input
from depthlens.provenance import user_code

# Functions of n_classes and shape.
_OURS: dict[str, Callable[[int, Shape], nn.Module]] = {
    "mlp7": lambda n, shape: MLP7(n_classes=n, shape=shape),
    "mlp7_narrow": lambda n, shape: MLP7(n_classes=n, shape=shape, hidden_units=512),
    "vgg16_small": lambda n, shape: VGG16Small(n_classes=n, channels=shape[0]),
    "vgg16_narrow": lambda n, shape: VGG16Small(n_classes=n, channels=shape[0], narrower=4),
    "small_convnet": lambda n, shape: SmallConvNet(n_classes=n, shape=shape),
    "resnet18_narrow": lambda n, shape: ResNet18(n_classes=n, channels=shape[0], narrower=4),
    "resnet18_small": lambda n, shape: ResNet18(n_classes=n, channels=shape[0], small_stem=True),
}
# These two return auxiliary outputs while they train, unless told not to.
_WITH_AUXILIARY_OUTPUTS = ("googlenet", "inception_v3")
_TIMM = "timm:"


def build(architecture: str, *, n_classes: int, seed: int, shape: Shape = (3, 32, 32)) -> nn.Module:
    """A classifier with random weights.

    Parameters
    ----------
    architecture : str
        A name that `torchvision.models.list_models(module=torchvision.models)` gives; `mlp7`,
        `vgg16_small`, `resnet18_small`, `small_convnet`, `resnet18_narrow`, `vgg16_narrow` or
        `mlp7_narrow`;
        `timm:NAME`, if timm is installed; or a function `package.module:function` that is called as
        `function(n_classes=n_classes)` and returns a torch.nn.Module.
    n_classes : int
        Outputs of the last layer.
    seed : int
        Of the initial weights.
    shape : (channels, height, width)
        Of what the network is given: see `input_shape`.

    Raises
    ------
    StudyError
        If there is no such classifier, if it cannot take so many channels, or if a function
        fails or returns something else.
    """
    # Initial weights are drawn from the global generator: lend it ours and give it back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if architecture in _OURS:
            return _OURS[architecture](n_classes, shape)
        if architecture.startswith(_TIMM):
            return _from_timm(architecture, n_classes, shape[0])
        if ":" in architecture:
            return _from_function(architecture, n_classes)
        return _from_torchvision(architecture, n_classes, shape[0])


def check_fit(
    network: nn.Module,
    architecture: str,
    images: NDArray[np.uint8],
    *,
    n_classes: int | None = None,
    prepare: Prepare = network_input,
) -> None:
    """Try one forward pass, so that a network that does not fit the images is named at once.

    Parameters
    ----------
    images : uint8 array, shape (n, channels, height, width)
        Two are enough.
    n_classes : int, optional
        Logits that it must give for each image.

    Raises
    ------
    StudyError
        With the reason of torch or of the user's code, or with what is given instead of logits.
    """
    shape = "×".join(map(str, images.shape[1:]))
    with (
        torch.inference_mode(),
        user_code.guarded(
            f"models: {architecture} does not take images of {shape}",
            "; choose another architecture, or set channels or input_size",
        ),
    ):
        given = network.eval()(prepare(torch.tensor(images[:2])))
    if n_classes is None:
        return
    wanted = (len(images[:2]), n_classes)
    if not isinstance(given, torch.Tensor) or given.shape != wanted:
        what = (
            f"a tensor of shape {tuple(given.shape)}"
            if isinstance(given, torch.Tensor)
            else f"a {type(given).__name__}"
        )
        raise StudyError(
            f"models: {architecture} gives {what} for {wanted[0]} images, not one logit for each "
            f"of the {n_classes} classes, shape {wanted}"
        )


def _from_torchvision(name: str, n_classes: int, channels: int) -> nn.Module:
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise StudyError(
            f"models: torchvision has no classifier {name!r}{closest(name, [*_OURS, *known])}"
        )
    if channels != 3:
        raise StudyError(
            f"models: {name} takes 3 channels, not {channels}; leave channels at 3, and grey "
            "images are repeated"
        )
    options = {"aux_logits": False, "init_weights": True} if name in _WITH_AUXILIARY_OUTPUTS else {}
    return torchvision.models.get_model(name, weights=None, num_classes=n_classes, **options)


def _from_timm(architecture: str, n_classes: int, channels: int) -> nn.Module:
    try:
        import timm
    except ModuleNotFoundError:
        raise StudyError(
            f"models: {architecture} needs timm, which is not installed; pip install timm"
        ) from None
    name = architecture.removeprefix(_TIMM)
    known = timm.list_models()
    if name not in known:
        raise StudyError(f"models: timm has no network {name!r}{closest(name, known)}")
    return timm.create_model(name, pretrained=False, num_classes=n_classes, in_chans=channels)


def _from_function(function: str, n_classes: int) -> nn.Module:
    network = user_code.call("models", function, n_classes=n_classes)
    if not isinstance(network, nn.Module):
        raise StudyError(
            f"models: {function} returned a {type(network).__name__}, not a torch.nn.Module"
        )
    if any(value.is_meta for value in (*network.parameters(), *network.buffers())):
        raise StudyError(
            f"models: {function} returned a network on the device meta, which holds no numbers; "
            "make it on the CPU"
        )
    return network
