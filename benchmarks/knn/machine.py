"""What a measurement must say about the machine that it was made on."""

from importlib import metadata
from pathlib import Path

import sklearn  # noqa: F401  (its BLAS shows up among the libraries below)
import threadpoolctl
import torch

from depthlens.report.machine import hardware

FEATURES = {
    "AMX": {"amx_tile", "amx_bf16"},
    "AVX512-BF16": {"avx512_bf16"},
    "AVX-512": {"avx512f"},
    "VNNI": {"avx512_vnni", "avx_vnni"},
}
"""flags of Linux, any of which (for AMX: all of which) says that a CPU has the feature"""
PACKAGES = ("torch", "faiss-cpu", "scikit-learn", "numpy", "pyarrow")


def describe(threads: int) -> dict:
    """Hardware, instruction sets, versions, and which kernels each BLAS took for this CPU."""
    return {
        **hardware(),
        "threads": threads,
        "features": features(),
        "versions": {name: _version(name) for name in PACKAGES},
        "blas": _libraries(),
    }


def features() -> dict[str, bool]:
    """Which of `FEATURES` the CPU has."""
    flags = _flags()
    found = {name: bool(names & flags) for name, names in FEATURES.items()}
    found["AMX"] = FEATURES["AMX"] <= flags
    if not flags:  # not Linux on x86: torch knows at least these
        found["AMX"] = torch.cpu._is_amx_tile_supported()
        found["AVX512-BF16"] = torch.cpu._is_avx512_bf16_supported()
    return found


def sentence(machine: dict) -> str:
    """The machine in one sentence."""
    has = [name for name, present in machine["features"].items() if present]
    lacks = [name for name, present in machine["features"].items() if not present]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    kernels = "; ".join(f"{name} uses {taken}" for name, taken in machine["blas"].items())
    return (
        f"{machine['processor']}, {machine['processor cores']} cores, of which "
        f"{machine['threads']} are used, with {_and(has)}{', without ' if lacks else ''}"
        f"{_and(lacks)}; {machine['memory']} of memory; GPU: {machine['GPU']}. {versions}. "
        f"{kernels}."
    )


def _flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _libraries() -> dict[str, str]:
    """Which kernels the OpenBLAS of each package has chosen."""
    return {
        f"OpenBLAS {info['version']} of {_package(info)}": f"{info['architecture']} kernels"
        for info in threadpoolctl.threadpool_info()
        if info["internal_api"] == "openblas"
    }


def _package(info: dict) -> str:
    return Path(info["filepath"]).parent.name.removesuffix(".libs")


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
