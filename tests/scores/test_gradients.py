"""Margins and gradients against closed forms and autograd's Jacobian."""

import math

import pytest
import torch
from torch import nn

from depthlens.scores import gradients

SHAPE = (1, 3, 4)


def as_it_is(images: torch.Tensor) -> torch.Tensor:
    return images


class Linear(nn.Module):
    """Logits that are linear in the image: the distance to every boundary is known."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = torch.zeros(len(weight)) if bias is None else bias

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.weight.T + self.bias


class Ball(nn.Module):
    """Class 0 within 0.4 of a point, class 1 outside."""

    def __init__(self, centre: torch.Tensor) -> None:
        super().__init__()
        self.centre = centre

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        away = (images - self.centre).flatten(1).square().sum(1)
        return torch.stack([0.16 - away, torch.zeros_like(away)], 1)


def random(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def grey(n: int, *, seed: int = 1) -> torch.Tensor:
    """Images around the middle of the range, where clipping is far away."""
    return 0.5 + random(n, *SHAPE, seed=seed, scale=0.02)


def distances(network: Linear, images: torch.Tensor) -> torch.Tensor:
    """Exact distance to the nearest boundary of a linear network."""
    with torch.no_grad():
        logits = network(images)
        found = []
        for row in logits:
            a = row.argmax()
            others = [b for b in range(len(row)) if b != a]
            found.append(
                min(
                    (row[a] - row[b]) / (network.weight[a] - network.weight[b]).norm()
                    for b in others
                )
            )
        return torch.stack(found)


@pytest.fixture
def linear() -> Linear:
    return Linear(random(5, 12, scale=0.3))


@pytest.fixture
def mlp() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 4)
        return nn.Sequential(*layers).eval()


def test_first_order_margin_of_a_linear_network_is_the_distance(linear):
    images = grey(20)
    found = gradients.input_margin(linear, images, prepare=as_it_is)
    torch.testing.assert_close(found, distances(linear, images))


def test_first_order_margin_is_that_of_autograds_jacobian(mlp):
    images = grey(10)
    found = gradients.input_margin(mlp, images, prepare=as_it_is)
    for image, margin in zip(images, found, strict=True):
        logits = mlp(image[None])[0]
        jacobian = torch.autograd.functional.jacobian(lambda x: mlp(x[None])[0], image).flatten(1)
        a = logits.argmax()
        expected = min(
            (logits[a] - logits[b]) / (jacobian[a] - jacobian[b]).norm() for b in range(4) if b != a
        )
        torch.testing.assert_close(margin, expected)


def test_distances_are_between_images_not_between_what_the_network_is_given():
    def repeated_and_stretched(images: torch.Tensor) -> torch.Tensor:
        return (images.expand(-1, 3, -1, -1) - 0.5) / 0.25

    weight = random(4, 36)
    # What repeating and stretching do to a linear network is another linear network.
    as_seen = Linear(weight.view(4, 3, 12).sum(1) / 0.25)
    as_seen.bias = -2 * weight.sum(1)
    images = grey(8)
    found = gradients.input_margin(Linear(weight), images, prepare=repeated_and_stretched)
    torch.testing.assert_close(found, distances(as_seen, images).detach(), rtol=1e-4, atol=1e-5)


def test_of_many_classes_only_the_ten_best_rivals_are_tried():
    # The rival of rank r is r / 100 behind; those of rank 10 and 11 are by far the nearest.
    weight = torch.zeros(14, 12)
    weight[:, 0] = torch.tensor([0.0] + [1.0] * 9 + [100.0, 1000.0, 1.0, 1.0])
    network = Linear(weight, bias=-torch.arange(14) / 100 - 0.5 * weight[:, 0])
    images = torch.full((1, *SHAPE), 0.5)
    found = gradients.input_margin(network, images, prepare=as_it_is)
    assert found.tolist() == pytest.approx([0.10 / 100], rel=1e-3)


def test_a_network_that_ignores_the_image_has_no_boundary_and_one_that_ties_is_on_it():
    constant = Linear(torch.zeros(3, 12), bias=torch.tensor([1.0, 0.0, -1.0]))
    undecided = Linear(torch.zeros(3, 12))
    images = grey(2)
    for margin in (
        gradients.input_margin(constant, images, prepare=as_it_is),
        gradients.attack_margin(constant, images, prepare=as_it_is, steps=3),
    ):
        assert margin.tolist() == [math.inf, math.inf]
    found = gradients.input_margin(undecided, images, prepare=as_it_is)
    assert found.tolist() == [0, 0]


def test_attack_finds_the_distance_of_a_linear_network(linear):
    images = grey(20)
    found = gradients.attack_margin(linear, images, prepare=as_it_is, steps=20)
    exact = distances(linear, images)
    assert torch.all(found >= exact * (1 - 1e-4)), "an upper bound"
    assert torch.all(found <= exact * 1.01)


def test_attack_finds_the_distance_where_first_order_is_wrong():
    centre = torch.full(SHAPE, 0.5)
    network = Ball(centre)
    images = torch.stack([centre + random(*SHAPE, seed=s, scale=0.04) for s in range(6)])
    away = (images - centre).flatten(1).norm(dim=1)
    exact = 0.4 - away
    first_order = gradients.input_margin(network, images, prepare=as_it_is)
    torch.testing.assert_close(first_order, (0.16 - away**2) / (2 * away))
    found = gradients.attack_margin(network, images, prepare=as_it_is, steps=20)
    assert torch.all(first_order > 1.1 * exact)
    assert torch.all(found >= exact * (1 - 1e-4))
    assert torch.all(found <= exact * 1.01)


def test_a_changed_image_is_an_image():
    # Straight to the boundary would need a brightness of 1.3: the way round is (1, 0.6).
    network = Linear(torch.tensor([[0.0, 0.0], [4.0, 3.0]]), bias=torch.tensor([5.8, 0.0]))
    image = torch.tensor([0.9, 0.1]).view(1, 1, 1, 2)
    straight = (5.8 - 3.9) / 5
    assert 0.9 + straight * 0.8 > 1
    (found,) = gradients.attack_margin(network, image, prepare=as_it_is, steps=40)
    exact = math.hypot(0.1, 0.5)
    assert exact * (1 - 1e-4) <= found <= exact * 1.01


def test_an_attack_that_no_image_satisfies_finds_nothing():
    # Even the whitest image is of class 0.
    network = Linear(torch.stack([torch.zeros(12), torch.ones(12)]), bias=torch.tensor([12.5, 0]))
    found = gradients.attack_margin(network, grey(2), prepare=as_it_is, steps=10)
    assert found.tolist() == [math.inf, math.inf]


def test_an_image_is_attacked_alike_alone_and_among_others(mlp):
    images = grey(7)
    together = gradients.attack_margin(mlp, images, prepare=as_it_is, steps=10)
    again = gradients.attack_margin(mlp, images, prepare=as_it_is, steps=10)
    alone = [
        gradients.attack_margin(mlp, image[None], prepare=as_it_is, steps=10) for image in images
    ]
    assert torch.equal(together, again)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-6)
    assert together.isfinite().any()


def test_nothing_is_left_behind_in_the_network(mlp):
    gradients.attack_margin(mlp, grey(2), prepare=as_it_is, steps=3)
    gradients.class_gradients(mlp, grey(2), torch.tensor([0, 1]), prepare=as_it_is)
    assert all(parameter.grad is None for parameter in mlp.parameters())


def test_gradient_of_the_label_is_its_weights_mean_over_the_channels():
    weight = random(3, 2 * 4)
    images = torch.rand(2, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    found = gradients.class_gradients(
        Linear(weight), images, torch.tensor([2, 0]), prepare=as_it_is
    )
    expected = weight[[2, 0]].view(2, 2, 2, 2).mean(1)
    torch.testing.assert_close(found, expected)


def test_variance_of_gradients_worked_by_hand():
    # Two snapshots of two pixels: deviations ±1 and ±3 from the means.
    first, second = torch.tensor([[[1.0, 4.0]]]), torch.tensor([[[3.0, -2.0]]])
    found = gradients.variance_of_gradients(torch.stack([first, second]))
    assert found.tolist() == pytest.approx([((1 + 1) + (9 + 9)) / math.sqrt(2) / 2])


def test_a_network_that_learned_nothing_between_snapshots_has_no_variance(linear):
    same = gradients.class_gradients(linear, grey(3), torch.tensor([0, 1, 2]), prepare=as_it_is)
    found = gradients.variance_of_gradients(torch.stack([same] * 4))
    assert found.tolist() == pytest.approx([0, 0, 0], abs=1e-9)


def test_standardised_within_classes_by_hand():
    values = torch.tensor([1.0, 10.0, 3.0, 20.0, 7.0, 0.1, 0.1, 0.1])
    labels = torch.tensor([0, 1, 0, 1, 2, 3, 3, 3])
    found = gradients.standardise_within_classes(values, labels)
    assert found[:4].tolist() == pytest.approx([-1, -1, 1, 1])
    assert found[4:].isnan().all(), "a class whose values are equal says nothing"
