"""Cells, sweeps and sections as files."""

import json

import numpy as np
import pandas as pd
import pytest

from depthlens import ledger, tables
from depthlens.errors import ArtifactError
from depthlens.stages import cell, gather
from depthlens.stages.section import read_tables

EXPERIMENT = "benchmarks_of_difficulty.experiments.label_noise"
CELL = {"dataset": "shapes", "kind": "uniform", "rate": 0.25, "seed": 1}
SETTINGS = {
    "recipe": {
        "architecture": "resnet18_narrow",
        "train_examples": 48,
        "test_examples": 24,
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 1e-3,
    },
    "n_neighbors": 5,
    "early_epoch": 1,
}


@pytest.fixture(scope="module")
def cells(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    made = []
    for seed in (1, 2):
        made.append(folder / f"{seed}.parquet")
        cell.run(
            experiment=EXPERIMENT,
            data=tiny_run.root / "data",
            outputs=[made[-1]],
            cell={**CELL, "seed": seed},
            settings=SETTINGS,
        )
    return made


def test_a_cell_is_the_same_bytes_again(tiny_run, cells, tmp_path):
    cell.run(
        experiment=EXPERIMENT,
        data=tiny_run.root / "data",
        outputs=[tmp_path / "again.parquet"],
        cell=CELL,
        settings=SETTINGS,
    )
    assert (tmp_path / "again.parquet").read_bytes() == cells[0].read_bytes()


def test_a_cell_measures_on_as_many_wrong_labels_as_it_says(cells):
    rows = tables.read(cells[0]).to_pandas().set_index("score")
    assert rows.loc["depth", ["n", "wrong"]].tolist() == [48, 12]
    assert rows["auroc"].between(0, 1).all()
    assert tables.metadata(cells[0])["config"]["cell"] == CELL


def test_a_sweep_is_every_row_of_every_cell_with_its_values(cells, tmp_path):
    gather.run(cells=cells, output=tmp_path / "sweep.parquet")
    found = tables.read(tmp_path / "sweep.parquet").to_pandas()
    parts = [tables.read(path).to_pandas() for path in cells]
    assert list(found)[:6] == [*CELL, "architecture", "train_examples"]
    pd.testing.assert_frame_equal(found[list(parts[0])], pd.concat(parts, ignore_index=True))
    assert found["seed"].tolist() == [1] * len(parts[0]) + [2] * len(parts[1])
    assert set(found["architecture"]) == {"resnet18_narrow"} and set(found["rate"]) == {0.25}


def test_a_table_that_is_no_cell_is_refused(cells, tiny_run, tmp_path):
    with pytest.raises(ArtifactError, match="not a cell of a sweep"):
        gather.run(cells=[*cells, tiny_run.depth("test")], output=tmp_path / "sweep.parquet")
    other = tmp_path / "other.parquet"
    tables.write(
        other, {"x": np.arange(2)}, tables.describe("cell", {"cell": {}, "settings": {}}, {})
    )
    with pytest.raises(ArtifactError, match="other columns"):
        gather.run(cells=[cells[0], other], output=tmp_path / "sweep.parquet")
    assert not (tmp_path / "sweep.parquet").exists()


def test_factors_that_a_dataset_lacks_are_left_empty(tmp_path):
    made = []
    for dataset, columns in (("a", {"factor_size": [0.5]}), ("b", {}), ("c", {"factor_ink": [1]})):
        made.append(tmp_path / f"{dataset}.parquet")
        about = {"cell": {"dataset": dataset}, "settings": {}}
        tables.write(
            made[-1],
            {name: np.array(values) for name, values in ({"depth": [3]} | columns).items()},
            tables.describe("cell", about, {}),
        )
    gather.run(cells=made, output=tmp_path / "sweep.parquet")
    found = tables.read(tmp_path / "sweep.parquet").to_pandas()
    assert found["depth"].tolist() == [3, 3, 3]
    assert found["dataset"].tolist() == ["a", "b", "c"]
    assert found["factor_size"].isna().tolist() == [False, True, True]
    assert found["factor_ink"].isna().tolist() == [True, True, False]


def test_a_section_leaves_figures_claims_and_tables(cells, tmp_path, depthlens):
    assert not depthlens("gather", *cells, "--output", tmp_path / "label_noise.parquet").status
    done = depthlens(
        "section", tmp_path / "label_noise.parquet",
        "--chapter", "benchmarks_of_difficulty", "--section", "label_noise",
        "--output", tmp_path / "figures", "--claims", tmp_path / "claims.csv",
        "--contents", tmp_path / "contents.json", "--confidence-level", 0.9,
        "--cfg", json.dumps({"gallery_images": 4, "confidence_level": 0.95, "dpi": 50}),
    )  # fmt: skip
    assert done.status == 0, done.err
    captions = tables.read_json(tmp_path / "figures/captions.json")
    for name in captions:
        assert (tmp_path / f"figures/{name}.svg").exists()
    assert set(captions) == {"label_noise_scores", "label_noise_rates"}
    assert {finding.chapter for finding in ledger.read(tmp_path / "claims.csv")} == {
        "benchmarks_of_difficulty"
    }
    (table,) = read_tables(tmp_path / "contents.json")
    assert table.numeric[table.columns.index("AUROC")]


def test_more_images_than_there_are_is_one_message(tiny_run, tmp_path, depthlens):
    recipe = SETTINGS["recipe"] | {"train_examples": 97}
    done = depthlens(
        "cell", tmp_path / "x", "--experiment", EXPERIMENT, "--data", tiny_run.root / "data",
        "--cell", json.dumps(CELL),
        "--settings", json.dumps(SETTINGS | {"recipe": recipe}),
    )  # fmt: skip
    assert done.status and not (tmp_path / "x").exists()
    assert "recipe.train_examples: 97 asked for, but shapes has 96" in done.err


def test_cell_and_settings_that_are_no_json_are_named(depthlens, tmp_path):
    done = depthlens(
        "cell", tmp_path / "x", "--experiment", EXPERIMENT, "--data", tmp_path,
        "--cell", "{", "--settings", "{}",
    )  # fmt: skip
    assert done.status and "--cell" in done.err and "not JSON" in done.err
