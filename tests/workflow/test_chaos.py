"""A few of the faults of `make chaos`: whatever happened, the next snakemake mends it."""

import os
import signal

import pytest

from .chaos import Chaos, Trial, table


@pytest.fixture(scope="module")
def chaos(tmp_path_factory) -> Chaos:
    return Chaos(tmp_path_factory.mktemp("chaos"), seed=7)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("rule", "how"),
    [("train", signal.SIGKILL), ("difficulty_figures", signal.SIGTERM)],
)
def test_a_killed_study_goes_on(chaos, rule, how):
    assert chaos.killed(rule, how).faults == []


@pytest.mark.exhaustive
def test_a_damaged_file_is_reported_and_made_again(chaos):
    assert chaos.damaged("bit flipped").faults == []


@pytest.mark.exhaustive
def test_of_two_at_once_one_makes_the_study(chaos):
    assert chaos.twice("difficulty_figures").faults == []


@pytest.mark.exhaustive
def test_a_figure_that_vanishes_before_the_page_is_made_is_drawn_again(chaos):
    with chaos.copy() as study:
        (study.folder / "reports/smoke/index.html").unlink()
        picture = next((study.folder / "reports/smoke/figures").rglob("*.png"))
        picture.unlink()
        assert chaos.recovered(study) == []
        assert picture.exists()


@pytest.mark.exhaustive
def test_a_file_that_vanishes_meanwhile_is_made_again(chaos):
    assert chaos.removed("knn").faults == []


@pytest.mark.exhaustive
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_one_message_and_loses_nothing(chaos):
    assert chaos.full_disk("difficulty_figures", 2**16).faults == []


def test_trials_are_counted_by_fault_and_by_rule():

    done = [
        Trial("kill SIGKILL", "knn, probes", []),
        Trial("kill SIGKILL", "knn", ["left over"]),
        Trial("emptied", "data/x", []),
    ]
    said = table(done)
    assert "| kill SIGKILL | 2 | 1 |" in said and "| emptied | 1 | 0 |" in said
    assert "| knn | 2 |" in said and "| probes | 1 |" in said
