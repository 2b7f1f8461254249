"""Whether the files of a study are those that were recorded, and agree with those of another."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.provenance.fingerprints import Fingerprints
from depthlens.provenance.manifest import manifest
from depthlens.study import Study

TOLERANCE = {"train_accuracy": 0.02, "test_accuracy": 0.02, "mean_depth": 0.25}
"""how far the same study may be off on other hardware: shares, and mean depth in probes"""


class Verdict(NamedTuple):
    """What is to be said of the files of a study."""

    checked: int
    absent: list[str]
    """recorded, not there, and needed only to make others"""
    differences: list[str]
    """one sentence each"""


def verify(study: Study) -> Verdict:
    """Hold every artifact against its record, in bytes and in what it says of how it was made.

    Raises
    ------
    ArtifactError
        If something that the study ends with was never recorded.
    """
    recorded = manifest(study.targets)
    there = Fingerprints({}).of(recorded)
    differences = []
    for path, entry in recorded.items():
        if path not in there:
            continue
        if there[path] != entry["sha256"]:
            differences.append(f"{path}: its bytes are not those that were recorded")
            continue
        about, config = _words(path), entry["config"] or {}
        for stated in about.get("inputs", {}).values():
            if entry["inputs"].get(stated["path"], stated["sha256"]) != stated["sha256"]:
                differences.append(f"{path}: says that it was made from another {stated['path']}")
        for key, value in about.get("config", {}).items():
            if config.get(key, value) != value:
                differences.append(f"{path}: says that it was made with another {key}")
    absent = [path for path in recorded if path not in there]
    differences += [f"{path}: missing" for path in absent if path in study.targets]
    return Verdict(len(there), [path for path in absent if path not in study.targets], differences)


def compare(study: Study, other: Path) -> Verdict:
    """Hold a study against one that was made elsewhere.

    Datasets must be equal byte by byte. What follows from a network that was trained on other
    hardware cannot be: there the numbers in summary.json must agree within `TOLERANCE`.

    Parameters
    ----------
    study : Study
    other : path
        Folder of its report, with manifest.json and summary.json.

    Raises
    ------
    ArtifactError
        If one of the two studies has no whole report.
    """
    ours, theirs = manifest(study.targets), tables.read_json(other / "manifest.json")
    differences = [f"{path}: only one study has it" for path in sorted(ours.keys() ^ theirs.keys())]
    same = [path for path in ours if path in theirs and _same(ours[path], theirs[path])]
    differences += [
        f"{path}: not the same images"
        for path in sorted(ours.keys() & theirs.keys() - {*same})
        if path.startswith("data/")
    ]
    reports = Path(study.config.study.reports)
    differences += _compare_numbers(_numbers(reports), _numbers(other))
    return Verdict(len(same), [], differences)


def _same(one: Mapping, other: Mapping) -> bool:
    return one["sha256"] == other["sha256"]


def _compare_numbers(ours: Mapping[str, dict], theirs: Mapping[str, dict]) -> Iterator[str]:
    for run in sorted(ours.keys() | theirs.keys()):
        if run not in ours or run not in theirs:
            yield f"{run}: only one study has it"
            continue
        for name, most in TOLERANCE.items():
            one, two = ours[run][name], theirs[run][name]
            if abs(one - two) > most:
                yield f"{run}: {name} is {one:.4f} here, {two:.4f} there; {most} is allowed"


def _numbers(reports: Path) -> dict[str, dict]:
    runs = tables.read_json(reports / "summary.json")["runs"]
    return {f"{run['dataset']}/{run['model']}/seed{run['seed']}": run for run in runs}


def _words(path: str) -> dict:
    """What an artifact itself says of how it was made, as `tables.describe` has it, if anything."""
    if path.endswith(".parquet"):
        return tables.metadata(path)
    if not path.endswith(".safetensors"):
        return {}
    try:
        with safe_open(path, framework="numpy") as file:
            return json.loads((file.metadata() or {}).get("depthlens", "{}"))
    except (SafetensorError, ValueError, OSError) as error:
        raise ArtifactError(f"{path}: not a whole checkpoint ({error})") from None
