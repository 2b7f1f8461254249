"""A list of all that a study consists of: each artifact with its digest, config and inputs."""

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Any

from depthlens.errors import ArtifactError
from depthlens.provenance import records
from depthlens.provenance.records import Record


def manifest(targets: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The records of everything that targets were made from, directly or not, and of themselves.

    Parameters
    ----------
    targets : iterable of str
        Paths of outputs.

    Returns
    -------
    dict
        By path: `sha256`, `bytes`, `rule`, `config` (the block that the rule read, None if it
        reads none), `code` (digest), `inputs` (SHA-256 by path).

    Raises
    ------
    ArtifactError
        If something was never recorded, or was made from other bytes than those of its input.
    """
    recorded = {path: record for record in records.read() for path in record.outputs}
    found: dict[str, dict[str, Any]] = {}
    pending = sorted(targets)
    while pending:
        path = pending.pop()
        if path in found:
            continue
        if path not in recorded:
            raise ArtifactError(f"{path}: there is no record of it; run snakemake")
        record = recorded[path]
        found |= {name: _entry(record, name) for name in record.outputs}
        for name, digest in record.job.inputs:
            if name not in recorded:
                continue  # a source, such as a configuration file
            if recorded[name].outputs[name].sha256 != digest:
                raise ArtifactError(f"{path}: was made from another {name}; run snakemake")
            pending.append(name)
    return dict(sorted(found.items()))


def _entry(record: Record, path: str) -> dict[str, Any]:
    block, code = config_and_code(record)
    return {
        **record.outputs[path]._asdict(),
        "rule": record.job.rule,
        "config": block,
        "code": code,
        "inputs": dict(record.job.inputs),
    }


def config_and_code(record: Record) -> tuple[Mapping[str, object] | None, str | None]:
    """The config block and the code digest among the params of a job."""
    block = code = None
    for shown in record.job.params:
        param = ast.literal_eval(shown)
        if not isinstance(param, str):
            continue
        if param.startswith("{"):
            block = json.loads(param)
        elif len(param) == 16 and set(param) <= set("0123456789abcdef"):
            code = param
    return block, code
