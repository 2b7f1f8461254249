"""What Snakemake remembers of finished jobs, in `.snakemake`: the file backend of version 9.

One JSON file an output; its name is the base64 of the output's path, in pieces where it is long.
Only the fields that decide whether a job runs again are looked at.
"""

import fcntl
import json
import os
import shutil
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(".snakemake")
_RECORD_FORMAT_VERSION = 6
_MARK = "not usable: "
_PATIENCE_SECONDS = 20


class Job(NamedTuple):
    """What a job was: two jobs that are equal here make the same outputs."""

    rule: str
    code: str
    """template of the command"""
    params: tuple[str, ...]
    """as Snakemake shows them, sorted"""
    inputs: tuple[tuple[str, str], ...]
    """paths and SHA-256, sorted; the digest is empty where Snakemake took none"""
    log: tuple[str, ...]
    software: str
    """Snakemake's digest of the software environment it deployed"""


UNKNOWN = Job("", "", (), (), (), "")


class Memory(NamedTuple):
    """The job behind each output that Snakemake has a record of, by path."""

    jobs: dict[str, Job]
    marked: dict[str, Job]
    """those that will be made again because of a mark"""
    began: dict[str, float]
    """when each of these jobs did, in seconds since 1970"""


def read() -> Memory:
    """All that Snakemake remembers."""
    found = Memory({}, {}, {})
    for path, file in files(FOLDER / "metadata"):
        try:
            record = json.loads(file.read_text())
        except ValueError:  # half-written when its writer was killed: as good as none
            continue
        if record.get("record_format_version") == _RECORD_FORMAT_VERSION:
            params = record["params"] or []
            is_marked = bool(params) and params[0].startswith(_MARK)
            sums = record["input_checksums"] or {}
            found.began[path] = record["starttime"] or 0.0
            (found.marked if is_marked else found.jobs)[path] = Job(
                rule=record["rule"] or "",
                code=record["code"] or "",
                params=tuple(sorted(params[is_marked:])),
                inputs=tuple(
                    (name, (sums.get(name) or "").removeprefix("sha256:"))
                    for name in sorted(record["input"] or ())
                ),
                log=tuple(record["log"] or ()),
                software=record["software_stack_hash"] or "",
            )
    return found


def write(path: str, job: Job, *, made: float = 0.0, mark: str = "") -> None:
    """Let Snakemake remember that a job made an output.

    Parameters
    ----------
    path : str
    job : Job
    made : float
        When, in seconds since 1970.
    mark : str
        Why the output has to be made again: Snakemake finds it among the params of the job, and
        that they have changed.
    """
    record = {
        "record_format_version": _RECORD_FORMAT_VERSION,
        "incomplete": False,
        "rule": job.rule,
        "code": job.code,
        "params": [_MARK + mark] * bool(mark) + list(job.params),
        "input": [name for name, _ in job.inputs],
        "input_checksums": {name: f"sha256:{digest}" for name, digest in job.inputs if digest},
        "log": list(job.log),
        "software_stack_hash": job.software or None,
        "starttime": made,
        "endtime": made,
    }
    file = record_file(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    # In place: one that is half-written counts as none, and is written again.
    file.write_text(json.dumps(record))


def incomplete() -> set[str]:
    """Outputs of jobs that were started and have not ended."""
    return {path for path, _ in files(FOLDER / "incomplete")}


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The output that each file in a folder of Snakemake's is about, and the file."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.startswith("."):
            name = "".join(part.removeprefix("@") for part in file.relative_to(folder).parts)
            try:
                yield urlsafe_b64decode(name).decode(), file
            except ValueError:
                continue


def record_file(path: str) -> Path:
    """Where Snakemake keeps its record of an output."""
    name = urlsafe_b64encode(path.encode()).decode()
    longest = os.pathconf(".", "PC_NAME_MAX") - 1
    pieces = [name[start : start + longest] for start in range(0, len(name), longest)]
    return Path(FOLDER, "metadata", *[f"@{piece}" for piece in pieces[:-1]], pieces[-1])


def only_user(lock: Path) -> bool:
    """Whether no other process holds this lock; if so, hold it until this process ends.

    The operating system lets go of it when a process is killed, which Snakemake's own locks do
    not: whoever gets this one knows that they are left from the dead, and removes them. A dry run
    is waited for: it holds the lock for a moment, and has none of Snakemake's.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline or any((FOLDER / "locks").glob("*.lock")):
                os.close(file)
                return False
            time.sleep(0.1)
        except OSError:  # a file system without locks: Snakemake's own have to do
            return True
        else:
            shutil.rmtree(FOLDER / "locks", ignore_errors=True)
            return True
