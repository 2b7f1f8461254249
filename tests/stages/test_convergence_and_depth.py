"""The gate, and what stands behind it: an unconverged network has no difficulties."""

import numpy as np
import pyarrow as pa
import pytest

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.stages import convergence, depth

IDS = np.arange(4, dtype=np.int32)
ABOUT = {"classes": ["a", "b", "c"]}


def write_knn(path, classes, *, ids=IDS, sensitivity=(1, 3), **columns) -> None:
    """k-NN classes: for k = 1 always the first class, for any other k the same as for the k."""
    classes = np.array(classes, np.int16)
    by_k = [np.zeros_like(classes) if k == 1 else classes for k in sensitivity]
    tables.write(
        path,
        {
            "example_id": ids,
            "prediction": classes,
            "sensitivity": np.stack(by_k, axis=1),
            **columns,
        },
        {"config": {"n_neighbors": 3, "sensitivity": list(sensitivity)}},
    )


@pytest.fixture
def folder(tmp_path):
    """Answers and k-NN classes of four examples, written by hand."""
    for split, answers in (("train", [0, 1, 2, 2]), ("test", [0, 1, 0, 2])):
        tables.write(
            tmp_path / f"{split}.parquet",
            {
                "example_id": IDS,
                "label": np.array([0, 1, 2, 0], np.int16),
                "prediction": np.array(answers, np.int16),
                "confidence": np.array([0.9, 0.8, 0.7, 0.6], np.float32),
            },
            ABOUT,
        )
    classes = {"00-input": [0, 0, 0, 1], "01-conv1": [0, 1, 2, 2], "02-fc": [0, 1, 0, 1]}
    for probe, values in classes.items():
        write_knn(tmp_path / f"knn/{probe}.parquet", values)
    return tmp_path


def measure(folder, *, least=0.75, allow=False) -> dict:
    convergence.run(
        train_predictions=folder / "train.parquet",
        test_predictions=folder / "test.parquet",
        output=folder / "convergence.json",
        cfg={"min_train_accuracy": least, "allow_unconverged": allow},
    )
    return tables.read_json(folder / "convergence.json")


def run(folder, knn=("00-input", "01-conv1", "02-fc")) -> None:
    depth.run(
        knn=[folder / f"knn/{probe}.parquet" for probe in knn],
        predictions=folder / "test.parquet",
        convergence=folder / "convergence.json",
        output=folder / "depth.parquet",
    )


def test_what_was_measured_and_what_was_asked_is_written(folder):
    assert measure(folder) == {
        "train_accuracy": 0.75,
        "test_accuracy": 0.5,
        "converged": True,
        "min_train_accuracy": 0.75,
        "allow_unconverged": False,
    }


def test_the_training_set_decides_not_the_test_set(folder):
    assert not measure(folder, least=0.76)["converged"]
    assert measure(folder, least=0.6)["converged"]


def test_measuring_never_refuses(folder):
    assert measure(folder, least=1.0)["converged"] is False


def test_depth_of_an_unconverged_network_is_refused(folder):
    measure(folder, least=0.99)
    with pytest.raises(StudyError, match=r"75\.00% .* right, 99\.00% is asked for"):
        run(folder)
    assert not (folder / "depth.parquet").exists()


def test_depth_of_an_unconverged_network_is_computed_where_that_is_allowed(folder):
    measure(folder, least=0.99, allow=True)
    run(folder)
    assert (folder / "depth.parquet").exists()


