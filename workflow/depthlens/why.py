"""Why a file would be made again, in one line: from a dry run and from what was recorded."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from depthlens import stages
from depthlens.config import load
from depthlens.errors import StudyError
from depthlens.provenance import records
from depthlens.provenance.code import code_digest, module_digests

_JOB = re.compile(r"^(?:local)?rule (\S+):$")
_PARAMS = re.compile(r"before: (.*) now: (.*)$")
_NOTHING = "<nothing exclusive>"
_MISSING = "not there"


def why(target: str, path: Path) -> str:
    """One line: what has changed since a target was made, or that nothing has.

    Parameters
    ----------
    target : str
        A file of the study, or a rule.
    path : path
        Configuration of the study.

    Raises
    ------
    StudyError
        If the configuration is wrong, or Snakemake cannot plan it: what it said is the message.
    """
    config = load(path).model_dump(mode="json")
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, "--dry-run", "--configfile", str(path), "--", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        reason = [line for line in said if not line.startswith("Using workflow")]
        raise StudyError("\n".join([f"{target}: snakemake cannot plan it", *reason[-5:]]))
    causes = list(dict.fromkeys(_causes(done.stdout + done.stderr, config)))
    # What is missing is made again because something else asks for it.
    causes = [cause for cause in causes if not cause.endswith(_MISSING)] or causes
    return f"{target}: " + ("; ".join(causes) if causes else "up to date")


def _causes(plan: str, config: Mapping) -> Iterator[str]:
    """What was the first to change, job by job; what only follows from it is left out."""
    rule = ""
    for line in plan.splitlines():
        if found := _JOB.match(line):
            rule = found[1]
        elif line.strip().startswith("reason: "):
            yield from _reasons(rule, line.strip().removeprefix("reason: "), config)


def _reasons(rule: str, text: str, config: Mapping) -> Iterator[str]:
    if found := re.match(r"Missing output files: ([^;]*)", text):
        yield f"{_shortened(found[1])} {_MISSING}"
    if found := re.match(r"Incomplete output files: ([^;]*)", text):
        yield f"{_shortened(found[1])} was being made when a run ended"
    if found := re.search(r"(?:^|; )Updated input files: ([^;]*)", text):
        yield f"the bytes of {_shortened(found[1])} have changed"
    if "Set of input files has changed" in text:
        yield f"rule {rule} reads other files"
    if "Code has changed" in text:
        yield f"the command of rule {rule} has changed"
    if "Software environment definition has changed" in text:
        yield f"the software environment of rule {rule} has changed"
    if found := _PARAMS.search(text):
        before, now = (_params(side) for side in found.groups())
        yield from _changed_params(rule, before, now, config)


def _shortened(names: str) -> str:
    first, *others = sorted(names.strip().split(", "))
    return f"{first} and {len(others)} more" if others else first


def _params(shown: str) -> list[str]:
    """The texts among params that Snakemake shows one after the other."""
    shown = shown.strip()
    values = [] if shown == _NOTHING else ast.literal_eval(f"[{_quoted(shown)}]")
    return [value for value in values if isinstance(value, str)]


def _quoted(shown: str) -> str:
    # A reason that a file is not usable is no Python value, and comes first or last.
    return re.sub(r"(^|,)(not usable: [^,]*)", lambda found: f"{found[1]}{found[2]!r}", shown)


def _changed_params(rule: str, before: list[str], now: list[str], config: Mapping) -> Iterator[str]:
    for value in before:
        if value.startswith("not usable: "):
            yield f"rule {rule}: {value.removeprefix('not usable: ')}"
            return
    old, new = (next((v for v in side if v.startswith("{")), None) for side in (before, now))
    if old and new:
        block = json.loads(new)
        prefix = _place(config, block)
        for key, was, value in _changed_keys(json.loads(old), block):
            yield f"{'.'.join(filter(None, (prefix, key)))} is {value}, was {was}"
    if any(value.startswith("sha256:") for side in (before, now) for value in side):
        yield f"the files that rule {rule} reads from outside have changed"
    old, new = (next((v for v in side if _is_digest(v)), None) for side in (before, now))
    if old and new:
        yield _changed_modules(rule, old, new)
    known = [value for side in (before, now) for value in side]
    if not any(value.startswith(("{", "sha256:")) or _is_digest(value) for value in known):
        yield f"rule {rule} is called with other params: {', '.join(now)}"


def _changed_keys(old: object, new: object, at: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _changed_keys(old.get(key), new.get(key), f"{at}.{key}".lstrip("."))
    elif old != new:
        yield at, json.dumps(old), json.dumps(new)


def _place(config: Mapping, block: object, at: str = "") -> str:
    """The dotted key of a block of the configuration; empty for the whole, or for several."""
    for key, value in config.items():
        if value == block:
            return f"{at}{key}"
        if isinstance(value, Mapping) and (found := _place(value, block, f"{at}{key}.")):
            return found
    return ""


def _changed_modules(rule: str, old: str, new: str) -> str:
    was = records.modules(old)
    names = [path.stem for path in Path(stages.__file__).parent.glob("*.py")]
    found = [stage for stage in names if code_digest(f"stages.{stage}") == new]
    if not was or not found:
        return f"the code of rule {rule} has changed"
    now = module_digests(f"stages.{found[0]}")
    changed = [name for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name)]
    return f"the code of {', '.join(changed)} has changed"


def _is_digest(value: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{16}", value))
