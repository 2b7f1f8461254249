"""The workflow as a user meets it: what runs, what does not, and what it says when it cannot."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from depthlens import tables
from depthlens.chapters.difficulty.contents import run_figures
from depthlens.depth import prediction_depth

from .conftest import Copy

RUN = "results/tiny_shapes/resnet18/seed1"


def edit(path: Path, change) -> None:
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def test_bare_snakemake_makes_the_page_and_everything_it_shows(finished):
    reports = finished.folder / "reports/smoke"
    assert "<html" in (reports / "index.html").read_text()
    assert json.loads((reports / "summary.json").read_text())
    assert len(pd.read_csv(reports / "claims.csv")) == 15
    figures = reports / "figures/tiny_shapes/resnet18/seed1"
    for name in run_figures(trained=True, train_studied=True):
        assert (figures / f"{name}.svg").stat().st_size > 0
        assert (figures / f"{name}.png").stat().st_size > 0


def test_finished_study_has_nothing_to_do_for_a_process_that_has_imported_nothing(finished):
    assert "Nothing to be done" in replace(finished, cold=True).snakemake("--dry-run").stdout


def test_smoke_config_as_a_configfile_is_the_same_study(finished):
    said = finished.snakemake("--configfile", "tests/smoke.yaml", "--dry-run").stdout
    assert "Nothing to be done" in said


def test_configfile_replaces_the_default_study(fresh):
    rules = fresh.planned("--configfile", "tests/smoke.yaml")
    assert "generate_tiny_shapes" in rules
    assert "generate_shapes" not in rules


def test_no_temporary_file_is_left(finished):
    assert not list(finished.folder.rglob("*.partial"))
    assert not list(finished.folder.rglob("resume.safetensors"))


def test_depth_follows_from_the_tables_it_was_computed_from(finished):
    for split in ("train", "test"):
        table = tables.read(finished.folder / RUN / f"depth/{split}.parquet")
        probes = sorted((finished.folder / RUN / f"knn/{split}").glob("*.parquet"))
        classes = np.stack([tables.read(path)["prediction"].to_numpy() for path in probes], axis=1)
        assert np.array_equal(tables.matrix(table["knn"]), classes)
        network = table["prediction"].to_numpy()
        assert np.array_equal(table["depth"].to_numpy(), prediction_depth(classes, network))


def test_every_table_is_sorted_by_example_and_says_what_made_it(finished):
    paths = list((finished.folder / RUN).rglob("*.parquet"))
    assert len(paths) > 40
    for path in paths:
        assert tables.metadata(path)["made_by"]
        table = tables.open_table(path)
        if "example_id" in table.schema_arrow.names and "dynamics" not in path.name:
            ids = table.read(columns=["example_id"])["example_id"].to_numpy()
            assert (np.diff(ids) > 0).all()


def test_a_probe_that_shards_share_has_the_classes_of_one_job(finished, tmp_path):
    probe = "08-layer4.parquet"
    sharded = Copy(shutil.copytree(finished.folder, tmp_path / "study"))
    edit(sharded.folder / "config.yaml", lambda values: values["knn"].update(shards=2))
    sharded.snakemake(f"{RUN}/knn/test/{probe}", f"{RUN}/knn/train/{probe}")
    for split in ("test", "train"):
        path = f"{RUN}/knn/{split}/{probe}"
        assert tables.read(sharded.folder / path).equals(tables.read(finished.folder / path))
    assert (sharded.folder / RUN / "benchmarks/neighbours/2-of-2/08-layer4.tsv").exists()
    assert not list((sharded.folder / RUN).glob("knn/shards/**/*.parquet"))


def test_damaged_artifact_is_named_and_nothing_is_made_from_it(finished, tmp_path):
    # A copy of the one file: the finished study is shared by other tests.
    whole = (finished.folder / RUN / "predictions/test.parquet").read_bytes()
    damaged = tmp_path / "test.parquet"
    damaged.write_bytes(whole[: len(whole) // 2])
    done = finished.run(
        "depthlens",
        "depth",
        f"{RUN}/knn/test/00-input.parquet",
        "--predictions",
        str(damaged),
        "--convergence",
        f"{RUN}/convergence.json",
        "--output",
        str(tmp_path / "depth.parquet"),
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {damaged}: not a whole Parquet file")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "depth.parquet").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda values: values["training"].update(epoch=3),
            "training.epoch: unknown key; did you mean 'epochs'?",
        ),
        (
            lambda values: values["knn"].update(n_neighbors=0),
            "knn.n_neighbors: input should be greater than or equal to 1, not 0",
        ),
        (
            lambda values: values["models"]["resnet18"].update(architecture="resnet81"),
            "torchvision has no classifier 'resnet81'; did you mean 'resnet18'?",
        ),
        (
            lambda values: values["activations"].update(probes=["input", "layer9"]),
            "the network has no module 'layer9'; did you mean 'layer4'?",
        ),
        (
            lambda values: values["study"].update(datasets=["shape"]),
            "study.datasets: 'shape' is not in the block datasets; did you mean 'shapes'?",
        ),
    ],
)
def test_wrong_config_is_one_clear_message(fresh, change, message):
    edit(fresh.folder / "config.yaml", change)
    done = fresh.snakemake(check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (fresh.folder / "results").exists()


def test_unconverged_network_has_no_depth_unless_the_config_allows_it(finished, tmp_path):
    study = Copy(shutil.copytree(finished.folder, tmp_path / "study"))
    config, depth = study.folder / "config.yaml", study.folder / RUN / "depth/test.parquet"
    before, kept = config.read_text(), depth.read_bytes()
    edit(config, lambda values: values["convergence"].update(allow_unconverged=False))
    done = study.snakemake(f"{RUN}/depth/test.parquet", check=False)
    assert done.returncode != 0
    assert "difficulty of an unconverged network means nothing" in done.stdout + done.stderr
    config.write_text(before)
    study.snakemake(f"{RUN}/depth/test.parquet")
    assert depth.read_bytes() == kept


def test_snakemake_report_is_written_without_a_network(finished):
    finished.snakemake("--report", "snakemake-report.html")
    page = (finished.folder / "snakemake-report.html").read_text()
    assert "depth_histogram" in page
