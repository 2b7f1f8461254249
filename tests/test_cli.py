"""The command line: what is wrong is said in one clear line, and nothing half-written is left."""

import errno
import inspect
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import save_file

from depthlens import config, tables
from depthlens.cli import cli
from depthlens.stages import knn as knn_stage
from depthlens.stages import neighbours as neighbours_stage
from depthlens.stages import train as train_stage

PROBE = "09-avgpool"
STAGES = sorted(path.stem for path in Path(train_stage.__file__).parent.glob("[!_]*.py"))
STAGES.remove("runs")  # what several read


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def assert_one_clear_line(outcome, *words: str) -> None:
    """The message is one line; around it only the log and the progress bar may stand."""
    assert outcome.status == 1
    assert "Traceback" not in outcome.err + outcome.out
    errors = [line for line in outcome.err.replace("\r", "\n").splitlines() if "error" in line]
    assert len(errors) == 1, outcome.err
    assert errors[0].startswith("error: ")
    for word in words:
        assert word in errors[0]


@pytest.fixture(scope="session")
def tiny_neighbours(tiny_run, blocks, tmp_path_factory) -> Path:
    """What the only shard of the references has to offer to the test split."""
    path = tmp_path_factory.mktemp("shards") / "1-of-1.parquet"
    neighbours_stage.run(
        references=tiny_run.activations("train", PROBE),
        shard="1-of-1",
        queries=tiny_run.activations("test", PROBE),
        output=path,
        cfg=blocks["knn"],
    )
    return path


@pytest.fixture
def commands(tiny_run, tiny_neighbours, blocks, tmp_path) -> dict[str, dict[str, object]]:
    """Every command that reads and writes files, as options that work; outputs below `out`."""
    out = tmp_path / "out"
    forward = {"activations": blocks["activations"], "model": blocks["model"]}
    training = blocks["training"] | {"epochs": 1, "snapshots": 1}
    return {
        "generate": {
            "--split": "test",
            "--output": out / "test.parquet",
            "--cfg": blocks["dataset"],
        },
        "resample": {
            "--train-images": tiny_run.images("train"),
            "--test-images": tiny_run.images("test"),
            "--number": 1,
            "--train-output": out / "train.parquet",
            "--test-output": out / "test.parquet",
            "--cfg": {"held_out": 0.5, "seed": 1},
        },
        "train": {
            "--train-images": tiny_run.images("train"),
            "--test-images": tiny_run.images("test"),
            "--seed": 1,
            "--checkpoint": out / "checkpoint.safetensors",
            "--history": out / "history.parquet",
            "--dynamics": out / "dynamics.parquet",
            "--dynamics-test": out / "dynamics_test.parquet",
            "--snapshots": out / "snapshots.safetensors",
            "--resume": out / "resume.safetensors",
            "--cfg": {"training": training, "model": blocks["model"]},
        },
        "probes": {
            "--images": tiny_run.images("train"),
            "--checkpoint": tiny_run.checkpoint,
            "--output": out / "probes.parquet",
            "--cfg": forward,
        },
        "activations": {
            "--images": tiny_run.images("test"),
            "--checkpoint": tiny_run.checkpoint,
            "--output": out / "activations",
            "--predictions": out / "predictions.parquet",
            "--cfg": forward,
        },
        "knn": {
            "--queries": tiny_run.activations("test", PROBE),
            "--references": tiny_run.activations("train", PROBE),
            "--labels": tiny_run.predictions("train"),
            "--output": out / "knn.parquet",
            "--cfg": blocks["knn"],
        },
        "neighbours": {
            "--references": tiny_run.activations("train", PROBE),
            "--shard": "2-of-3",
            "--queries": tiny_run.activations("test", PROBE),
            "--output": out / "neighbours.parquet",
            "--cfg": blocks["knn"],
        },
        "votes": {
            "--references": tiny_run.activations("train", PROBE),
            "--labels": tiny_run.predictions("train"),
            "--output": out / "knn.parquet",
            "--cfg": blocks["knn"],
            "": tiny_neighbours,
        },
        "convergence": {
            "--train-predictions": tiny_run.predictions("train"),
            "--test-predictions": tiny_run.predictions("test"),
            "--output": out / "convergence.json",
            "--cfg": blocks["convergence"],
        },
        "depth": {
            "--predictions": tiny_run.predictions("test"),
            "--convergence": tiny_run.folder / "convergence.json",
            "--output": out / "depth.parquet",
            "": tiny_run.knn("test", PROBE),
        },
        "scores": {
            "--split": "test",
            "--predictions": tiny_run.predictions("test"),
            "--knn": tiny_run.knn("test", PROBE),
            "--features": tiny_run.activations("test", PROBE),
            "--reference-features": tiny_run.activations("train", PROBE),
            "--labels": tiny_run.predictions("train"),
            "--dynamics": tiny_run.dynamics("test"),
            "--snapshots": tiny_run.snapshots,
            "--images": tiny_run.images("test"),
            "--checkpoint": tiny_run.checkpoint,
            "--output": out / "scores.parquet",
            "--cfg": {"scores": blocks["scores"], "model": blocks["model"]},
        },
        "card": {
            "--train-images": tiny_run.images("train"),
            "--test-images": tiny_run.images("test"),
            "--output": out / "card.parquet",
            "--reliability": out / "reliability.parquet",
            "--cfg": {"confidence_level": 0.9, "bootstrap_samples": 100, "bootstrap_seed": 0},
            "": tiny_run.folder,
        },
    }


