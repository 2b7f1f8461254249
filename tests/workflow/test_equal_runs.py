"""Two runs of the same study are the same study, byte by byte."""

import json
from dataclasses import replace

import pytest

MANIFEST = "reports/smoke/manifest.json"


@pytest.mark.parametrize("cold", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_folder_time_zone_hash_seed_and_cores_leave_no_trace(finished, fresh, monkeypatch, cold):
    fresh = replace(fresh, cold=cold)
    config = (finished.folder / "tests/smoke.yaml").read_bytes()
    (fresh.folder / "config.yaml").write_bytes(config)
    monkeypatch.setenv("PYTHONHASHSEED", "4321")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    fresh.snakemake("--cores", "1")
    ours, theirs = (json.loads((copy.folder / MANIFEST).read_text()) for copy in (finished, fresh))
    assert ours == theirs
    assert (finished.folder / MANIFEST).read_bytes() == (fresh.folder / MANIFEST).read_bytes()
    compared = fresh.run("depthlens", "verify", "--against", str(finished.folder / "reports/smoke"))
    assert compared.stdout.endswith(
        f"{len(ours)} files are equal to the other study's, 0 differences\n"
    )


@pytest.mark.parametrize("path", ["reports/smoke/environment.json", "reports/smoke/machine.html"])
def test_what_differs_by_nature_is_outside_of_the_manifest(finished, path):
    assert (finished.folder / path).exists()
    assert path not in json.loads((finished.folder / MANIFEST).read_text())


def test_other_versions_than_the_results_were_made_with_are_a_warning(finished):
    path = finished.folder / "reports/smoke/environment.json"
    before = path.read_text()
    there = json.loads(before)
    assert there["versions"]["torch"] and there["machine"]["processor"]
    assert "the results were made with" not in finished.plan()
    there["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(there))
    try:
        said = finished.plan()
        assert "the results were made with torch 1.0, here is" in said
        assert "Nothing to be done" in said
    finally:
        path.write_text(before)


def test_verify_finds_a_changed_file(finished):
    file = finished.folder / "results/tiny_shapes/resnet18/seed1/depth/test.parquet"
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        done = finished.run("depthlens", "verify", check=False)
        assert done.returncode == 1
        assert "depth/test.parquet: its bytes are not those that were recorded" in done.stdout
    finally:
        file.write_bytes(before)


def test_verify_allows_what_other_hardware_does_and_no_more(finished, tmp_path):
    reports = finished.folder / "reports/smoke"
    other = {
        name: json.loads((reports / name).read_text()) for name in ("manifest.json", "summary.json")
    }
    for path, entry in other["manifest.json"].items():
        if not path.startswith("data/"):
            entry["sha256"] = "0" * 64
    run = other["summary.json"]["runs"][0]

    def compared() -> tuple[int, str]:
        for name, value in other.items():
            (tmp_path / name).write_text(json.dumps(value))
        done = finished.run("depthlens", "verify", "--against", str(tmp_path), check=False)
        return done.returncode, done.stdout

    run["test_accuracy"] += 0.015
    assert compared()[0] == 0
    run["test_accuracy"] += 0.015
    assert compared() == (1, compared()[1]) and "test_accuracy" in compared()[1]
    run["test_accuracy"] -= 0.03
    other["manifest.json"]["data/tiny_shapes/test.parquet"]["sha256"] = "0" * 64
    assert "data/tiny_shapes/test.parquet: not the same images" in compared()[1]
