"""Networks of the literature that torchvision does not have: mlp7 and vgg16_small."""

import math
from collections import OrderedDict

import torch
from torch import nn

_HIDDEN_LAYERS, _HIDDEN_UNITS = 6, 2048
# Channels of VGG16's convolutions (Simonyan & Zisserman 2015, table 1, column D), stage by stage.
_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class MLP7(nn.Sequential):
    """Seven linear layers: six hidden ones of 2048 units with ReLU, then one output a class.

    The network is the paper's. Its children, in forward order, are `hidden1`, `relu1`, …,
    `hidden6`, `relu6`, `fc`; images are flattened before the first.

    Parameters
    ----------
    n_classes : int
    shape : (channels, height, width)
        Of what the network is given.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647: its MLP7.
    """

    def __init__(self, *, n_classes: int, shape: tuple[int, int, int]) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        width = math.prod(shape)
        for number in range(1, _HIDDEN_LAYERS + 1):
            layers[f"hidden{number}"] = nn.Linear(width, _HIDDEN_UNITS)
            layers[f"relu{number}"] = nn.ReLU()
            width = _HIDDEN_UNITS
        layers["fc"] = nn.Linear(width, n_classes)
        super().__init__(layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n, n_classes), of images of shape (n, channels, height, width)."""
        return super().forward(images.flatten(1))


class VGG16Small(nn.Sequential):
    """VGG16 for small images: 13 convolutions of 3×3 in five stages, then one linear layer.

    The paper probes a VGG16 on images of 32×32. The 13 convolutions, their widths and the 2×2
    max-pooling after each stage are VGG16's. Ours are: batch normalisation between convolution
    and ReLU, so that the convolutions need no bias; pooling that rounds sizes up, so that 28×28
    works; global average pooling and one linear layer where VGG16 has three.

    Its children, in forward order, are `conv1` … `conv13` (each a convolution `conv`, its `norm`
    and `relu`) with `pool1` … `pool5` after the stages, then `avgpool` and `fc`.

    Parameters
    ----------
    n_classes : int
    channels : int
        Of what the network is given.

    References
    ----------
    Simonyan, Zisserman (2015), arXiv 1409.1556, table 1, column D.
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647: its VGG16.
    """

    def __init__(self, *, n_classes: int, channels: int) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        number = 0
        for stage, widths in enumerate(_VGG16, start=1):
            for width in widths:
                number += 1
                layers[f"conv{number}"] = nn.Sequential(
                    OrderedDict(
                        conv=nn.Conv2d(channels, width, 3, padding=1, bias=False),
                        norm=nn.BatchNorm2d(width),
                        relu=nn.ReLU(),
                    )
                )
                channels = width
            layers[f"pool{stage}"] = nn.MaxPool2d(2, ceil_mode=True)
        layers["avgpool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        layers["fc"] = nn.Linear(channels, n_classes)
        super().__init__(layers)
