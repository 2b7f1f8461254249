"""Files, Snakemake's memory and the records of git, brought into agreement."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from snakemake import persistence
from snakemake.persistence.file import FilePersistence

from depthlens.errors import ArtifactError
from depthlens.provenance import journal, records, snakemake
from depthlens.provenance.manifest import manifest
from depthlens.provenance.snakemake import Job


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch) -> Path:
    """A folder in which two jobs have run: `images` made a file that `depth` made two from."""
    monkeypatch.chdir(tmp_path)
    make("data/images", b"images", rule="images", params=("'{\"seed\": 1}'",))
    inputs = {"data/images": b"images"}
    finish({"results/a": b"a", "results/b": b"b"}, rule="depth", inputs=inputs)
    return tmp_path


def make(path: str, content: bytes, **job: object) -> None:
    finish({path: content}, **job)


def finish(outputs: dict[str, bytes], *, rule: str, **about: object) -> None:
    """What is there after a job: its log, its outputs, its benchmark, and Snakemake's memory.

    Snakemake writes down that a job has begun after it has, when the log may be there already.
    """
    place(f"results/logs/{rule}.log", b"")
    time.sleep(0.01)
    began = place("now", b"").stat().st_mtime
    for path, content in outputs.items():
        place(path, content)
    place(f"results/benchmarks/{rule}.tsv", b"")
    remember(outputs, rule=rule, began=began, **about)


def touch(outputs: list[str], *, rule: str, **about: object) -> None:
    """What `snakemake --touch` leaves: new dates, a log where there was none, and memory."""
    time.sleep(0.01)
    began = place("now", b"").stat().st_mtime
    for path in (*outputs, f"results/benchmarks/{rule}.tsv"):
        if Path(path).exists():
            os.utime(path)
    if not (log := Path(f"results/logs/{rule}.log")).exists():
        place(log, b"")
    remember(outputs, rule=rule, began=began, **about)


def fail(outputs: dict[str, bytes], *, rule: str, **about: object) -> None:
    """A job that failed: no benchmark, and what --keep-incomplete leaves of its outputs."""
    time.sleep(0.01)
    log = place(f"results/logs/{rule}.log", b"no")
    for path, content in outputs.items():
        place(path, content) if content else Path(path).unlink(missing_ok=True)
    remember(outputs, rule=rule, began=log.stat().st_mtime, **about)


def remember(outputs, *, rule: str, began: float, inputs=None, params=("'0123456789abcdef'",)):
    """What Snakemake remembers of a job, whether it ran or not."""
    read = tuple(sorted((name, sha256(made)) for name, made in (inputs or {}).items()))
    job = Job(rule, "command", tuple(params), read, (f"results/logs/{rule}.log",), "")
    time.sleep(0.01)  # the clock of a file system ticks
    for path in outputs:
        snakemake.write(path, job, made=began)


def place(path: str | Path, content: bytes) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content)
    return Path(path)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def change(path: str, content: bytes) -> None:
    """Other bytes, without a trace in the date of the file."""
    before = Path(path).stat()
    Path(path).write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def forget() -> None:
    """What a clone does not have."""
    shutil.rmtree(".snakemake")
    snakemake.FOLDER.mkdir()


def checkout_after_another_run() -> None:
    """Records of the first run in git's hands, after a run with another seed."""
    journal.settle()
    shutil.copytree("provenance", "theirs")
    make("data/images", b"others", rule="images", params=("'{\"seed\": 2}'",))
    journal.settle()
    shutil.rmtree("provenance")
    shutil.move("theirs", "provenance")


def test_finished_jobs_are_recorded_and_usable():
    found = journal.settle()
    assert found.unusable == {}
    assert sorted(found.made) == ["data/images", "results/a", "results/b"]
    jobs = {record.job.rule: record for record in records.read()}
    assert {path: made.sha256 for path, made in jobs["depth"].outputs.items()} == {
        "results/a": sha256(b"a"),
        "results/b": sha256(b"b"),
    }
    assert journal.settle().made == []


