"""The engine and its peers on the same arrays with the same threads, one after the other."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import threadpoolctl
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from benchmarks.knn.data import K
from depthlens.knn.points import Array
from depthlens.knn.search import Queries, nearest

try:
    import faiss
except ImportError:
    faiss = None

OURS, FLOAT32, FAISS, SKLEARN = "depthlens", "depthlens, float32", "FAISS", "scikit-learn"
MEMORY = 2e9
_BLOCK = (2048, 8192)

Search = Callable[[], NDArray[np.integer]]
"""Rows of the K nearest references of each query."""


def use(threads: int) -> None:
    """Give every engine, and every BLAS that one of them brings along, the same threads."""
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)
    if faiss:
        faiss.omp_set_num_threads(threads)


def searches(queries: NDArray, references: NDArray) -> dict[str, Search]:
    """One search an engine; what can be built before a query comes is built, except ours."""
    found = {
        OURS: lambda: ours(queries, references, "auto"),
        FLOAT32: lambda: ours(queries, references, "float32"),
    }
    if faiss:
        index = faiss.IndexFlatL2(references.shape[1])
        index.add(references)
        found[FAISS] = lambda: index.search(queries, K)[1]
    brute = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(references)
    found[SKLEARN] = lambda: brute.kneighbors(queries, return_distance=True)[1]
    return found


def ours(queries: NDArray, references: NDArray, precision: str) -> NDArray[np.int64]:
    """All ranks and their distances, in memory that does not grow with the references."""
    asked = [Queries(Array(queries))]
    options = {"n_neighbors": K, "memory": MEMORY, "precision": precision}
    return nearest(asked, Array(references), **options)[0].rows


def interleaved(
    searches: Mapping[str, Search], *, repeats: Mapping[str, int], log: Callable[[str], None]
) -> tuple[dict[str, list[float]], dict[str, NDArray]]:
    """Seconds of each repetition, and what each engine found.

    Whoever else uses the machine slows all engines alike.

    Parameters
    ----------
    searches : mapping of name to search
    repeats : mapping of name to int
    log : callable
    """
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    found = {}
    for turn in range(max(repeats.values())):
        for name in [name for name in searches if turn < repeats[name]]:
            begin = time.perf_counter()
            found[name] = searches[name]()
            seconds[name].append(time.perf_counter() - begin)
            log(f"    {name}: {seconds[name][-1]:.2f} s")
    return seconds, found


def product_rates(dims: int, *, repeats: int = 3) -> dict[str, float]:
    """Operations a second of a block of inner products, by the library that computes it.

    The block is large enough for its rate to be that of all products of the same width.
    """
    queries, references = (torch.randn(rows, dims) for rows in _BLOCK)
    low = queries.bfloat16(), references.bfloat16()
    products = {
        "float32, torch.mm": lambda: torch.mm(queries, references.T),
        "bfloat16, torch.mm": lambda: torch.mm(low[0], low[1].T),
    }
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        one_dnn = torch.ops.mkldnn._linear_pointwise
        products["float32, oneDNN"] = lambda: one_dnn(queries, references, None, "none", [], "")
    operations = 2.0 * _BLOCK[0] * _BLOCK[1] * dims
    with torch.inference_mode():
        return {name: operations / shortest(run, repeats) for name, run in products.items()}


def shortest(run: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some repetitions, after one that warms up."""
    run()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
