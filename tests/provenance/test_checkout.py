"""In a checkout its own code runs, whichever environment is at hand."""

import os
from pathlib import Path

import pytest

import depthlens as package
from depthlens.errors import StudyError
from depthlens.provenance import checkout

RUNNING = Path(package.__file__).parent


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Another checkout; what `expect` leaves to jobs is taken back after the test."""
    monkeypatch.setenv("DEPTHLENS_CHECKOUT", "")
    (tmp_path / "other/workflow/depthlens").mkdir(parents=True)
    return tmp_path / "other"


def test_a_command_in_a_folder_with_other_code_is_one_line_with_the_cure(
    other, depthlens, monkeypatch
):
    monkeypatch.chdir(other)
    done = depthlens("preset")
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        f"error: {other}/workflow/depthlens is the code of this folder, but {RUNNING} runs: "
        "`make setup` makes an environment here, to be used as .venv/bin; or set "
        f"PYTHONPATH={other}/workflow\n"
    )


def test_a_snakefile_beside_other_code_is_refused(other):
    with pytest.raises(StudyError, match="is the code of this folder, but"):
        checkout.expect(other)


def test_a_job_of_another_folder_is_held_against_its_snakefile(
    other, depthlens, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert depthlens("preset").status == 0
    monkeypatch.setenv("DEPTHLENS_CHECKOUT", str(other))
    assert depthlens("preset").status == 1


def test_a_snakefile_tells_its_jobs(other, depthlens, monkeypatch, repository):
    monkeypatch.chdir(other)
    checkout.expect(repository)
    assert os.environ["DEPTHLENS_CHECKOUT"] == str(repository)
    assert depthlens("preset").status == 0


def test_the_same_code_by_another_path_and_a_folder_without_code_are_taken(
    tmp_path, depthlens, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert depthlens("preset").status == 0
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/depthlens").symlink_to(RUNNING)
    assert depthlens("preset").status == 0


def test_these_tests_are_about_the_code_of_this_folder(repository):
    assert (repository / "workflow/depthlens").samefile(RUNNING)
