"""Adopting as a stage: a network trained elsewhere gives its own logits, or is refused by name."""

import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.models import checkpoints
from depthlens.stages import activations, adopt, generate, probes

MINE = """
import torch
from torch import nn

def make(n_classes, width=4):
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, n_classes),
    )

def ten(n_classes):
    return make(10)

def fragile(n_classes):
    class Fragile(nn.Module):
        def forward(self, images):
            return {"logits": images}["logit"]
    return Fragile()

def pair(n_classes):
    class Pair(nn.Module):
        def forward(self, images):
            return images, images
    return Pair()

def tied(n_classes):
    network = nn.Sequential(nn.Flatten(), nn.Linear(1024, 1024), nn.Linear(1024, 1024))
    network[2].weight = network[1].weight
    return network.append(nn.Linear(1024, n_classes))
"""
MODEL = {
    "architecture": "adopted_networks:make",
    "channels": 1,
    "mean": [0.2],
    "std": [0.5],
    "input_size": [20, 24],
}
N_CLASSES = 6


@pytest.fixture
def here(tmp_path, monkeypatch, blocks):
    """A folder with the user's module and images of both splits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adopted_networks.py").write_text(MINE)
    for split in ("train", "test"):
        generate.run(split=split, output=tmp_path / f"{split}.parquet", cfg=blocks["dataset"])
    yield tmp_path
    sys.modules.pop("adopted_networks", None)


@pytest.fixture
def network(here, monkeypatch) -> torch.nn.Module:
    """The user's network, with weights and statistics of its own; saved in w.safetensors."""
    monkeypatch.syspath_prepend(str(here))
    import adopted_networks

    with torch.random.fork_rng():
        torch.manual_seed(9)
        network = adopted_networks.make(N_CLASSES)
        network[1].running_mean.normal_()
        network[1].running_var.uniform_(0.5, 2)
    save_file(network.state_dict(), here / "w.safetensors")
    return network.eval()


def run(here, weights="w.safetensors", **model):
    adopt.run(
        images=here / "train.parquet",
        weights=here / weights,
        checkpoint=here / "run/checkpoint.safetensors",
        cfg={**MODEL, **model},
    )
    return here / "run/checkpoint.safetensors"


def test_the_checkpoint_holds_the_weights_and_says_where_they_are_from(here, network):
    tensors, about = checkpoints.load_tensors(run(here))
    assert tensors.keys() == network.state_dict().keys()
    assert all(torch.equal(tensors[k], v) for k, v in network.state_dict().items())
    assert about["made_by"] == "adopt"
    assert about["architecture"] == "adopted_networks:make"
    assert about["n_classes"] == N_CLASSES
    assert about["config"] == MODEL
    assert about["inputs"]["weights"]["sha256"] == tables.sha256(here / "w.safetensors")


def test_an_adopted_network_gives_the_logits_that_its_owner_gets(here, network, blocks):
    run(here)
    cfg = {"activations": blocks["activations"], "model": MODEL}
    activations.run(
        images=here / "test.parquet",
        checkpoint=here / "run/checkpoint.safetensors",
        output=here / "activations",
        predictions=here / "predictions.parquet",
        cfg=cfg,
    )
    images = torch.tensor(tables.read_images(here / "test.parquet").images) / 255
    seen = torch.nn.functional.interpolate(images, (20, 24), mode="bilinear", antialias=True)
    with torch.inference_mode():
        expected = network((seen - 0.2) / 0.5).numpy()
    logits = tables.matrix(tables.read(here / "predictions.parquet")["logits"])
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    probes.run(
        images=here / "train.parquet",
        checkpoint=here / "run/checkpoint.safetensors",
        output=here / "probes.parquet",
        cfg=cfg,
    )
    shapes = tables.read(here / "probes.parquet")["shape"].to_pylist()
    assert shapes[:3] == ["1×32×32", "4×18×22", "4×18×22"]


