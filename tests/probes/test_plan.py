"""Which points of a network are probed."""

import sys
from functools import cache

import pytest
import torch

from depthlens.errors import StudyError
from depthlens.models import networks
from depthlens.probes.plan import Probe, feature_probe, outline, plan

ELEVEN = [
    "00-input", "01-conv1", "02-bn1", "03-relu", "04-maxpool", "05-layer1", "06-layer2",
    "07-layer3", "08-layer4", "09-avgpool", "10-fc",
]  # fmt: skip


@pytest.fixture(scope="module")
def resnet18():
    return networks.build("resnet18", n_classes=6, seed=0)


@cache
def built(architecture: str) -> torch.nn.Module:
    return networks.build(architecture, n_classes=6, seed=0)


def planned(network, probes, size=32) -> list[Probe]:
    return plan(network, probes, torch.zeros(2, 3, size, size))


def test_the_children_of_resnet18_are_the_eleven_points(resnet18):
    probes = planned(resnet18, "children")
    assert [probe.name for probe in probes] == ELEVEN
    assert [probe.kind for probe in probes] == ["input"] + ["module"] * 10


def test_blocks_of_resnet18_are_its_eight_residual_blocks_and_what_is_around(resnet18):
    blocks = [f"layer{stage}.{index}" for stage in (1, 2, 3, 4) for index in (0, 1)]
    expected = ["input", "maxpool", *blocks, "avgpool", "fc", "softmax"]
    probes = planned(resnet18, "blocks")
    assert [probe.name[3:] for probe in probes] == [name.replace(".", "-") for name in expected]
    assert [probe.module for probe in probes] == ["", *expected[1:-1], ""]
    assert [probe.kind for probe in probes] == ["input", *["module"] * 11, "softmax"]


def test_blocks_of_resnet50_are_sixteen():
    assert sum("layer" in name for name in outline("resnet50", "blocks").names) == 16


def test_a_list_is_taken_in_its_order(resnet18):
    assert planned(resnet18, ["fc", "input", "layer1.0.conv2", "softmax"]) == [
        Probe("00-fc", "module", "fc", gives_logits=True),
        Probe("01-input", "input", ""),
        Probe("02-layer1-0-conv2", "module", "layer1.0.conv2"),
        Probe("03-softmax", "softmax", ""),
    ]


def test_names_sort_in_forward_order_even_where_there_are_many():
    found = outline(
        "densenet121", [f"features.denseblock3.denselayer{i}" for i in range(1, 25)]
    ).names
    assert found == sorted(found)


def test_names_are_those_of_the_plan_without_making_weights(resnet18):
    for probes in ("children", "blocks", ["layer2", "fc"]):
        expected = [probe.name for probe in planned(resnet18, probes)]
        assert outline("resnet18", probes).names == expected


