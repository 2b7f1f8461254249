"""What a report says about how it was made: versions, hardware, and how long each step took."""

import csv
import math
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from depthlens.errors import ArtifactError

PACKAGES = (
    "depthlens",
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "seaborn",
    "snakemake",
    "dvc",
)
STEPS = ("train", "probes", "activations", "knn", "convergence", "depth", "figures")
"""steps of a run that a reader expects to find, measured or not"""


@dataclass(frozen=True)
class Duration:
    """What the jobs of one step took."""

    of: str
    """the dataset or run"""
    step: str
    jobs: int
    seconds: float
    """of all jobs together; NaN where it was not measured"""
    peak_mib: float
    """largest resident memory of any job; NaN where it was not measured"""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on; "—" where not installed."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "—"
    return found


def hardware() -> dict[str, str]:
    """The machine that made the report, as far as the operating system tells."""
    processor = _first_field(Path("/proc/cpuinfo"), "model name") or platform.processor()
    memory = _first_field(Path("/proc/meminfo"), "MemTotal")
    return {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": processor or "—",
        "processor cores": str(os.cpu_count() or "—"),
        "memory": f"{int(memory.split()[0]) / 2**20:.1f} GiB" if memory else "—",
        "GPU": ", ".join(_nvidia_gpus()) or "none seen",
    }


def durations(folders: Mapping[Path, str], *, expected: Iterable[str] = ()) -> list[Duration]:
    """Sum up the benchmark files that Snakemake wrote below some folders, by step.

    Parameters
    ----------
    folders : mapping of path to str
        Folder of benchmarks, and what it is about. Files in {step}/… and {step}.tsv are of one
        step. A folder that does not exist holds none.
    expected : iterable of str
        Steps to list even where nothing was measured.

    Raises
    ------
    ArtifactError
        If a file is not one of Snakemake's benchmarks.
    """
    found = []
    for folder, of in folders.items():
        steps: dict[str, list[tuple[float, float]]] = {step: [] for step in expected}
        for path in sorted(Path(folder).rglob("*.tsv")):
            step = path.relative_to(folder).parts[0].removesuffix(".tsv")
            steps.setdefault(step, []).append(_measured(path))
        for step, jobs in steps.items():
            peaks = [peak for _, peak in jobs if not math.isnan(peak)]
            seconds = sum(duration for duration, _ in jobs) if jobs else math.nan
            found.append(Duration(of, step, len(jobs), seconds, max(peaks, default=math.nan)))
    return found


def _measured(path: Path) -> tuple[float, float]:
    """Seconds and MiB of one job, the last of its repeats; NaN where Snakemake wrote none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            *_, row = csv.DictReader(file, delimiter="\t")
        # Less than a MiB is the shell alone: the job ended before the first look at the command.
        peak = _number(row["max_rss"])
        return _number(row["s"]), peak if peak >= 1 else math.nan
    except (ValueError, KeyError, TypeError, csv.Error, UnicodeDecodeError):
        raise ArtifactError(f"{path}: not a benchmark of Snakemake; delete it") from None


def _number(text: str) -> float:
    # A job shorter than the first look at its memory has "-" or "NA" there.
    return math.nan if text in ("-", "NA", "") else float(text)


def _first_field(path: Path, name: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    fields = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in fields if key.strip() == name), "")


def _nvidia_gpus() -> list[str]:
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return [_first_field(card, "Model") or "NVIDIA GPU" for card in cards]
