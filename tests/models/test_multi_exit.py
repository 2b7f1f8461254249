"""The multi-exit network against the network that it is made of."""

import pytest
import torch
from torch.nn import functional

from depthlens.errors import StudyError
from depthlens.models import macs, networks
from depthlens.models.multi_exit import JointLoss, MultiExit, multiply_accumulates


def build(name="resnet18_narrow", seed=1):
    trunk = networks.build(name, n_classes=5, seed=1)
    return MultiExit(trunk, n_classes=5, seed=seed).eval()


@pytest.mark.parametrize("name", ["resnet18_narrow", "resnet18", "resnet50"])
def test_last_exit_is_the_network_itself(name):
    made, images = build(name), torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        logits = made(images)
        assert [tuple(each.shape) for each in logits] == [(2, 5)] * 4
        assert torch.equal(logits[-1], made.trunk(images))


def test_earlier_head_is_linear_in_the_mean_over_the_stage():
    made, images = build(), torch.rand(2, 3, 32, 32)
    seen = {}
    made.trunk.layer2.register_forward_hook(lambda *given: seen.update(stage=given[2]))
    with torch.inference_mode():
        second = made(images)[1]
        head = made.heads[1]
        expected = seen["stage"].mean(dim=(2, 3)) @ head.weight.T + head.bias
    torch.testing.assert_close(second, expected)


def test_heads_depend_on_their_seed_alone():
    before = torch.get_rng_state()
    one, same, other = build(), build(), build(seed=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.heads[0].weight, same.heads[0].weight)
    assert not torch.equal(one.heads[0].weight, other.heads[0].weight)
    assert torch.equal(one.trunk.conv1.weight, other.trunk.conv1.weight)


def test_nothing_behind_an_exit_is_computed_before_it_is_asked_for():
    made, ran = build(), []
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        getattr(made.trunk, stage).register_forward_hook(lambda *_, name=stage: ran.append(name))
    exits = made.exits(torch.rand(1, 3, 32, 32))
    next(exits)
    assert ran == ["layer1"]
    next(exits)
    assert ran == ["layer1", "layer2"]


def test_costs_are_those_of_the_stages_and_all_heads_on_the_way():
    made, image = build(), torch.zeros(1, 3, 32, 32)
    stages = macs.up_to_modules(made.trunk, image, ["layer1", "layer2", "layer3", "layer4"])
    heads = [16 * 5, 32 * 5, 64 * 5, 128 * 5]
    expected = [stage + sum(heads[: place + 1]) for place, stage in enumerate(stages)]
    assert multiply_accumulates(made, image) == expected


def test_loss_weighs_the_last_head_and_each_earlier_one():
    outputs = [torch.randn(6, 5) for _ in range(4)]
    classes = torch.tensor([0, 1, 2, 3, 4, 0])
    logits, loss = JointLoss(last=1.0, earlier=0.3)(outputs, classes)
    each = [functional.cross_entropy(output, classes, reduction="none") for output in outputs]
    assert logits is outputs[-1]
    torch.testing.assert_close(loss, each[3] + 0.3 * each[0] + 0.3 * each[1] + 0.3 * each[2])


def test_other_networks_are_refused():
    with pytest.raises(StudyError, match="need a ResNet"):
        build("mlp7_narrow")
