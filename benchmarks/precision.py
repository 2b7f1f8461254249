"""How many k-NN classes and depths change because activations are stored in 16 bits.

Reads a finished run of the study, computes its test split again from float32 activations held in
memory, and prints a table.

    python benchmarks/precision.py results/shapes/resnet18/seed1
"""

import sys
from pathlib import Path

import numpy as np
import torch

from depthlens import tables
from depthlens.depth import prediction_depth
from depthlens.knn.points import Array
from depthlens.knn.search import Queries, nearest
from depthlens.knn.votes import vote
from depthlens.models import checkpoints
from depthlens.models.inputs import network_input
from depthlens.probes.plan import plan
from depthlens.probes.record import Recorder
from depthlens.progress import bar

ROWS = 500


def main(run: Path) -> None:
    dataset = run.parts[-3]
    about = tables.metadata(run / "predictions/test.parquet")["config"]
    neighbours = tables.metadata(next((run / "knn/test").glob("*.parquet")))["config"]
    splits = {
        name: tables.read_images(f"data/{dataset}/{name}.parquet") for name in ("train", "test")
    }
    network = checkpoints.load_network(
        run / "checkpoint.safetensors",
        architecture=about["model"]["architecture"],
        n_classes=len(splits["train"].classes),
    )
    few = network_input(torch.tensor(splits["train"].images[:3]))
    probes = plan(network, about["activations"]["probes"], few)
    exact = {name: record(network, probes, split.images) for name, split in splits.items()}

    k, labels = neighbours["n_neighbors"], splits["train"].labels
    n_queries = len(splits["test"].labels)
    stored, single = [], []
    print("k-NN right of the test images; classes that differ")
    print(f"{'probe':12} {'float16':>9} {'float32':>9} {'differ':>7}")
    for index, probe in enumerate(probes):
        (near,) = nearest(
            [Queries(Array(exact["test"][index]))],
            Array(exact["train"][index]),
            n_neighbors=k,
            ranks=[k],
        )
        single.append(vote(labels[near.rows]))
        table = tables.read(run / f"knn/test/{probe.name}.parquet", ["prediction"])
        stored.append(table["prediction"].to_numpy())
        right = [(found == splits["test"].labels).mean() for found in (stored[-1], single[-1])]
        differ = int((stored[-1] != single[-1]).sum())
        print(f"{probe.name:12} {right[0]:9.4f} {right[1]:9.4f} {differ:7}", flush=True)

    answer = tables.read(run / "predictions/test.parquet")["prediction"].to_numpy()
    depths = [prediction_depth(np.stack(found, axis=1), answer) for found in (stored, single)]
    print(f"depths that differ: {int((depths[0] != depths[1]).sum())} of {n_queries}")
    print(f"mean depth: {depths[0].mean():.4f} stored, {depths[1].mean():.4f} in float32")


def record(network: torch.nn.Module, probes: list, images: np.ndarray) -> list[np.ndarray]:
    """Activations of every probe in float32, each of shape (n_examples, dims)."""
    parts = []
    with Recorder(network, probes, dtype=torch.float32) as recorder:
        for start in bar(range(0, len(images), ROWS), label="forward", unit="batch"):
            _, activations = recorder(torch.tensor(images[start : start + ROWS]))
            parts.append([activation.flatten(1).numpy() for activation in activations])
    return [np.concatenate(of_probe) for of_probe in zip(*parts, strict=True)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
