import copy
from pathlib import Path

import pytest
import yaml

from depthlens.chapters.benchmarks_of_difficulty.contents import CHAPTER


@pytest.fixture
def block():
    config = yaml.safe_load((Path(__file__).parents[2] / "smoke.yaml").read_text())
    return config["chapters"]["benchmarks_of_difficulty"]


def test_sweeps_fill_the_tables_that_sections_read(block):
    block["human"] = {"tiny_shapes": {"counts": "counts.npy", "labels": None}}
    names = {name for sweep in CHAPTER.sweeps(block) for name in sweep.tables or [sweep.name]}
    assert {name for section in CHAPTER.sections for name in section.tables} == names


@pytest.mark.parametrize("human", [{}, {"tiny_shapes": {"counts": None, "labels": None}}])
def test_without_files_of_people_there_is_no_such_sweep(block, human):
    block["human"] = human
    assert "human" not in {sweep.name for sweep in CHAPTER.sweeps(block)}


def test_a_file_of_people_is_in_the_settings_of_its_cells(block):
    block["human"] = {"tiny_shapes": {"counts": "counts.npy", "labels": None}, "other": {}}
    (human,) = (sweep for sweep in CHAPTER.sweeps(block) if sweep.name == "human")
    assert [cell["dataset"] for cell in human.cells] == ["tiny_shapes"] * len(block["seeds"])
    assert human.settings["files"]["tiny_shapes"]["counts"] == "counts.npy"


def leaves(values: dict, at: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        found |= leaves(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}"}
    return found


OF_RECIPE = {"label_noise", "foreign", "pruning", "oversampling", "orders", "labelling"}
SETTINGS = {
    "n_neighbors": OF_RECIPE | {"early_exit", "portraits", "along"},
    "early_epoch": {"label_noise", "pruning", "oversampling", "orders", "portraits"},
    "foreign.held_out_classes": {"foreign"},
    "early_exit.exit_loss_weights": {"early_exit"},
    "early_exit.entropy": {"early_exit"},
    "subsets.shares": {"pruning"},
    "oversampling.share": {"oversampling"},
    "oversampling.times": {"oversampling"},
    "along.epochs": {"along"},
    "along.components": {"along"},
    **{
        f"{block}recipe.{key}": sweeps_of
        for block, sweeps_of in (
            ("", OF_RECIPE),
            ("early_exit.", {"early_exit"}),
            ("portraits.", {"portraits"}),
            ("along.", {"along"}),
        )
        for key in (
            "architecture",
            "train_examples",
            "test_examples",
            "epochs",
            "batch_size",
            "learning_rate",
        )
    },
}
"""keys that all cells of a sweep read, and the sweeps"""

AXES = {
    "seeds": (9, OF_RECIPE | {"early_exit", "portraits", "along"}),
    "datasets": ("more", OF_RECIPE - {"label_noise"} | {"early_exit", "portraits", "along"}),
    "label_noise.datasets": ("more", {"label_noise"}),
    "label_noise.kinds": ("adjacent", {"label_noise"}),
    "label_noise.rates": (0.4, {"label_noise"}),
    "subsets.scores": ("loss", {"pruning"}),
    "portraits.architectures": ("vgg16_narrow", {"portraits"}),
}
"""keys that list values, one value more, and the sweeps that get cells of their own for it"""

OF_SECTIONS = {"confidence_level"}
"""read where claims are judged, by no cell"""


def changed(block: dict, key: str, value: object) -> dict:
    found = copy.deepcopy(block)
    *parents, name = key.split(".")
    inner = found
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    return found


def test_every_key_is_tried(block):
    assert set(SETTINGS) | set(AXES) | OF_SECTIONS == leaves(block)


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_makes_all_cells_of_the_sweeps_that_read_it_again(block, key):
    before = {sweep.name: sweep for sweep in CHAPTER.sweeps(block)}
    after = {sweep.name: sweep for sweep in CHAPTER.sweeps(changed(block, key, "another"))}
    assert {name for name in before if before[name] != after[name]} == SETTINGS[key]
    assert all(before[name].cells == after[name].cells for name in before)


@pytest.mark.parametrize("key", AXES)
def test_a_longer_list_adds_cells_and_changes_none(block, key):
    value, readers = AXES[key]
    before = {sweep.name: sweep for sweep in CHAPTER.sweeps(block)}
    longer = block
    for part in key.split("."):
        longer = longer[part]
    after = {sweep.name: sweep for sweep in CHAPTER.sweeps(changed(block, key, [*longer, value]))}
    for name, sweep in before.items():
        assert sweep.settings == after[name].settings
        if name in readers:
            assert len(after[name].cells) > len(sweep.cells)
        else:
            assert after[name].cells == sweep.cells
        # Which dataset is foreign to which depends on the list.
        if not (name == "foreign" and key == "datasets"):
            assert sweep.by_name().items() <= after[name].by_name().items()
