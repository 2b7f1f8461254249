"""Training of many small networks at once against a plain loop over them, in one process each.

The plain loop is what one writes without this project: for each network torch's modules,
torch.optim.SGD and a loop over shuffled batches; nothing is recorded on the way. The other peer is
torch.func.vmap over the stacked weights of the same modules. All train the sweep `few_images` of
the chapter `inductive_bias` (its networks, images and epochs), with the same threads, in turns;
then the accuracies on validation images are compared.

    python -m benchmarks.stacked            about six minutes on two cores
    python -m benchmarks.stacked --quick    a few epochs: whether it runs
"""

import copy
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from torch.nn import functional

from depthlens.datasets import edges
from depthlens.models import edge_networks
from depthlens.report import machine
from depthlens.training import stacked
from depthlens.training.loop import batches_of

_CPU = torch.device("cpu")
_VALIDATION = 50


def material(n_per_class: int, seeds: list[int]) -> dict[str, list[edges.Edges]]:
    return {
        split: [edges.generate(n, seed=seed, split=split) for seed in seeds]
        for split, n in (("train", n_per_class), ("validation", _VALIDATION))
    }


def networks_of(name: str, seeds: list[int]) -> list[torch.nn.Sequential]:
    return [edge_networks.build(name, n_classes=3, seed=seed) for seed in seeds]


def plain_loop(networks: list, images: dict, seeds: list[int], recipe: dict) -> None:
    for network, drawn, seed in zip(networks, images["train"], seeds, strict=True):
        optimizer = torch.optim.SGD(
            network.parameters(), lr=recipe["learning_rate"], momentum=recipe["momentum"]
        )
        pixels = torch.tensor(drawn.images).float() / 255
        labels = torch.tensor(drawn.labels).long()
        for epoch in range(1, recipe["epochs"] + 1):
            for batch in batches_of(len(labels), recipe["batch_size"], seed, epoch):
                optimizer.zero_grad()
                functional.cross_entropy(network(pixels[batch]), labels[batch]).backward()
                optimizer.step()


def by_vmap(networks: list, images: dict, seeds: list[int], recipe: dict) -> None:
    parameters, _ = torch.func.stack_module_state(networks)
    parameters = {name: value.detach() for name, value in parameters.items()}
    velocities = {name: torch.zeros_like(value) for name, value in parameters.items()}
    blank = copy.deepcopy(networks[0]).to("meta")

    def loss(weights: dict, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(
            torch.func.functional_call(blank, weights, (pixels,)), labels
        )

    gradients = torch.func.vmap(torch.func.grad(loss))
    pixels = torch.stack([torch.tensor(of.images).float() / 255 for of in images["train"]])
    labels = torch.stack([torch.tensor(of.labels).long() for of in images["train"]])
    rows = torch.arange(len(networks))[:, None]
    for epoch in range(1, recipe["epochs"] + 1):
        orders = [batches_of(labels.shape[1], recipe["batch_size"], s, epoch) for s in seeds]
        for batch in map(torch.stack, zip(*orders, strict=True)):
            steps = gradients(parameters, pixels[rows, batch], labels[rows, batch])
            for name, velocity in velocities.items():
                velocity.mul_(recipe["momentum"]).add_(steps[name])
                parameters[name].sub_(velocity, alpha=recipe["learning_rate"])
    with torch.no_grad():
        for place, network in enumerate(networks):
            for name, value in network.named_parameters():
                value.copy_(parameters[name][place])


def at_once(networks: list, images: dict, seeds: list[int], recipe: dict) -> None:
    for _ in stacked.train(
        networks,
        images=[drawn.images for drawn in images["train"]],
        labels=[drawn.labels for drawn in images["train"]],
        evaluated={},
        at_epochs=[recipe["epochs"]],
        batch_size=recipe["batch_size"],
        learning_rate=recipe["learning_rate"],
        momentum=recipe["momentum"],
        seeds=seeds,
        device=_CPU,
    ):
        pass


def accuracies(networks: list, images: dict) -> np.ndarray:
    with torch.inference_mode():
        return np.array(
            [
                (network(torch.tensor(drawn.images).float() / 255).argmax(1).numpy())
                == drawn.labels
                for network, drawn in zip(networks, images["validation"], strict=True)
            ]
        ).mean(axis=1)


def race(
    train: Callable, name: str, sizes: list[int], seeds: list[int], recipe: dict
) -> tuple[float, np.ndarray]:
    """Seconds for all sizes, and the accuracy of every network."""
    seconds, found = 0.0, []
    for size in sizes:
        images, networks = material(size, seeds), networks_of(name, seeds)
        start = time.perf_counter()
        train(networks, images, seeds, recipe)
        seconds += time.perf_counter() - start
        found.append(accuracies(networks, images))
    return seconds, np.concatenate(found)


def main(*, quick: bool) -> None:
    config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    block = config["chapters"]["inductive_bias"]
    few = block["few_images"]
    seeds, sizes = block["seeds"], few["images"]
    recipe = {key: few[key] for key in ("learning_rate", "epochs")}
    recipe |= {key: block[key] for key in ("batch_size", "momentum")}
    if quick:
        sizes, recipe["epochs"] = sizes[:1], 2
    hardware = machine.hardware()
    print("; ".join(f"{key}: {value}" for key, value in hardware.items()))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(seeds)} seeds")
    print()
    print(
        "| network | plain loop | vmap | at once | plain loop ÷ at once | vmap ÷ at once | "
        "accuracy, plain loop | at once | most apart |"
    )
    print("|" + " --- |" * 9)
    total = np.zeros(len(_WAYS))
    for name in ("cnn", "mlp"):
        for train in _WAYS:  # whatever is loaded at the first step
            race(train, name, sizes[:1], seeds[:2], recipe | {"epochs": 1})
        times, found = zip(
            *(race(train, name, sizes, seeds, recipe) for train in _WAYS), strict=True
        )
        total += times
        apart = np.abs(found[0] - found[-1]).max()
        print(
            f"{row_of(name, np.array(times))} {found[0].mean():.4f} | {found[-1].mean():.4f} "
            f"| {apart:.4f} |",
            flush=True,
        )
    print(f"{row_of('both', total)} | | |")


def row_of(name: str, times: np.ndarray) -> str:
    seconds = " | ".join(f"{time:.1f} s" for time in times)
    ratios = " | ".join(f"{time / times[-1]:.2f} ×" for time in times[:-1])
    return f"| {name} | {seconds} | {ratios} |"


_WAYS = (plain_loop, by_vmap, at_once)


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
