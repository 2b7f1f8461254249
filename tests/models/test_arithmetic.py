"""Formulas of convolutions: held against what torch makes of an image, and against paper."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from depthlens.models import arithmetic, edge_networks

SIZES = st.integers(1, 40)
KERNELS, STRIDES, PADDINGS = st.integers(1, 9), st.integers(1, 4), st.integers(0, 4)


@settings(max_examples=50)
@given(SIZES, KERNELS, STRIDES, PADDINGS)
def test_output_size_of_a_convolution_is_torch_s(size, kernel_size, stride, padding):
    assume(size + 2 * padding >= kernel_size)
    layer = nn.Conv2d(1, 1, kernel_size, stride, padding)
    expected = layer(torch.zeros(1, 1, size, size)).shape[-1]
    found = arithmetic.output_size(
        size, kernel_size=kernel_size, stride=stride, padding=2 * padding
    )
    assert found == expected


@settings(max_examples=50)
@given(SIZES, KERNELS, STRIDES, st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
def test_output_size_of_a_pooling_is_torch_s(size, kernel_size, stride, kind):
    assume(size >= kernel_size)
    expected = kind(kernel_size, stride)(torch.zeros(1, 1, size, size)).shape[-1]
    found = arithmetic.output_size(size, kernel_size=kernel_size, stride=stride, padding=0)
    assert found == expected


@given(st.integers(1, 8), st.integers(1, 8), KERNELS, st.booleans())
def test_parameters_are_those_that_torch_makes(channels, filters, kernel_size, bias):
    layer = nn.Conv2d(channels, filters, kernel_size, bias=bias)
    expected = sum(parameter.numel() for parameter in layer.parameters())
    found = arithmetic.convolution_parameters(
        channels=channels, filters=filters, kernel_size=kernel_size, bias=bias
    )
    assert found == expected


@pytest.mark.parametrize(
    ("layers", "field"),
    [
        ([], 1),
        ([(7, 1)], 7),
        ([(3, 1), (2, 2)], 4),  # 3 + (2 - 1)
        ([(3, 1), (2, 2), (3, 1)], 8),  # 4 + 2 · (3 - 1)
        ([(7, 1), (2, 2), (7, 1), (2, 2)], 22),  # 7 + 1 + 2 · 6 + 2 · 1
        ([(7, 2), (3, 2), (3, 1)], 19),  # 7 + 2 · 2 + 4 · 2
        ([(1, 2), (3, 1)], 5),  # a pixel of every other, then three of these
    ],
)
def test_receptive_fields_are_those_computed_by_hand(layers, field):
    assert arithmetic.receptive_field(layers) == field


@given(st.integers(0, 20), KERNELS)
def test_alike_convolutions_see_what_the_short_formula_says(n, kernel_size):
    field = arithmetic.receptive_field([(kernel_size, 1)] * n)
    assert field == n * (kernel_size - 1) + 1


POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}
LAYERS = st.tuples(
    st.sampled_from(["conv", *POOLINGS]), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2)
)


def network_of(layers) -> nn.Sequential:
    modules, channels = {}, 2
    for place, (kind, kernel_size, stride, padding) in enumerate(layers):
        # Poolings take no more padding than half of their kernel.
        if kind == "conv":
            filters = 1 + place % 3
            modules[f"conv{place}"] = nn.Conv2d(channels, filters, kernel_size, stride, padding)
            modules[f"relu{place}"] = nn.ReLU()
            channels = filters
        else:
            padding = min(padding, kernel_size // 2)
            modules[f"pool{place}"] = POOLINGS[kind](kernel_size, stride, padding)
    modules["conv_last"] = nn.Conv2d(channels, 1, 1)
    network = nn.Sequential()
    for name, module in modules.items():
        network.add_module(name, module)
    return network


@settings(max_examples=12)
@given(st.lists(LAYERS, min_size=1, max_size=3))
def test_networks_with_stride_and_pooling_are_as_the_formulas_say(layers):
    network = network_of(layers)
    # Large enough for every kernel behind every stride.
    by_formula = arithmetic.by_formula(network, size=96)
    assert by_formula == arithmetic.as_measured(network, size=96)
    assert len(by_formula) == len(layers) + 1


def test_fields_larger_than_the_first_image_are_measured_whole():
    network = nn.Sequential(
        *(layer for _ in range(6) for layer in (nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2)))
    )
    # Each pair doubles the steps: 1 + (2 + 1) · (1 + 2 + … + 32).
    assert arithmetic.as_measured(network, size=64)[-1].receptive_field == 1 + 3 * 63


@pytest.mark.parametrize("padding", ["same", "valid", 2])
def test_padding_may_be_a_word_or_a_number(padding):
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=padding))
    (layer,) = arithmetic.by_formula(network, size=12)
    assert layer.output_size == {"same": 12, "valid": 10, 2: 14}[padding]
    assert arithmetic.as_measured(network, size=12) == [layer]


def test_layers_of_the_network_of_606_parameters_are_as_on_paper():
    network = edge_networks.build("cnn", n_classes=3, seed=0)
    found = [
        (layer.name, layer.kind, layer.output_size, layer.parameters, layer.receptive_field)
        for layer in arithmetic.by_formula(network, size=28)
    ]
    assert found == [
        ("conv1", "Conv2d", 28, 150, 7),
        ("pool1", "MaxPool2d", 14, 0, 8),
        ("conv2", "Conv2d", 14, 444, 20),
    ]
    measured = arithmetic.as_measured(network, size=28)
    assert [layer.receptive_field for layer in measured] == [7, 8, 20]


def test_a_measured_field_is_where_a_changed_pixel_changes_the_value():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(2, 1, 3)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()  # a ReLU that is shut would hide what lies behind it
        image = torch.rand(1, 1, 40, 40)
        seen = network(image)
        middle = seen.shape[-1] // 2
        changed = []
        for row in range(40):
            other = image.clone()
            other[0, 0, row] += 1
            if network(other)[0, 0, middle, middle] != seen[0, 0, middle, middle]:
                changed.append(row)
    # 3, then 2 more by the pooling of every other, then 2 · 4 more.
    assert max(changed) - min(changed) + 1 == 13
    assert arithmetic.as_measured(network, size=40)[-1].receptive_field == 13


def test_measuring_changes_no_weight():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    arithmetic.as_measured(network, size=28)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("kernel_size", [(3, 5), (7, 1)])
def test_kernels_that_are_not_square_are_refused(kernel_size):
    network = nn.Sequential(nn.Conv2d(1, 1, kernel_size))
    with pytest.raises(ValueError, match="must be square"):
        arithmetic.by_formula(network, size=28)


def test_a_small_network_of_course_material_is_as_its_table_says():
    """conv3-10, pool, conv3-10, pool, FC-3 on 28×28×1, as printed by CS 182."""
    convolution = {"kernel_size": 3, "padding": "same"}
    network = nn.Sequential(
        nn.Conv2d(1, 10, **convolution), nn.MaxPool2d(2), nn.Conv2d(10, 10, **convolution),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(490, 3),
    )  # fmt: skip
    found = [
        (layer.output_size, layer.parameters) for layer in arithmetic.by_formula(network, size=28)
    ]
    assert found == [(28, 100), (14, 0), (14, 910), (7, 0)]
    assert 10 * 7**2 == 490 and sum(p.numel() for p in network[-1].parameters()) == 1473
