"""Lengths of errors and gradients against arithmetic on paper and autograd."""

import math

import pytest
import torch

from depthlens.scores.norms import error_norm, last_layer_gradient_norm


def test_errors_worked_by_hand():
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))
    expected = [math.sqrt(1 + 4 + 9) / 8, math.sqrt(49 + 4 + 25) / 8]
    assert error_norm(logits, torch.tensor([2, 0])).tolist() == pytest.approx(expected)


def test_errors_reach_from_0_to_the_root_of_2():
    sure = torch.tensor([[1000.0, 0.0], [1000.0, 0.0]])
    norms = error_norm(sure, torch.tensor([0, 1]))
    assert norms.tolist() == pytest.approx([0, math.sqrt(2)])


def test_the_gradient_is_that_of_autograd_weights_and_bias_together():
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(6, 4)
    features = torch.randn(5, 6, generator=generator)
    labels = torch.tensor([0, 3, 1, 1, 2])
    logits = layer(features)
    expected = []
    for row, label in zip(logits, labels, strict=True):
        loss = torch.nn.functional.cross_entropy(row[None], label[None])
        parts = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
        expected.append(torch.cat([part.flatten() for part in parts]).norm().item())
    found = last_layer_gradient_norm(error_norm(logits, labels), features)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
