"""Small networks for images of edges: convolutional ones of some hundred weights, and MLPs."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from depthlens.errors import StudyError, closest

IMAGE_SIZE = 28
_POOLING = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}

# Filters of the first convolution that are set by hand: an edge along a row, along a column, and a
# slanted one. The 2×2 ones are differences of neighbours; the others Sobel's (Sobel, Feldman 1968).
DETECTORS = {
    2: (((1, 1), (-1, -1)), ((1, -1), (1, -1)), ((1, -1), (-1, 1))),
    3: (
        ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
        ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
        ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)),
    ),
}


def convolutional(
    *,
    n_classes: int,
    kernel_size: int = 7,
    filters: int = 3,
    convolutions: int = 2,
    pooling: str = "max",
    detector: int | None = None,
) -> nn.Sequential:
    """A convolutional network for grey images of 28×28.

    Convolutions are each followed by ReLU, the first also by 2×2 pooling; then global average
    pooling and one linear layer. Convolutions keep the size of the image, which is reflected at its
    borders. With two convolutions of 3 filters of 7×7 and 3 classes it has 606 parameters. Weights
    of the first convolution and of the linear layer are drawn as Glorot and Bengio (2010) do,
    uniformly, with biases of 0; those of other convolutions as torch does.

    Parameters
    ----------
    n_classes : int
    kernel_size : int
        Of every convolution.
    filters : int
        Of every convolution.
    convolutions : int
        ≥ 2.
    pooling : "max" or "average"
    detector : 2 or 3, optional
        The first convolution has the edge detectors of this size, without bias, and does not
        learn.

    Returns
    -------
    torch.nn.Sequential
        Children `conv1`, `relu1`, `pool1`, `conv2`, …, `avgpool`, `flatten`, `fc`. Takes
        brightness in [0, 1], shape (n, 1, 28, 28).
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 1
    for number in range(1, convolutions + 1):
        size = detector if detector and number == 1 else kernel_size
        convolution = nn.Conv2d(channels, filters, size, padding="same", padding_mode="reflect")
        if detector and number == 1:
            _set_detectors(convolution, detector)
        elif number == 1:
            _as_glorot(convolution)
        layers[f"conv{number}"] = convolution
        layers[f"relu{number}"] = nn.ReLU()
        if number == 1:
            layers["pool1"] = _POOLING[pooling](2)
        channels = filters
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = _as_glorot(nn.Linear(channels, n_classes))
    return nn.Sequential(layers)


def frozen_detectors(*, n_classes: int, size: int) -> nn.Sequential:
    """A network of two convolutions set by hand, of which the linear layer alone learns.

    The filters of the first convolution detect an edge along a row, one along a column, and nothing
    (all weights 0); those of the second are the same ones, for the sum of its three inputs. There
    are no biases. Images are reflected at their borders by ⌊(size - 1) / 2⌋ pixels: an odd size
    keeps them, 2×2 makes 28, 27, 13 and 12 rows and columns.

    Parameters
    ----------
    n_classes : int
    size : int
        2: differences of neighbours. Odd: i / (i² + j²) and j / (i² + j²) at row i and column j
        from the middle, which is Sobel's, halved, for 3.

    Returns
    -------
    torch.nn.Sequential
        Children as of `convolutional`.
    """
    if size == 2:
        detectors = torch.tensor(DETECTORS[2][:2], dtype=torch.float32)
    else:
        place = torch.arange(size) - size // 2
        along = place[:, None] / (place[:, None] ** 2 + place**2).clamp_min(1)
        detectors = torch.stack([along, along.T])
    kernels = torch.cat([detectors, torch.zeros(1, size, size)])[:, None]
    first, second = (
        nn.Conv2d(channels, 3, size, padding=(size - 1) // 2, padding_mode="reflect")
        for channels in (1, 3)
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=_frozen(first, kernels),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=_frozen(second, kernels.expand(3, 3, size, size)),
        relu2=nn.ReLU(),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=_as_glorot(nn.Linear(3, n_classes)),
    )
    return nn.Sequential(layers)


def multilayer_perceptron(*, n_classes: int) -> nn.Sequential:
    """784 – 50 – 10 – classes with ReLU between: 39,793 parameters at 3 classes.

    Children `flatten`, `fc1`, `relu1`, `fc2`, `relu2`, `fc3`. Takes brightness in [0, 1], shape
    (n, 1, 28, 28).
    """
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(IMAGE_SIZE**2, 50),
            relu1=nn.ReLU(),
            fc2=nn.Linear(50, 10),
            relu2=nn.ReLU(),
            fc3=nn.Linear(10, n_classes),
        )
    )


