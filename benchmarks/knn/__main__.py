"""Measure the k-NN engine, its peers, and whether it keeps what docs/performance.md promises.

Reads the activations of a finished run of the study; writes reports/benchmarks/knn.json and the
measured part of docs/performance.md.

    python -m benchmarks.knn results/shapes/resnet18/seed1
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import torch

from benchmarks.knn import data, engines, machine, memory, page, scaling, study
from benchmarks.knn.engines import FAISS, FLOAT32, OURS, SKLEARN
from depthlens import tables

PARTS = ("memory", "speed", "study", "gpu", "scaling")
RESULTS = Path("reports/benchmarks/knn.json")
PAGE = Path("docs/performance.md")


class Sizes(NamedTuple):
    """How much is measured."""

    widths: tuple[int, int, int]
    """dims of the probes to compare with peers at, the widest first"""
    repeats: tuple[int, int, int]
    """repetitions at each width"""
    sample: int
    """queries of each split to compare with brute force"""
    generated: tuple[int, int, int]
    """rows, dims and queries of the search that must fit in memory"""


DEFAULT = Sizes((16384, 4096, 512), (2, 2, 3), 500, (300_000, 16_384, 100))
QUICK = Sizes((512, 128, 64), (2, 2, 2), 50, (4_000, 512, 40))


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--quick", is_flag=True, help="Random data, small; write nothing.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Print some parts only.")
@click.option("--threads", type=int, help="Of every engine; all cores if not given.")
def main(run: Path | None, quick: bool, only: tuple[str, ...], threads: int | None) -> None:
    """Measure the k-NN engine on the activations of a finished RUN of the study."""
    if not (run or quick):
        raise click.UsageError("a run is needed, such as results/shapes/resnet18/seed1; or --quick")
    threads = threads or len(os.sched_getaffinity(0))
    engines.use(threads)
    with tempfile.TemporaryDirectory() as folder:
        if quick:
            sizes = QUICK
            found = data.synthesize(Path(folder), sizes.widths, n_references=1_000, n_queries=200)
        else:
            sizes = DEFAULT
            found = data.find(run, sizes.widths)
        results = {
            "run": "random" if quick else run.as_posix(),
            "machine": machine.describe(threads),
        }
        for part in only or PARTS:
            log(f"{part}:")
            results[part] = measure(part, found, sizes, threads)
            if not (quick or only):
                tables.write_json(RESULTS, results)
        if "scaling" in results:
            picture = (
                Path(folder) / "knn_scaling.png" if quick or only else PAGE.parent / page.PICTURE
            )
            scaling.draw(results["scaling"], picture, subtitle=subtitle(results))
    if not (quick or only):
        page.rewrite(PAGE, results)
    click.echo(page.text(results))


def measure(part: str, run: data.Run, sizes: Sizes, threads: int) -> dict | list:
    """Results of one part, ready for JSON."""
    if part == "speed":
        return list(speed(run, sizes))
    if part == "study":
        return study.measure(run, sample=sizes.sample, log=log)
    if part == "gpu":
        cuda = torch.device("cuda")
        return study.on_gpu(run, device=cuda, log=log) if torch.cuda.is_available() else {}
    if part == "memory":
        rows, dims, queries = sizes.generated
        widest = run.widest(sizes.widths[0])
        return memory.measure(
            run, probe=widest, rows=rows, dims=dims, queries=queries, threads=threads
        )
    queries, references = run.read(run.widest(sizes.widths[0]))
    return scaling.measure(queries, references, dims=sizes.widths[1], log=log)


def speed(run: data.Run, sizes: Sizes) -> Iterator[dict]:
    """Every engine on the activations of three widths, and on random data of the middle one."""
    for dims, repeats in zip(sizes.widths, sizes.repeats, strict=True):
        yield race(run.read(run.widest(dims)), repeats, "activations")
    _, dims, _ = sizes.widths
    n_queries, n_references = (len(points) for points in run.read(run.widest(dims)))
    arrays = data.gaussian(dims, n_references=n_references, n_queries=n_queries)
    yield race(arrays, sizes.repeats[1], "Gaussian")


def race(arrays: tuple, repeats: int, kind: str) -> dict:
    """Seconds of every engine on the same arrays, and how often peers found others than ours."""
    queries, references = arrays
    log(f"  {len(queries):,} × {len(references):,}, {queries.shape[1]:,} dims, {kind}")
    turns = {OURS: repeats, FLOAT32: repeats, FAISS: repeats, SKLEARN: max(1, repeats - 1)}
    seconds, found = engines.interleaved(
        engines.searches(queries, references), repeats=turns, log=log
    )
    return {
        "data": kind,
        "queries": len(queries),
        "references": len(references),
        "dims": queries.shape[1],
        "seconds": seconds,
        "queries with other rows": {
            name: int((rows != found[OURS]).any(1).sum()) for name, rows in found.items()
        },
    }


def subtitle(results: dict) -> str:
    """What the figure shows, on which machine."""
    about = results["machine"]
    return (
        f"k = {data.K}; activations of {results['run']}, {about['threads']} threads of "
        f"{about['processor']}; slopes by least squares"
    )


def log(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
