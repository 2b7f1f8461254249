"""docs/api.md: its table of layers is of the network that it names."""

import re
from pathlib import Path

from depthlens.models import arithmetic, edge_networks

PAGE = Path(__file__).parents[2] / "docs/api.md"


def test_the_table_is_that_of_the_network():
    network = edge_networks.build("cnn", n_classes=3, seed=0)
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) × \d+ × (\d+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.M
    )
    layers = arithmetic.as_measured(network, size=edge_networks.IMAGE_SIZE)
    assert [row[0] for row in rows] == [layer.name for layer in layers]
    for (_, size, filters, parameters, field), layer in zip(rows, layers, strict=True):
        assert (int(size), int(filters)) == (layer.output_size, 3)
        assert int(parameters.split("= ")[-1]) == layer.parameters
        assert int(field.split("= ")[-1]) == layer.receptive_field
    total = sum(parameter.numel() for parameter in network.parameters())
    assert f"| all | | {total} | |" in PAGE.read_text()
    assert network.fc.weight.numel() + network.fc.bias.numel() == 12
