"""Networks without modules to hook: graphs of torch.fx and torch.export, and TorchScript."""

import pytest
import torch
from torch import fx, nn
from torch.nn import functional

from depthlens.errors import StudyError
from depthlens.probes.plan import feature_probe, plan
from depthlens.probes.record import Recorder


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.norm, self.out = nn.BatchNorm2d(3), nn.Linear(12, 4)

    def forward(self, images):
        values = torch.relu(self.norm(self.one(images)))
        values = torch.relu(self.two(values) + images)
        values = functional.adaptive_avg_pool2d(values, 2)
        return self.out(functional.dropout(values.flatten(1), training=self.training))


IMAGES = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def traced(network: nn.Module) -> fx.GraphModule:
    return fx.symbolic_trace(network.eval())


def exported(network: nn.Module, n_images: int | None = None) -> fx.GraphModule:
    free = ({0: torch.export.Dim("n_images")},) if n_images is None else None
    return torch.export.export(network, (IMAGES[:n_images],), dynamic_shapes=free).module()


def by_hand(network: Residual) -> list[torch.Tensor]:
    with torch.no_grad():
        first = functional.relu(network.norm(network.one(IMAGES)))
        second = functional.relu(network.two(first) + IMAGES)
        pooled = functional.adaptive_avg_pool2d(second, 2)
        logits = network.out(pooled.flatten(1))
    return [IMAGES, first, second, pooled, logits, logits.softmax(1)]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (traced, ["input", "relu", "relu_1", "adaptive_avg_pool2d", "out", "softmax"]),
        (exported, ["input", "relu", "relu_1", "adaptive_avg_pool2d", "linear", "softmax"]),
    ],
)
def test_blocks_of_a_graph_are_its_layers_after_what_follows_them(make, expected):
    network = Residual().eval()
    graph = make(network)
    points = plan(graph, "blocks", IMAGES)
    assert [point.name[3:] for point in points] == expected
    assert feature_probe(points) == "03-adaptive_avg_pool2d"
    with Recorder(graph, points, dtype=torch.float32, prepare=lambda x: x) as recorder:
        logits, found = recorder(IMAGES)
    for one, two in zip([*found, logits], [*by_hand(network), by_hand(network)[-2]], strict=True):
        torch.testing.assert_close(one, two)
    assert "forward" not in vars(graph)
    torch.testing.assert_close(graph(IMAGES), logits)


def test_children_of_a_graph_are_its_nodes_and_a_list_may_name_them():
    graph = traced(Residual())
    names = [point.name[3:] for point in plan(graph, "children", IMAGES)]
    assert names == [
        "input", "one", "norm", "relu", "two", "add", "relu_1", "adaptive_avg_pool2d", "flatten",
        "dropout", "out",
    ]  # fmt: skip
    inside = nn.Sequential(nn.Identity(), graph)
    points = plan(inside, ["0", "1.relu*:mean", "1.add", "1"], IMAGES)
    assert [point.name[3:] for point in points] == [
        "0", "1-relu-mean", "1-relu_1-mean", "1-add", "1",
    ]  # fmt: skip
    with pytest.raises(StudyError, match="the network has no module 'ad'"):
        plan(graph, ["ad"], IMAGES)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda network: torch.jit.script(network.eval()), "TorchScript does not tell"),
        (lambda network: torch.jit.trace(network.eval(), IMAGES), "TorchScript does not tell"),
        (lambda network: exported(network.train()), "was exported in training mode"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_networks_that_keep_their_activations_to_themselves_are_refused(make, fault):
    with pytest.raises(StudyError, match=f"^models: .*{fault}.*;"):
        plan(make(Residual()), "blocks", IMAGES)
