"""All probes of a run, both splits, from Parquet to votes: how long, by what, and how exact."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.knn import exactness
from benchmarks.knn.data import K, Run
from benchmarks.knn.engines import MEMORY, product_rates
from benchmarks.knn.stopwatch import watching
from depthlens import tables
from depthlens.knn.points import Array, read_whole
from depthlens.knn.search import Neighbours, Queries, nearest
from depthlens.stages import knn

Log = Callable[[str], None]
TEST, LEAVE_ONE_OUT = "test", "leave-one-out"
_PEAK = 8192


def measure(run: Run, *, sample: int, log: Log) -> dict:
    """Time, proofs and exactness of every probe.

    Parameters
    ----------
    run : Run
    sample : int
        Queries of each split to compare with brute force.
    log : callable
    """
    rates = {dims: product_rates(dims) for dims in sorted(set(run.dims.values()))}
    probes = {}
    for probe, dims in run.dims.items():
        with watching() as watch:
            seconds, found = _classify(run, probe, "auto")
        float32, _ = _classify(run, probe, "float32")
        checked = exactness.check(run, probe, found, sample=sample)
        n_test, n_train = (len(found[split].rows) for split in (TEST, LEAVE_ONE_OUT))
        operations = 2.0 * dims * n_train
        rate = max(rates[dims][name] for name in rates[dims] if name.startswith("float32"))
        probes[probe] = {
            "dims": dims,
            "seconds": seconds,
            "seconds float32": float32,
            "seconds of float32 products": operations * (n_test + n_train) / rate,
            "parts": dict(watch.seconds),
            "proven": {split: near.proven for split, near in found.items()},
            "exactness": checked,
        }
        log(
            f"  {probe}: {seconds:.1f} s, in float32 {float32:.1f} s, its products alone "
            f"{probes[probe]['seconds of float32 products']:.1f} s; {checked}"
        )
    return {"sample": sample, "rates": rates, "probes": probes}


def on_gpu(run: Run, *, device: torch.device, log: Log) -> dict:
    """Leave-one-out of every probe with the activations in the device's memory.

    `seconds of bfloat16 products` are those of all pairs at the peak of the device.
    """
    peak = _bfloat16_peak(device)
    probes = {}
    for probe, dims in run.dims.items():
        stored = tables.Rows(run.path("train", probe), "activation")
        rows = len(stored.ids)
        points = Array(read_whole(stored, 0, rows, torch.device("cpu")).to(device))
        asked = [Queries(points, exclude_self=True)]
        seconds = min(_seconds_on(device, asked, points) for _ in range(2))
        products = 2.0 * dims * rows**2 / peak
        probes[probe] = {"seconds": seconds, "seconds of bfloat16 products": products}
        log(f"  {probe}: {seconds:.3f} s, products alone {products:.3f} s")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "peak": peak, "probes": probes}


def _classify(run: Run, probe: str, precision: str) -> tuple[float, dict[str, Neighbours]]:
    """What `stages.knn.run` does, but for a precision to begin with and for what it returns."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        points = tables.Rows(run.path("train", probe), "activation")
        voters = knn.read_labels(run.labels, points)
        tables_to_write = Path(folder) / "test.parquet", Path(folder) / "train.parquet"
        sets, outputs = knn.problem(points, run.path("test", probe), *tables_to_write)
        options = {"n_neighbors": K, "ranks": [K], "memory": MEMORY, "precision": precision}
        found = nearest(sets, points, **options)
        for (query, _), near, path in zip(sets, found, outputs, strict=True):
            inputs = {"queries": query.source, "references": points.source, "labels": run.labels}
            knn.write(path, query.ids, near, voters, tables.describe("knn", {}, inputs))
        return time.perf_counter() - begin, dict(zip((TEST, LEAVE_ONE_OUT), found, strict=True))


def _seconds_on(device: torch.device, asked: list[Queries], points: Array) -> float:
    begin = time.perf_counter()
    nearest(asked, points, n_neighbors=K, ranks=[K], device=device, memory=_memory(device))
    _wait(device)
    return time.perf_counter() - begin


def _bfloat16_peak(device: torch.device) -> float:
    """Operations a second of a square product."""
    size = _PEAK if device.type == "cuda" else _PEAK // 8
    a, b = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    seconds = []
    for _ in range(10):
        _wait(device)
        begin = time.perf_counter()
        torch.mm(a, b)
        _wait(device)
        seconds.append(time.perf_counter() - begin)
    return 2.0 * size**3 / min(seconds)


def _memory(device: torch.device) -> float:
    return 0.5 * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else MEMORY


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
