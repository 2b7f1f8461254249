"""Sizes, parameters, receptive fields and doubles of probes."""

import pytest
import torch
from torch import nn
from torchvision.models import vgg

from depthlens.models import networks
from depthlens.probes import describe
from depthlens.probes.plan import plan
from depthlens.probes.record import Recorder


@pytest.fixture(scope="module")
def resnet18():
    return networks.build("resnet18", n_classes=6, seed=0)


def fields(network, probes="children", width=32, *, image=(3, 32, 32)) -> dict[str, int | None]:
    points = plan(network, probes, torch.zeros(1, *image))
    found = describe.receptive_fields(network, points, width=width)
    return {point.name[3:]: field for point, field in zip(points, found, strict=True)}


def by_arithmetic(layers: list[tuple[int, int]]) -> list[int]:
    """Receptive field after each layer of (kernel, stride): r + (k - 1) · product of strides."""
    field, jump, found = 1, 1, []
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
        found.append(field)
    return found


def test_receptive_fields_of_resnet18_are_those_on_paper(resnet18):
    assert fields(resnet18) == {
        "input": 1,
        "conv1": 7,
        "bn1": 7,
        "relu": 7,
        "maxpool": 11,
        "layer1": 43,
        "layer2": 99,
        "layer3": 211,
        "layer4": 435,
        "avgpool": None,
        "fc": None,
    }


@pytest.mark.parametrize(
    ("architecture", "stem"), [("resnet18", [(7, 2), (3, 2)]), ("resnet18_small", [(3, 1)])]
)
def test_receptive_fields_of_residual_blocks_follow_the_recursion(architecture, stem):
    found = fields(networks.build(architecture, n_classes=6, seed=0), "blocks")
    end = "maxpool" if architecture == "resnet18" else "relu"
    assert found[end] == by_arithmetic(stem)[-1]
    convolutions = stem.copy()
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            convolutions += [(3, 2 if stage > 1 and block == 0 else 1), (3, 1)]
            expected = by_arithmetic(convolutions)[-1]
            assert found[f"layer{stage}-{block}"] == expected
    assert found["softmax"] is None


def test_receptive_fields_of_vgg11_follow_the_recursion():
    # Not the whole network: its linear layers, which nobody asks about, take seconds to draw.
    network = vgg.make_layers(vgg.cfgs["A"])
    convolution, pool, keep = (3, 1), (2, 2), (1, 1)
    layers = [
        convolution, keep, pool, convolution, keep, pool,
        *[convolution, keep, convolution, keep, pool] * 3,
    ]  # fmt: skip
    # On a narrow picture: rows are what is counted.
    points = ["0", "4", "10", "20"]
    found = fields(network, points, width=32)
    assert list(found.values()) == [by_arithmetic(layers)[int(point)] for point in points]


@pytest.mark.parametrize("nonlinearity", [nn.ReLU(inplace=True), nn.GELU(), nn.Sigmoid()])
def test_receptive_fields_of_a_network_made_by_hand(nonlinearity):
    network = nn.Sequential(
        nn.Conv2d(3, 2, 5, stride=3),
        nonlinearity,
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 2, 3, dilation=4),
        nn.MaxPool2d(2),
        nn.Conv2d(2, 2, 1, bias=False),
    )
    # A kernel of 3 with dilation 4 spans 9.
    layers = [(5, 3), (1, 1), (1, 1), (9, 1), (2, 2), (1, 1)]
    assert list(fields(network, [str(i) for i in range(6)], width=64).values()) == (
        by_arithmetic(layers)
    )


def test_a_network_of_one_image_size_has_no_receptive_fields_but_the_inputs():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)
            self.fc = nn.Linear(2 * 30 * 30, 6)

        def forward(self, images):
            return self.fc(self.conv(images).flatten(1))

    assert fields(Fixed(), ["input", "conv", "fc"]) == {"input": 1, "conv": None, "fc": None}


def test_measuring_leaves_the_network_as_it_was(resnet18):
    before = {name: tensor.clone() for name, tensor in resnet18.state_dict().items()}
    resnet18.train()
    fields(resnet18, ["conv1", "relu"])
    assert resnet18.training
    assert all(torch.equal(resnet18.state_dict()[name], before[name]) for name in before)
    assert not any(module._forward_hooks for module in resnet18.modules())
    assert resnet18.conv1.weight.dtype == torch.float32


