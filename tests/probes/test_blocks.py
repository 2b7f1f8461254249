"""Where the probes of `blocks` are, in every family of networks that torchvision has."""

import re

import pytest
import torch
import torchvision.models
from torch import nn
from torch.nn import functional, utils
from torch.nn.utils import parametrizations, parametrize, prune
from torchvision.models import VisionTransformer

from depthlens.errors import StudyError
from depthlens.models import networks
from depthlens.probes.plan import feature_probe, plan
from depthlens.probes.record import Recorder

# Small members of each family; a family is what its models' names begin with.
FAMILIES = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s",
    "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
    "regnet_x_400mf", "regnet_y_400mf", "resnet50", "resnext50_32x4d", "shufflenet_v2_x0_5",
    "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
)  # fmt: skip


def without_weights(architecture: str) -> nn.Module:
    """On the device without numbers, where a forward pass has shapes and costs nothing."""
    try:
        with torch.device("meta"):
            return networks.build(architecture, n_classes=6, seed=0)
    except NotImplementedError:
        return networks.build(architecture, n_classes=6, seed=0).to("meta")


def planned(network: nn.Module, probes: str, shape: tuple[int, ...] = (3, 224, 224)):
    """For two images, on the network's device."""
    shape = (3, 32, 32) if getattr(network, "image_size", 224) == 32 else shape
    device = next((weight.device for weight in network.parameters()), None)
    return plan(network, probes, torch.zeros(2, *shape, device=device))


def blocks(network: nn.Module, *shape: int) -> list[str]:
    probes = planned(network, "blocks", *filter(None, [shape]))
    assert [probe.kind for probe in probes] == (
        ["input", *["module"] * (len(probes) - 2), "softmax"]
    )
    return [probe.module for probe in probes[1:-1]]


def tiny_vit() -> VisionTransformer:
    return VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32,
        num_classes=6,
    )  # fmt: skip


def test_every_family_of_torchvision_is_here():
    def family(name: str) -> str:
        return re.match("[a-z]+", name)[0]

    known = torchvision.models.list_models(module=torchvision.models)
    assert {family(name) for name in known} == {family(name) for name in FAMILIES}


@pytest.mark.parametrize("probes", ["blocks", "children"])
@pytest.mark.parametrize("architecture", FAMILIES)
def test_each_probe_runs_once_and_in_the_order_of_the_plan(architecture, probes):
    network = without_weights(architecture).eval()
    modules = dict(network.named_modules())
    found = [probe.module for probe in planned(network, probes) if probe.kind == "module"]
    assert len(found) >= 3 or probes == "children"
    ran = []
    for name in found:
        modules[name].register_forward_hook(lambda *_, name=name: ran.append(name))
    with torch.no_grad():
        network(torch.zeros(2, 3, 224, 224, device="meta"))
    assert ran == found


def test_blocks_of_vgg11_are_its_convolutions_pooling_and_linear_layers():
    assert blocks(without_weights("vgg11")) == [
        "features.2", "features.5", "features.7", "features.10", "features.12", "features.15",
        "features.17", "features.20", "avgpool", "classifier.1", "classifier.4", "classifier.6",
    ]  # fmt: skip


def test_vgg16_has_thirteen_probes_in_its_convolutions():
    found = blocks(without_weights("vgg16"))
    assert sum(name.startswith("features") for name in found) == 13
    assert sum(name.startswith("classifier") for name in found) == 3


def test_blocks_of_mobilenet_are_its_inverted_residuals():
    assert blocks(without_weights("mobilenet_v3_small")) == [
        *[f"features.{index}" for index in range(13)], "avgpool", "classifier.1", "classifier.3",
    ]  # fmt: skip


def test_blocks_of_densenet_are_dense_blocks_and_transitions():
    assert blocks(without_weights("densenet121")) == [
        "features.pool0",
        "features.denseblock1", "features.transition1",
        "features.denseblock2", "features.transition2",
        "features.denseblock3", "features.transition3",
        "features.denseblock4", "features.norm5",
        "classifier",
    ]  # fmt: skip


def test_blocks_of_a_vision_transformer_are_its_encoder_blocks():
    assert blocks(tiny_vit()) == [
        "conv_proj",
        "encoder.layers.encoder_layer_0",
        "encoder.layers.encoder_layer_1",
        "encoder.ln",
        "heads",
    ]


def test_inceptions_reductions_are_blocks_though_there_is_one_of_each():
    found = blocks(without_weights("inception_v3"))
    assert [name for name in found if name.startswith("Mixed")] == [
        "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d",
        "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c",
    ]  # fmt: skip


