"""Training of many small networks at once against a plain loop over them.

The plain loop is what one writes without this project: for each network torch's modules,
torch.optim.SGD and a loop over shuffled batches; nothing is recorded on the way. The other peer is
torch.func.vmap over the stacked weights of the same modules. All train the sweep `few_images` of
the chapter `inductive_bias` (its networks, images and epochs), in turns: in one process with all
threads, and with a job of one thread on each core, as Snakemake runs a sweep. Then the accuracies
on validation images are compared.

    python -m benchmarks.stacked            about nine minutes on two cores
    python -m benchmarks.stacked --quick    a few epochs: whether it runs
"""

import copy
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
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

Way = Callable[[list, dict, list[int], dict], None]
Result = tuple[float, np.ndarray]


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


def race(train: Way, name: str, sizes: list[int], seeds: list[int], recipe: dict) -> Result:
    """Seconds for all sizes, one after another, and the accuracy of every network."""
    seconds, found = 0.0, []
    for size in sizes:
        images, networks = material(size, seeds), networks_of(name, seeds)
        start = time.perf_counter()
        train(networks, images, seeds, recipe)
        seconds += time.perf_counter() - start
        found.append(accuracies(networks, images))
    return seconds, np.concatenate(found)


def race_on_all_cores(
    pool: ProcessPoolExecutor,
    train: Way,
    name: str,
    sizes: list[int],
    seeds: list[int],
    recipe: dict,
) -> Result:
    """The same where each size is a job of one thread, as Snakemake runs a sweep.

    The seconds are those of the clock, with drawing images and evaluating, which `race` leaves out.
    """
    start = time.perf_counter()
    # Sizes ascend. The longest first: the cores then are done at about the same time.
    jobs = [pool.submit(race, train, name, [size], seeds, recipe) for size in sizes[::-1]]
    found = [job.result()[1] for job in jobs[::-1]]
    return time.perf_counter() - start, np.concatenate(found)


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
    cores = torch.get_num_threads()
    print(f"torch {torch.__version__}, {len(seeds)} seeds; one process of {cores} threads, or")
    print(f"{cores} processes of one thread that share the numbers of images: a job a core")
    print("in brackets: how many times the seconds of the last way")
    print()
    columns = [*_WAYS, *(f"{way}, a job a core" for way in _ON_ALL_CORES)]
    print("| network | " + " | ".join(columns) + " | accuracy, plain loop | at once | most apart |")
    print("|" + " --- |" * (len(columns) + 4))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, spawn, torch.set_num_threads, (1,)) as pool:
        total = np.zeros(len(columns))
        for name in ("cnn", "mlp"):
            warm_up = name, sizes[:1], seeds[:2], recipe | {"epochs": 1}
            results = []
            for train in _WAYS.values():  # whatever is loaded at the first step
                race(train, *warm_up)
                results.append(race(train, name, sizes, seeds, recipe))
            for way in _ON_ALL_CORES:
                wait([pool.submit(race, _WAYS[way], *warm_up) for _ in range(cores)])
                results.append(race_on_all_cores(pool, _WAYS[way], name, sizes, seeds, recipe))
            times = np.array([seconds for seconds, _ in results])
            loop, ours = results[0][1], results[-1][1]
            total += times
            print(
                f"{row_of(name, times)} {loop.mean():.4f} | {ours.mean():.4f} "
                f"| {np.abs(loop - ours).max():.4f} |",
                flush=True,
            )
    print(f"{row_of('both', total)} | | |")


def row_of(name: str, times: np.ndarray) -> str:
    """Seconds of each way, and how many times those of the last."""
    cells = " | ".join(f"{time:.1f} s ({time / times[-1]:.2f} ×)" for time in times)
    return f"| {name} | {cells} |"


_WAYS = {"plain loop": plain_loop, "vmap": by_vmap, "at once": at_once}
_ON_ALL_CORES = ("plain loop", "at once")

if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