def shell(options: dict[str, object], **changed: object) -> list[str]:
    """Options as words; a changed one is named without its dashes."""
    merged = options | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    words = []
    for name, value in merged.items():
        text = json.dumps(value) if isinstance(value, dict) else str(value)
        words += [name, text] if name else [text]
    return words


INPUTS = [
    ("train", "--train-images"),
    ("train", "--test-images"),
    ("probes", "--images"),
    ("probes", "--checkpoint"),
    ("activations", "--images"),
    ("activations", "--checkpoint"),
    ("knn", "--queries"),
    ("knn", "--references"),
    ("knn", "--labels"),
    ("neighbours", "--queries"),
    ("neighbours", "--references"),
    ("votes", ""),
    ("votes", "--references"),
    ("votes", "--labels"),
    ("convergence", "--train-predictions"),
    ("convergence", "--test-predictions"),
    ("depth", "--predictions"),
    ("depth", "--convergence"),
    ("depth", ""),
    ("scores", "--predictions"),
    ("scores", "--knn"),
    ("scores", "--features"),
    ("scores", "--reference-features"),
    ("scores", "--labels"),
    ("scores", "--dynamics"),
    ("scores", "--snapshots"),
    ("scores", "--images"),
    ("scores", "--checkpoint"),
    ("card", "--train-images"),
    ("card", "--test-images"),
]


@pytest.mark.parametrize(
    "command",
    ["generate", "probes", "knn", "neighbours", "votes", "convergence", "depth", "scores"],
)
def test_a_command_copied_from_the_log_works(depthlens, commands, command, tmp_path):
    outcome = depthlens(command, *shell(commands[command]))
    assert outcome.status == 0
    assert files_in(tmp_path / "out") == {commands[command]["--output"].name}


@pytest.mark.parametrize(("command", "option"), INPUTS)
def test_a_missing_input_is_named(depthlens, commands, command, option, tmp_path):
    missing = tmp_path / "missing.file"
    outcome = depthlens(command, *shell(commands[command] | {option: missing}))
    assert_one_clear_line(outcome, str(missing), "no such file")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "option"), INPUTS)
def test_a_truncated_input_is_named(depthlens, commands, command, option, tmp_path):
    whole = commands[command][option]
    half = tmp_path / f"half{whole.suffix}"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    outcome = depthlens(command, *shell(commands[command] | {option: half}))
    assert_one_clear_line(outcome, str(half), "delete it and run again")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "option"), INPUTS)
