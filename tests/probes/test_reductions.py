"""The tensor that a probe keeps of whatever its module gives."""

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from depthlens.errors import StudyError
from depthlens.probes.plan import plan
from depthlens.probes.record import Recorder
from depthlens.probes.reductions import REDUCTIONS, first_tensor

WANTED, OTHER = torch.arange(6.0).reshape(2, 3), torch.zeros(2, 3)


@dataclass
class Outputs:
    loss: object
    last_hidden_state: torch.Tensor
    attentions: tuple


@pytest.mark.parametrize(
    "output",
    [
        WANTED,
        (WANTED, OTHER),
        [None, [], (None, WANTED), OTHER],
        {"loss": None, "logits": WANTED, "z": OTHER},
        OrderedDict(last_hidden_state=WANTED, pooled=OTHER),
        SimpleNamespace(last_hidden_state=WANTED, pooler_output=OTHER),
        Outputs(None, WANTED, (OTHER,)),
        ({"a": ["text", SimpleNamespace(b=(3, WANTED))]}, OTHER),
    ],
)
def test_the_first_tensor_is_found_depth_first(output):
    assert first_tensor(output) is WANTED


@pytest.mark.parametrize("output", [None, (), "text", 3.0, {"a": [None]}, np.zeros(3)])
def test_what_holds_no_tensor_gives_none(output):
    assert first_tensor(output) is None


def test_an_object_that_holds_itself_is_no_endless_search():
    circle = SimpleNamespace()
    circle.itself = circle
    assert first_tensor(circle) is None
    circle.last = WANTED
    assert first_tensor(circle) is WANTED


def test_reductions_are_those_that_loops_compute():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.rand(2, 5, 3, generator=generator)
    maps = torch.rand(2, 3, 4, 5, generator=generator)
    for example in range(2):
        for feature in range(3):
            sequence = tokens[example, :, feature].tolist()
            places = maps[example, feature].flatten().tolist()
            found = REDUCTIONS["mean"].reduce(tokens)[example, feature]
            assert found.item() == pytest.approx(sum(sequence) / 5)
            found = REDUCTIONS["mean"].reduce(maps)[example, feature]
            assert found.item() == pytest.approx(sum(places) / 20)
            last = REDUCTIONS["channels_last_mean"].reduce(maps.permute(0, 2, 3, 1))
            assert last[example, feature].item() == pytest.approx(sum(places) / 20)
            assert REDUCTIONS["class_token"].reduce(tokens)[example, feature] == sequence[0]


class Gives(nn.Module):
    """A network whose only module gives what it is told to."""

    def __init__(self, make):
        super().__init__()
        self.odd = _Odd(make)

    def forward(self, images):
        self.odd(images)
        return images.mean((2, 3))


class _Odd(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, images):
        return self.make(images)


def record(make, asked):
    network = Gives(make)
    images = torch.ones(4, 3, 2, 2)
    points = plan(network, [asked], images)
    with Recorder(network, points, dtype=torch.float16) as recorder:
        _, (found,) = recorder(images)
    return found


def test_a_reduction_is_of_the_full_precision_and_rounded_once():
    values = torch.rand(4, 7, 3, generator=torch.Generator().manual_seed(0)) * 100
    found = record(lambda x: (values[: len(x)], None), "odd:mean")
    np.testing.assert_array_equal(found, values.mean(1).numpy().astype(np.float16))
    found = record(lambda x: SimpleNamespace(last_hidden_state=values[: len(x)]), "odd:class_token")
    np.testing.assert_array_equal(found, values[:, 0].numpy().astype(np.float16))


@pytest.mark.parametrize(
    ("make", "asked", "fault"),
    [
        (lambda _: "text", "odd", "'odd' is no tensor for each image"),
        (lambda x: x[:1], "odd", r"\(1, 3, 2, 2\) for 2 images and \(1, 3, 2, 2\) for 3, so that"),
        (lambda x: x.flatten(0, 1), "odd", r"\(6, 2, 2\) for 2 images and \(9, 2, 2\) for 3"),
        (lambda x: x.flatten(1) @ x.flatten(1).T, "odd", r"\(2, 2\) for 2 images and \(3, 3\)"),
        (lambda x: x.sum((1, 2, 3)), "odd", r"has the shape \(2,\) for 2 images"),
        (lambda x: x, "odd:class_token", r"odd:class_token takes \(n, tokens, features\), but"),
        (lambda x: x.flatten(1), "odd:mean", r"'odd' gives shape \(4, 12\); leave out :mean"),
        (lambda x: x, "softmax:mean", r"'softmax' gives shape \(4, 3\)"),
    ],
)
def test_an_output_that_cannot_be_kept_is_refused_with_its_shape(make, asked, fault):
    with pytest.raises(StudyError, match=rf"activations\.probes: .*{fault}"):
        record(make, asked)


def test_the_input_can_be_reduced_too():
    network = Gives(lambda x: x)
    images = torch.randint(0, 256, (4, 1, 2, 2), dtype=torch.uint8)
    points = plan(network, ["input:mean"], images.float().expand(-1, 3, -1, -1))
    with Recorder(network, points, dtype=torch.float32) as recorder:
        _, (found,) = recorder(images)
    torch.testing.assert_close(found, images.float().mean((2, 3)) / 255)
