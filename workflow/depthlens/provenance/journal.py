"""Files, Snakemake's memory and the records in `provenance/`, brought into agreement.

Snakemake trusts an output that exists: whatever its bytes are, whoever wrote them, and if it has
no memory of the job, whatever the config says now. So before it builds its graph, each file of
the study is held against what is known of it:

- its bytes are as the job that Snakemake remembers left them: nothing to do;
- its bytes are those of a record that came with git: Snakemake is told of that job;
- neither: it was damaged or replaced, or nobody knows how it was made. It is marked, and made
  again. So is an output whose job read other bytes than there are now.

Snakemake remembers jobs that did not run (--touch) or failed, and may keep their files: a job
counts only if it ran to its end. A file that is missing needs no proof: its record tells Snakemake
when its job has changed.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.provenance import records, snakemake
from depthlens.provenance.fingerprints import Fingerprints, changed_after
from depthlens.provenance.records import Output, Record
from depthlens.provenance.snakemake import Job, Memory

log = logging.getLogger(__name__)

_STATE = snakemake.FOLDER / "depthlens/journal.json"
_BRINGS = "pull_"
_LOCK = snakemake.FOLDER / "depthlens/lock"


class Settled(NamedTuple):
    """What was found of the files of a study."""

    unusable: dict[str, str]
    """why each output that is there will be made again, by path"""
    made: list[str]
    """outputs that were made in this folder since it was last asked"""


class _Kept(NamedTuple):
    """What was known of an output when the journal was last brought up to date."""

    job: str
    """digest of the job"""
    sha256: str


class _State(NamedTuple):
    """What the journal remembers between two calls; losing it costs a look at every file."""

    fingerprints: Fingerprints
    outputs: dict[str, _Kept]
    logged: dict[str, float]
    """when the log of each output's job was written, in seconds since 1970"""


def begin() -> bool:
    """Whether no other process works in this folder; if so, none may until this one ends."""
    return snakemake.only_user(_LOCK)


def settle(
    files: Iterable[str] = (), *, modules: Mapping[str, Mapping[str, str]] | None = None
) -> Settled:
    """Bring everything into agreement and keep a record of every job that has ended.

    Parameters
    ----------
    files : iterable of str
        Files that are known to be outputs of the study, whether anything is recorded of them.
    modules : mapping of digest to digests of modules, optional
        What the code digests of today's jobs consist of: kept with the records that name them.

    Raises
    ------
    ArtifactError
        If a record cannot be read.
    """
    state = _load()
    memory, kept = snakemake.read(), records.read()
    jobs, marked, began = memory
    logged = {path: _newest(job.log) for path, job in {**jobs, **marked}.items()}
    recorded = {path: record for record in kept for path in record.outputs}
    unfinished = snakemake.incomplete()
    outputs = sorted({*jobs, *marked, *recorded, *files} - unfinished)
    inputs = {name for job in jobs.values() for name, _ in job.inputs} | {
        name for record in kept for name, _ in record.job.inputs
    }
    digests = state.fingerprints.of(sorted({*outputs, *inputs}))

    made_here = set(outputs)
    written = {path for path in logged if state.logged.get(path) != logged[path]}
    ran, rumours = _believe(jobs, began, written, state.outputs)
    unusable, made = _judge(outputs, memory, ran, recorded, digests, state.outputs)
    for path in (rumours & state.outputs.keys()) - jobs.keys() - digests.keys():
        unusable[path] = "its job did not run to the end"
    for path in outputs:
        if path in digests and path not in unusable:
            for name, digest in jobs[path].inputs:
                if not digest and name in made_here:
                    # It vanished between being read and being remembered.
                    unusable[path] = f"nobody knows which {name} it was made from"
                    break
                if digest and digests.get(name, digest) != digest:
                    unusable[path] = f"it was made from another {name}"
                    break
    for path in unusable:
        record = recorded.get(path)
        known_of = jobs.pop(path, None) or marked.get(path) or (record and record.job)
        marked[path] = known_of or snakemake.UNKNOWN
        snakemake.write(path, marked[path], mark=unusable[path])
    _tell_snakemake(outputs, jobs)
    whole = {path: digests[path] for path in outputs if path in digests and path not in unusable}
    _keep_records(jobs, whole, recorded, broken={marked[path] for path in unusable})
    records.keep_modules(modules or {})
    for path in outputs:
        if path in jobs:
            state.outputs[path] = _Kept(_digest(jobs[path]), whole.get(path, ""))
        if path in logged:
            state.logged[path] = logged[path]
    _save(state)
    return Settled(unusable, made)