def test_records_are_the_same_bytes_whenever_they_are_written():
    journal.settle()
    before = {path: path.read_bytes() for path in Path("provenance").rglob("*.json")}
    shutil.rmtree("provenance")
    os.utime("results/a")
    Path(snakemake.FOLDER / "depthlens/journal.json").unlink()
    finish({"results/a": b"a", "results/b": b"b"}, rule="depth", inputs={"data/images": b"images"})
    journal.settle()
    assert {path: path.read_bytes() for path in Path("provenance").rglob("*.json")} == before


def test_a_clone_learns_what_made_its_files():
    journal.settle()
    before = snakemake.read().jobs
    forget()
    assert journal.settle().unusable == {}
    assert snakemake.read().jobs == before


def test_a_file_that_is_missing_has_its_job_all_the_same():
    journal.settle()
    before = snakemake.read().jobs
    forget()
    Path("results/a").unlink()
    assert journal.settle().unusable == {}
    assert snakemake.read().jobs == before


@pytest.mark.parametrize("known", ["here", "from git"])
def test_changed_bytes_are_not_used_until_they_are_back(known):
    journal.settle()
    if known == "from git":
        forget()
    change("results/b", b"B")
    for _ in range(2):
        assert journal.settle().unusable == {"results/b": "its bytes have changed"}
        assert set(snakemake.read().marked) == {"results/b"}
    # The record is that of the whole job.
    record = next(record for record in records.read() if record.job.rule == "depth")
    assert record.outputs["results/b"].sha256 == sha256(b"b")
    change("results/b", b"b")
    assert journal.settle().unusable == {}
    assert not snakemake.read().marked


def test_a_file_that_changed_before_its_digest_was_taken_is_not_used():
    time.sleep(0.01)
    change("results/a", b"A")
    assert journal.settle().unusable == {"results/a": "its bytes have changed"}
    assert not any(record.job.rule == "depth" for record in records.read())


def test_a_file_that_was_merely_moved_about_is_used_if_its_reader_knows_its_bytes():
    time.sleep(0.01)
    Path("data/images").chmod(0o600)
    assert journal.settle().unusable == {}
    assert {"images", "depth"} == {record.job.rule for record in records.read()}


def test_a_marked_file_whose_reader_knows_its_bytes_is_used_again():
    time.sleep(0.01)
    change("data/images", b"other!")
    assert set(journal.settle().unusable) == {"data/images", "results/a", "results/b"}
    change("data/images", b"images")
    assert journal.settle().unusable == {}


def test_what_was_made_from_other_bytes_is_not_used():
    journal.settle()
    make("data/images", b"others", rule="images", params=("'{\"seed\": 2}'",))
    assert journal.settle().unusable == {
        "results/a": "it was made from another data/images",
        "results/b": "it was made from another data/images",
    }


def test_what_was_made_from_a_file_that_vanished_meanwhile_is_not_used():
    vanished = Job("figure", "command", (), (("data/images", ""),), (), "")
    Path("results/figure").write_bytes(b"figure")
    time.sleep(0.01)
    snakemake.write("results/figure", vanished)
    assert journal.settle().unusable == {
        "results/figure": "nobody knows which data/images it was made from"
    }


def test_a_source_without_a_digest_is_no_reason_to_make_again():
    source = Job("figure", "command", (), (("config.yaml", ""),), (), "")
    Path("results/figure").write_bytes(b"figure")
    time.sleep(0.01)
    snakemake.write("results/figure", source)
    assert journal.settle().unusable == {}


def test_a_job_whose_temporary_files_are_gone_is_recorded_with_the_others():
    finish({"results/kept": b"kept", "results/temporary": b"t"}, rule="forward")
    Path("results/temporary").unlink()
    assert journal.settle().unusable == {}
    (record,) = (record for record in records.read() if record.job.rule == "forward")
    assert list(record.outputs) == ["results/kept"]
    assert manifest(["results/kept"])["results/kept"]["sha256"] == sha256(b"kept")


