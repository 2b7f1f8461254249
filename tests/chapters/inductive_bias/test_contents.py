"""Which cells a config asks for, and which stay when it changes."""

import copy
from pathlib import Path

import pytest
import yaml

from depthlens.chapters.inductive_bias import contents

BLOCK = yaml.safe_load((Path(__file__).parents[3] / "config.yaml").read_text())["chapters"][
    "inductive_bias"
]


def by_name(block):
    return {sweep.name: sweep for sweep in contents.CHAPTER.sweeps(block)}


def cells(block):
    return {
        f"{sweep.name}/{name}": sweep.settings
        for sweep in contents.CHAPTER.sweeps(block)
        for name in sweep.by_name()
    }


def changed(**keys):
    block = copy.deepcopy(BLOCK)
    for path, value in keys.items():
        *outer, last = path.split("__")
        inner = block
        for key in outer:
            inner = inner[key]
        inner[last] = value
    return block


@pytest.mark.parametrize(
    ("keys", "sweeps"),
    [
        (
            {"few_images__images": [10, 20, 30, 40, 50, 60]},
            {"few_images", "same_size", "frozen_detectors", "edge_detectors"},
        ),
        ({"matching": [100, 200, 400, 800, 1600, 3200]}, {"matching"}),
        ({"search__budget": 14}, {"search"}),
        ({"permuted__kernel_sizes": [3, 5, 7, 9]}, {"permuted_kernel_size", "convolutions"}),
    ],
)
def test_a_longer_list_asks_for_more_cells_of_its_own_sweeps(keys, sweeps):
    before, after = cells(BLOCK), cells(changed(**keys))
    assert before.items() <= after.items()
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == sweeps


def test_more_seeds_keep_the_full_groups():
    before, after = cells(BLOCK), cells(changed(seeds=list(range(1, 13))))
    assert before.items() <= after.items()
    more = after.keys() - before.keys()
    assert more and all("seeds-11+12" in name for name in more)


def test_a_changed_setting_is_one_of_its_own_sweeps():
    before, after = cells(BLOCK), cells(changed(overfit__epochs=400))
    assert before.keys() == after.keys()
    differ = {name.split("/")[0] for name in before if before[name] != after[name]}
    assert differ == {"overfit"}


def test_the_shift_is_of_the_recipes_that_have_one():
    recipes = by_name(BLOCK)["domain_shift"].settings["recipes"]
    large, without = recipes["large_kernels"], recipes["without_shift"]
    assert large == without | {"location_ratio": 0.5}
    assert recipes["small_kernels"]["location_ratio"] == 0.5


def test_all_images_that_are_learned_by_heart_are_one_step():
    block = BLOCK["overfit"]
    assert by_name(BLOCK)["overfit"].settings["batch_size"] >= 3 * block["images"]


def test_both_networks_get_the_candidates_of_one_search():
    search = by_name(BLOCK)["search"]
    candidates = {"cnn": [], "mlp": []}
    for cell in search.cells:
        candidates[cell["architecture"]].append(cell["candidate"])
    assert candidates["cnn"] == candidates["mlp"] == list(range(1, BLOCK["search"]["budget"] + 1))


def test_the_user_s_picture_is_a_file_of_its_cell_alone():
    filters = by_name(changed(picture="mine.png"))["filters"]
    assert filters.settings["files"] == {"photograph": {"picture": "mine.png"}}
    assert {cell["picture"] for cell in filters.cells} == {"edges", "photograph", "noise"}


def test_sections_read_tables_that_sweeps_fill():
    filled = {table for sweep in contents.CHAPTER.sweeps(BLOCK) for table in sweep.tables}
    read = {table for section in contents.CHAPTER.sections for table in section.tables}
    assert read == filled


@pytest.mark.parametrize("section", contents.CHAPTER.sections, ids=lambda section: section.name)
def test_every_section_has_claims_of_the_chapter(section):
    assert {declared.claim.chapter for declared in section.claims.values()} == {"inductive_bias"}
