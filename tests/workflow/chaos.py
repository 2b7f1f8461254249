"""What can go wrong with a study, done to it on purpose: `make chaos`.

A tiny study is made once, undisturbed. Then, over and over, a copy of it loses the outputs of some
rule and all that follows; snakemake makes them again and is killed on the way, or runs out of
disk, or finds files damaged, removed while it runs, or another snakemake in the same folder. After
each, one plain `snakemake` has to end well, with the manifest of the undisturbed study, files that
are those of their records, and nothing left over.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import yaml
from tests.workflow.conftest import Copy, tiny
from tqdm import tqdm

from depthlens.provenance import snakemake

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
_PATIENCE_SECONDS = 300


class Trial(NamedTuple):
    """One fault and what became of the study."""

    fault: str
    hit: str
    """rules that were at work, or the file that was hurt"""
    faults: list[str]
    """what was wrong afterwards: nothing, if all is well"""


class Chaos:
    """The undisturbed study, and faults for copies of it.

    Parameters
    ----------
    folder : path
        Empty; for everything that is made.
    seed : int
        Of every choice.
    """

    def __init__(self, folder: Path, *, seed: int):
        self.folder, self.random = folder, random.Random(seed)
        self.whole = replace(tiny(folder / "undisturbed"), cold=True)
        self.whole.snakemake()
        reports = yaml.safe_load((self.whole.folder / "config.yaml").read_text())["study"]
        self.manifest_path = Path(reports["reports"]) / "manifest.json"
        self.manifest = json.loads((self.whole.folder / self.manifest_path).read_text())
        self.rules = sorted({entry["rule"] for entry in self.manifest.values()})

    def killed(self, rule: str, how: signal.Signals) -> Trial:
        """Kill snakemake and its jobs while outputs of a rule and what follows are made."""
        with self.copy() as copy:
            self._remove(copy, rule)
            process = self._start(copy)
            if self.random.random() < 0.8:
                self._wait_for(copy, rule)
                # Most jobs take one second or two: more often early than late.
                time.sleep(3 * self.random.random() ** 3)
            else:
                time.sleep(self.random.uniform(0, 12))
            at_work = ", ".join(sorted(self._begun(copy))) or "between jobs"
            with contextlib.suppress(ProcessLookupError):  # it was quicker
                os.killpg(process.pid, how)
            process.communicate(timeout=_PATIENCE_SECONDS)
            return Trial(f"kill {how.name}", at_work, self.recovered(copy))

    def damaged(self, how: str) -> Trial:
        """Truncate, flip a bit of, or empty a file of the finished study."""
        with self.copy() as copy:
            path = self.random.choice(sorted(self.manifest))
            file = copy.folder / path
            before, content = file.stat(), bytearray(file.read_bytes())
            if how == "bit flipped":
                content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
            else:
                del content[0 if how == "emptied" else self.random.randrange(len(content)) :]
            file.write_bytes(content)
            # As a disk would: without a trace in the date.
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            noticed = [] if f"{path} will be made again" in copy.plan() else ["not reported"]
            return Trial(how, path, noticed + self.recovered(copy))

    def removed(self, rule: str) -> Trial:
        """Remove a file while snakemake makes what follows from a rule."""
        with self.copy() as copy:
            self._remove(copy, rule)
            process = self._start(copy)
            time.sleep(self.random.uniform(1, 8))
            there = [path for path in self.manifest if (copy.folder / path).exists()]
            path = self.random.choice(sorted(there))
            (copy.folder / path).unlink(missing_ok=True)
            process.communicate(timeout=_PATIENCE_SECONDS)
            return Trial("removed while running", path, self.recovered(copy))

    def twice(self, rule: str) -> Trial:
        """Run snakemake twice at once in one folder."""
        with self.copy() as copy:
            self._remove(copy, rule)
            both = [self._start(copy) for _ in range(2)]
            for process in both:
                process.communicate(timeout=_PATIENCE_SECONDS)
            ended = sorted(process.returncode for process in both)
            faults = [] if ended[0] == 0 else [f"neither of two ended well: {ended}"]
            return Trial("two at once", rule, faults + self.recovered(copy))

    def full_disk(self, rule: str, spare: int) -> Trial:
        """Run snakemake on a disk with too little room; then give it room.

        Parameters
        ----------
        rule : str
        spare : int
            Bytes that are left.
        """
        with self._disk() as disk, self.copy(disk) as copy:
            self._remove(copy, rule)
            free = shutil.disk_usage(disk).free
            ballast = disk / "ballast"
            with ballast.open("wb") as file:
                file.write(bytes(max(0, free - spare)))
            # It ends well where little was left to write: the manifest tells if that is true.
            done = copy.snakemake(check=False)
            faults = ["a traceback"] if "Traceback" in done.stdout + done.stderr else []
            ballast.unlink()
            return Trial("full disk", rule, faults + self.recovered(copy))

    @contextlib.contextmanager
    def copy(self, parent: Path | None = None) -> Iterator[Copy]:
        """A copy of the undisturbed study, for as long as it is needed."""
        folder = Path(tempfile.mkdtemp(dir=parent or self.folder)) / "study"
        try:
            yield replace(self.whole, folder=Path(shutil.copytree(self.whole.folder, folder)))
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[Path]:
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)]
        subprocess.run(mount, check=True, capture_output=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
            disk.rmdir()

    def _remove(self, copy: Copy, rule: str) -> None:
        """Remove what a rule makes, and what is made from that."""
        gone = {path for path, entry in self.manifest.items() if entry["rule"] == rule}
        while True:
            following = {
                path
                for path, entry in self.manifest.items()
                if gone.intersection(entry["inputs"]) and path not in gone
            }
            if not following:
                break
            gone |= following
        for path in gone:
            (copy.folder / path).unlink()

    def _start(self, copy: Copy) -> subprocess.Popen:
        return subprocess.Popen(
            ["snakemake"],
            cwd=copy.folder,
            env=copy.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _wait_for(self, copy: Copy, rule: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while rule not in self._begun(copy) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _begun(self, copy: Copy) -> set[str]:
        """Rules whose jobs have begun and not ended, by Snakemake's own marks."""
        marks = snakemake.files(copy.folder / ".snakemake/incomplete")
        return {self.manifest[path]["rule"] for path, _ in marks if path in self.manifest}

    def recovered(self, copy: Copy) -> list[str]:
        """What is wrong after one more, undisturbed, run."""
        done = copy.snakemake(check=False)
        if done.returncode:
            return [f"snakemake did not end well: {(done.stdout + done.stderr)[-2000:]}"]
        faults = []
        manifest = json.loads((copy.folder / self.manifest_path).read_text())
        if manifest != self.manifest:
            paths = manifest.keys() | self.manifest.keys()
            other = [path for path in paths if manifest.get(path) != self.manifest.get(path)]
            faults.append(f"another manifest: {', '.join(sorted(other))}")
        left = [*copy.folder.rglob("*.partial"), *copy.folder.rglob("resume.safetensors")]
        faults += [f"left over: {path}" for path in left]
        said = copy.run("depthlens", "verify", check=False)
        if said.returncode:
            faults.append(f"verify: {said.stdout}{said.stderr}")
        return faults


