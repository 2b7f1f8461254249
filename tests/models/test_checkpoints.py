"""Checkpoints: what is read is what was saved, and nothing else is taken for one."""

import datetime
import errno
import os

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

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


def small() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    for value in network.state_dict().values():
        torch.nn.init.uniform_(value) if value.is_floating_point() else value.fill_(3)
    return network


class Training(nn.Module):
    """What a training loop is to the network that it holds."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.model = network


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


WRAPPERS = {
    "plain": lambda network: network,
    "module": nn.DataParallel,
    "_orig_mod": torch.compile,
    "model": Training,
    "module._orig_mod": lambda network: nn.DataParallel(torch.compile(network)),
    "model._orig_mod.module": lambda network: Training(torch.compile(nn.DataParallel(network))),
    "a part": lambda network: nn.Sequential(*[torch.compile(part) for part in network]),
}


@pytest.mark.parametrize("ending", ["safetensors", "pt", "pth"])
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_prefixes_that_training_tools_leave_count_for_nothing(tmp_path, wrap, ending):
    network, path = small(), tmp_path / f"w.{ending}"
    weights = wrap(network).state_dict()
    save_file(weights, path) if ending == "safetensors" else torch.save(weights, path)
    fresh = small()
    assert checkpoints.load_weights(fresh, path, name="small") == 9
    assert same(fresh, network)
    wrapped = wrap(small())
    checkpoints.load_weights(wrapped, path, name="small")
    assert same(wrapped, network)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_the_one_state_dict_in_a_checkpoint_of_training_is_read(tmp_path, key):
    network, fresh = small(), small()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    held = {key: network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(held, tmp_path / "best.pth.tar")
    checkpoints.load_weights(fresh, tmp_path / "best.pth.tar", name="small")
    assert same(fresh, network)


def refusal(path) -> str:
    fresh, before = small(), small()
    fresh.load_state_dict(before.state_dict())
    with pytest.raises(ArtifactError) as caught:
        checkpoints.load_weights(fresh, path, name="small")
    assert same(fresh, before)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.filterwarnings("ignore")  # of TorchScript, which torch deprecates
@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: torch.save(small(), path), "more than tensors, torch.nn.modules.container.S"),
        (
            lambda path: torch.save({"model": small().state_dict(), "at": datetime.date.min}, path),
            "more than tensors, datetime.date,",
        ),
        (
            lambda path: torch.save({"a": small().state_dict(), "b": small().state_dict()}, path),
            "2 sets of weights: a, b; write it with torch.save(network.state_dict(), …)",
        ),
        (lambda path: torch.save([1.0], path), "no dictionary of tensors; write it with"),
        (lambda path: torch.jit.script(small()).save(path), "TorchScript"),
        (lambda path: path.write_bytes(b""), "not a whole file of weights by torch.save"),
        (lambda path: path.write_bytes(b"PK\3\4half"), "not a whole file of weights"),
        (lambda path: path.write_text("weights"), "not a whole file of weights"),
        (lambda path: save_file(small().state_dict(), path), "not a whole file of weights"),
    ],
)
def test_what_torch_saved_besides_weights_is_refused_with_the_cure(tmp_path, write, said):
    path = tmp_path / "w.pt"
    write(path)
    assert said in refusal(path)
    assert str(path) in refusal(path)


def test_code_in_a_pickle_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    torch.save({"a": Bomb()}, tmp_path / "w.pt")
    assert "mkdir" in refusal(tmp_path / "w.pt")
    assert not (tmp_path / "run").exists()


def tied() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    return network


def test_of_a_tensor_with_two_names_one_is_enough(tmp_path):
    network, fresh = tied(), tied()
    save_model(network, tmp_path / "one.safetensors")  # leaves a name out
    torch.save(nn.DataParallel(network).state_dict(), tmp_path / "both.pt")
    for name in ("one.safetensors", "both.pt"):
        checkpoints.load_weights(fresh, tmp_path / name, name="tied")
        assert same(fresh, network)
        assert fresh[0].weight is fresh[1].weight


def test_two_tensors_for_one_of_the_network_are_refused(tmp_path):
    torch.save({**tied().state_dict(), "1.weight": torch.eye(3)}, tmp_path / "w.pt")
    with pytest.raises(ArtifactError, match=r"0\.weight, 1\.weight are one tensor: here they diff"):
        checkpoints.load_weights(tied(), tmp_path / "w.pt", name="tied")
