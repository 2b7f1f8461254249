"""The shell that DVC puts around the study agrees with it, and carries it to another machine."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from depthlens.study import Study

from .conftest import Copy, tiny

REPOSITORY = Path(__file__).parents[2]
STAGES = {"data", "checkpoint", "difficulty", "card", "figures", "report"}
"""of the study; those of the chapters wait until they are asked for"""


def edit(copy: Copy, block: str, **changes: object) -> None:
    config = copy.folder / "config.yaml"
    values = yaml.safe_load(config.read_text())
    values[block].update(changes)
    config.write_text(yaml.safe_dump(values, sort_keys=False))


def stages_run(said: str) -> set[str]:
    """Kinds of stages that `dvc repro` ran, from what it said."""
    lines = [line for line in said.splitlines() if line.startswith("Running stage")]
    return {line.split("'")[1].split("@")[0] for line in lines}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Copy:
    """The study as `dvc repro` makes it from nothing, committed to git and pushed to a remote."""
    first = tiny(tmp_path_factory.mktemp("first") / "study")
    first.run("git", "init", "--quiet")
    first.run("git", "config", "user.email", "someone@example.org")
    first.run("git", "config", "user.name", "Someone")
    remote = tmp_path_factory.mktemp("remote")
    first.run("dvc", "remote", "add", "--quiet", "--default", "storage", str(remote))
    first.run("git", "add", ".")
    first.run("git", "commit", "--quiet", "--message", "The study")
    said = first.run("dvc", "repro").stdout
    assert stages_run(said) == STAGES
    first.run("dvc", "push", "--quiet")
    first.run("git", "add", ".")
    first.run("git", "commit", "--quiet", "--message", "What DVC keeps")
    return first


@pytest.fixture
def clone(published, tmp_path) -> Copy:
    """The same repository on another machine, with what DVC keeps."""
    copy = Copy(tmp_path / "elsewhere")
    published.run("git", "clone", "--quiet", str(published.folder), str(copy.folder))
    copy.run("dvc", "pull", "--quiet", "dvc.yaml")
    return copy


def test_dvc_reads_exactly_the_blocks_that_the_config_has():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    read = set()
    for stage in stages.values():
        for params in stage.get("do", stage)["params"]:
            read |= {key.split(".")[0] for key in params["config.yaml"]}
    assert read == set(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))


def test_a_study_that_snakemake_made_is_taken_in_and_not_made_again(finished, tmp_path):
    study = Copy(Path(shutil.copytree(finished.folder, tmp_path / "study")))
    study.run("dvc", "init", "--no-scm", "--quiet", "--force")
    done = study.run("dvc", "repro")
    assert stages_run(done.stdout) == STAGES
    assert "Finished jobid" not in done.stdout + done.stderr
    assert study.run("dvc", "status", "--json", "dvc.yaml").stdout.strip() == "{}"


def test_what_dvc_keeps_is_what_a_clone_needs(published):
    values = yaml.safe_load((published.folder / "config.yaml").read_text())
    lock = yaml.safe_load((published.folder / "dvc.lock").read_text())
    tracked = {out["path"] for stage in lock["stages"].values() for out in stage["outs"]}
    for run in Study(values, source="config.yaml").runs():
        assert f"{run.folder}/checkpoint.safetensors" in tracked
        assert f"{run.folder}/depth" in tracked
        assert not any("activations" in path for path in tracked)


def test_dvc_compares_accuracies_and_mean_depths(published):
    reports = published.folder / "reports/smoke"
    shown = json.loads(published.run("dvc", "metrics", "show", "--json").stdout)
    (run,) = json.loads((reports / "summary.json").read_text())["runs"]
    names = ("train_accuracy", "test_accuracy", "mean_depth")
    expected = {"tiny_shapes": {"resnet18": {"seed1": {name: run[name] for name in names}}}}
    assert shown[""]["data"]["reports/smoke/summary.json"]["data"] == {"headline": expected}
    plots = published.folder / "plots"
    published.run("dvc", "plots", "show", "--out", str(plots))
    drawn = {path.name for path in (reports / "figures").rglob("*.svg")}
    assert {path.name.split("seed1_")[1] for path in plots.rglob("*.svg")} == drawn


def test_another_machine_has_nothing_to_do(clone):
    assert not (clone.folder / "results/tiny_shapes/resnet18/seed1/activations").exists()
    assert "Nothing to be done" in clone.plan()
    assert "up to date" in clone.run("dvc", "repro").stdout
    verified = clone.run("depthlens", "verify")
    assert "0 differences" in verified.stdout
    assert "activations/train/00-input.parquet: not here" in verified.stdout


def test_another_machine_computes_again_what_a_change_asks_for_and_trains_nothing(clone):
    checkpoint = clone.folder / "results/tiny_shapes/resnet18/seed1/checkpoint.safetensors"
    before = checkpoint.stat().st_mtime_ns
    edit(clone, "knn", n_neighbors=7)
    done = clone.run("dvc", "repro")
    assert stages_run(done.stdout) == {"difficulty", "card", "figures", "report"}
    assert "rule knn" in done.stdout + done.stderr
    assert "rule train" not in done.stdout + done.stderr
    assert checkpoint.stat().st_mtime_ns == before
    assert "Nothing to be done" in clone.plan()
    edit(clone, "training", epochs=1, snapshots=1)
    assert "checkpoint" in stages_run(clone.run("dvc", "repro", "--dry").stdout)
    assert "train" in clone.planned()


def test_a_clone_without_the_networks_can_pull_instead_of_training(published, tmp_path):
    clone = Copy(tmp_path / "elsewhere")
    published.run("git", "clone", "--quiet", str(published.folder), str(clone.folder))
    edit(clone, "checkpoints", source="pull")
    planned = clone.planned("checkpoints") - {"checkpoints"}
    assert planned == {"pull_tiny_shapes_resnet18_seed1"}
    clone.snakemake("checkpoints")
    assert clone.planned("checkpoints") == set()
    path = "results/tiny_shapes/resnet18/seed1/checkpoint.safetensors"
    assert (clone.folder / path).read_bytes() == (published.folder / path).read_bytes()
    # The record still says who trained it.
    said = json.loads((clone.folder / "provenance/jobs" / f"{path}.json").read_text())
    assert said["rule"] == "train"
    # Another network in its place is not taken for it.
    (clone.folder / path).write_bytes(b"another")
    assert clone.planned("checkpoints") - {"checkpoints"} == planned
    clone.snakemake("checkpoints")
    assert (clone.folder / path).read_bytes() == (published.folder / path).read_bytes()
