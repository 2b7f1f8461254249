"""Peak memory of a search, in a process of its own: run as a module, it is that process."""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.knn.data import Generated, K, Run
from benchmarks.knn.engines import MEMORY
from depthlens.knn.search import Queries, nearest
from depthlens.stages import knn

ALLOWED = 500e6
"""bytes beyond the limit: the interpreter and its libraries"""


def measure(run: Run, *, probe: str, rows: int, dims: int, queries: int, threads: int) -> dict:
    """Peak of a search of generated references, and of a probe of a run with both splits."""
    return {
        "generated": _child(threads, "generated", rows, dims, queries),
        "stage": _child(threads, "stage", run.folder, probe),
    }


def generated(rows: int, dims: int, n_queries: int) -> dict:
    """Search references that are made as they are read, and are never in memory together."""
    references = Generated(rows, dims, seed=1)
    queries = Queries(Generated(n_queries, dims, seed=2))
    (found,) = nearest([queries], references, n_neighbors=K, memory=MEMORY)
    return {"rows": rows, "dims": dims, "queries": n_queries, "proven": found.proven}


def stage(run: Path, probe: str) -> dict:
    """Classify both splits of a run, as the study does."""
    with tempfile.TemporaryDirectory() as folder:
        knn.run(
            references=run / f"activations/train/{probe}.parquet",
            labels=run / "predictions/train.parquet",
            queries=run / f"activations/test/{probe}.parquet",
            output=Path(folder) / "test.parquet",
            leave_one_out=Path(folder) / "train.parquet",
            cfg={"n_neighbors": K, "memory": MEMORY / 1e9, "shards": 1, "device": "cpu"},
        )
    return {"probe": probe}


def peak() -> int:
    """Bytes that this process ever had resident.

    Linux's `ru_maxrss` of a new process begins with the peak of the one that started it; VmHWM is
    of the program alone.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found:
        return 1024 * int(found[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _child(threads: int, *arguments: object) -> dict:
    command = [sys.executable, "-m", "benchmarks.knn.memory", str(threads), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main(threads: str, what: str, *arguments: str) -> None:
    torch.set_num_threads(int(threads))
    before, begin = peak(), time.perf_counter()
    if what == "stage":
        found = stage(Path(arguments[0]), arguments[1])
    else:
        found = generated(*map(int, arguments))
    found |= {"seconds": time.perf_counter() - begin, "limit": MEMORY}
    print(json.dumps(found | {"peak": peak(), "peak before the search": before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
