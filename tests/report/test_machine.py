"""Versions, hardware and times."""

import math
import platform
from importlib.metadata import version

import pytest

from depthlens.errors import ArtifactError
from depthlens.report import machine


def bench(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("s\th:m:s\tmax_rss\n" + "".join(f"{s}\t0:00:01\t{rss}\n" for s, rss in rows))


def test_jobs_of_a_step_are_summed_and_the_highest_peak_kept(tmp_path):
    bench(tmp_path / "train.tsv", (12.5, 3000))
    bench(tmp_path / "knn/test/00-input.tsv", (1.5, 200))
    bench(tmp_path / "knn/train/00-input.tsv", (2.0, 300))
    found = machine.durations({tmp_path: "run"}, expected=["depth", "knn"])
    assert [(d.step, d.jobs, d.seconds, d.peak_mib) for d in found[1:]] == [
        ("knn", 2, 3.5, 300),
        ("train", 1, 12.5, 3000),
    ]
    assert (found[0].step, found[0].jobs) == ("depth", 0)
    assert math.isnan(found[0].seconds) and math.isnan(found[0].peak_mib)


@pytest.mark.parametrize("missing", ["-", "NA", "0.18"])
def test_job_too_short_for_a_look_at_its_memory_counts_its_time(tmp_path, missing):
    bench(tmp_path / "knn/a.tsv", (1, missing))
    (found,) = machine.durations({tmp_path: "run"})
    assert found.seconds == 1 and math.isnan(found.peak_mib)


def test_repeated_job_counts_once(tmp_path):
    bench(tmp_path / "train.tsv", (1, 10), (2, 20))
    (found,) = machine.durations({tmp_path: "run"})
    assert (found.seconds, found.peak_mib) == (2, 20)


def test_absent_folder_measured_nothing(tmp_path):
    assert machine.durations({tmp_path / "absent": "run"}) == []


@pytest.mark.parametrize("content", ["", "s\tmax_rss\n", "a\tb\n1\t2\n", "s\tmax_rss\nx\ty\n"])
def test_foreign_file_is_named(tmp_path, content):
    (tmp_path / "train.tsv").write_text(content)
    with pytest.raises(ArtifactError, match=r"train\.tsv"):
        machine.durations({tmp_path: "run"})


def test_versions_are_those_installed():
    found = machine.versions()
    assert found["Python"] == platform.python_version()
    assert found["numpy"] == version("numpy")
    assert {"torch", "torchvision", "scikit-learn", "snakemake", "dvc", "pyarrow"} <= set(found)


def test_hardware_names_processor_and_memory():
    assert {"processor", "processor cores", "memory", "GPU"} <= set(machine.hardware())
