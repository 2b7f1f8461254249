"""The benchmarks run; how fast is theirs to say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are no part of the package."""
    monkeypatch.syspath_prepend(REPOSITORY)


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.knn", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


def test_quick_run_gives_every_promise_a_verdict():
    done = run("--quick", "--only", "speed")
    assert done.returncode == 0, done.stderr
    verdicts = ("**met**", "**not met**", "**not testable here**")
    rows = [line for line in done.stdout.splitlines() if any(word in line for word in verdicts)]
    assert len(rows) == 14


def test_missing_run_is_an_error_that_says_what_to_do(tmp_path: Path):
    done = run(tmp_path)
    assert done.returncode == 1
    assert f"snakemake {tmp_path}/predictions/train.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_peer_that_is_not_installed_is_no_error(monkeypatch: pytest.MonkeyPatch):
    from benchmarks.knn import __main__, data, engines, verdicts

    monkeypatch.setattr(engines, "faiss", None)
    arrays = data.gaussian(8, n_references=60, n_queries=5)
    speed = [__main__.race(arrays, 1, kind) for kind in ("activations",) * 3 + ("Gaussian",)]
    rows = verdicts.rows({"machine": {"features": {"AMX": True}}, "speed": speed})
    of_faiss = [row for row in rows if row.against == engines.FAISS]
    assert len(of_faiss) == 7
    assert {row.verdict for row in of_faiss} == {verdicts.UNKNOWN}
    assert {row.why for row in of_faiss} == {"because FAISS is not installed"}


def test_a_promise_is_met_only_where_the_hardware_is_there():
    from benchmarks.knn import verdicts

    seconds = {
        "depthlens": [1.0],
        "depthlens, float32": [1.0],
        "FAISS": [9.0],
        "scikit-learn": [9.0],
    }
    arrays = {"queries": 1, "references": 1, "dims": 1, "data": "activations", "seconds": seconds}
    for has_amx, verdict in ((True, verdicts.MET), (False, verdicts.UNKNOWN)):
        about = {"features": {"AMX": has_amx}}
        rows = verdicts.rows({"machine": about, "speed": [arrays] * 3})
        assert {row.verdict for row in rows[:6]} == {verdict}
        assert {row.verdict for row in rows[6:]} == {verdicts.MET}


@pytest.mark.parametrize("rows_at_once", [1, 7, 64])
def test_generated_points_are_the_same_however_they_are_read(rows_at_once: int):
    from benchmarks.knn.data import Generated

    points = Generated(64, 24, seed=5)
    pieces = [points.read(row, min(row + rows_at_once, 64)) for row in range(0, 64, rows_at_once)]
    np.testing.assert_array_equal(np.concatenate(pieces), points.read(0, 64))


def test_training_at_once_is_measured_beside_a_plain_loop_with_the_same_accuracies():
    command = [sys.executable, "-m", "benchmarks.stacked", "--quick"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    networks = {row[0].strip(): row for row in rows[2:]}
    assert set(networks) == {"cnn", "mlp", "both"}
    for name in ("cnn", "mlp"):
        assert float(networks[name][8]) <= 0.01