def test_blocks_of_a_perceptron_are_its_hidden_layers_and_its_output():
    layers = [nn.Flatten()]
    for width in (12, 8, 8, 8, 8, 8):
        layers += [nn.Linear(width, 8), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Dropout(), nn.Linear(8, 3))
    probes = plan(network, "blocks", torch.zeros(2, 3, 2, 2))
    assert [probe.module for probe in probes] == ["", "2", "4", "6", "8", "10", "12", "14", ""]
    assert feature_probe(probes) == "06-12"


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, values):
        return values + self.two(self.one(values).relu())


class Stage(nn.Module):
    """Blocks in a list, under a class of its own that is met several times."""

    def __init__(self, depth: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(depth))

    def forward(self, values):
        for block in self.blocks:
            values = block(values)
        return values


def test_a_stage_is_looked_into_even_where_it_holds_one_block():
    network = nn.Sequential(nn.Flatten(), nn.LayerNorm(4), Stage(2), Stage(1), nn.LayerNorm(4))
    assert blocks(network, 4) == ["2.blocks.0", "2.blocks.1", "3.blocks.0", "4"]


def test_every_call_of_a_module_that_is_used_in_several_places_is_read():
    shared = nn.Linear(4, 4)
    network = nn.Sequential(shared, nn.ReLU(), shared, nn.Sequential(shared, nn.Linear(4, 2)))
    assert blocks(network, 4) == ["1", "0#2", "0#3", "3.1"]


class FirstTutorial(nn.Module):
    """One pooling and one ReLU for all layers, and what only training needs."""

    def __init__(self):
        super().__init__()
        self.auxiliary = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
        self.pool, self.relu = nn.MaxPool2d(2), nn.ReLU(inplace=True)
        self.layers = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 3)])
        self.head = nn.ModuleDict({"hidden": nn.Linear(8, 8), "out": nn.Linear(8, 2)})
        self.loss = nn.CrossEntropyLoss()

    def forward(self, images):
        for layer in self.layers:
            images = self.pool(self.relu(layer(images)))
        return self.head["out"](self.relu(self.head["hidden"](images.mean((2, 3)))))


def test_one_pooling_and_one_relu_for_all_layers_are_read_at_every_call(caplog):
    network, images = FirstTutorial().eval(), torch.rand(2, 3, 16, 16)
    with caplog.at_level("INFO"):
        points = plan(network, "blocks", images)
    assert [point.name for point in points] == [
        "00-input", "01-pool", "02-pool#2", "03-relu#3", "04-head-out", "05-softmax",
    ]  # fmt: skip
    assert caplog.messages == ["not read, since the network predicts without them: auxiliary, loss"]
    assert feature_probe(points) == "03-relu#3"
    with Recorder(network, points, dtype=torch.float32, prepare=lambda x: x) as recorder:
        _, found = recorder(images)
    with torch.no_grad():
        expected = [images]
        for layer in network.layers:
            expected.append(functional.max_pool2d(layer(expected[-1]).relu(), 2))
        expected.append(network.head["hidden"](expected[-1].mean((2, 3))).relu())
        expected.append(network.head["out"](expected[-1]))
        expected.append(expected[-1].softmax(1))
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ("children", [
            "input", "layers.0", "relu", "pool", "layers.1", "relu#2", "pool#2", "head.hidden",
            "relu#3", "head.out",
        ]),
        (["pool*", "softmax", "relu#3"], ["pool", "pool#2", "softmax", "relu#3"]),
        (["layers.*:mean"], ["layers.0-mean", "layers.1-mean"]),
    ],
)  # fmt: skip
def test_calls_are_read_where_they_run(probes, expected):
    found = plan(FirstTutorial(), probes, torch.rand(1, 3, 16, 16))
    assert [point.name[3:] for point in found] == [name.replace(".", "-") for name in expected]


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ("pool#3", r"'pool' runs 2 times when the network predicts; leave 'pool#3' out"),
        ("loss", "'loss' does not run when the network predicts; leave 'loss' out"),
        ("head", "'head' does not run when the network predicts"),
        ("pol#2", "the network has no module 'pol#2'; did you mean 'pool"),
    ],
)
def test_calls_that_there_are_not_are_named_if_they_were_asked_for(asked, fault):
    with pytest.raises(StudyError, match=f"activations.probes: .*{fault}"):
        plan(FirstTutorial(), ["input", asked], torch.rand(1, 3, 16, 16))


def small_convnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 6),
    )  # fmt: skip