def test_temporary_files_of_another_job_leave_nothing_of_the_one_before():
    """Made and recorded while they were kept; then made anew, read, and removed."""
    outputs = {"results/kept": b"kept", "results/temporary": b"t"}
    finish(outputs, rule="forward", params=("'first'",))
    finish({"results/c": b"c"}, rule="reader", inputs={"results/temporary": b"t"})
    journal.settle()
    outputs = {"results/kept": b"new", "results/temporary": b"new"}
    finish(outputs, rule="forward", params=("'second'",))
    finish({"results/c": b"c"}, rule="reader", inputs={"results/temporary": b"new"})
    Path("results/temporary").unlink()
    for _ in range(2):  # at the end of the run, and at the start of the next
        assert journal.settle().unusable == {}
        assert snakemake.read().jobs["results/temporary"].params == ("'second'",)
        assert manifest(["results/c", "results/kept"]).keys() == {"results/c", "results/kept"}


def test_a_record_keeps_a_file_that_somebody_removed():
    journal.settle()
    Path("results/b").unlink()
    journal.settle()
    (record,) = (record for record in records.read() if record.job.rule == "depth")
    assert record.outputs["results/b"].sha256 == sha256(b"b")


def test_an_output_that_nobody_made_is_not_used():
    Path("results/c").write_bytes(b"c")
    found = journal.settle(["results/c"])
    assert found.unusable == {"results/c": "nothing says what made it"}
    assert journal.settle(["results/c"]).unusable == {"results/c": "its bytes have changed"}


def test_a_job_that_ran_again_with_equal_bytes_has_a_new_record():
    journal.settle()
    make("data/images", b"images", rule="images", params=("'{\"seed\": 2}'",))
    assert journal.settle().unusable == {}
    found = next(record for record in records.read() if record.job.rule == "images")
    assert found.job.params == ("'{\"seed\": 2}'",)


def recorded(path: str) -> tuple[str, ...]:
    """Params of the job that the record of an output names."""
    return next(record.job.params for record in records.read() if path in record.outputs)


def test_every_rule_keeps_a_log_and_a_benchmark_under_the_same_name(repository):
    for path in (repository / "rules").glob("*.smk"):
        rules = re.split(r"^ *(?:rule:|rule \w+:)$", path.read_text(), flags=re.MULTILINE)[1:]
        for rule in rules:
            if re.search(r"^ *output:$", rule, re.MULTILINE):
                (log,) = re.findall(r"^ *log:\n *f?\"(.*)\",$", rule, re.MULTILINE)
                (benchmark,) = re.findall(r"^ *benchmark:\n *f?\"(.*)\"$", rule, re.MULTILINE)
                assert benchmark == log.replace("logs/", "benchmarks/").replace(".log", ".tsv")


@pytest.mark.parametrize("folder", ["where it ran", "a clone"])
def test_touching_a_file_makes_no_record(folder):
    journal.settle()
    before = recorded("data/images")
    if folder == "a clone":  # neither logs nor benchmarks are in git
        forget()
        shutil.rmtree("results/logs")
        shutil.rmtree("results/benchmarks")
        journal.settle()
    touch(["data/images"], rule="images", params=("'{\"seed\": 2}'",))
    for _ in range(2):
        assert journal.settle() == ({}, [])
        assert recorded("data/images") == before
        assert snakemake.read().jobs["data/images"].params == before


def test_touching_everything_does_not_vouch_for_a_file_that_was_copied_there():
    journal.settle()
    change("data/images", b"other!")
    journal.settle()
    touch(["data/images"], rule="images", params=("'{\"seed\": 1}'",))
    touch(["results/a", "results/b"], rule="depth", inputs={"data/images": b"other!"})
    place("results/new", b"new")
    touch(["results/new"], rule="figure", inputs={"data/images": b"other!"})
    assert journal.settle().unusable == {
        "data/images": "its bytes have changed",
        "results/a": "it was made from another data/images",
        "results/b": "it was made from another data/images",
        "results/new": "nothing says what made it",
    }


