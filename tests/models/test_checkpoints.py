"""Checkpoints: what is read is what was saved, and nothing else is taken for one."""

import errno
import os

import pytest
import torch
from safetensors.torch import save_file

from depthlens.errors import ArtifactError
from depthlens.models import checkpoints, networks

ABOUT = {"architecture": "squeezenet1_1", "n_classes": 6, "made_by": "train"}


@pytest.fixture
def network() -> torch.nn.Module:
    return networks.build("squeezenet1_1", n_classes=6, seed=3)


@pytest.fixture
def checkpoint(tmp_path, network):
    path = tmp_path / "run/checkpoint.safetensors"
    checkpoints.save_tensors(path, network.state_dict(), ABOUT)
    return path


def load(path, architecture="squeezenet1_1", n_classes=6):
    return checkpoints.load_network(path, architecture=architecture, n_classes=n_classes)


def test_a_network_comes_back_with_its_weights_ready_to_predict(network, checkpoint):
    back = load(checkpoint)
    assert not back.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)


def test_tensors_of_every_kind_come_back(tmp_path):
    tensors = {
        "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
        "count": torch.tensor(7),
        "step": torch.tensor(2.0),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "learnt": torch.nn.Parameter(torch.ones(2)),
        "empty": torch.empty(0, 3),
    }
    checkpoints.save_tensors(tmp_path / "t.safetensors", tensors, {"epochs": [1, 2]})
    back, about = checkpoints.load_tensors(tmp_path / "t.safetensors")
    assert about == {"epochs": [1, 2]}
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor.detach())
        assert back[name].dtype == tensor.dtype


def test_equal_networks_are_equal_bytes(tmp_path, network, checkpoint):
    shuffled = dict(reversed(network.state_dict().items()))
    about = dict(reversed(ABOUT.items()))
    checkpoints.save_tensors(tmp_path / "again.safetensors", shuffled, about)
    assert (tmp_path / "again.safetensors").read_bytes() == checkpoint.read_bytes()


@pytest.mark.parametrize("kept", [0.0, 1e-5, 0.5, 0.999])
def test_a_truncated_checkpoint_is_named(checkpoint, kept):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ArtifactError, match=r"checkpoint\.safetensors: not a whole safetensors"):
        load(checkpoint)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.safetensors: no such file"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(ArtifactError, match="no such file"):
        load(tmp_path)  # a folder


def test_a_foreign_checkpoint_is_named(tmp_path, network):
    save_file(network.state_dict(), tmp_path / "f.safetensors")
    with pytest.raises(ArtifactError, match=r"f\.safetensors: .*not made by depthlens"):
        load(tmp_path / "f.safetensors")


@pytest.mark.parametrize(
    ("architecture", "n_classes"), [("squeezenet1_0", 6), ("squeezenet1_1", 10)]
)
def test_a_checkpoint_of_another_network_is_named(checkpoint, architecture, n_classes):
    with pytest.raises(ArtifactError) as caught:
        load(checkpoint, architecture, n_classes)
    text = str(caught.value)
    assert "a checkpoint of another network (squeezenet1_1 with 6 classes" in text
    assert f"not {architecture} with {n_classes}" in text


def test_weights_that_do_not_fit_are_named_on_one_line(tmp_path, network):
    weights = network.state_dict()
    del weights["classifier.1.bias"]
    checkpoints.save_tensors(tmp_path / "c.safetensors", weights, ABOUT)
    with pytest.raises(ArtifactError, match=r"do not fit squeezenet1_1 .*classifier\.1\.bias") as e:
        load(tmp_path / "c.safetensors")
    assert len(str(e.value).splitlines()) == 1


def test_a_pickle_is_never_loaded(tmp_path, network):
    torch.save(network.state_dict(), tmp_path / "c.safetensors")
    with pytest.raises(ArtifactError, match="not a whole safetensors file"):
        load(tmp_path / "c.safetensors")


def test_a_full_disk_is_one_clear_error_and_keeps_the_old_checkpoint(checkpoint, monkeypatch):
    before = checkpoint.read_bytes()

    def full(_tensors, path, _about):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(ArtifactError, match=r"cannot be written .No space left"):
        checkpoints.save_tensors(checkpoint, {"a": torch.ones(2)}, ABOUT)
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