class LowRank(nn.Module):
    """A linear layer and what was learnt beside it; like peft's, it gives the layer's weight on."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.base_layer = layer
        self.lora_A = nn.ModuleDict({"default": nn.Linear(layer.in_features, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, layer.out_features, bias=False)})

    @property
    def weight(self):
        return self.base_layer.weight

    def forward(self, values):
        return self.base_layer(values) + self.lora_B["default"](self.lora_A["default"](values))


def each_layer(change):
    def changed(network: nn.Module) -> nn.Module:
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                change(module)
        return network

    return changed


def with_low_rank(network: nn.Module) -> nn.Module:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, LowRank(child))
    return network


def with_quantised_layers(network: nn.Module) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)


CHANGES = {
    "weight norm": each_layer(parametrizations.weight_norm),
    "spectral norm": each_layer(parametrizations.spectral_norm),
    "weight norm of old": each_layer(utils.weight_norm),
    "spectral norm of old": each_layer(utils.spectral_norm),
    "pruned": each_layer(lambda layer: prune.l1_unstructured(layer, "weight", 0.3)),
    "low rank": with_low_rank,
    "quantised": with_quantised_layers,
}


@pytest.mark.filterwarnings("ignore")  # what torch deprecates is in people's networks for years
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("make", [small_convnet, tiny_vit])
def test_layers_whose_weight_is_computed_are_layers(make, change):
    images = torch.zeros(1, 3, 32, 32)
    plain = [plan(make(), probes, images) for probes in ("blocks", "children")]
    changed = change(make().train())
    before = {name: value.clone() for name, value in weights_of(changed).items()}
    assert [plan(changed, probes, images) for probes in ("blocks", "children")] == plain
    assert all(torch.equal(before[name], value) for name, value in weights_of(changed).items())


def test_what_computes_a_parameter_of_the_network_is_no_child_of_it():
    images, network = torch.zeros(1, 3, 32, 32), tiny_vit()
    plain = [plan(network, probes, images) for probes in ("blocks", "children")]
    parametrize.register_parametrization(network, "class_token", nn.ReLU())
    assert [plan(network, probes, images) for probes in ("blocks", "children")] == plain


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    tensors = network.state_dict().items()
    return {name: value for name, value in tensors if isinstance(value, torch.Tensor)}


def test_a_recurrent_layer_is_a_layer():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows, self.head = nn.LSTM(8, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, images):
            return self.head(self.rows(images)[0][:, -1])

    assert [probe.module for probe in plan(Recurrent(), "blocks", torch.rand(1, 5, 8))] == (
        ["", "rows", "head", ""]
    )


def test_blocks_that_leave_out_more_than_they_keep_say_so(caplog):
    class Matrix(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix = nn.Parameter(torch.eye(4))

        def forward(self, values):
            return values @ self.matrix

    layers = [nn.Linear(4, 4), nn.Linear(4, 4), Matrix(), Matrix()]
    plan(nn.Sequential(*layers), "blocks", torch.rand(1, 4))
    assert not caplog.records
    plan(nn.Sequential(*layers, Matrix()), "blocks", torch.rand(1, 4))
    assert "blocks: 3 of 5 modules with matrices of weights" in caplog.text
    assert "2, 3, 4; a list of probes can name them" in caplog.text


def test_a_network_without_layers_has_its_input_and_softmax():
    assert blocks(nn.Sequential(nn.Flatten())) == []


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (tiny_vit, "04-encoder-ln"),
        (lambda: without_weights("vgg11"), "11-classifier-4"),
        (lambda: without_weights("densenet121"), "09-features-norm5"),
        (lambda: without_weights("swin_t"), "18-avgpool"),
        (lambda: without_weights("mobilenet_v3_small"), "15-classifier-1"),
    ],
)
def test_features_among_blocks_are_the_last_before_the_logits(network, expected):
    made = network()
    assert feature_probe(planned(made, "blocks")) == expected


def test_what_blocks_record_are_the_outputs_of_the_modules():
    network = tiny_vit().eval()
    nn.init.normal_(network.heads.head.weight, generator=torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    points = plan(network, "blocks", images)
    with Recorder(network, points, dtype=torch.float32, prepare=lambda x: x) as recorder:
        _, found = recorder(images)
    with torch.no_grad():
        tokens = network.conv_proj(images)
        expected = [images, tokens]
        tokens = tokens.flatten(2).transpose(1, 2)
        tokens = torch.cat([network.class_token.expand(2, -1, -1), tokens], 1)
        tokens = tokens + network.encoder.pos_embedding
        for block in network.encoder.layers:
            tokens = block(tokens)
            expected.append(tokens)
        expected.append(network.encoder.ln(tokens))
        expected.append(network.heads(expected[-1][:, 0]))
        expected.append(expected[-1].softmax(1))
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)
