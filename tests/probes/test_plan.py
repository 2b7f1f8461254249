"""Which points of a network are probed."""

import pytest

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


def test_the_children_of_resnet18_are_the_eleven_points(resnet18):
    probes = plan(resnet18, "children")
    assert [probe.name for probe in probes] == ELEVEN
    assert [probe.kind for probe in probes] == ["input"] + ["module"] * 10


def test_blocks_of_resnet18_are_its_eight_residual_blocks_and_what_is_around(resnet18):
    blocks = [f"layer{stage}.{index}" for stage in (1, 2, 3, 4) for index in (0, 1)]
    expected = ["input", "maxpool", *blocks, "avgpool", "fc", "softmax"]
    probes = plan(resnet18, "blocks")
    assert [probe.name[3:] for probe in probes] == [name.replace(".", "-") for name in expected]
    assert [probe.module for probe in probes] == ["", *expected[1:-1], ""]
    assert [probe.kind for probe in probes] == ["input", *["module"] * 11, "softmax"]


def test_blocks_of_resnet50_are_sixteen():
    assert sum("layer" in name for name in outline("resnet50", "blocks").names) == 16


def test_a_list_is_taken_in_its_order(resnet18):
    assert plan(resnet18, ["fc", "input", "layer1.0.conv2", "softmax"]) == [
        Probe("00-fc", "module", "fc"),
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
        expected = [probe.name for probe in plan(resnet18, probes)]
        assert outline("resnet18", probes).names == expected


def test_an_unknown_module_is_named_with_the_one_that_was_meant(resnet18):
    with pytest.raises(StudyError) as caught:
        plan(resnet18, ["input", "layr1"])
    assert str(caught.value) == (
        "activations.probes: the network has no module 'layr1'; did you mean 'layer1'?"
    )


def test_a_module_that_is_named_twice_is_refused(resnet18):
    with pytest.raises(StudyError, match="'layer1' is named twice"):
        plan(resnet18, ["layer1", "fc", "layer1"])


def test_blocks_of_another_family_are_refused():
    with pytest.raises(StudyError, match="blocks is for residual networks, not VGG"):
        outline("vgg11", "blocks")


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
    network = networks.build(architecture, n_classes=6, seed=0)
    assert feature_probe(network, plan(network, probes)) == expected
