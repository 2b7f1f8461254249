"""The shell that DVC puts around the study agrees with the workflow inside it."""

import json
from pathlib import Path

import yaml

from depthlens.study import Study

REPOSITORY = Path(__file__).parents[2]


def test_dvc_reads_exactly_the_blocks_that_the_config_has():
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    read = set()
    for stage in stages.values():
        for params in stage.get("do", stage)["params"]:
            read |= {key.split(".")[0] for key in params["config.yaml"]}
    assert read == set(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))


def test_repro_runs_the_study_and_leaves_nothing_to_do(finished):
    # The study is already there: DVC has to find that out through Snakemake and take it in.
    finished.run("dvc", "init", "--no-scm", "--quiet")
    finished.run("dvc", "repro")
    assert finished.run("dvc", "status", "--json").stdout.strip() == "{}"
    assert "up to date" in finished.run("dvc", "repro").stdout
    values = yaml.safe_load((finished.folder / "config.yaml").read_text())
    outputs = {run.folder for run in Study(values, source="config.yaml").runs()}
    lock = yaml.safe_load((finished.folder / "dvc.lock").read_text())
    tracked = {out["path"] for stage in lock["stages"].values() for out in stage["outs"]}
    assert all(f"{folder}/checkpoint.safetensors" in tracked for folder in outputs)
    assert "data/tiny_shapes/train.parquet" in tracked
    metrics = json.loads(finished.run("dvc", "metrics", "show", "--json").stdout)
    assert metrics