def test_a_foreign_input_is_named(depthlens, commands, command, option, tmp_path):
    foreign = tmp_path / f"foreign{commands[command][option].suffix}"
    if foreign.suffix == ".parquet":
        pd.DataFrame({"example_id": [0, 1], "label": [0, 1]}).to_parquet(foreign)
    elif foreign.suffix == ".safetensors":
        save_file({"weight": torch.ones(2)}, foreign)
    else:
        foreign.write_text('{"loss": 1}')
    outcome = depthlens(command, *shell(commands[command] | {option: foreign}))
    assert_one_clear_line(outcome, str(foreign))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "option"), [i for i in INPUTS if i[1] != "--convergence"])
def test_a_table_of_ours_of_another_kind_is_named(depthlens, commands, command, option, tmp_path):
    other = tmp_path / "other.parquet"
    tables.write(other, {"epoch": np.arange(3)}, {})
    outcome = depthlens(command, *shell(commands[command] | {option: other}))
    assert_one_clear_line(outcome, str(other))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "option"), INPUTS)
def test_a_folder_in_place_of_an_input_is_named(depthlens, commands, command, option, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    outcome = depthlens(command, *shell(commands[command] | {option: folder}))
    assert_one_clear_line(outcome, str(folder))
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_named_with_the_one_that_was_meant(
    depthlens, commands, blocks, tmp_path
):
    cfg = {"training": blocks["training"], "model": {"architecture": "resnet81"}}
    outcome = depthlens("train", *shell(commands["train"], cfg=cfg))
    assert_one_clear_line(outcome, "no classifier 'resnet81'; did you mean 'resnet18'?")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_model_is_named(depthlens, commands, blocks, tmp_path):
    cfg = {"activations": blocks["activations"], "model": {"architecture": "resnet34"}}
    outcome = depthlens("activations", *shell(commands["activations"], cfg=cfg))
    assert_one_clear_line(outcome, "checkpoint.safetensors", "another network", "resnet34")
    assert not (tmp_path / "out").exists()


def test_an_unknown_probe_is_named_with_the_one_that_was_meant(
    depthlens, commands, blocks, tmp_path
):
    activations = blocks["activations"] | {"probes": ["layer1", "layr2"]}
    cfg = {"activations": activations, "model": blocks["model"]}
    for command in ("probes", "activations"):
        outcome = depthlens(command, *shell(commands[command], cfg=cfg))
        assert_one_clear_line(outcome, "no module 'layr2'; did you mean 'layer2'?")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["train", "activations", "knn"])
