"""docs/networks.md, as a reader follows it."""

import re
import sys

import numpy as np
import pytest
import torch
import yaml

from depthlens import config, tables
from depthlens.models import checkpoints, inputs, networks
from depthlens.stages import adopt

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 1, 32, 32), dtype=np.uint8)
LABELS = np.arange(12, dtype=np.int16) % 6


@pytest.fixture
def page(repository) -> str:
    return (repository / "docs/networks.md").read_text(encoding="utf-8")


@pytest.fixture
def models(page) -> dict[str, dict]:
    """Every example of a block `models`, by its name, as a step is given it."""
    found = {}
    for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        found |= yaml.safe_load(text).get("models", {})
    return {
        name: config.Network.model_validate(block).model_dump(mode="json")
        for name, block in found.items()
    }


@pytest.fixture
def reader(page, tmp_path, monkeypatch):
    """A folder with the reader's module and weights, made by the programs of the page."""
    module, program = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "my_networks.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    exec(program, {})
    yield tmp_path
    sys.modules.pop("my_networks", None)


def test_every_example_takes_grey_images(models, reader):
    assert len(models) == 5
    for block in models.values():
        network = networks.build(
            block["architecture"],
            n_classes=6,
            seed=0,
            shape=inputs.input_shape(block, IMAGES.shape[1:]),
        )
        networks.check_fit(network, "", IMAGES, n_classes=6, prepare=inputs.prepare(block))


def test_weights_of_the_reader_are_adopted(models, reader):
    tables.write(
        "images.parquet",
        {"example_id": np.arange(12, dtype=np.int32), "label": LABELS,
         "image": IMAGES.reshape(12, -1)},
        {"shape": [1, 32, 32], "classes": list("abcdef")},
    )  # fmt: skip
    block = models["small_trained"]
    adopt.run(
        images=reader / "images.parquet",
        weights=reader / block["weights"],
        checkpoint=reader / "checkpoint.safetensors",
        cfg=block,
    )
    network = checkpoints.load_network(
        reader / "checkpoint.safetensors", architecture=block["architecture"], n_classes=6
    )
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 6)


def test_the_page_names_every_key(page):
    for key in config.Network.model_fields:
        assert f"`{key}`" in page