def test_a_users_function_that_computes_with_numbers_has_an_outline(tmp_path, monkeypatch):
    (tmp_path / "network_with_numbers.py").write_text(
        "import torch\n"
        "WIDTH = torch.tensor(4)\n"
        "def make(n_classes):\n"
        "    layers = [torch.nn.Conv2d(3, int(WIDTH), 3), torch.nn.Flatten()]\n"
        "    return torch.nn.Sequential(*layers, torch.nn.LazyLinear(n_classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    found = outline("network_with_numbers:make", "blocks")
    monkeypatch.delitem(sys.modules, "network_with_numbers")
    assert found.names == ["00-input", "01-0", "02-2", "03-softmax"]
    assert found.features == "01-0"


def test_an_unknown_module_is_named_with_the_one_that_was_meant(resnet18):
    with pytest.raises(StudyError) as caught:
        planned(resnet18, ["input", "layr1"])
    assert str(caught.value) == (
        "activations.probes: the network has no module 'layr1'; did you mean 'layer1'?"
    )


def test_a_module_that_is_named_twice_is_refused(resnet18):
    with pytest.raises(StudyError, match="'layer1' is named twice"):
        planned(resnet18, ["layer1", "fc", "layer1"])


def test_a_pattern_stands_for_what_it_matches_at_its_place_in_the_list(resnet18):
    probes = planned(resnet18, ["softmax", "layer*", "input", "layer1.*.conv*", "fc"])
    assert [probe.name for probe in probes] == [
        "00-softmax", "01-layer1", "02-layer2", "03-layer3", "04-layer4", "05-input",
        "06-layer1-0-conv1", "07-layer1-0-conv2", "08-layer1-1-conv1", "09-layer1-1-conv2",
        "10-fc",
    ]  # fmt: skip


def test_a_star_does_not_cross_a_dot():
    for pattern in ("features.*", "f*.*", "*.*"):
        found = outline("squeezenet1_1", [pattern]).names
        assert all(name.count("-") == 2 for name in found)
    assert len(outline("squeezenet1_1", ["features.*"]).names) == 13


def test_dots_of_a_pattern_are_dots(resnet18):
    with pytest.raises(StudyError, match=r"no module matches 'layer1\.0\.c\.\*1'"):
        planned(resnet18, ["layer1.0.c.*1"])


def test_a_pattern_that_matches_nothing_names_what_is_close(resnet18):
    with pytest.raises(StudyError) as caught:
        planned(resnet18, ["input", "layer1.0.convs*"])
    assert str(caught.value).startswith(
        "activations.probes: no module matches 'layer1.0.convs*'; did you mean 'layer1.0.conv"
    )


@pytest.mark.parametrize(
    "twice", [["layer*", "layer2"], ["layer2", "layer*"], ["fc", "fc:mean"], ["fc*", "fc"]]
)
def test_a_module_that_is_named_twice_by_a_pattern_is_refused(resnet18, twice):
    with pytest.raises(StudyError, match="is named twice"):
        planned(resnet18, twice)


def test_what_is_kept_of_an_output_stands_behind_a_colon(resnet18):
    probes = planned(resnet18, ["layer1:mean", "layer4.*:mean", "fc"])
    assert [probe.name for probe in probes] == [
        "00-layer1-mean", "01-layer4-0-mean", "02-layer4-1-mean", "03-fc",
    ]  # fmt: skip
    assert [probe.module for probe in probes] == ["layer1", "layer4.0", "layer4.1", "fc"]
    assert [probe.reduction for probe in probes] == ["mean", "mean", "mean", ""]


@pytest.mark.parametrize("asked", ["layer1:men", "layer*:men"])
def test_an_unknown_reduction_is_named_with_the_one_that_was_meant(resnet18, asked):
    with pytest.raises(StudyError) as caught:
        planned(resnet18, [asked])
    assert str(caught.value) == (
        f"activations.probes: {asked!r} ends in an unknown 'men'; did you mean 'mean'?"
    )


def test_a_list_of_modules_is_replaced_by_them_among_children():
    found = [name for name in outline("maxvit_t", "children").names if "blocks" in name]
    assert found == ["02-blocks-0", "03-blocks-1", "04-blocks-2", "05-blocks-3"]


@pytest.mark.parametrize("architecture", ["regnet_y_400mf", "swin_t"])
def test_a_network_that_needs_numbers_to_be_made_has_an_outline(architecture):
    network = networks.build(architecture, n_classes=6, seed=0)
    expected = [probe.name for probe in planned(network, "blocks")]
    assert outline(architecture, "blocks").names == expected


@pytest.mark.parametrize(
    ("architecture", "probes", "expected"),
    [
        ("resnet18", "children", "09-avgpool"),
        ("resnet18", "blocks", "10-avgpool"),
        ("resnet18", ["input", "layer3", "fc", "softmax"], "01-layer3"),
        ("resnet18", ["fc"], "00-fc"),
        ("resnet18", ["input", "softmax"], "00-input"),
        ("vgg11", "children", "02-avgpool"),  # its classifier holds the last layer
        ("vgg11", ["features.0", "classifier.3", "classifier.6"], "01-classifier-3"),
        ("squeezenet1_0", "children", "02-classifier"),  # it ends in a convolution
    ],
)
def test_features_are_the_deepest_probe_before_the_last_layer(architecture, probes, expected):
    assert outline(architecture, probes).features == expected
    assert feature_probe(planned(built(architecture), probes)) == expected


NETWORK = """
from torch import nn

class Shared(nn.Module):
    def __init__(self, n_classes, size):
        super().__init__()
        self.aux = nn.Linear(2, 2)
        self.last = nn.Linear(2 * (size // 2) ** 2, n_classes)
        self.act = nn.ReLU()
        self.conv = nn.Conv2d(3, 2, 3, padding=1, stride=2)

    def forward(self, images):
        return self.act(self.last(self.act(self.conv(images)).flatten(1)))

def small(n_classes):
    return Shared(n_classes, 28)

def odd(n_classes):
    return Shared(n_classes, 30)

def nowhere(n_classes):
    return Shared(n_classes, 28).to("meta")
"""


def test_an_outline_knows_what_runs_how_often_and_when(tmp_path, monkeypatch, caplog):
    (tmp_path / "networks_with_one_relu.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    expected = ["00-input", "01-conv", "02-act", "03-last", "04-act#2"]
    assert outline("networks_with_one_relu:small", "children").names == expected
    odd = outline("networks_with_one_relu:odd", "children", sizes=[(30, 30)])
    assert odd.names == expected
    with pytest.raises(StudyError, match="'aux' does not run"):
        outline("networks_with_one_relu:small", ["aux"])
    # Of images of an unknown size nothing is known but what is defined.
    unknown = outline("networks_with_one_relu:odd", "children").names
    assert unknown == ["00-input", "01-aux", "02-last", "03-act", "04-conv"]
    assert "set input_size to tell more" in caplog.messages[-1]
    with pytest.raises(StudyError, match="returned a network on the device meta"):
        outline("networks_with_one_relu:nowhere", "blocks")
    monkeypatch.delitem(sys.modules, "networks_with_one_relu")
