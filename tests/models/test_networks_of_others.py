"""Networks of timm and of a user's own function."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from depthlens.errors import StudyError
from depthlens.models import networks

NETWORK = """
from torch import nn

def make(n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, n_classes))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module in the working directory; its name is never one that was imported."""
    monkeypatch.chdir(tmp_path)
    written = []

    def write(source: str) -> str:
        name = f"network_{tmp_path.name.replace('-', '_')}_{len(written)}"
        (tmp_path / f"{name}.py").write_text(source)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def test_a_function_of_the_working_directory_gives_the_network(module):
    name = module(NETWORK)
    network = networks.build(f"{name}:make", n_classes=5, seed=0)
    assert network(torch.zeros(2, 3, 4, 4)).shape == (2, 5)


def test_its_weights_depend_on_the_seed_alone(module):
    name = module(NETWORK)
    before = torch.random.get_rng_state()
    first, again, other = (
        networks.build(f"{name}:make", n_classes=5, seed=seed)[1].weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("source", "function", "said"),
    [
        ("def make(n_classes):\n    return 3", "make", "returned a int, not a torch.nn.Module"),
        ("from torch import nn\nmake = lambda n_classes: nn.Linear", "make", "returned a type"),
        ("def make(classes):\n    return 3", "make", "TypeError: .*n_classes"),
        ("def make(n_classes):\n    return 1 / 0", "make", "ZeroDivisionError: .*line 2"),
        ("import none_of_this", "make", "No module named 'none_of_this'"),
        ("def make(n_classes:\n", "make", "SyntaxError"),
        ("def make(n_classes): ...", "mak", "has no function 'mak'; did you mean 'make'"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_one_line(module, source, function, said):
    name = module(source)
    with pytest.raises(StudyError) as caught:
        networks.build(f"{name}:{function}", n_classes=5, seed=0)
    assert str(caught.value).startswith("models: ")
    assert re.search(said, str(caught.value))
    assert len(str(caught.value).splitlines()) == 1


def test_a_module_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="models: no module 'nowhere_to_be_found'"):
        networks.build("nowhere_to_be_found:make", n_classes=5, seed=0)


def test_timm_that_is_not_installed_is_said_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(StudyError, match=r"^models: timm:resnet10t needs timm.*pip install timm$"):
        networks.build("timm:resnet10t", n_classes=5, seed=0)


@pytest.fixture
def asked(monkeypatch) -> list:
    """What timm's create_model was asked for, by a stand-in with its signature."""
    asked = []

    def create_model(name, *, pretrained, num_classes, in_chans):
        asked.append((name, pretrained, num_classes, in_chans))
        return torch.nn.Conv2d(in_chans, num_classes, 1)

    stand_in = SimpleNamespace(list_models=lambda: ["resnet10t"], create_model=create_model)
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    return asked


def test_timm_is_asked_for_random_weights_and_the_right_sizes(asked):
    networks.build("timm:resnet10t", n_classes=5, seed=0, shape=(1, 28, 28))
    assert asked == [("resnet10t", False, 5, 1)]


def test_a_network_that_timm_does_not_have_is_named(asked):
    with pytest.raises(StudyError, match=r"timm has no network 'resnet10'; did you mean"):
        networks.build("timm:resnet10", n_classes=5, seed=0)
    assert asked == []


def test_real_timm_builds_what_is_asked():
    pytest.importorskip("timm")
    network = networks.build("timm:resnet10t", n_classes=5, seed=0, shape=(1, 32, 32)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("{}['missing']", "KeyError: 'missing'"),
        ("__import__('no_such_module')", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("torch.ones(2) @ torch.ones(3)", "RuntimeError: "),
    ],
)
def test_whatever_it_raises_as_it_runs_is_one_line_with_its_place(module, tmp_path, fault, said):
    name = module(f"""
import torch
from torch import nn

class Net(nn.Module):
    def forward(self, images):
        return {fault}

def make(n_classes):
    return Net()
""")
    network = networks.build(f"{name}:make", n_classes=2, seed=0)
    with pytest.raises(StudyError, match=re.escape(said)) as caught:
        networks.check_fit(network, name, np.zeros((2, 3, 4, 4), np.uint8))
    assert f"({tmp_path / name}.py, line 7); choose" in str(caught.value)
    assert "\n" not in str(caught.value)
