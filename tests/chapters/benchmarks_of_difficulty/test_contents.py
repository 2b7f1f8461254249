from pathlib import Path

import pytest
import yaml

from depthlens.chapters.benchmarks_of_difficulty.contents import SECTIONS, sweeps


@pytest.fixture
def block():
    config = yaml.safe_load((Path(__file__).parents[2] / "smoke.yaml").read_text())
    return config["chapters"]["benchmarks_of_difficulty"]


def test_sweeps_have_the_names_that_sections_read(block):
    block["human"] = {"tiny_shapes": {"counts": "counts.npy", "labels": None}}
    names = {sweep.name for sweep in sweeps(block)}
    assert {name for section in SECTIONS for name in section.sweeps} == names


@pytest.mark.parametrize("human", [{}, {"tiny_shapes": {"counts": None, "labels": None}}])
def test_without_files_of_people_there_is_no_such_sweep(block, human):
    block["human"] = human
    assert "human" not in {sweep.name for sweep in sweeps(block)}


def test_a_file_of_people_is_in_the_settings_of_its_cells(block):
    block["human"] = {"tiny_shapes": {"counts": "counts.npy", "labels": None}, "other": {}}
    (human,) = (sweep for sweep in sweeps(block) if sweep.name == "human")
    assert [cell["dataset"] for cell in human.cells] == ["tiny_shapes"] * len(block["seeds"])
    assert human.settings["files"]["tiny_shapes"]["counts"] == "counts.npy"
