"""Networks that torchvision does not have: the paper's, small ones, and narrower ones."""

import math
from collections import OrderedDict

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

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
    hidden_units : int
        Of every hidden layer; the paper's has 2048.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647: its MLP7.
    """

    def __init__(
        self, *, n_classes: int, shape: tuple[int, int, int], hidden_units: int = _HIDDEN_UNITS
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        width = math.prod(shape)
        for number in range(1, _HIDDEN_LAYERS + 1):
            layers[f"hidden{number}"] = nn.Linear(width, hidden_units)
            layers[f"relu{number}"] = nn.ReLU()
            width = hidden_units
        layers["fc"] = nn.Linear(width, n_classes)
        super().__init__(layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n, n_classes), of images of shape (n, channels, height, width)."""
        return super().forward(images.flatten(1))  # type: ignore[no-untyped-call]  # torch says no types


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
    narrower : int
        Every convolution has so many times fewer channels than VGG16's.

    References
    ----------
    Simonyan, Zisserman (2015), arXiv 1409.1556, table 1, column D.
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647: its VGG16.
    """

    def __init__(self, *, n_classes: int, channels: int, narrower: int = 1) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        number = 0
        for stage, widths in enumerate(_VGG16, start=1):
            for width in (full // narrower for full in widths):
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


class SmallConvNet(nn.Sequential):
    """Two convolutions of 5×5, 16 and 32 of them, then a hidden layer of 128 units.

    Its children, in forward order, are `conv1`, `relu1`, `pool1`, `conv2`, `norm2`, `relu2`,
    `pool2`, `flatten`, `hidden`, `relu3`, `fc`; pooling is the maximum of 2×2, and nothing is
    padded. It is made for images like MNIST's.

    Parameters
    ----------
    n_classes : int
    shape : (channels, height, width)
        Of what the network is given, 16×16 or larger.
    """

    def __init__(self, *, n_classes: int, shape: tuple[int, int, int]) -> None:
        channels, height, width = shape
        rows, columns = (((size - 4) // 2 - 4) // 2 for size in (height, width))
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(channels, 16, 5),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(16, 32, 5, bias=False),
                norm2=nn.BatchNorm2d(32),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                hidden=nn.Linear(32 * rows * columns, 128),
                relu3=nn.ReLU(),
                fc=nn.Linear(128, n_classes),
            )
        )


class ResNet18(nn.Module):
    """ResNet-18 as torchvision does not have it: narrower, or for images of some 32×32 pixels.

    Everything else is torchvision's: two basic blocks a stage, and the children `conv1`, `bn1`,
    `relu`, `maxpool`, `layer1` … `layer4`, `avgpool`, `fc`.

    Parameters
    ----------
    n_classes : int
    channels : int
        Of what the network is given.
    narrower : int
        Every layer has so many times fewer channels than ResNet-18's 64, 128, 256 and 512. With 4
        it needs a sixteenth of the multiply-accumulates, for experiments on hundreds of networks.
    small_stem : bool
        The first convolution is 3×3 with stride 1, and there is no `maxpool`, so that the first
        stage sees every pixel: the form that papers use on CIFAR.

    References
    ----------
    He, Zhang, Ren, Sun (2016), arXiv 1512.03385, table 1; the small stem is that of section 4.2.
    """

    def __init__(
        self, *, n_classes: int, channels: int, narrower: int = 1, small_stem: bool = False
    ) -> None:
        super().__init__()
        width = 64 // narrower
        if small_stem:
            self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        if not small_stem:
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _residual_stage(width, width, stride=1)
        self.layer2 = _residual_stage(width, 2 * width, stride=2)
        self.layer3 = _residual_stage(2 * width, 4 * width, stride=2)
        self.layer4 = _residual_stage(4 * width, 8 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n, n_classes), of images of shape (n, channels, height, width)."""
        *body, head = self.children()
        seen = images
        for child in body:
            seen = child(seen)
        return head(seen.flatten(1))


def _residual_stage(before: int, after: int, *, stride: int) -> nn.Sequential:
    """Two basic blocks; where the first changes the shape, its shortcut is a 1×1 convolution."""
    shortcut = None
    if before != after:
        shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
        )
    return nn.Sequential(BasicBlock(before, after, stride, shortcut), BasicBlock(after, after))