def test_a_gpu_that_is_not_there_is_one_clear_line(
    depthlens, commands, command, monkeypatch, tmp_path
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cfg = commands[command]["--cfg"]
    block = {"train": "training", "activations": "activations"}.get(command)
    asked = cfg | ({block: cfg[block] | {"device": "cuda"}} if block else {"device": "cuda"})
    outcome = depthlens(command, *shell(commands[command], cfg=asked))
    assert_one_clear_line(outcome, f"{block or 'knn'}.device: cuda was asked for")
    assert not (tmp_path / "out").exists()


def test_more_neighbours_than_references_is_one_clear_line(depthlens, commands, blocks, tmp_path):
    cfg = blocks["knn"] | {"n_neighbors": 97}
    outcome = depthlens("knn", *shell(commands["knn"], cfg=cfg))
    assert_one_clear_line(outcome, "knn: 97 neighbours of 96 references")
    assert not (tmp_path / "out").exists()


def test_depth_of_an_unconverged_network_is_one_clear_line(depthlens, commands, tmp_path):
    measured = {"train_accuracy": 0.4, "test_accuracy": 0.3, "converged": False}
    asked = {"min_train_accuracy": 0.99, "allow_unconverged": False}
    tables.write_json(tmp_path / "convergence.json", measured | asked)
    options = commands["depth"] | {"--convergence": tmp_path / "convergence.json"}
    outcome = depthlens("depth", *shell(options))
    assert_one_clear_line(outcome, "40.00%", "99.00%", "convergence.allow_unconverged")
    assert not (tmp_path / "out").exists()


WRITERS = [
    "generate",
    "train",
    "probes",
    "activations",
    "knn",
    "neighbours",
    "votes",
    "convergence",
    "depth",
]


@pytest.mark.parametrize("command", WRITERS)
def test_a_folder_that_cannot_be_made_is_one_clear_line(depthlens, commands, command, tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")
    outcome = depthlens(command, *shell(commands[command]))
    assert_one_clear_line(outcome, str(tmp_path / "out"), "cannot be written")
    assert files_in(tmp_path) == {"out"}


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("command", WRITERS)
def test_a_read_only_disk_is_one_clear_line(
    depthlens, commands, command, number, monkeypatch, tmp_path
):
    def refuse(path, *_args, **_kwargs):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    outcome = depthlens(command, *shell(commands[command]))
    assert_one_clear_line(outcome, "cannot be written", os.strerror(number))
    assert not (tmp_path / "out").exists()


LIMITED = """
    import resource, sys
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    from depthlens.cli import main
    sys.argv[0] = "depthlens"
    main()
"""


@pytest.mark.parametrize("command", ["activations", "train"])
def test_a_disk_that_fills_up_is_one_clear_line_and_leaves_nothing(commands, command, tmp_path):
    # No file may grow beyond 100 kB: the system refuses in the middle of a large one.
    script = textwrap.dedent(LIMITED).format(limit=10**5)
    done = subprocess.run(
        [sys.executable, "-c", script, command, *shell(commands[command])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "cannot be written" in errors[0]
    assert files_in(tmp_path) == set()


def test_a_disk_that_fills_up_in_a_table_leaves_nothing(depthlens, commands, monkeypatch, tmp_path):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tables.pq.ParquetWriter, "write_table", full)
    for command in ("generate", "knn", "depth"):
        outcome = depthlens(command, *shell(commands[command]))
        assert_one_clear_line(outcome, "cannot be written (No space left on device)")
        assert files_in(tmp_path) == set()


def test_out_of_memory_says_what_to_lower(depthlens, commands, monkeypatch, tmp_path):
    def too_much(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(knn_stage, "nearest", too_much)
    outcome = depthlens("knn", *shell(commands["knn"]))
    assert_one_clear_line(outcome, "out of memory; lower knn.memory")
    assert files_in(tmp_path) == set()


def test_an_interrupt_leaves_nothing_and_says_so(depthlens, commands, monkeypatch, tmp_path):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_stage.loop, "train", interrupted)
    outcome = depthlens("train", *shell(commands["train"]))
    assert outcome.status == 130
    assert "error: interrupted; nothing half-written was kept" in outcome.err
    assert "Traceback" not in outcome.err
    assert files_in(tmp_path) == set()


def stop_while_training(commands, sent: signal.Signals) -> subprocess.CompletedProcess:
    """Start a long training through the installed command and end it after its first epoch."""
    options = commands["train"]
    training = options["--cfg"]["training"] | {"epochs": 400}
    cfg = {"training": training, "model": {"architecture": "squeezenet1_1"}}
    program = Path(sys.executable).with_name("depthlens")
    command = [str(program), "train", *shell(options, cfg=cfg)]
    resume = options["--resume"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # Where tests run in the background, a shell has made them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        while not resume.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(sent)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, "", err)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_stopped_keeps_its_epochs_and_nothing_half_written(
    commands, tmp_path, sent
):
    done = stop_while_training(commands, sent)
    assert done.returncode == 130, done.stderr
    assert "error: interrupted; nothing half-written was kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert files_in(tmp_path / "out") == {"resume.safetensors"}


def test_a_training_that_is_killed_goes_on_after_its_last_whole_epoch(
    commands, tmp_path, depthlens
):
    done = stop_while_training(commands, signal.SIGKILL)
    assert done.returncode == -signal.SIGKILL
    # Killed without a chance to tidy up: a half-written file may lie there, under another name.
    kept = {name for name in files_in(tmp_path / "out") if not name.endswith(".partial")}
    assert kept == {"resume.safetensors"}
    _, about = train_stage.checkpoints.load_tensors(tmp_path / "out/resume.safetensors")
    assert [epoch["epoch"] for epoch in about["epochs"]] == list(range(1, len(about["epochs"]) + 1))


@pytest.mark.parametrize("stage", STAGES)
def test_the_options_of_a_command_are_what_its_stage_takes(stage):
    options = cli.commands[stage.replace("_", "-")].params
    taken = inspect.signature(import_module(f"depthlens.stages.{stage}").run).parameters
    assert {option.name for option in options} == taken.keys()


@pytest.mark.parametrize("words", [["-h"], ["train", "--help"], ["--version"]])
def test_help_is_given(depthlens, words):
    outcome = depthlens(*words)
    assert outcome.status == 0
    assert outcome.out
    assert not outcome.err


def test_every_command_says_what_it_does(depthlens):
    listed = depthlens("--help").out
    for command in (*WRITERS, "import-images", "schema", "check"):
        line = next(line for line in listed.splitlines() if line.split()[:1] == [command])
        assert line.strip().endswith((".", "..."))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "No such command"),
        (["generate"], "Missing option"),
        (["generate", "--split", "validation"], "validation"),
        (["generate", "--split", "test", "--output", "x", "--cfg", "{"], "not JSON"),
        (["train", "--seed", "-1"], "-1"),
        (["train", "--seed", "one"], "one"),
    ],
)
def test_a_mistyped_command_is_explained(depthlens, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = depthlens(*words)
    assert outcome.status == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert files_in(tmp_path) == set()


def test_schema_writes_the_schema(depthlens, tmp_path):
    assert depthlens("schema", "--output", tmp_path / "s.json").status == 0
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == config.schema()


def test_check_passes_a_valid_study(depthlens, repository):
    outcome = depthlens("check", repository / "config.yaml")
    assert outcome.status == 0
    assert outcome.out == f"{repository / 'config.yaml'}: valid\n"


def test_check_names_every_fault_of_an_invalid_study_on_a_line_of_its_own(
    depthlens, repository, tmp_path
):
    values = yaml.safe_load((repository / "config.yaml").read_text(encoding="utf-8"))
    values["training"]["epoch"] = 3
    values["knn"]["n_neighbors"] = 0
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    outcome = depthlens("check", path)
    assert outcome.status == 1
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 2
    assert lines[0] == (f"error: {path}: training.epoch: unknown key; did you mean 'epochs'?")
    assert lines[1].startswith(f"error: {path}: knn.n_neighbors: ")


def test_a_network_of_a_users_that_fails_underway_is_one_line(
    depthlens, commands, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moody.py").write_text("""
from torch import nn

class Net(nn.Linear):
    def forward(self, images):
        if self.training:
            raise KeyError("mood")
        return super().forward(images.flatten(1))

def make(n_classes):
    return Net(3 * 32 * 32, n_classes)
""")
    options = commands["train"]
    options["--cfg"] = options["--cfg"] | {"model": {"architecture": "moody:make"}}
    outcome = depthlens("train", *shell(options))
    assert outcome.status == 1
    said = f"error: code of yours failed: KeyError: 'mood' ({tmp_path / 'moody.py'}, line 7)"
    assert outcome.err.splitlines()[-1] == said
    assert not (tmp_path / "out/checkpoint.safetensors").exists()


@pytest.mark.parametrize("name", ["--checkpoint", "--history", "--resume"])
def test_what_cannot_be_written_is_found_before_the_work(
    depthlens, commands, tmp_path, name, monkeypatch
):
    monkeypatch.setattr("depthlens.stages.train.run", None)
    (tmp_path / "file").touch()
    options = commands["train"] | {name: tmp_path / "file/below"}
    outcome = depthlens("train", *shell(options))
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == (
        f"error: {tmp_path}/file/below: cannot be written ({tmp_path}/file: Not a directory); "
        "name another place"
    )
    assert not (tmp_path / "out").exists()
