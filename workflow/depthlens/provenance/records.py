"""What is known of finished jobs, in files that travel with git.

`provenance/jobs/{first output}.json` is one job; `provenance/code/{digest}.json` says of which
modules a code digest among its params is made. They hold no times and no host, and are sorted:
an equal job leaves equal bytes anywhere.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.provenance.snakemake import Job

JOBS, CODE = Path("provenance/jobs"), Path("provenance/code")


class Output(NamedTuple):
    """One file that a job made."""

    sha256: str
    bytes: int


class Record(NamedTuple):
    """A finished job."""

    job: Job
    outputs: Mapping[str, Output]


def read() -> list[Record]:
    """Every record, ordered by file name.

    Raises
    ------
    ArtifactError
        If a file is not a record.
    """
    return [_read(path) for path in sorted(JOBS.rglob("*.json"))]


def write(record: Record) -> None:
    """Keep a record."""
    path = _path(record)
    job = record.job
    value = {
        "rule": job.rule,
        "command": job.code,
        "params": list(job.params),
        "software": job.software,
        "log": list(job.log),
        "inputs": dict(job.inputs),
        "outputs": {name: made._asdict() for name, made in record.outputs.items()},
    }
    tables.write_json(path, value)


def remove(record: Record) -> None:
    """Forget a record."""
    _path(record).unlink(missing_ok=True)


def keep_modules(known: Mapping[str, Mapping[str, str]]) -> None:
    """Keep what the code digests that some record names are made of.

    Parameters
    ----------
    known : mapping of digest to mapping of module to its own digest
        Digests that may be named.
    """
    named = {param.strip("'") for record in read() for param in record.job.params}
    for digest in named & set(known):
        if not (path := CODE / f"{digest}.json").exists():
            tables.write_json(path, known[digest])
    for path in CODE.glob("*.json"):
        if path.stem not in named:
            path.unlink()


def modules(digest: str) -> dict[str, str]:
    """Digest of each module that a code digest is made of; empty where that is not known."""
    path = CODE / f"{digest}.json"
    return tables.read_json(path) if path.exists() else {}


def _path(record: Record) -> Path:
    return JOBS / f"{min(record.outputs)}.json"


def _read(path: Path) -> Record:
    value = tables.read_json(path)
    try:
        job = Job(
            rule=value["rule"],
            code=value["command"],
            params=tuple(value["params"]),
            inputs=tuple(sorted(value["inputs"].items())),
            log=tuple(value["log"]),
            software=value["software"],
        )
        outputs = {name: Output(**made) for name, made in sorted(value["outputs"].items())}
    except (KeyError, TypeError, AttributeError):
        raise ArtifactError(
            f"{path}: not a record of a job; restore it with git, or delete it"
        ) from None
    return Record(job, outputs)
