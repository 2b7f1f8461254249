"""mlp7 and vgg16_small, counted on paper."""

import pytest
import torch
import torchvision
from torch import nn

from depthlens.models import networks

VGG16_WIDTHS = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28)])
def test_mlp7_has_the_parameters_that_seven_linear_layers_have(shape):
    network = networks.build("mlp7", n_classes=10, seed=0, shape=shape)
    dims = shape[0] * shape[1] * shape[2]
    expected = (dims + 1) * 2048 + 5 * (2048 + 1) * 2048 + (2048 + 1) * 10
    assert n_parameters(network) == expected
    with torch.inference_mode():
        assert network(torch.zeros(2, *shape)).shape == (2, 10)


def test_mlp7_is_the_product_of_its_layers():
    network = networks.build("mlp7", n_classes=3, seed=1, shape=(1, 4, 5))
    images = torch.rand(6, 1, 4, 5, generator=torch.Generator().manual_seed(2))
    weights = network.state_dict()
    seen = images.reshape(6, 20)
    for number in range(1, 7):
        layer = f"hidden{number}"
        seen = (seen @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]).clamp(min=0)
    logits = seen @ weights["fc.weight"].T + weights["fc.bias"]
    torch.testing.assert_close(network(images), logits)


def test_children_of_mlp7_are_its_layers_in_forward_order():
    names = [name for name, _ in networks.build("mlp7", n_classes=3, seed=0).named_children()]
    assert names == [f"{kind}{n}" for n in range(1, 7) for kind in ("hidden", "relu")] + ["fc"]


def test_vgg16_small_has_the_parameters_of_thirteen_convolutions():
    network = networks.build("vgg16_small", n_classes=10, seed=0)
    convolutions = sum(
        9 * before * after + 2 * after
        for before, after in zip([3, *VGG16_WIDTHS], VGG16_WIDTHS, strict=False)
    )
    assert n_parameters(network) == convolutions + (512 + 1) * 10
    kernels = [m.kernel_size for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(3, 3)] * 13


@pytest.mark.parametrize(
    ("size", "pooled"), [(32, [16, 8, 4, 2, 1]), (28, [14, 7, 4, 2, 1]), (33, [17, 9, 5, 3, 2])]
)
def test_vgg16_small_halves_images_five_times_rounding_up(size, pooled):
    network = networks.build("vgg16_small", n_classes=4, seed=0, shape=(1, size, size)).eval()
    found = []
    for number in range(1, 6):
        network.get_submodule(f"pool{number}").register_forward_hook(
            lambda _module, _inputs, output: found.append(tuple(output.shape[2:]))
        )
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, size, size)).shape == (2, 4)
    assert found == [(side, side) for side in pooled]


@pytest.mark.parametrize("architecture", ["mlp7", "vgg16_small"])
def test_no_activation_is_overwritten(architecture):
    network = networks.build(architecture, n_classes=2, seed=0)
    assert not any(m.inplace for m in network.modules() if isinstance(m, nn.ReLU))


def test_narrow_resnet_is_torchvisions_with_a_quarter_of_the_channels():
    narrow = networks.build("resnet18_narrow", n_classes=10, seed=0).state_dict()
    full = networks.build("resnet18", n_classes=10, seed=0).state_dict()
    assert list(narrow) == list(full)
    for name, weights in full.items():
        # Sides of kernels are below 8; colours and classes stay.
        wanted = [n // 4 if n >= 64 else n for n in weights.shape]
        assert list(narrow[name].shape) == wanted, name


def test_small_resnet_has_the_parameters_of_the_form_for_32_by_32_pixels():
    network = networks.build("resnet18_small", n_classes=10, seed=0)
    # torchvision's, whose stem has 7×7 weights a channel and filter where ours has 3×3.
    full = n_parameters(networks.build("resnet18", n_classes=10, seed=0))
    assert n_parameters(network) == full - 64 * 3 * (7 * 7 - 3 * 3) == 11_173_962


def test_small_resnet_computes_what_torchvisions_would_with_another_stem():
    small = networks.build("resnet18_small", n_classes=10, seed=3).eval()
    twin = torchvision.models.resnet18(num_classes=10)
    twin.conv1, twin.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    twin.load_state_dict(small.state_dict())
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(small(images), twin.eval()(images))
        sizes = [small.layer1[0].conv1.stride, small.relu(small.conv1(images)).shape[2:]]
    assert sizes == [(1, 1), (32, 32)]


def test_small_resnet_takes_grey_images_of_28_by_28_pixels():
    network = networks.build("resnet18_small", n_classes=4, seed=0, shape=(1, 28, 28)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 4)


def test_narrow_resnet_computes_what_torchvisions_would():
    narrow = networks.build("resnet18_narrow", n_classes=10, seed=0).eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    # torchvision's own forward pass over our children.
    forward = torchvision.models.ResNet._forward_impl
    assert torch.equal(narrow(images), forward(narrow, images))


@pytest.mark.parametrize(
    ("narrow", "full", "most"),
    [("vgg16_narrow", "vgg16_small", 512), ("mlp7_narrow", "mlp7", 2048)],
)
def test_narrow_networks_have_a_quarter_of_the_width(narrow, full, most):
    widths = [
        max(weights.shape[0] for weights in network.parameters())
        for network in (networks.build(name, n_classes=10, seed=0) for name in (narrow, full))
    ]
    assert widths == [most // 4, most]
