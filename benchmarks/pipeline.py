"""What the steps around k-NN cost, each next to what it cannot do without.

Prints a table and writes reports/benchmarks/pipeline.json. Ours and its peer run in turn, and the
fastest of several runs counts: on a shared machine the ratio means more than the seconds.

    python benchmarks/pipeline.py [--parts extraction training …] [--images 3000] [--runs 5]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from depthlens import config, tables
from depthlens.datasets import shapes
from depthlens.models import checkpoints, inputs, networks
from depthlens.report import machine
from depthlens.stages import activations, generate
from depthlens.training import loop, schedules

REPOSITORY = Path(__file__).parents[1]
OUTPUT = Path("reports/benchmarks/pipeline.json")
SETTINGS = config.load(REPOSITORY / "config.yaml").model_dump(mode="json")
MODEL = SETTINGS["models"]["resnet18"]
N_CLASSES = len(shapes.CLASSES)
CPU = torch.device("cpu")
# SciPy imports its parts behind the clock of -X importtime: the largest module of one tells.
STATISTICS = "scipy.stats._stats_py"
HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "seaborn", "sklearn", STATISTICS)


class Row(NamedTuple):
    """One thing measured against one that it contains."""

    part: str
    ours: str
    seconds: float
    peer: str
    peer_seconds: float
    note: str = ""

    @property
    def share(self) -> float:
        """Throughput of ours as a share of the peer's."""
        return self.peer_seconds / self.seconds


def fastest(runs: int, *calls: Callable[[], object]) -> list[float]:
    """Seconds of the fastest run of each call, all calls in turn."""
    seconds = [[] for _ in calls]
    for _ in range(runs):
        for call, found in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [min(found) for found in seconds]


def extraction(folder: Path, n_images: int, runs: int) -> Iterator[Row]:
    """The stage `activations` and the forward pass in it."""
    images, checkpoint, output = folder / "test.parquet", folder / "weights", folder / "output"
    dataset = SETTINGS["datasets"]["shapes"] | {"test_examples": n_images}
    generate.run(split="test", output=images, cfg=dataset)
    network = networks.build(MODEL["architecture"], n_classes=N_CLASSES, seed=0).eval()
    about = {"architecture": MODEL["architecture"], "n_classes": N_CLASSES}
    checkpoints.save_tensors(checkpoint, network.state_dict(), about)
    pixels = torch.tensor(tables.read_images(images).images)
    settings = SETTINGS["activations"] | {"device": "cpu"}

    def plain() -> None:
        with torch.inference_mode():
            for batch in pixels.split(settings["batch_size"]):
                network(inputs.network_input(batch)).softmax(1).max(1)

    def ours() -> None:
        activations.run(
            images=images,
            checkpoint=checkpoint,
            output=output,
            predictions=output / "predictions.parquet",
            cfg={"activations": settings, "model": MODEL},
        )

    plain()  # the first pass sets up the convolutions
    forward, stage, _ = fastest(runs, plain, ours, lambda: shutil.rmtree(output))
    ours()
    files = {file: file.read_bytes() for file in output.glob("*.parquet")}
    (copying,) = fastest(runs, lambda: [file.write_bytes(files[file]) for file in files])
    size = sum(map(len, files.values()))
    rate = f"{n_images / stage:.0f} images a second, {size / stage / 1e6:.0f} MB/s"
    yield Row("extraction", "activations", stage, "forward pass", forward, rate)
    yield Row("extraction", "activations", stage, "writing the same bytes", copying)