def trials(chaos: Chaos, *, kills: int, others: int) -> Iterator[Callable[[], Trial]]:
    """Every trial, rules and signals in turn."""
    for number in range(kills):
        rule = chaos.rules[number % len(chaos.rules)]
        how = SIGNALS[number // len(chaos.rules) % len(SIGNALS)]
        yield lambda rule=rule, how=how: chaos.killed(rule, how)
    for number in range(others):
        rule = chaos.rules[number % len(chaos.rules)]
        for how in ("truncated", "bit flipped", "emptied"):
            yield lambda how=how: chaos.damaged(how)
        yield lambda rule=rule: chaos.removed(rule)
        yield lambda rule=rule: chaos.twice(rule)
        yield lambda rule=rule: chaos.full_disk(rule, chaos.random.randrange(2**12, 2**19))


def table(done: list[Trial]) -> str:
    """Counts by fault, and by rule that was at work when snakemake was killed."""
    lines = ["| fault | trials | with something wrong afterwards |", "|---|---|---|"]
    for fault in dict.fromkeys(trial.fault for trial in done):
        of_it = [trial for trial in done if trial.fault == fault]
        lines.append(f"| {fault} | {len(of_it)} | {sum(bool(trial.faults) for trial in of_it)} |")
    kills = [trial for trial in done if trial.fault.startswith("kill")]
    hit = Counter(rule for trial in kills for rule in trial.hit.split(", "))
    lines += ["", "| at work when killed | kills |", "|---|---|"]
    lines += [f"| {rule} | {count} |" for rule, count in sorted(hit.items())]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=216)
    parser.add_argument("--others", type=int, default=5, help="trials of each other fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON lines, one a trial, as they end")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), seed=options.seed)
        done = []
        planned = list(trials(chaos, kills=options.kills, others=options.others))
        for trial in tqdm(planned, unit="trial", mininterval=10):
            done.append(trial())
            if options.output:
                with options.output.open("a") as file:
                    file.write(json.dumps(done[-1]._asdict()) + "\n")
            for fault in done[-1].faults:
                tqdm.write(f"{done[-1].fault} ({done[-1].hit}): {fault}")
    print(table(done))
    print(f"\n{len(done)} trials in {(time.monotonic() - begin) / 60:.0f} minutes")
    sys.exit(any(trial.faults for trial in done))


if __name__ == "__main__":
    main()