def test_touching_all_of_a_study_that_is_up_to_date_changes_nothing():
    journal.settle()
    before = {path: path.read_bytes() for path in Path("provenance").rglob("*.json")}
    touch(["data/images"], rule="images", params=("'{\"seed\": 1}'",))
    touch(["results/a", "results/b"], rule="depth", inputs={"data/images": b"images"})
    assert journal.settle() == ({}, [])
    assert {path: path.read_bytes() for path in Path("provenance").rglob("*.json")} == before


def test_touching_a_temporary_file_that_is_gone_does_not_hide_that_its_job_has_changed():
    finish({"results/shard": b"s"}, rule="forward", params=("'first'",))
    Path("results/shard").unlink()
    journal.settle()
    touch(["results/shard"], rule="forward", params=("'second'",))
    assert journal.settle().unusable == {"results/shard": "its job did not run to the end"}
    assert "results/shard" in snakemake.read().marked


def test_what_a_failed_job_leaves_is_not_made_by_it():
    journal.settle()
    fail({"data/images": b"half"}, rule="images", params=("'{\"seed\": 2}'",))
    assert journal.settle().unusable["data/images"] == "its bytes have changed"
    assert recorded("data/images") == ("'{\"seed\": 1}'",)


def test_a_file_that_a_failed_job_left_missing_is_made_once():
    """Snakemake remembers the failed job, which is equal to the one that then succeeds."""
    fail({"results/new": b""}, rule="figure")
    journal.settle()
    make("results/new", b"new", rule="figure")
    found = journal.settle()
    assert found.unusable == {} and "results/new" in found.made
    assert journal.settle() == ({}, [])


def test_a_job_that_ran_again_with_other_bytes_is_recorded_with_those():
    """As training on a GPU may, after --forcerun."""
    journal.settle()
    make("data/images", b"second", rule="images", params=("'{\"seed\": 1}'",))
    assert "data/images" not in journal.settle().unusable
    (record,) = (record for record in records.read() if record.job.rule == "images")
    assert record.outputs["data/images"].sha256 == sha256(b"second")


def test_new_dates_of_files_logs_and_benchmarks_do_not_count():
    journal.settle()
    shutil.rmtree("provenance")
    time.sleep(0.01)
    for path in (*Path("data").rglob("*"), *Path("results").rglob("*")):
        os.utime(path)
    assert journal.settle().unusable == {}


def test_whoever_pulled_a_file_did_not_make_it():
    journal.settle()
    make("data/images", b"images", rule="pull_images", params=())
    assert journal.settle().unusable == {}
    assert {"images", "depth"} == {record.job.rule for record in records.read()}
    assert snakemake.read().jobs["data/images"].rule == "images"


def test_a_record_of_git_counts_once_its_bytes_are_there():
    checkout_after_another_run()
    # Their record is here, their bytes are not: ours are still those of our job.
    assert "data/images" not in journal.settle().unusable
    assert snakemake.read().jobs["data/images"].params == ("'{\"seed\": 2}'",)


def test_git_brings_back_an_earlier_state_with_its_bytes():
    checkout_after_another_run()
    Path("data/images").write_bytes(b"images")
    assert journal.settle().unusable == {}
    assert snakemake.read().jobs["data/images"].params == ("'{\"seed\": 1}'",)


def test_outputs_of_a_job_that_has_not_ended_are_left_to_snakemake():
    journal.settle()
    marker = snakemake.record_file("results/a").parent.parent / "incomplete"
    marker.mkdir(parents=True)
    (marker / snakemake.record_file("results/a").name).write_text("{}")
    change("results/a", b"half")
    assert journal.settle().unusable == {}
    record = next(record for record in records.read() if record.job.rule == "depth")
    assert record.outputs["results/a"].sha256 == sha256(b"a")


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"outputs": 3}'])
def test_a_damaged_journal_costs_a_look_at_every_file_and_no_more(content):
    journal.settle()
    Path(snakemake.FOLDER / "depthlens/journal.json").write_text(content)
    assert journal.settle().unusable == {}