def _believe(
    jobs: dict[str, Job],
    began: Mapping[str, float],
    written: set[str],
    kept: Mapping[str, _Kept],
) -> tuple[set[str], set[str]]:
    """Drop the jobs of which Snakemake says something new although they did not run to their end.

    One that ran has written its log, which --touch does not, and one that succeeded has left a
    benchmark since it began, under the same name. Where there is no log --touch leaves an empty
    one, but no benchmark.

    Parameters
    ----------
    jobs : dict
    began : mapping of path to seconds since 1970
    written : set of str
        Outputs whose job's log was written since `kept` was.
    kept : mapping

    Returns
    -------
    ran : set of str
        Outputs of jobs that ran to their end since `kept` was.
    rumours : set of str
        Outputs of those that are dropped.
    """
    ran, rumours = set(), set()
    for path, job in list(jobs.items()):
        if path in written and began[path] <= _newest(map(_benchmark, job.log)):
            ran.add(path)
        elif path not in kept or kept[path].job != _digest(job):
            rumours.add(path)
            del jobs[path]
    return ran, rumours


def _benchmark(log: str) -> Path:
    folder, _, name = log.rpartition("logs/")
    return Path(folder, "benchmarks", name).with_suffix(".tsv")


def _newest(files: Iterable[str | Path]) -> float:
    """When the last of them was written, in seconds since 1970; 0 if none is there."""
    there = filter(Path.exists, map(Path, files))
    return max((path.stat().st_mtime for path in there), default=0.0)


def _judge(
    outputs: Iterable[str],
    memory: Memory,
    ran: set[str],
    recorded: Mapping[str, Record],
    digests: Mapping[str, str],
    kept: dict[str, _Kept],
) -> tuple[dict[str, str], list[str]]:
    """Find the job behind the bytes of each output: jobs and `kept` are brought up to date.

    Returns
    -------
    unusable : dict
        Why no job is behind the bytes that are there, by path.
    made : list of str
        Those of the outputs of jobs that `ran` that are as they left them.
    """
    jobs, marked, _ = memory
    readers: dict[str, set[str]] = {}
    for job in (*jobs.values(), *marked.values()):
        for name, digest in job.inputs:
            readers.setdefault(name, set()).add(digest)

    unusable: dict[str, str] = {}
    made: list[str] = []
    for path in outputs:
        known, digest, record = kept.get(path), digests.get(path), recorded.get(path)
        # Of a new file no digest was kept; but it is old news to a job that has read it.
        is_known_to_readers = digest is not None and readers.get(path) == {digest}
        is_back = False
        if path in marked and marked[path] != snakemake.UNKNOWN:
            is_back = known == _Kept(_digest(marked[path]), digest or "") or is_known_to_readers
            if is_back:
                jobs[path] = marked[path]
        job, is_new = jobs.get(path), path in ran
        if digest is None:
            if record and not is_new:
                jobs[path] = record.job
            continue
        is_as_made = is_back or (job is not None and known == _Kept(_digest(job), digest))
        if is_new and not is_as_made:
            changed = changed_after(path, snakemake.record_file(path))
            is_as_made = is_known_to_readers or not changed
        if job and is_as_made:
            kept[path] = _Kept(_digest(job), digest)
        # Whoever only brought a file did not make it.
        if job and is_new and is_as_made and not job.rule.startswith(_BRINGS):
            made.append(path)
        elif record and record.outputs[path].sha256 == digest:
            jobs[path] = record.job
        elif not is_as_made:
            is_known = job or record or path in marked
            unusable[path] = "its bytes have changed" if is_known else "nothing says what made it"
    return unusable, made


def _tell_snakemake(outputs: list[str], jobs: dict[str, Job]) -> None:
    remembered = snakemake.read().jobs
    for path in outputs:
        if path in jobs and remembered.get(path) != jobs[path]:
            made = Path(path).stat().st_mtime if Path(path).exists() else 0.0
            snakemake.write(path, jobs[path], made=made)


def _keep_records(
    jobs: dict[str, Job],
    whole: dict[str, str],
    recorded: dict[str, Record],
    broken: set[Job],
) -> None:
    """Write a record of every job with the outputs that are there as it left them.

    Those that are gone, as temporary files are, stay in the record while the job is the same; what
    was recorded of another job says nothing of them any more.
    """
    outputs: dict[Job, list[str]] = {}
    for path, job in jobs.items():
        outputs.setdefault(job, []).append(path)
    for job, paths in outputs.items():
        if job in broken:
            continue
        made = {}
        for path in sorted(paths):
            if path in whole:
                made[path] = Output(whole[path], Path(path).stat().st_size)
            elif path in recorded and recorded[path].job == job:
                made[path] = recorded[path].outputs[path]
        record = Record(job, made)
        before = {id(recorded[path]): recorded[path] for path in paths if path in recorded}
        if list(before.values()) != [record]:
            for other in before.values():
                records.remove(other)
            if made:
                records.write(record)


def _digest(job: Job) -> str:
    return hashlib.sha256(json.dumps(job).encode()).hexdigest()


def _load() -> _State:
    try:
        value = tables.read_json(_STATE)
        outputs = {path: _Kept(*kept) for path, kept in value["outputs"].items()}
        return _State(Fingerprints(value["fingerprints"]), outputs, value["logged"])
    except (ArtifactError, KeyError, TypeError, AttributeError):
        return _State(Fingerprints({}), {}, {})


def _save(state: _State) -> None:
    tables.write_json(_STATE, {**state._asdict(), "fingerprints": state.fingerprints.known})
