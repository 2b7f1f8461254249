import numpy as np
import pytest
import torch
from torch import nn

from depthlens.chapters.benchmarks_of_difficulty.experiments.portraits import (
    experiment,
    shares_of_computation,
)
from depthlens.models import networks
from depthlens.probes.plan import plan


@pytest.fixture(scope="module")
def made(toy_images, toy_settings):
    def made(architecture, seed):
        cell = {"dataset": "toy", "architecture": architecture, "seed": seed}
        return experiment(
            toy_images, cell=cell, settings=toy_settings, progress=lambda batches: batches
        )

    return made


@pytest.fixture(scope="module")
def rows(made):
    return {key: made(*key) for key in (("mlp7_narrow", 1), ("mlp7_narrow", 2), ("mlp7", 1))}


def test_every_network_sees_the_same_images(rows, toy_images):
    first, *others = rows.values()
    for other in others:
        assert (other["example_id"] == first["example_id"]).all()
        assert (other["factor_size"] == first["factor_size"]).all()
    factors = toy_images["toy"][1].factors["size"]
    assert (first["factor_size"] == factors[first["example_id"]]).all()
    assert np.bincount(first["label"]).tolist() == [4, 4, 4]


def test_seeds_and_architectures_make_other_networks(rows):
    losses = [found["loss"].tolist() for found in rows.values()]
    assert losses[0] != losses[1]
    assert losses[0] != losses[2]


def test_relative_depth_and_computation_follow_depth(rows):
    found = rows["mlp7_narrow", 1].sort_values("depth")
    assert (found["n_probes"] == 14).all()
    assert np.allclose(found["relative_depth"], found["depth"] / 14)
    assert found["computation"].is_monotonic_increasing
    assert (found.loc[found["depth"] == 0, "computation"] == 0).all()
    assert (found.loc[found["depth"] == 14, "computation"] == 1).all()
    assert found["train_accuracy"].between(0, 1).all()


def test_an_equal_cell_gives_equal_rows(rows, made):
    assert made("mlp7_narrow", 1).equals(rows["mlp7_narrow", 1])


def test_computation_is_counted_as_on_paper():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),  # 3·3·3 multiply-accumulates, 4 channels, 8·8 places
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),  # 256·10
    )
    convolution, linear = 27 * 4 * 64, 2560
    done = convolution / (convolution + linear)
    found = shares_of_computation(network, (1, 8, 8))
    assert np.allclose(found, [0, done, done, done, 1])


@pytest.mark.parametrize("architecture", ["resnet18_narrow", "vgg16_narrow", "mlp7_narrow"])
def test_computation_grows_from_the_input_to_the_end(architecture):
    network = networks.build(architecture, n_classes=4, seed=0, shape=(3, 16, 16))
    found = shares_of_computation(network, (1, 16, 16))
    assert len(found) == len(plan(network, "children", torch.zeros(1, 3, 16, 16)))
    assert found[0] == 0
    assert found[-1] == 1
    assert (np.diff(found) >= 0).all()