def test_parameters_are_those_on_paper_and_sum_to_the_networks(resnet18):
    points = plan(resnet18, "children", torch.zeros(1, 3, 32, 32))
    counts = {
        p.name[3:]: n for p, n in zip(points, describe.parameters(resnet18, points), strict=True)
    }
    assert counts["conv1"] == 64 * 3 * 7 * 7
    assert counts["bn1"] == 2 * 64
    assert counts["layer1"] == 4 * (64 * 64 * 9 + 2 * 64)
    assert counts["fc"] == 512 * 6 + 6
    assert counts["input"] == counts["relu"] == counts["maxpool"] == counts["avgpool"] == 0
    assert sum(counts.values()) == sum(p.numel() for p in resnet18.parameters())


def test_softmax_has_no_parameters(resnet18):
    points = plan(resnet18, ["fc", "softmax"], torch.zeros(1, 3, 32, 32))
    assert describe.parameters(resnet18, points) == [3078, 0]


def duplicates(network, size: int, probes="children") -> dict[str, str | None]:
    points = plan(network, probes, torch.zeros(1, 3, size, size))
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 1, size, size), dtype=torch.uint8, generator=generator)
    with Recorder(network, points, dtype=torch.float32) as recorder:
        _, activations = recorder(images)
    found = describe.duplicates(activations)
    return {
        point.name[3:]: None if first is None else points[first].name[3:]
        for point, first in zip(points, found, strict=True)
    }


def test_at_32_pixels_avgpool_equals_layer4_and_nothing_else_is_double(resnet18):
    found = duplicates(resnet18, 32)
    assert found.pop("avgpool") == "layer4"
    assert set(found.values()) == {None}


def test_at_64_pixels_no_probe_is_double(resnet18):
    assert set(duplicates(resnet18, 64).values()) == {None}


def test_every_double_points_to_the_first():
    one, other = torch.ones(3, 4), torch.zeros(3, 4)
    probes = [one, other, one.reshape(3, 2, 2), one.clone(), other]
    assert describe.duplicates(probes) == [None, None, 0, 0, 1]


@pytest.mark.parametrize("size", [(7, 7), (1, None)])  # None keeps a side as it is
def test_behind_an_adaptive_pooling_every_unit_sees_the_whole_image(size):
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(size), nn.Conv2d(2, 2, 3, padding=1)
    )
    assert list(fields(network, ["0", "1", "2"], width=64).values()) == [3, None, None]


@pytest.mark.parametrize(
    "architecture",
    [
        "googlenet",
        "mobilenet_v3_small",
        "swin_t",
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in ("densenet121", "efficientnet_b0", "maxvit_t")
        ),
    ],
)
def test_receptive_fields_of_other_families_do_not_shrink(architecture):
    found = fields(networks.build(architecture, n_classes=6, seed=0), "blocks", image=(3, 224, 224))
    known = [field for field in found.values() if field is not None]
    assert known == sorted(known)
    assert known[0] == 1
    assert found["softmax"] is None


def test_no_place_is_read_from_maps_that_hold_their_channels_last():
    class Last(nn.Module):
        def forward(self, maps):
            return maps.permute(0, 2, 3, 1)

    network = nn.Sequential(nn.Conv2d(3, 200, 3), Last())
    assert list(fields(network, ["0", "1"], width=64).values()) == [3, None]


def test_receptive_fields_are_those_of_grey_networks_and_of_norms_without_weights():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 5), nn.BatchNorm2d(2, affine=False), nn.Tanh(), nn.Conv2d(2, 2, 3)
    )
    assert list(fields(network, ["0", "1", "2", "3"], image=(1, 9, 9)).values()) == [5, 5, 5, 7]


def test_of_a_reduced_probe_there_is_no_place_in_the_image(resnet18):
    assert fields(resnet18, ["conv1", "layer1:mean"]) == {"conv1": 7, "layer1-mean": None}


def test_whatever_a_network_raises_on_another_size_the_fields_stay_unknown():
    class Strict(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, images):
            return {32: self.conv(images)}[images.shape[2]]

    assert fields(Strict(), ["input", "conv"]) == {"input": 1, "conv": None}


def test_outputs_that_are_not_one_tensor_have_fields_too():
    class Pair(nn.Conv2d):
        def forward(self, images):
            return super().forward(images), None

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair(3, 2, 7)

        def forward(self, images):
            return self.pair(images)[0]

    assert fields(Network(), ["pair"]) == {"pair": 7}


def test_doubles_are_found_among_reduced_outputs(resnet18):
    # At 32 pixels layer4 is one place, so its mean is what avgpool computes.
    found = duplicates(resnet18, 32, ["layer3", "layer4:mean", "avgpool", "fc"])
    assert found == {"layer3": None, "layer4-mean": None, "avgpool": "layer4-mean", "fc": None}
