"""Count the networks of timm that the default call measures: `python -m tests.probes.count_timm`.

The choice follows a rule: of every family (a module of timm) the network with the least to compute,
then others drawn with seed 0 from those of at most 30 million parameters and images of at most 288
pixels. Each has three classes and random weights and is given three random images of its own size,
by `depthlens.measure(model, (images, labels))` with two neighbours. It takes timm, several GB and
half an hour or more. What was counted already, in a file with one line a network, is not counted
again.
"""

import argparse
import gc
import json
import logging
import random
import time
import warnings
from collections import defaultdict
from pathlib import Path

import timm
import torch
from timm.models import is_model_in_modules, list_modules

import depthlens


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--results", type=Path, default=Path("results/timm.jsonl"))
    options.add_argument("--networks", type=int, default=280)
    options.add_argument("--only", nargs="+", help="names of networks, in place of the choice")
    asked = options.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    asked.results.touch()
    counted = {row["name"]: row for row in map(json.loads, asked.results.open())}
    chosen = {name: "" for name in asked.only} if asked.only else choice(asked.networks)
    for name, family in chosen.items():
        if name not in counted:
            started = time.monotonic()
            refusal = measured(name)
            seconds = round(time.monotonic() - started, 1)
            counted[name] = {
                "name": name, "family": family, "refusal": refusal, "seconds": seconds
            }  # fmt: skip
            with asked.results.open("a") as lines:
                print(json.dumps(counted[name]), file=lines)
            gc.collect()
    refused = [counted[name] for name in chosen if counted[name]["refusal"]]
    for row in refused:
        print(f"{row['name']} ({row['family']}): {row['refusal']}")
    families = len({row["family"] for row in refused})
    print(
        f"{len(chosen) - len(refused)} of {len(chosen)} networks, of {len(set(chosen.values()))} "
        f"families, are measured; {len(refused)} of {families} families are refused"
    )


def choice(n_networks: int) -> dict[str, str]:
    """Names of networks, the least to compute first, and the family of each."""
    cost, within = {}, []
    families = defaultdict(list)
    for name in timm.list_models():
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=3)
        n_parameters = sum(value.numel() for value in network.parameters())
        side = size(network)[1]
        cost[name] = n_parameters * side**2
        family = next(known for known in list_modules() if is_model_in_modules(name, [known]))
        families[family].append(name)
        if n_parameters <= 30_000_000 and side <= 288:
            within.append((name, family))
    chosen = {min(names, key=cost.get): family for family, names in sorted(families.items())}
    others = [(name, family) for name, family in within if name not in chosen]
    chosen |= random.Random(0).sample(others, n_networks - len(chosen))
    return dict(sorted(chosen.items(), key=lambda item: cost[item[0]]))


def measured(name: str) -> str:
    """Why a network is refused; "" if it is measured."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name, num_classes=3)
        images = torch.randn(3, *size(network))
    try:
        depthlens.measure(
            network, (images, torch.arange(3)), n_neighbors=2, device="cpu", progress=False
        )
    except Exception as error:  # a traceback is counted as well, with its kind
        return f"{type(error).__name__}: {error}"
    return ""


def size(network: torch.nn.Module) -> tuple[int, int, int]:
    """Of the images that a network was made for: channels, height, width."""
    return tuple(network.pretrained_cfg["input_size"])


if __name__ == "__main__":
    main()
