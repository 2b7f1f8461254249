"""The images of a replicate are those of the dataset, divided anew."""

import numpy as np
import pytest

from depthlens import tables
from depthlens.errors import ArtifactError
from depthlens.stages import resample

BLOCK = {"held_out": 0.5, "seed": 1}


def run(tiny_run, folder, number=1, **changed) -> dict[str, tables.Images]:
    arguments = {
        "train_images": tiny_run.images("train"),
        "test_images": tiny_run.images("test"),
        "number": number,
        "train_output": folder / f"{number}/train.parquet",
        "test_output": folder / f"{number}/test.parquet",
        "cfg": BLOCK,
    }
    resample.run(**arguments | changed)
    return {
        split: tables.read_images(folder / f"{number}/{split}.parquet")
        for split in ("train", "test")
    }


def test_every_image_of_the_pool_is_on_one_side_with_all_that_belongs_to_it(tmp_path, tiny_run):
    source = {split: tables.read_images(tiny_run.images(split)) for split in ("train", "test")}
    n_train = len(source["train"].labels)
    found = run(tiny_run, tmp_path)
    assert sorted([*found["train"].example_id, *found["test"].example_id]) == list(
        range(n_train + len(source["test"].labels))
    )
    for split in found.values():
        assert np.all(np.diff(split.example_id) > 0)
        assert split.classes == source["train"].classes
        for row, pool_id in enumerate(split.example_id):
            of = source["train" if pool_id < n_train else "test"]
            at = pool_id if pool_id < n_train else pool_id - n_train
            assert np.array_equal(split.images[row], of.images[at])
            assert split.labels[row] == of.labels[at]
            assert all(split.factors[k][row] == of.factors[k][at] for k in of.factors)


def test_two_halves_are_complements(tmp_path, tiny_run):
    first, second = run(tiny_run, tmp_path, 1), run(tiny_run, tmp_path, 2)
    assert first["train"].example_id.tolist() == second["test"].example_id.tolist()


def test_the_table_says_what_it_was_made_from(tmp_path, tiny_run):
    run(tiny_run, tmp_path, 2)
    about = tables.metadata(tmp_path / "2/test.parquet")
    assert about["config"] == {**BLOCK, "number": 2}
    assert about["inputs"]["test"]["sha256"] == tables.sha256(tiny_run.images("test"))


def test_tables_of_two_datasets_are_refused(tmp_path, tiny_run):
    other = tables.read_images(tiny_run.images("test"))._replace(classes=["a", "b"])
    tables.write_images(tmp_path / "other.parquet", other, {})
    with pytest.raises(ArtifactError, match=r"other\.parquet: other classes"):
        run(tiny_run, tmp_path, test_images=tmp_path / "other.parquet")
    assert not (tmp_path / "1").exists()
