"""Networks trained at once: the same as trained one after another by the study's own loop."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from depthlens.datasets import edges
from depthlens.models import edge_networks
from depthlens.training import loop, stacked
from depthlens.training.schedules import linear

CPU = torch.device("cpu")
CLASSES = edges.KINDS[:3]
# What is frozen but for its last layer is computed once, not stacked.
STACKED = [name for name in edge_networks.NAMES if "frozen" not in name]


def material(n_networks: int, n_per_class: int = 10):
    """Images and labels of their own for each network."""
    drawn = [edges.generate(n_per_class, seed=seed, split="train") for seed in range(n_networks)]
    return [of.images for of in drawn], [of.labels for of in drawn]


def networks_of(name: str, n: int = 3, **options) -> list[nn.Sequential]:
    return [edge_networks.build(name, n_classes=3, seed=seed, **options) for seed in range(n)]


def channels_last(images) -> torch.Tensor:
    return torch.tensor(np.stack([np.moveaxis(of, 1, -1) for of in images])).float() / 255


@pytest.mark.parametrize("kernel_size", [2, 3, 5, 7])
@pytest.mark.parametrize("name", STACKED)
def test_a_stack_computes_what_its_networks_do(name, kernel_size):
    images, _ = material(3)
    networks = networks_of(name, kernel_size=kernel_size)
    together = stacked.Stack(networks, CPU)(channels_last(images))
    for network, pixels, found in zip(networks, images, together, strict=True):
        alone = network(torch.tensor(pixels).float() / 255)
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", STACKED)
def test_gradients_are_those_of_autograd_on_each_network(name):
    images, labels = material(3)
    networks = networks_of(name)
    stack = stacked.Stack(networks, CPU)
    logits = stack(channels_last(images))
    classes = torch.tensor(np.stack(labels)).long()
    functional.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="sum").backward()
    for place, network in enumerate(networks):
        given = network(torch.tensor(images[place]).float() / 255)
        functional.cross_entropy(given, classes[place], reduction="sum").backward()
        for key, parameter in network.named_parameters():
            if parameter.grad is None:
                assert stack.parameters[key].grad is None
            else:
                found = stack.parameters[key].grad[place]
                torch.testing.assert_close(found, parameter.grad, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize(
    "name", ["cnn", "cnn_average", "cnn_deeper_3x3", "cnn_sobel", "mlp", "mlp_means"]
)
def test_training_at_once_takes_the_steps_of_the_study_s_loop(name, weight_decay):
    images, labels = material(3, n_per_class=9)  # the last batch is smaller
    alone = networks_of(name)
    together = copy.deepcopy(alone)
    recipe = {"momentum": 0.9, "weight_decay": weight_decay}
    moments = list(
        stacked.train(
            together, images=images, labels=labels, evaluated={"train": images}, at_epochs=[0, 2],
            batch_size=10, learning_rate=[0.01, 0.02, 0.03], seeds=[5, 6, 7], device=CPU, **recipe,
        )
    )  # fmt: skip
    assert [moment.epoch for moment in moments] == [0, 2]
    for place, network in enumerate(alone):
        optimizer = loop.make_optimizer(
            network, "sgd", learning_rate=[0.01, 0.02, 0.03][place], **recipe
        )
        own = images[place], labels[place]
        for _ in loop.train(
            network, optimizer,
            train_images=own[0], train_labels=own[1], test_images=own[0], test_labels=own[1],
            epochs=range(1, 3), last_epoch=2, batch_size=10, schedule=linear, seed=5 + place,
            device=CPU,
            prepare=lambda pixels: pixels.float() / 255,
        ):  # fmt: skip
            pass
        for key, value in network.named_parameters():
            found = together[place].get_parameter(key)
            torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-5)
        with torch.no_grad():
            logits = network(torch.tensor(own[0]).float() / 255)
        np.testing.assert_allclose(
            moments[-1].logits["train"][place], logits.numpy(), rtol=1e-3, atol=1e-4
        )


def test_what_does_not_learn_stays():
    images, labels = material(2)
    networks = networks_of("cnn_2x2", 2)
    list(
        stacked.train(
            networks, images=images, labels=labels, evaluated={}, at_epochs=[3], batch_size=10,
            learning_rate=0.1, momentum=0.9, weight_decay=0.1, seeds=[1, 2], device=CPU,
        )
    )  # fmt: skip
    for network in networks:
        filters = torch.tensor(edge_networks.DETECTORS[2], dtype=torch.float32)
        assert torch.equal(network.conv1.weight[:, 0], filters)


def test_a_network_ends_alike_whatever_it_is_trained_beside():
    images, labels = material(3)
    beside, alone = networks_of("cnn"), networks_of("cnn")[1:2]
    recipe = {
        "evaluated": {}, "at_epochs": [2], "batch_size": 10, "learning_rate": 0.01,
        "momentum": 0.9, "device": CPU,
    }  # fmt: skip
    list(stacked.train(beside, images=images, labels=labels, seeds=[1, 2, 3], **recipe))
    list(stacked.train(alone, images=images[1:2], labels=labels[1:2], seeds=[2], **recipe))
    for key, value in alone[0].named_parameters():
        torch.testing.assert_close(beside[1].get_parameter(key), value, rtol=1e-4, atol=1e-6)


def test_the_maximum_of_equals_sends_its_gradient_where_torch_does():
    generator = torch.Generator().manual_seed(0)
    plane = torch.randint(0, 3, (2, 4, 8, 6), generator=generator).float()  # many ties
    values = plane.view(2, 4, 4, 2, 3, 2).permute(0, 1, 2, 3, 5, 4).contiguous().requires_grad_()
    found = stacked._MaximumOfFour.apply(values)
    plane.requires_grad_()
    expected = functional.max_pool2d(plane, 2)
    assert torch.equal(found, expected)
    weights = torch.rand(expected.shape, generator=generator)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    own = values.grad.permute(0, 1, 2, 3, 5, 4).reshape(plane.shape)
    assert torch.equal(own, plane.grad)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 3, 3, padding=1)],  # zeros at the borders
        [nn.Conv2d(1, 3, 3, padding="same", padding_mode="reflect", bias=False)],
        [nn.MaxPool2d(2)],
        [nn.AvgPool2d(3)],
        [nn.BatchNorm2d(1)],
    ],
)
def test_layers_that_it_does_not_know_are_refused(layers):
    with pytest.raises(ValueError, match="cannot be stacked"):
        stacked.Stack([nn.Sequential(*layers)], CPU)


def test_networks_that_differ_are_refused():
    with pytest.raises(ValueError, match="alike"):
        stacked.Stack([*networks_of("cnn", 1), *networks_of("mlp", 1)], CPU)
    with pytest.raises(ValueError, match="0 for 1 networks"):
        list(
            stacked.train(
                networks_of("cnn", 1), images=[], labels=[], evaluated={}, at_epochs=[1],
                batch_size=1, learning_rate=0.1, momentum=0, seeds=[1, 2], device=CPU,
            )
        )  # fmt: skip