def training(_: Path, n_images: int, runs: int) -> Iterator[Row]:
    """An epoch that records what each example went through, and the same steps alone."""
    drawn = draw(n_images)
    settings = SETTINGS["training"]
    size, rate = settings["batch_size"], settings["learning_rate"]
    pixels, labels = torch.tensor(drawn.images), torch.tensor(drawn.labels)

    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        network = networks.build(MODEL["architecture"], n_classes=N_CLASSES, seed=0)
        return network, torch.optim.Adam(network.parameters(), lr=rate)

    def plain() -> None:
        network, optimizer = fresh()
        network.train()
        for batch in torch.randperm(n_images).split(size):
            logits = network(inputs.network_input(pixels[batch]))
            loss = functional.cross_entropy(logits, labels[batch].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loop.evaluate(network, pixels[:2], labels[:2], batch_size=size)

    def ours() -> None:
        network, optimizer = fresh()
        epochs = loop.train(
            network,
            optimizer,
            train_images=drawn.images,
            train_labels=drawn.labels,
            test_images=drawn.images[:2],
            test_labels=drawn.labels[:2],
            epochs=range(1, 2),
            last_epoch=settings["epochs"],
            batch_size=size,
            schedule=partial(schedules.linear, decay=settings["decay"]),
            seed=0,
            device=CPU,
        )
        assert len(list(epochs)) == 1

    plain()
    seconds = fastest(runs, plain, ours)
    yield Row("training", "epoch with dynamics", seconds[1], "the same steps alone", seconds[0])


def generator(folder: Path, n_images: int, runs: int) -> Iterator[Row]:
    """Drawing shapes, and the random bits that it cannot do without."""
    pixels = draw(n_images).images.tobytes()
    draws = n_images * (64 + shapes.IMAGE_SIZE**2)  # for the factors, and one a pixel
    seconds = fastest(
        runs,
        lambda: draw(n_images),
        lambda: np.random.Philox(0).random_raw(draws),
        lambda: (folder / "pixels").write_bytes(pixels),
    )
    rate = f"{n_images / seconds[0]:.0f} images a second"
    yield Row("generator", "shapes", seconds[0], "their random bits alone", seconds[1], rate)
    yield Row("generator", "shapes", seconds[0], "writing the same bytes", seconds[2])


def start(_: Path, __: int, runs: int) -> Iterator[Row]:
    """Every command until its first line of work, and an interpreter that does nothing."""
    command = [str(Path(sys.executable).parent / "depthlens"), "--help"]
    stages = sorted(path.stem for path in Path(activations.__file__).parent.glob("[a-z]*.py"))
    programs = [f"import depthlens.stages.{stage}" for stage in stages if stage != "runs"]
    calls = [python("pass"), command, *map(python, programs)]
    nothing, help_page, *loaded = fastest(runs, *(lambda call=call: run(call) for call in calls))
    yield Row("start", "depthlens --help", help_page, "python -c pass", nothing)
    for program, seconds in zip(programs, loaded, strict=True):
        yield Row("start", program, seconds, "python -c pass", nothing, loads(program))


def workflow(folder: Path, _: int, runs: int) -> Iterator[Row]:
    """Snakemake on a finished tiny study, and on a workflow of nothing."""
    snakemake = [str(Path(sys.executable).parent / "snakemake")]
    (folder / "empty").mkdir()
    (folder / "empty/Snakefile").write_text("rule all:\n")
    empty = [*snakemake, "-n", "-d", str(folder / "empty"), "-s", str(folder / "empty/Snakefile")]
    study = [
        *(*snakemake, "--snakefile", str(REPOSITORY / "Snakefile")),
        *("--profile", str(REPOSITORY / "profiles/default")),
        *("--configfile", str(REPOSITORY / "tests/smoke.yaml")),
        *("--directory", str(folder)),
    ]
    run(study)
    nothing, dry, figures = fastest(
        runs,
        lambda: run(empty),
        lambda: run([*study, "-n"]),
        lambda: run([*study, "figures", "--forcerun", "difficulty_figures"]),
    )
    yield Row("workflow", "snakemake -n", dry, "of an empty workflow", nothing)
    jobs = {path.stem: pd.read_csv(path, sep="\t")["s"][0] for path in folder.rglob("*.tsv")}
    yield Row("workflow", "figures again", figures, "the job alone", jobs["figures"])
    for step in ("convergence", "claims", "report"):
        yield Row("workflow", f"job {step}", jobs[step], "of an empty workflow", nothing)


def draw(n_images: int) -> shapes.Shapes:
    ranges = SETTINGS["datasets"]["shapes"]["factors"]
    return shapes.generate(0, n_images, seed=1, split="train", ranges=ranges)


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def loads(program: str) -> str:
    """Heavy modules that a program imports, and the seconds that each takes with all it needs."""
    call = [sys.executable, "-X", "importtime", "-c", program]
    said = subprocess.run(call, check=True, capture_output=True, text=True).stderr
    lines = re.findall(r"\|\s*(\d+) \|\s*(\S+)$", said, re.MULTILINE)
    return ", ".join(f"{name} {int(time) / 1e6:.2f}" for time, name in lines if name in HEAVY)


PARTS = {part.__name__: part for part in (extraction, training, generator, start, workflow)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    about = machine.hardware() | {"threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    print(", ".join(f"{key}: {value}" for key, value in about.items()), torch.__version__)
    rows = []
    for name in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            for row in PARTS[name](Path(folder), options.images, options.runs):
                rows.append(row._asdict() | {"share": row.share})
                print(
                    f"{row.part:10} {row.ours:36} {row.seconds:8.3f} s   {row.peer:24}"
                    f" {row.peer_seconds:8.3f} s {row.share:7.1%}  {row.note}",
                    flush=True,
                )
    versions = machine.versions()
    found = {"machine": about, "versions": versions, "rows": rows, **vars(options)}
    tables.write_json(OUTPUT, found)


if __name__ == "__main__":
    main()
