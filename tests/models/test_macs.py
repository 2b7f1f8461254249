"""Counted multiply-accumulates against arithmetic on paper."""

import pytest
import torch
from torch import nn

from depthlens.models import macs, networks


def test_counter_agrees_with_arithmetic_for_one_convolution():
    convolution = nn.Conv2d(3, 16, 7, stride=2, padding=3, bias=False)
    image = torch.zeros(1, 3, 32, 32)
    # Each of 16 × 16 × 16 outputs is a sum over 3 channels of 7 × 7 products.
    assert macs.count(lambda: convolution(image)) == 16 * 16 * 16 * 3 * 7 * 7


def test_counter_agrees_with_arithmetic_for_one_linear_layer():
    assert macs.count(lambda: nn.Linear(5, 7)(torch.zeros(1, 5))) == 35


def test_costs_up_to_a_module_add_up():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(64, 5)
    )
    found = macs.up_to_modules(network, torch.zeros(1, 1, 6, 6), ["0", "1", "2", "4"])
    first, second, last = 36 * 2 * 9, 16 * 4 * 18, 64 * 5
    assert found == [first, first, first + second, first + second + last]
    assert not any(module._forward_hooks for module in network)


@pytest.mark.parametrize(("name", "stem"), [("resnet18", 64), ("resnet18_narrow", 16)])
def test_residual_network_agrees_with_arithmetic(name, stem):
    network = networks.build(name, n_classes=10, seed=1)
    expected = stem * 16 * 16 * 3 * 49 + 4 * 8 * 8 * stem * stem * 9
    for stage in (1, 2, 3):
        before, after, positions = stem * 2 ** (stage - 1), stem * 2**stage, (8 // 2**stage) ** 2
        expected += positions * (before * after * 9 + before * after + 3 * after * after * 9)
    expected += 8 * stem * 10
    assert macs.count(lambda: network.eval()(torch.zeros(1, 3, 32, 32))) == expected