def test_depths_worked_by_hand(folder):
    measure(folder)
    run(folder)
    table = tables.read(folder / "depth.parquet")
    assert {field.name: field.type for field in table.schema} == {
        "example_id": pa.int32(),
        "label": pa.int16(),
        "prediction": pa.int16(),
        "confidence": pa.float32(),
        "correct": pa.bool_(),
        "knn": pa.list_(pa.field("element", pa.int16(), nullable=False), 3),
        "depth": pa.int16(),
        "depth_last_probe": pa.int16(),
        "depth_label": pa.int16(),
        "depth_by_k": pa.list_(pa.field("element", pa.int16(), nullable=False), 2),
    }
    assert tables.matrix(table["knn"]).tolist() == [[0, 0, 0], [0, 1, 1], [0, 2, 0], [1, 2, 1]]
    assert table["prediction"].to_pylist() == [0, 1, 0, 2]
    assert table["correct"].to_pylist() == [True, True, False, False]
    assert table["depth"].to_pylist() == [0, 1, 2, 3]
    assert table["depth_last_probe"].to_pylist() == [0, 1, 2, 2]
    assert table["depth_label"].to_pylist() == [0, 1, 3, 3]  # labels 0, 1, 2, 0
    # With k = 1 every probe says the first class, which is the answer for two of the four.
    assert tables.matrix(table["depth_by_k"]).tolist() == [[0, 0], [3, 1], [0, 2], [3, 3]]
    about = tables.metadata(folder / "depth.parquet")
    assert about["probes"] == ["00-input", "01-conv1", "02-fc"]
    assert about["classes"] == ["a", "b", "c"]


def test_the_order_of_the_probes_is_that_of_the_call(folder):
    measure(folder)
    run(folder, knn=("02-fc", "00-input"))
    table = tables.read(folder / "depth.parquet")
    assert tables.matrix(table["knn"]).tolist() == [[0, 0], [1, 0], [0, 0], [1, 1]]
    assert tables.metadata(folder / "depth.parquet")["probes"] == ["02-fc", "00-input"]


def test_classes_of_other_examples_are_refused(folder):
    measure(folder)
    write_knn(folder / "knn/01-conv1.parquet", np.zeros(4), ids=IDS + 1)
    with pytest.raises(ArtifactError, match=r"01-conv1\.parquet: other examples than"):
        run(folder)


def test_classes_for_other_k_are_refused(folder):
    measure(folder)
    write_knn(folder / "knn/01-conv1.parquet", np.zeros(4), sensitivity=(1, 5))
    with pytest.raises(ArtifactError, match=r"01-conv1\.parquet: other k than"):
        run(folder)


def test_depth_of_examples_that_vote_for_themselves_is_beside_the_right_one(folder):
    measure(folder)
    for probe in ("00-input", "01-conv1", "02-fc"):
        own = np.array([0, 1, 0, 2], np.int16)  # always the answer
        write_knn(folder / f"knn/{probe}.parquet", [0, 0, 0, 1], self_voting=own)
    run(folder)
    table = tables.read(folder / "depth.parquet")
    assert table["depth_self_voting"].to_pylist() == [0, 0, 0, 0]
    assert table["depth"].to_pylist() == [0, 3, 0, 3]


def test_a_table_that_holds_no_answers_is_refused(folder):
    measure(folder)
    tables.write(folder / "test.parquet", {"example_id": IDS}, ABOUT)
    with pytest.raises(ArtifactError, match=r"test\.parquet: has no column label, prediction"):
        run(folder)


def test_json_that_says_nothing_about_convergence_is_refused(folder):
    tables.write_json(folder / "convergence.json", {"something": "else"})
    with pytest.raises(ArtifactError, match=r"convergence\.json: lacks .*converged"):
        run(folder)


def test_depths_of_the_tiny_run_follow_the_definition(tiny_run):
    for split in ("train", "test"):
        table = tables.read(tiny_run.depth(split))
        knn = tables.matrix(table["knn"])
        for probe, name in enumerate(tiny_run.probe_names):
            classes = tables.read(tiny_run.knn(split, name))["prediction"]
            np.testing.assert_array_equal(knn[:, probe], classes)
        for row, answer, found, last in zip(
            knn.tolist(),
            table["prediction"].to_pylist(),
            table["depth"].to_pylist(),
            table["depth_last_probe"].to_pylist(),
            strict=True,
        ):
            for reference, value in ((answer, found), (row[-1], last)):
                assert all(k == reference for k in row[value:])
                assert value == 0 or row[value - 1] != reference


def test_a_depth_that_a_double_makes_impossible_never_occurs(tiny_run):
    # avgpool repeats layer4, so no mind can change between the two.
    for split in ("train", "test"):
        table = tables.read(tiny_run.depth(split))
        assert 9 not in table["depth"].to_pylist()
        assert 9 not in table["depth_last_probe"].to_pylist()
