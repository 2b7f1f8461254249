"""Networks by name: the same seed, the same weights, and nobody else's random numbers moved."""

import numpy as np
import pytest
import torch

from depthlens.errors import StudyError
from depthlens.models import devices, inputs, networks


def weights(seed: int, architecture: str = "resnet18") -> dict[str, torch.Tensor]:
    return networks.build(architecture, n_classes=6, seed=seed).state_dict()


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    first = weights(4)
    with torch.random.fork_rng():
        torch.rand(17)
        second = weights(4)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights():
    assert not torch.equal(weights(1)["conv1.weight"], weights(2)["conv1.weight"])


def test_building_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    weights(4)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "architecture", ["resnet18", "vgg11", "squeezenet1_1", "mobilenet_v3_small"]
)
def test_the_last_layer_has_one_output_a_class(architecture):
    network = networks.build(architecture, n_classes=6, seed=0).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 6)


@pytest.mark.parametrize("architecture", ["googlenet", "inception_v3"])
def test_networks_with_side_outputs_give_logits_alone_while_they_train(architecture):
    with torch.device("meta"):  # shapes without numbers: these two are slow to fill
        network = networks.build(architecture, n_classes=6, seed=0).train()
        assert network(torch.zeros(2, 3, 96, 96)).shape == (2, 6)


@pytest.mark.parametrize(
    ("wrong", "meant"), [("resnet81", "resnet18"), ("ResNet18", "resnet18"), ("vgg_11", "vgg11")]
)
def test_an_unknown_architecture_is_named_with_the_one_that_was_meant(wrong, meant):
    with pytest.raises(StudyError) as caught:
        networks.build(wrong, n_classes=6, seed=0)
    assert str(caught.value) == (
        f"models: torchvision has no classifier {wrong!r}; did you mean {meant!r}?"
    )


def test_a_segmentation_network_is_no_classifier():
    with pytest.raises(StudyError, match="no classifier 'fcn_resnet50'"):
        networks.build("fcn_resnet50", n_classes=6, seed=0)


def test_a_grey_image_becomes_three_equal_channels_of_brightness():
    images = torch.arange(0, 256, 3, dtype=torch.uint8)[:80].reshape(1, 1, 8, 10)
    seen = inputs.network_input(images)
    assert seen.shape == (1, 3, 8, 10)
    for channel in range(3):
        np.testing.assert_array_equal(seen[0, channel], images[0, 0].numpy() / np.float32(255))


def test_a_colour_image_stays_as_it_is():
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator())
    torch.testing.assert_close(inputs.network_input(images), images / 255)


def test_a_network_that_does_not_fit_the_images_is_named():
    network = networks.build("alexnet", n_classes=6, seed=0)
    with pytest.raises(StudyError, match="alexnet does not take images of 1×32×32") as caught:
        networks.check_fit(network, "alexnet", np.zeros((5, 1, 32, 32), np.uint8))
    assert len(str(caught.value).splitlines()) == 1


def test_a_network_that_fits_passes():
    network = networks.build("resnet18", n_classes=6, seed=0)
    networks.check_fit(network, "resnet18", np.zeros((5, 1, 32, 32), np.uint8))


@pytest.mark.parametrize(
    ("asked", "there_is_one", "chosen"),
    [
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, asked, there_is_one, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there_is_one)
    assert devices.choose(asked, key="knn.device").type == chosen


def test_a_gpu_that_is_not_there_is_an_error_that_names_the_key(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError, match=r"^knn\.device: cuda was asked for"):
        devices.choose("cuda", key="knn.device")