def perceptron_of_means(*, n_classes: int) -> nn.Sequential:
    """Means of 4×4 pixels, 49 – 11 – classes with ReLU between: 586 parameters at 3 classes."""
    return nn.Sequential(
        OrderedDict(
            pool1=nn.AvgPool2d(2),
            pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear((IMAGE_SIZE // 4) ** 2, 11),
            relu1=nn.ReLU(),
            fc2=nn.Linear(11, n_classes),
        )
    )


def narrow_perceptron(*, n_classes: int) -> nn.Sequential:
    """784 – 1 – classes with ReLU between: 791 parameters at 3 classes."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(IMAGE_SIZE**2, 1),
            relu1=nn.ReLU(),
            fc2=nn.Linear(1, n_classes),
        )
    )


# Functions of the number of classes and the kernel size.
_NETWORKS: dict[str, Callable[[int, int], nn.Sequential]] = {
    "cnn": lambda n, k: convolutional(n_classes=n, kernel_size=k),
    "cnn_average": lambda n, k: convolutional(n_classes=n, kernel_size=k, pooling="average"),
    "cnn_wider": lambda n, k: convolutional(n_classes=n, kernel_size=k, filters=6),
    "cnn_deeper": lambda n, k: convolutional(n_classes=n, kernel_size=k, convolutions=4),
    "cnn_deeper_3x3": lambda n, _: convolutional(n_classes=n, kernel_size=3, convolutions=4),
    "cnn_2x2": lambda n, k: convolutional(n_classes=n, kernel_size=k, detector=2),
    "cnn_sobel": lambda n, k: convolutional(n_classes=n, kernel_size=k, detector=3),
    "cnn_frozen_2": lambda n, _: frozen_detectors(n_classes=n, size=2),
    "cnn_frozen_3": lambda n, _: frozen_detectors(n_classes=n, size=3),
    "cnn_frozen_7": lambda n, _: frozen_detectors(n_classes=n, size=7),
    "mlp": lambda n, _: multilayer_perceptron(n_classes=n),
    "mlp_means": lambda n, _: perceptron_of_means(n_classes=n),
    "mlp_narrow": lambda n, _: narrow_perceptron(n_classes=n),
}
NAMES = tuple(_NETWORKS)


def build(name: str, *, n_classes: int, seed: int, kernel_size: int = 7) -> nn.Sequential:
    """One of the networks by name, with its initial weights.

    Parameters
    ----------
    name : str
        `cnn`; `cnn_average` with average pooling; `cnn_wider` with 6 filters a convolution;
        `cnn_deeper` with 4 convolutions, `cnn_deeper_3x3` with 4 of 3×3; `cnn_2x2` and `cnn_sobel`
        whose first convolution is of edge detectors that do not learn; `cnn_frozen_2`, `_3` and
        `_7` with two convolutions of such; `mlp`; `mlp_means` and `mlp_narrow` of as few weights
        as `cnn`.
    n_classes : int
    seed : int
        Of the initial weights.
    kernel_size : int
        Of convolutions that learn, where the name does not say it.

    Raises
    ------
    StudyError
        If there is no such network.
    """
    if name not in _NETWORKS:
        raise StudyError(f"no network for edges is called {name!r}{closest(name, NAMES)}")
    # Initial weights are drawn from the global generator: lend it ours and give it back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return _NETWORKS[name](n_classes, kernel_size)


def _as_glorot(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """Draw the weights of a layer as Glorot and Bengio do; its bias learns, from 0."""
    nn.init.xavier_uniform_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _set_detectors(convolution: nn.Conv2d, size: int) -> None:
    _frozen(convolution, torch.tensor(DETECTORS[size], dtype=torch.float32)[:, None])


def _frozen(convolution: nn.Conv2d, weight: torch.Tensor) -> nn.Conv2d:
    """A convolution that has these weights, no bias, and does not learn."""
    convolution.load_state_dict({"weight": weight, "bias": torch.zeros(len(weight))})
    return convolution.requires_grad_(False)