@pytest.mark.parametrize("memory", ['{"rule": "dep', None])
def test_a_memory_that_is_half_written_or_cleaned_up_counts_as_none(memory):
    journal.settle()
    file = snakemake.record_file("results/a")
    file.write_text(memory) if memory else file.unlink()
    assert journal.settle().unusable == {}
    assert snakemake.read().jobs["results/a"].rule == "depth"


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"rule": 1, "outputs": []}'])
def test_a_damaged_record_is_named(content):
    journal.settle()
    path = Path("provenance/jobs/results/a.json")
    path.write_text(content)
    with pytest.raises(ArtifactError, match=str(path)):
        journal.settle()


@pytest.mark.parametrize("path", ["data/images", "ü/" + "/".join(["long-" * 20] * 3)])
def test_snakemake_itself_finds_what_is_written_for_it(path):
    theirs = FilePersistence(path=Path(snakemake.FOLDER).absolute())
    snakemake.write(
        path, job := Job("rule", "command", ("'a'", "'b'"), (("in", "0" * 64),), (), "")
    )
    record = theirs._read_record(path)
    assert record.record_format_version == persistence.RECORD_FORMAT_VERSION
    assert (record.rule, record.code, record.params) == ("rule", "command", ["'a'", "'b'"])
    assert (record.input, record.input_checksums) == (["in"], {"in": f"sha256:{'0' * 64}"})
    theirs._write_record(path, record)
    assert snakemake.read().jobs[path] == job


def test_long_paths_are_remembered():
    path = "results/" + "/".join(["long-" * 20] * 3)
    make(path, b"x", rule="long")
    assert journal.settle().unusable == {}
    assert snakemake.read().jobs[path].rule == "long"


def test_modules_of_a_digest_are_kept_while_a_record_names_it():
    digest = "0123456789abcdef"
    journal.settle(modules={digest: {"depth": "1"}, "f" * 16: {}})
    assert records.modules(digest) == {"depth": "1"}
    assert not Path(f"provenance/code/{'f' * 16}.json").exists()
    inputs = {"data/images": b"images"}
    finish({"results/a": b"a", "results/b": b"b"}, rule="depth", inputs=inputs, params=("'x'",))
    journal.settle()
    assert records.modules(digest) == {}


def test_manifest_follows_inputs_and_states_config_and_code():
    make("elsewhere", b"x", rule="other")
    journal.settle()
    found = manifest(["results/a"])
    assert set(found) == {"data/images", "results/a", "results/b"}
    assert found["data/images"]["config"] == {"seed": 1}
    assert found["results/a"]["code"] == "0123456789abcdef"
    assert found["results/a"]["bytes"] == 1
    with pytest.raises(ArtifactError, match=r"results/z: there is no record"):
        manifest(["results/z"])


def test_manifest_refuses_results_of_other_inputs():
    journal.settle()
    make("data/images", b"others", rule="images")
    journal.settle()
    with pytest.raises(ArtifactError, match="results/a: was made from another data/images"):
        manifest(["results/a"])


def test_one_process_at_a_time_and_the_dead_hold_no_lock(monkeypatch):
    program = "from depthlens.provenance import journal; print(journal.begin(), flush=True); "
    held = subprocess.Popen(
        [sys.executable, "-c", program + "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert held.stdout.readline() == b"True\n"
    locks = snakemake.FOLDER / "locks"
    locks.mkdir()
    (locks / "0.input.lock").write_text("data/images")
    assert not journal.begin()
    assert (locks / "0.input.lock").exists()
    held.send_signal(signal.SIGKILL)
    held.wait()
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout == b"True\n"
    assert not locks.exists()
