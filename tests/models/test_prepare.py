"""What a network sees of images, against the same computed by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from depthlens.errors import StudyError
from depthlens.models import inputs


def pixels(*shape: int) -> torch.Tensor:
    return torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_without_further_keys_brightness_is_all_that_changes(channels):
    images = pixels(4, channels, 5, 6)
    for model in ({}, {"architecture": "resnet18"}, {"mean": None, "std": None, "channels": 3}):
        seen = inputs.prepare(model)(images)
        assert torch.equal(seen, (images.float() / 255).expand(-1, 3, -1, -1))
        assert torch.equal(seen, inputs.network_input(images))


def test_brightness_is_taken_as_it_is():
    images = pixels(4, 1, 5, 6)
    for dtype in (torch.float32, torch.float64):
        brightness = images.to(dtype) / 255
        seen = inputs.network_input(brightness)
        assert seen.dtype == dtype
        assert torch.equal(seen, brightness.repeat(1, 3, 1, 1))


def test_one_channel_stays_one_if_the_network_takes_one():
    images = pixels(4, 1, 5, 6)
    assert torch.equal(inputs.prepare({"channels": 1})(images), images / 255)


def test_colour_is_never_made_grey():
    with pytest.raises(StudyError, match="channels is 1, but the images have 3; set channels to 3"):
        inputs.prepare({"channels": 1})(pixels(2, 3, 4, 4))


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(-1, 2), min_size=3, max_size=3),
    st.lists(st.floats(0.01, 3), min_size=3, max_size=3),
    st.sampled_from([1, 3]),
)
def test_mean_and_std_are_those_of_each_channel(mean, std, channels):
    images = pixels(2, channels, 3, 3)
    seen = inputs.prepare({"mean": mean, "std": std})(images).numpy()
    brightness = np.broadcast_to(images.numpy() / 255, (2, 3, 3, 3))
    for channel in range(3):
        expected = (brightness[:, channel] - mean[channel]) / std[channel]
        np.testing.assert_allclose(seen[:, channel], expected, rtol=1e-4, atol=1e-4)


def test_halving_a_size_weighs_pixels_by_a_tent():
    images = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    images[0, 0, :, 2] = 255
    seen = inputs.prepare({"channels": 1, "input_size": [4, 4]})(images)
    # A tent of half width 2 around 1, 3, 5, 7 at pixel centres 0.5, 1.5, …: inside, weights of
    # four pixels are 1/8, 3/8, 3/8, 1/8; at the edges, where one falls off, sevenths.
    expected = torch.tensor([1 / 7, 3 / 8, 0.0, 0.0]).expand(4, 4)
    torch.testing.assert_close(seen[0, 0], expected)


@pytest.mark.parametrize("size", [[7, 9], [20, 16], [40, 11]])
def test_resizing_is_that_of_torchvision(size):
    images = pixels(3, 3, 20, 16)
    model = {"input_size": size, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    chain = v2.Compose(
        [v2.ToDtype(torch.float32, scale=True), v2.Resize(size), v2.Normalize(
            model["mean"], model["std"])]
    )  # fmt: skip
    torch.testing.assert_close(inputs.prepare(model)(images), chain(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ({}, (3, 28, 20)),
        ({"channels": 1}, (1, 28, 20)),
        ({"input_size": [64, 48]}, (3, 64, 48)),
        ({"channels": 1, "input_size": None}, (1, 28, 20)),
    ],
)
def test_the_shape_that_is_promised_is_what_is_seen(model, shape):
    assert inputs.input_shape(model, (1, 28, 20)) == shape
    assert inputs.prepare(model)(pixels(2, 1, 28, 20)).shape[1:] == shape


def test_gradients_reach_the_image_through_everything():
    model = {"input_size": [3, 5], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    brightness = torch.rand(
        2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(inputs.prepare(model), brightness)
