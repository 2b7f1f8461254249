"""Networks for images of edges: sizes, detectors that stay as they are, and seeds."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional

from depthlens.errors import StudyError
from depthlens.models import edge_networks

IMAGES = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def built(name: str, *, n_classes: int = 3, seed: int = 0, **options) -> nn.Sequential:
    return edge_networks.build(name, n_classes=n_classes, seed=seed, **options)


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_two_networks_have_the_parameters_that_are_said():
    assert n_parameters(built("cnn")) == 606
    assert n_parameters(built("mlp")) == 39_793
    assert (n_parameters(built("mlp_means")), n_parameters(built("mlp_narrow"))) == (586, 791)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn_average", 606),
        ("cnn_wider", 6 * 50 + 6 * (6 * 49 + 1) + 3 * 7),
        ("cnn_deeper", 606 + 2 * 444),
        ("cnn_deeper_3x3", 30 + 3 * 84 + 12),
        ("cnn_2x2", 3 * 5 + 444 + 12),
        ("cnn_sobel", 3 * 10 + 444 + 12),
        ("cnn_frozen_2", 3 * 5 + 3 * 13 + 12),
        ("cnn_frozen_7", 3 * 50 + 3 * 148 + 12),
        ("mlp_means", 49 * 11 + 11 + 11 * 3 + 3),
        ("mlp_narrow", 784 + 1 + 3 + 3),
    ],
)
def test_the_others_have_those_of_their_layers(name, expected):
    assert n_parameters(built(name)) == expected


@pytest.mark.parametrize("n_classes", [3, 5])
@pytest.mark.parametrize("name", edge_networks.NAMES)
def test_every_network_takes_images_and_tells_classes_apart(name, n_classes):
    assert built(name, n_classes=n_classes)(IMAGES).shape == (4, n_classes)


def test_names_say_which_layers_there_are():
    pools = [module for module in built("cnn_average") if isinstance(module, nn.AvgPool2d)]
    assert len(pools) == 1
    deeper = dict(built("cnn_deeper").named_children())
    assert "conv4" in deeper and "pool2" not in deeper
    assert built("cnn", kernel_size=3).conv1.kernel_size == (3, 3)


@pytest.mark.parametrize("name", ["cnn", "cnn_average", "cnn_wider", "cnn_deeper"])
def test_first_and_last_weights_are_drawn_as_glorot_and_bengio_do(name):
    networks = [built(name, seed=seed, kernel_size=5) for seed in range(40)]
    filters = networks[0].conv1.out_channels
    for layer, fans in (("conv1", 25 + 25 * filters), ("fc", filters + 3)):
        weights = torch.cat([getattr(network, layer).weight.flatten() for network in networks])
        bound = (6 / fans) ** 0.5
        assert 0.98 * bound < weights.abs().max() <= bound
        assert not any(getattr(network, layer).bias.any() for network in networks)
    # Torch's own of the second: uniform up to one over the root of what a filter sees.
    weights = torch.cat([network.conv2.weight.flatten() for network in networks])
    bound = (25 * filters) ** -0.5
    assert 0.98 * bound < weights.abs().max() <= bound and networks[0].conv2.bias.any()


@pytest.mark.parametrize(("name", "size"), [("cnn_2x2", 2), ("cnn_sobel", 3)])
def test_detectors_do_not_learn_and_all_behind_them_does(name, size):
    network = built(name, kernel_size=5)
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1)
    functional.cross_entropy(network(IMAGES), torch.tensor([0, 1, 2, 0])).backward()
    optimizer.step()
    assert network.conv1.weight.grad is None and network.conv1.bias.grad is None
    for key, value in network.named_parameters():
        assert torch.equal(value, before[key]) == key.startswith("conv1."), key
    expected = torch.tensor(edge_networks.DETECTORS[size], dtype=torch.float32)
    assert torch.equal(network.conv1.weight[:, 0], expected)
    assert not network.conv1.bias.any()
    assert network.conv2.kernel_size == (5, 5)


def test_sobel_s_detectors_are_scipy_s():
    image = IMAGES[0, 0].numpy()
    found = built("cnn_sobel").conv1(IMAGES[:1])[0].detach().numpy()
    for axis in (0, 1):
        # Away from the borders, where both reflect in ways of their own; the sign is turned.
        expected = -ndimage.sobel(image, axis=axis)[1:-1, 1:-1]
        np.testing.assert_allclose(found[axis, 1:-1, 1:-1], expected, rtol=1e-4, atol=1e-5)


def test_detectors_answer_their_own_edge():
    rows, columns = np.zeros((2, 1, 1, 28, 28), np.float32)
    rows[..., 14:, :] = columns[..., :, 14:] = 1
    for name in ("cnn_2x2", "cnn_sobel", "cnn_frozen_2", "cnn_frozen_3", "cnn_frozen_7"):
        detect = built(name).conv1
        along_row, along_column = (
            detect(torch.tensor(image))[0].abs().amax(dim=(1, 2)) for image in (rows, columns)
        )
        assert along_row[0] > 1 and along_row[1] < 1e-5
        assert along_column[1] > 1 and along_column[0] < 1e-5


def test_frozen_detectors_are_the_course_s_in_both_convolutions():
    """i / (i² + j²) and j / (i² + j²) from the middle, and a filter of zeros; 12 weights learn."""
    network = built("cnn_frozen_3")
    halves = torch.tensor([[-0.5, -1, -0.5], [0, 0, 0], [0.5, 1, 0.5]])
    expected = torch.stack([halves, halves.T, torch.zeros(3, 3)])
    torch.testing.assert_close(network.conv1.weight[:, 0], expected)
    for channel in range(3):
        torch.testing.assert_close(network.conv2.weight[:, channel], expected)
    assert built("cnn_frozen_7").conv1.weight[0, 0, 6, 5] == pytest.approx(3 / (9 + 4))
    assert not network.conv1.bias.any() and not network.conv2.bias.any()
    learning = {name for name, value in network.named_parameters() if value.requires_grad}
    assert learning == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("size", "sizes"), [(2, (27, 13, 12)), (3, (28, 14, 14)), (7, (28, 14, 14))]
)
def test_frozen_detectors_are_padded_by_half_a_kernel_rounded_down(size, sizes):
    network, seen = built(f"cnn_frozen_{size}"), IMAGES
    found = {}
    for name, module in network.named_children():
        seen = module(seen)
        found[name] = seen.shape[-1]
    assert tuple(found[name] for name in ("conv1", "pool1", "conv2")) == sizes


def test_an_mlp_of_few_weights_sees_means_of_4_by_4_pixels():
    network = built("mlp_means")
    means = IMAGES.view(4, 7, 4, 7, 4).mean(dim=(2, 4)).flatten(1)
    torch.testing.assert_close(network[:3](IMAGES), means)


@pytest.mark.parametrize("name", edge_networks.NAMES)
def test_the_seed_alone_decides_the_weights(name):
    torch.manual_seed(5)
    first = built(name, seed=1).state_dict()
    torch.manual_seed(6)
    again, other = built(name, seed=1).state_dict(), built(name, seed=2).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    last = list(first)[-2]  # weights; some biases are 0
    assert not torch.equal(first[last], other[last])


def test_building_leaves_the_global_generator_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    built("cnn", seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_unknown_names_are_refused_with_the_closest():
    with pytest.raises(StudyError, match=r"'cnn_wide'.*cnn_wider"):
        built("cnn_wide")
