"""What is recorded is what the modules gave, at the moment they gave it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from depthlens.errors import StudyError
from depthlens.models import networks
from depthlens.models.inputs import network_input
from depthlens.probes.plan import plan
from depthlens.probes.record import Recorder


@pytest.fixture(scope="module")
def resnet18():
    return networks.build("resnet18", n_classes=6, seed=0)


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 1, 32, 32), dtype=torch.uint8, generator=generator)


def record(network, images, probes="children", dtype=torch.float32):
    points = plan(network, probes, network_input(images))
    with Recorder(network, points, dtype=dtype) as recorder:
        logits, activations = recorder(images)
    return logits, {p.name[3:]: a for p, a in zip(points, activations, strict=True)}


def test_every_probe_equals_the_layers_called_by_hand(resnet18, images):
    logits, found = record(resnet18, images)
    resnet18.eval()
    with torch.no_grad():
        seen = (images / 255).repeat(1, 3, 1, 1)
        expected = {"input": images / 255, "conv1": resnet18.conv1(seen)}
        bn = resnet18.bn1
        expected["bn1"] = functional.batch_norm(
            expected["conv1"], bn.running_mean, bn.running_var, bn.weight, bn.bias
        )
        expected["relu"] = expected["bn1"].clamp_min(0)
        expected["maxpool"] = functional.max_pool2d(expected["relu"], 3, 2, 1)
        last = "maxpool"
        for name in ("layer1", "layer2", "layer3", "layer4"):
            expected[name] = getattr(resnet18, name)(expected[last])
            last = name
        expected["avgpool"] = expected["layer4"].mean((2, 3), keepdim=True)
        expected["fc"] = expected["avgpool"].flatten(1) @ resnet18.fc.weight.T + resnet18.fc.bias
    assert list(found) == list(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, msg=name)
    torch.testing.assert_close(logits, expected["fc"])


def test_an_in_place_relu_does_not_overwrite_what_came_before_it(resnet18, images):
    assert resnet18.relu.inplace
    _, found = record(resnet18, images)
    assert (found["bn1"] < 0).any()
    assert not (found["relu"] < 0).any()
    torch.testing.assert_close(found["bn1"].clamp_min(0), found["relu"])


def test_recording_changes_neither_the_answer_nor_the_network(resnet18, images):
    before = {name: tensor.clone() for name, tensor in resnet18.state_dict().items()}
    logits, _ = record(resnet18.train(), images)
    with torch.no_grad():
        plain = resnet18.eval()((images / 255).repeat(1, 3, 1, 1))
    torch.testing.assert_close(logits, plain)
    assert all(torch.equal(resnet18.state_dict()[name], before[name]) for name in before)


def test_the_hooks_are_taken_off_at_the_end(resnet18, images):
    record(resnet18, images)
    assert not any(module._forward_hooks for module in resnet18.modules())
    with (
        pytest.raises(ZeroDivisionError),
        Recorder(resnet18, plan(resnet18, "children", network_input(images)), dtype=torch.float32),
    ):
        raise ZeroDivisionError
    assert not any(module._forward_hooks for module in resnet18.modules())


def test_what_one_batch_gave_is_not_touched_by_the_next(resnet18, images):
    points = plan(resnet18, "children", network_input(images))
    with Recorder(resnet18, points, dtype=torch.float32) as recorder:
        _, first = recorder(images[:2])
        kept = [values.clone() for values in first]
        recorder(images[2:])
    assert all(torch.equal(one, two) for one, two in zip(first, kept, strict=True))


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batch_size_does_not_matter(resnet18, images, batch_size):
    _, whole = record(resnet18, images)
    pieces = [record(resnet18.train(), part)[1] for part in images.split(batch_size)]
    for name, values in whole.items():
        joined = torch.cat([piece[name] for piece in pieces])
        torch.testing.assert_close(joined, values, rtol=1e-4, atol=1e-5, msg=name)


def test_values_are_rounded_once_to_the_storage_type(resnet18, images):
    _, full = record(resnet18, images)
    _, half = record(resnet18, images, dtype=torch.float16)
    for name, values in full.items():
        assert half[name].dtype == torch.float16
        # NumPy rounds to the nearest, too.
        np.testing.assert_array_equal(half[name].numpy(), values.numpy().astype(np.float16))


def test_softmax_is_that_of_the_logits(resnet18, images):
    logits, found = record(resnet18, images, ["fc", "softmax"])
    expected = np.exp(logits.double().numpy())
    np.testing.assert_allclose(
        found["softmax"], expected / expected.sum(1, keepdims=True), rtol=1e-5
    )


def test_probes_come_in_the_order_that_was_asked(resnet18, images):
    _, found = record(resnet18, images, ["fc", "conv1"])
    assert [values.shape[1] for values in found.values()] == [6, 64]


def test_what_a_network_takes_can_be_given_as_it_is(resnet18):
    seen = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    points = plan(resnet18, ["input", "fc"], seen)
    with Recorder(resnet18, points, dtype=torch.float32, prepare=lambda x: x) as recorder:
        logits, (given, last) = recorder(seen)
    with torch.no_grad():
        torch.testing.assert_close(logits, resnet18.eval()(seen))
    assert torch.equal(given, seen)
    assert torch.equal(last, logits)


class Odd(nn.Module):
    """A network with a module that runs twice, one that never runs and one that gives a pair."""

    def __init__(self):
        super().__init__()
        self.twice = nn.ReLU()
        self.never = nn.ReLU()
        self.pair = nn.MaxPool2d(2, return_indices=True)

    def forward(self, images):
        pooled, _ = self.pair(self.twice(self.twice(images)))
        return pooled.mean((2, 3))


def test_a_module_that_does_not_run_is_named(images):
    with pytest.raises(StudyError, match=r"activations\.probes: the module 'never' does not run"):
        record(Odd(), images, ["never"])


def test_a_module_that_was_not_asked_for_may_run_twice(images):
    _, found = record(Odd(), images, ["input", "softmax"])
    assert found["softmax"].shape == (5, 3)


def test_of_a_pair_the_first_is_kept(images):
    _, found = record(Odd(), images, ["pair"])
    assert torch.equal(
        found["pair"], functional.max_pool2d(images.float() / 255, 2).repeat(1, 3, 1, 1)
    )


class Backwards(nn.Module):
    """A network that runs its modules in another order than it defines them."""

    def __init__(self):
        super().__init__()
        self.second = nn.Conv2d(3, 3, 1)
        self.first = nn.Conv2d(3, 3, 1)
        self.third = nn.AdaptiveAvgPool2d(1)

    def forward(self, images):
        return self.third(self.second(self.first(images))).flatten(1)


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ("children", ["input", "first", "second", "third"]),
        ("blocks", ["input", "first", "second", "third", "softmax"]),
        (["*", "input"], ["first", "second", "third", "input"]),
    ],
)
def test_modules_are_read_in_the_order_in_which_they_run(images, probes, expected):
    assert list(record(Backwards(), images, probes)[1]) == expected


def test_patterns_may_be_listed_in_the_order_in_which_modules_run(images):
    found = record(Backwards(), images, ["firs*", "secon*", "third"])[1]
    assert list(found) == ["first", "second", "third"]


@pytest.mark.parametrize("probes", [["first", "second"], ["second", "first"], ["third", "input"]])
def test_names_that_are_listed_are_taken_in_the_order_of_the_list(images, probes):
    assert list(record(Backwards(), images, probes)[1]) == probes


def test_logits_may_come_with_other_things(images):
    class Pair(nn.Module):
        def forward(self, images):
            return {"loss": None, "logits": images.mean((2, 3)), "hidden": images}

    logits, found = record(Pair(), images, ["softmax"])
    assert logits.shape == (5, 3)
    torch.testing.assert_close(found["softmax"], logits.softmax(1))


def test_a_network_without_logits_is_refused(images):
    class Silent(nn.Module):
        def forward(self, images):
            return None

    with pytest.raises(StudyError, match="the network's output is no tensor for each image"):
        record(Silent(), images, ["softmax"])


class TokensFirst(nn.Module):
    """A transformer as torch makes it by default, whose tokens come before the images."""

    def __init__(self, n_tokens):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16)
        self.embed = nn.Linear(12, 8)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)
        self.n_tokens = n_tokens

    def forward(self, images):
        tokens = images.flatten(1).unflatten(1, (self.n_tokens, -1)).transpose(0, 1)
        return self.head(self.encoder(self.embed(tokens)).mean(0))


@pytest.mark.parametrize("n_tokens", [2, 3, 4, 8])
def test_the_axis_of_the_images_is_no_guess_from_the_size_of_the_batch(n_tokens):
    generator = torch.Generator().manual_seed(0)
    network = TokensFirst(n_tokens).eval()
    images = torch.rand(n_tokens, 12 * n_tokens, generator=generator)  # as many as tokens
    probes = ["encoder.layers.0", "encoder.layers.1:class_token", "encoder:mean", "head"]
    points = plan(network, probes, images)
    assert [point.axis for point in points] == [1, 1, 1, 0]
    with Recorder(network, points, dtype=torch.float32, prepare=lambda x: x) as recorder:
        _, found = recorder(images)
    with torch.no_grad():
        for row, image in enumerate(images):
            tokens = network.embed(image.reshape(n_tokens, 1, 12))
            first = network.encoder.layers[0](tokens)
            second = network.encoder.layers[1](first)
            expected = [first[:, 0], second[0, 0], second[:, 0].mean(0)]
            expected.append(network.head(second[:, 0].mean(0)))
            for values, by_hand in zip(found, expected, strict=True):
                torch.testing.assert_close(values[row], by_hand)


def test_what_does_not_follow_the_images_is_left_out_of_children_with_a_line(caplog):
    class Windows(nn.Module):
        def __init__(self):
            super().__init__()
            self.cut, self.norm, self.join = nn.Unflatten(1, (2, 6)), nn.ReLU(), nn.Linear(12, 3)

        def forward(self, images):
            windows = self.norm(self.cut(images).flatten(0, 1))
            return self.join(windows.unflatten(0, (-1, 2)).flatten(1))

    found = plan(Windows(), "children", torch.rand(1, 12))
    assert [point.name for point in found] == ["00-input", "01-cut", "02-join"]
    assert caplog.messages == [
        "not read: norm, whose output has the shape (4, 6) for 2 images and (6, 6) for 3, so that "
        "no axis is known to follow the images"
    ]


def test_of_several_tensors_the_first_that_follows_the_images_is_read():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 6)

        def forward(self, pixels, patches):
            pixels = self.linear(pixels)
            return pixels, (None, patches + pixels.unflatten(0, (-1, 2)).flatten(1))

    class Nested(nn.Module):
        """As Transformer in Transformer: pixels of every patch, and patches of every image."""

        def __init__(self):
            super().__init__()
            self.one, self.two, self.head = Block(), Block(), nn.Linear(12, 3)

        def forward(self, images):
            pixels, (_, patches) = self.one(images.unflatten(1, (2, 6)).flatten(0, 1), images)
            return self.head(self.two(pixels, patches)[1][1])

    network, images = Nested(), torch.rand(4, 12)
    points = plan(network, "children", images)
    assert [(point.module, point.place) for point in points[1:]] == (
        [("one", 1), ("two", 1), ("head", 0)]
    )
    with Recorder(network, points, dtype=torch.float32, prepare=lambda x: x) as recorder:
        logits, (_, first, second, _) = recorder(images)
    with torch.no_grad():
        by_hand = images + network.one.linear(images.reshape(8, 6)).view(4, 12)
        torch.testing.assert_close(first, by_hand)
        torch.testing.assert_close(network.head(second), logits)


def test_logits_of_images_in_the_second_axis_are_refused():
    network = nn.Sequential(nn.Linear(4, 3))
    network.register_forward_hook(lambda *inputs_and_output: inputs_and_output[-1].T)
    with pytest.raises(StudyError, match=r"the network's output has the shape \(3, 2\) for 2"):
        plan(network, "children", torch.rand(3, 4))
