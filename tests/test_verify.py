"""What `depthlens verify` makes of files, records, and what files say of themselves."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.provenance import records
from depthlens.provenance.records import Output, Record
from depthlens.provenance.snakemake import Job
from depthlens.verify import compare, verify


@pytest.fixture
def study(tmp_path, monkeypatch) -> SimpleNamespace:
    """A table made from another, both recorded."""
    monkeypatch.chdir(tmp_path)
    write("data/images.parquet", {})
    write("results/depth.parquet", {"images": "data/images.parquet"})
    return SimpleNamespace(targets=["results/depth.parquet"])


def write(
    path: str, inputs: dict[str, str], *, rows: int = 3, recorded_inputs: dict | None = None
) -> None:
    tables.write(path, {"example_id": np.arange(rows)}, tables.describe("test", {}, inputs))
    read = {name: tables.sha256(name) for name in inputs.values()} | (recorded_inputs or {})
    job = Job("test", "command", (), tuple(sorted(read.items())), (path,), "")
    size = Path(path).stat().st_size
    records.write(Record(job, {path: Output(tables.sha256(path), size)}))


def test_files_as_recorded_are_counted(study):
    assert verify(study) == (2, [], [])


def test_a_missing_file_matters_if_the_study_ends_with_it(study, tmp_path):
    (tmp_path / "data/images.parquet").unlink()
    assert verify(study) == (1, ["data/images.parquet"], [])
    (tmp_path / "results/depth.parquet").unlink()
    assert verify(study).differences == ["results/depth.parquet: missing"]


def test_a_file_that_speaks_of_other_inputs_than_its_record_is_named(study):
    inputs = {"images": "data/images.parquet"}
    recorded = tables.sha256("data/images.parquet")
    write("data/images.parquet", {}, rows=4)
    write("results/depth.parquet", inputs, recorded_inputs={"data/images.parquet": recorded})
    with pytest.raises(ArtifactError, match="was made from another data/images"):
        verify(study)
    # Recorded alike, but the file itself says something else.
    other = {"images": {"path": "data/images.parquet", "sha256": "0" * 64}}
    about = {"made_by": "test", "config": {}, "inputs": other}
    tables.write("results/depth.parquet", {"example_id": np.arange(3)}, about)
    read = (("data/images.parquet", tables.sha256("data/images.parquet")),)
    job = Job("test", "command", (), read, ("results/depth.parquet",), "")
    made = {"results/depth.parquet": Output(tables.sha256("results/depth.parquet"), 1)}
    records.write(Record(job, made))
    assert verify(study).differences == [
        "results/depth.parquet: says that it was made from another data/images.parquet"
    ]


def test_a_file_that_speaks_of_another_config_than_its_record_is_named(study):
    """As of a study in which a job was said to have run that did not."""
    path = "results/depth.parquet"
    about = {"config": {"n_neighbors": 10, "seed": 1}, "inputs": {}}
    tables.write(path, {"example_id": np.arange(3)}, about)
    made = {path: Output(tables.sha256(path), 1)}
    for n_neighbors, differences in (
        (10, []),
        (7, [f"{path}: says that it was made with another n_neighbors"]),
    ):
        params = (repr(json.dumps({"n_neighbors": n_neighbors, "memory": 1})),)
        records.write(Record(Job("test", "command", params, (), (path,), ""), made))
        assert verify(study).differences == differences


def test_what_was_never_recorded_cannot_be_verified(study):
    study.targets = ["results/other.parquet"]
    with pytest.raises(ArtifactError, match=r"results/other\.parquet: there is no record"):
        verify(study)


def test_another_study_without_a_manifest_is_one_message(study, tmp_path):
    with pytest.raises(ArtifactError, match=r"manifest\.json: no such file"):
        compare(study, tmp_path / "other")