def test_the_command_does_the_same(here, network, depthlens):
    first = run(here).read_bytes()
    outcome = depthlens(
        "adopt", "--images", here / "train.parquet", "--weights", here / "w.safetensors",
        "--checkpoint", here / "again.safetensors", "--cfg", json.dumps(MODEL),
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert (here / "again.safetensors").read_bytes() == first


def test_weights_in_half_precision_are_taken(here, network):
    halves = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    save_file(halves, here / "half.safetensors")
    tensors, _ = checkpoints.load_tensors(run(here, "half.safetensors"))
    assert torch.equal(tensors["0.weight"], halves["0.weight"].float())


def test_layers_that_share_weights_are_kept_under_both_names(here, network):
    tied = {
        "1.weight": torch.eye(1024), "1.bias": torch.zeros(1024), "2.weight": torch.eye(1024),
        "2.bias": torch.ones(1024), "3.weight": torch.ones(6, 1024), "3.bias": torch.zeros(6),
    }  # fmt: skip
    save_file(tied, here / "tied.safetensors")
    model = {"architecture": "adopted_networks:tied", "input_size": None}
    tensors, _ = checkpoints.load_tensors(run(here, "tied.safetensors", **model))
    assert tensors.keys() == tied.keys()
    assert torch.equal(tensors["2.weight"], torch.eye(1024))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("5.bias"), r"missing: 5\.bias$"),
        (lambda w: w.update(more=torch.ones(2)), r"unknown: more$"),
        (
            lambda w: w.update({"5.weight": torch.ones(7, 16)}),
            r"of another shape: 5\.weight \(7×16, not 6×16\)$",
        ),
        (
            lambda w: [w.update({f"module.{k}": w.pop(k)}) for k in list(w)[:-1]],
            r"missing: 0\.weight, 0\.bias, 1\.weight, 1\.bias and 4 more; unknown: module\.0.*; "
            r"save network\.state_dict\(\) of the network alone$",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named_briefly(here, network, change, said):
    weights = dict(network.state_dict())
    change(weights)
    save_file(weights, here / "other.safetensors")
    with pytest.raises(ArtifactError, match=said) as caught:
        run(here, "other.safetensors")
    text = str(caught.value)
    assert "other.safetensors: not the weights of adopted_networks:make" in text
    assert len(text.splitlines()) == 1
    assert not (here / "run").exists()


def test_a_network_of_other_classes_is_refused(here, network):
    weights = {**load_file(here / "w.safetensors")}
    weights |= {"5.weight": torch.ones(10, 16), "5.bias": torch.ones(10)}
    save_file(weights, here / "ten.safetensors")
    said = r"adopted_networks:ten gives a tensor of shape \(2, 10\) .* of the 6 classes"
    with pytest.raises(StudyError, match=said):
        run(here, "ten.safetensors", architecture="adopted_networks:ten")
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("fragile", r"does not take images of 1×32×32: KeyError: 'logit'"),
        ("pair", "gives a tuple for 2 images, not one logit for each of the 6 classes"),
    ],
)
def test_a_network_that_gives_no_logits_is_refused(here, network, function, said):
    save_file({}, here / "none.safetensors")
    with pytest.raises(StudyError, match=said):
        run(here, "none.safetensors", architecture=f"adopted_networks:{function}")


@pytest.mark.parametrize("found", ["nothing", "a pickle", "half of it"])
def test_what_is_no_safetensors_file_is_refused(here, network, found):
    path = here / "bad.safetensors"
    if found == "a pickle":
        torch.save(network.state_dict(), path)
    elif found == "half of it":
        path.write_bytes((here / "w.safetensors").read_bytes()[:-100])
    said = "no such file" if found == "nothing" else "not a whole safetensors file"
    with pytest.raises(ArtifactError, match=rf"bad\.safetensors: {said}"):
        run(here, "bad.safetensors")
