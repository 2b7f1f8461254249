"""k-NN classes of a real run against scikit-learn, at every probe."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.knn.search import Neighbours
from depthlens.stages import knn, neighbours, votes


def points(path) -> np.ndarray:
    return tables.matrix(tables.read(path)["activation"])


def test_the_last_of_forty_thousand_classes_is_written_as_itself(tmp_path):
    rows, classes = np.array([[0, 1], [1, 0]]), np.array([39_999, 5], tables.class_type(40_000))
    near = Neighbours(rows, np.array([[1, 2], [1, 2]], np.float32), {})
    voters = knn.Labels(np.arange(2), classes, 40_000)
    cfg = {"n_neighbors": 1, "sensitivity": [1, 2]}
    knn.write(tmp_path / "t.parquet", np.arange(2), near, voters, {}, cfg, itself=True)
    table = tables.read(tmp_path / "t.parquet")
    assert table["prediction"].to_pylist() == table["self_voting"].to_pylist() == [39_999, 5]
    assert tables.matrix(table["sensitivity"]).tolist() == [[39_999, 5], [5, 5]]
    assert tables.matrix(table["votes"]).argmax(1).tolist() == [39_999, 5]


def labels_of(tiny_run) -> np.ndarray:
    return tables.read(tiny_run.predictions("train"))["label"].to_numpy()


def ties_within_rounding(query, references, k) -> bool:
    """Whether the k-th and the next reference are as far from a query as float32 can tell."""
    exact = np.sort(np.linalg.norm(references.astype(np.float64) - query, axis=1))
    return exact[k] - exact[k - 1] <= 1e-5 * exact[k]


def check(prediction, expected, queries, references, k) -> None:
    """Classes are equal but where the neighbours themselves are a matter of rounding."""
    for row in np.flatnonzero(prediction != expected):
        assert ties_within_rounding(queries[row], references[row], k), f"example {row}"
    assert (prediction == expected).mean() >= 0.95


def test_classes_of_the_test_split_are_those_of_scikit_learn_at_every_probe(tiny_run, blocks):
    k, labels = blocks["knn"]["n_neighbors"], labels_of(tiny_run)
    for probe in tiny_run.probe_names:
        references = points(tiny_run.activations("train", probe))
        queries = points(tiny_run.activations("test", probe))
        oracle = KNeighborsClassifier(n_neighbors=k, algorithm="brute").fit(references, labels)
        found = tables.read(tiny_run.knn("test", probe))
        check(
            found["prediction"].to_numpy(),
            oracle.predict(queries),
            queries,
            [references] * len(queries),
            k,
        )
        distances, _ = oracle.kneighbors(queries)
        np.testing.assert_allclose(found["distance"], distances[:, -1], rtol=1e-4)


def test_classes_of_the_training_split_leave_the_query_out_at_every_probe(tiny_run, blocks):
    k, labels = blocks["knn"]["n_neighbors"], labels_of(tiny_run)
    for probe in tiny_run.probe_names:
        references = points(tiny_run.activations("train", probe))
        distances, rows = (
            NearestNeighbors(n_neighbors=k, algorithm="brute").fit(references).kneighbors()
        )
        # The most votes, then the smallest class.
        expected = [
            min(Counter(labels[row]).items(), key=lambda cv: (-cv[1], cv[0])) for row in rows
        ]
        found = tables.read(tiny_run.knn("train", probe))
        others = [np.delete(references, row, axis=0) for row in range(len(references))]
        check(
            found["prediction"].to_numpy(),
            np.array([label for label, _ in expected]),
            references,
            others,
            k,
        )
        np.testing.assert_allclose(found["distance"], distances[:, -1], rtol=1e-4)


def test_the_columns_are_those_that_users_were_promised(tiny_run, blocks):
    for split in ("train", "test"):
        table = tables.read(tiny_run.knn(split, "10-fc"))
        own = {"self_voting": pa.int16()} if split == "train" else {}
        assert {field.name: field.type for field in table.schema} == {
            "example_id": pa.int32(),
            "prediction": pa.int16(),
            "votes": pa.list_(pa.field("element", pa.uint16(), nullable=False), 6),
            "distance": pa.float32(),
            "sensitivity": pa.list_(pa.field("element", pa.int16(), nullable=False), 3),
            **own,
        }
        assert table["example_id"].to_pylist() == list(range(table.num_rows))
        votes = tables.matrix(table["votes"])
        assert np.all(votes.sum(1) == blocks["knn"]["n_neighbors"])
        np.testing.assert_array_equal(votes.argmax(1), table["prediction"])


@pytest.mark.parametrize("sensitivity", [[1, 5, 7], [20, 2]])
def test_other_k_give_what_a_run_with_that_k_gives(tmp_path, tiny_run, blocks, sensitivity):
    def classify(name, **changed):
        run(tiny_run, tmp_path / name / "test.parquet", blocks["knn"] | changed)
        return [tables.read(tmp_path / name / f"{kind}.parquet") for kind in ("test", "left-out")]

    together = classify("together", sensitivity=sensitivity)
    for column, k in enumerate(sensitivity):
        for found, alone in zip(together, classify(f"{k}", n_neighbors=k), strict=True):
            classes = tables.matrix(found["sensitivity"])[:, column]
            assert classes.tolist() == alone["prediction"].to_pylist()
    for found, split in zip(together, ("test", "train"), strict=True):
        plain = tables.read(tiny_run.knn(split, "09-avgpool"))
        for name in ("prediction", "distance", "votes"):
            assert found[name].equals(plain[name])


def test_self_votes_are_those_of_scikit_learn_which_leaves_nobody_out(tiny_run, blocks):
    k, labels = blocks["knn"]["n_neighbors"], labels_of(tiny_run)
    for probe in ("00-input", "09-avgpool"):
        references = points(tiny_run.activations("train", probe))
        oracle = KNeighborsClassifier(n_neighbors=k, algorithm="brute").fit(references, labels)
        found = tables.read(tiny_run.knn("train", probe))["self_voting"].to_numpy()
        others = [np.delete(references, row, axis=0) for row in range(len(references))]
        check(found, oracle.predict(references), references, others, k - 1)


def test_an_only_neighbour_that_is_oneself_gives_the_label(tmp_path, tiny_run, blocks):
    run(tiny_run, tmp_path / "test.parquet", blocks["knn"] | {"n_neighbors": 1})
    found = tables.read(tmp_path / "left-out.parquet")["self_voting"].to_numpy()
    assert found.tolist() == labels_of(tiny_run).tolist()


def test_cosine_classes_are_those_of_scikit_learn(tmp_path, tiny_run, blocks):
    cfg, probe = blocks["knn"] | {"metric": "cosine"}, "09-avgpool"
    run(tiny_run, tmp_path / "test.parquet", cfg)
    references = points(tiny_run.activations("train", probe)).astype(np.float64)
    queries = points(tiny_run.activations("test", probe)).astype(np.float64)
    k = cfg["n_neighbors"]
    oracle = KNeighborsClassifier(n_neighbors=k, algorithm="brute", metric="cosine")
    oracle.fit(references, labels_of(tiny_run))
    found = tables.read(tmp_path / "test.parquet")
    unit = references / np.linalg.norm(references, axis=1, keepdims=True)
    check(
        found["prediction"].to_numpy(),
        oracle.predict(queries),
        queries / np.linalg.norm(queries, axis=1, keepdims=True),
        [unit] * len(queries),
        k,
    )
    distances = oracle.kneighbors(queries)[0][:, -1]
    np.testing.assert_allclose(found["distance"].to_numpy() ** 2 / 2, distances, rtol=1e-3)
    euclidean = tables.read(tiny_run.knn("test", probe))["distance"].to_numpy()
    assert not np.allclose(found["distance"], euclidean)


def run(tiny_run, path, cfg, *, probe="09-avgpool", **changed):
    """Classify the test split into one table and, leaving one out, the training split."""
    arguments = {
        "references": tiny_run.activations("train", probe),
        "labels": tiny_run.predictions("train"),
        "queries": tiny_run.activations("test", probe),
        "output": path,
        "leave_one_out": path.with_stem("left-out"),
        "cfg": cfg,
    }
    knn.run(**arguments | changed)


def assert_same_table(one, other) -> None:
    assert tables.read(one).equals(tables.read(other))


def test_how_much_memory_there_is_changes_no_bit(tmp_path, tiny_run, blocks):
    # 100 kB: blocks of a few queries and a few references.
    run(tiny_run, tmp_path / "test.parquet", blocks["knn"] | {"memory": 1e-4})
    assert_same_table(tmp_path / "test.parquet", tiny_run.knn("test", "09-avgpool"))
    assert_same_table(tmp_path / "left-out.parquet", tiny_run.knn("train", "09-avgpool"))


@pytest.mark.parametrize("left_out", ["test", "train"])
def test_one_split_alone_gets_what_it_gets_with_the_other(tmp_path, tiny_run, blocks, left_out):
    alone = {
        "test": {"queries": None, "output": None},
        "train": {"leave_one_out": None},
    }
    run(tiny_run, tmp_path / "test.parquet", blocks["knn"], **alone[left_out])
    (path,) = tmp_path.iterdir()
    split = {"test": "train", "train": "test"}[left_out]
    assert_same_table(path, tiny_run.knn(split, "09-avgpool"))


@pytest.mark.parametrize("shards", [2, 5, 11])
@pytest.mark.parametrize("probe", ["00-input", "10-fc"])
def test_shards_find_what_one_job_finds(tmp_path, tiny_run, blocks, shards, probe):
    references = tiny_run.activations("train", probe)
    for number in range(1, shards + 1):
        neighbours.run(
            references=references,
            shard=f"{number}-of-{shards}",
            queries=tiny_run.activations("test", probe),
            output=tmp_path / f"test/{number}/{probe}.parquet",
            leave_one_out=tmp_path / f"train/{number}/{probe}.parquet",
            cfg=blocks["knn"],
        )
    for split in ("train", "test"):
        votes.run(
            neighbours=sorted((tmp_path / split).rglob("*.parquet")),
            references=references,
            labels=tiny_run.predictions("train"),
            output=tmp_path / f"{split}.parquet",
            cfg=blocks["knn"],
        )
        assert_same_table(tmp_path / f"{split}.parquet", tiny_run.knn(split, probe))
        # Shards of a study have the same file name in folders of their own: all are recorded.
        inputs = tables.metadata(tmp_path / f"{split}.parquet")["inputs"]
        assert len(inputs) == shards + 2


@pytest.mark.parametrize("shard", ["0-of-2", "3-of-2", "2", "a-of-b", "1-of-0"])
def test_a_shard_that_there_is_not_is_refused(tmp_path, tiny_run, blocks, shard):
    references = tiny_run.activations("train", "10-fc")
    with pytest.raises(StudyError, match="is no shard; the second of eight is 2-of-8"):
        neighbours.run(
            references=references, shard=shard, cfg=blocks["knn"], leave_one_out=tmp_path / "t"
        )


def test_more_shards_than_references_are_refused(tmp_path, tiny_run, blocks):
    references = tiny_run.activations("train", "10-fc")
    with pytest.raises(StudyError, match=r"knn\.shards: 13 shards of 96 references are too many"):
        neighbours.run(
            references=references,
            shard="13-of-13",
            cfg=blocks["knn"],
            leave_one_out=tmp_path / "t.parquet",
        )


def test_neighbours_of_two_splits_are_not_merged(tmp_path, tiny_run, blocks):
    references = tiny_run.activations("train", "10-fc")
    arguments = {"references": references, "shard": "1-of-2", "cfg": blocks["knn"]}
    neighbours.run(**arguments, leave_one_out=tmp_path / "a.parquet")
    queries = tiny_run.activations("test", "10-fc")
    neighbours.run(**arguments, queries=queries, output=tmp_path / "b.parquet")
    with pytest.raises(ArtifactError, match=r"b\.parquet: other examples than"):
        votes.run(
            neighbours=[tmp_path / "a.parquet", tmp_path / "b.parquet"],
            references=references,
            labels=tiny_run.predictions("train"),
            output=tmp_path / "t.parquet",
            cfg=blocks["knn"],
        )


def test_one_neighbour_of_the_training_set_itself_is_itself_unless_left_out(
    tmp_path, tiny_run, blocks
):
    cfg = blocks["knn"] | {"n_neighbors": 1}
    queries = tiny_run.activations("train", "09-avgpool")
    run(tiny_run, tmp_path / "in.parquet", cfg, queries=queries)
    with_self, without = (tables.read(tmp_path / f"{name}.parquet") for name in ("in", "left-out"))
    np.testing.assert_array_equal(with_self["prediction"], labels_of(tiny_run))
    assert np.all(without["distance"].to_numpy() > with_self["distance"].to_numpy())


def test_more_neighbours_than_references_are_refused(tmp_path, tiny_run, blocks):
    output = tmp_path / "t.parquet"
    with pytest.raises(StudyError, match="96 neighbours of 95 references"):
        run(tiny_run, output, blocks["knn"] | {"n_neighbors": 96})
    with pytest.raises(StudyError, match="97 neighbours of 96 references"):
        run(tiny_run, output, blocks["knn"] | {"n_neighbors": 97}, leave_one_out=None)
    assert not list(tmp_path.iterdir())
    run(tiny_run, output, blocks["knn"] | {"n_neighbors": 95})
    run(tiny_run, output, blocks["knn"] | {"n_neighbors": 96}, leave_one_out=None)


@pytest.mark.parametrize("missing", ["output", "queries"])
def test_queries_and_their_table_belong_together(tmp_path, tiny_run, blocks, missing):
    with pytest.raises(StudyError, match="give --queries with --output"):
        run(tiny_run, tmp_path / "t.parquet", blocks["knn"], **{missing: None})


def test_activations_of_two_probes_are_refused(tmp_path, tiny_run, blocks):
    other = tiny_run.activations("train", "10-fc")
    with pytest.raises(ArtifactError, match=r"128 numbers an example, but .* has 6"):
        run(tiny_run, tmp_path / "t.parquet", blocks["knn"], references=other)


def test_labels_of_another_split_are_refused(tmp_path, tiny_run, blocks):
    with pytest.raises(ArtifactError, match=r"other examples than .*test"):
        run(tiny_run, tmp_path / "t.parquet", blocks["knn"], labels=tiny_run.predictions("test"))


def test_labels_of_other_examples_are_refused(tmp_path, tiny_run, blocks):
    table = tables.read(tiny_run.predictions("train"))
    columns = {name: table[name].to_numpy() for name in table.column_names}
    columns["example_id"] = columns["example_id"][::-1].copy()
    about = tables.metadata(tiny_run.predictions("train"))
    tables.write(tmp_path / "labels.parquet", columns, about)
    with pytest.raises(ArtifactError, match="other examples than"):
        run(tiny_run, tmp_path / "t.parquet", blocks["knn"], labels=tmp_path / "labels.parquet")


def test_an_infinite_activation_names_its_probe_and_example(tmp_path, tiny_run, blocks):
    values = points(tiny_run.activations("train", "10-fc")).astype(np.float16)
    values[17, 2] = np.inf  # what float16 makes of 65,520 and more
    columns = {"example_id": np.arange(len(values), dtype=np.int32), "activation": values}
    tables.write(tmp_path / "10-fc.parquet", columns, {})
    with pytest.raises(
        StudyError, match=r"probe 10-fc: .*10-fc\.parquet: the activation of example 17 is infinite"
    ):
        run(
            tiny_run,
            tmp_path / "t.parquet",
            blocks["knn"],
            probe="10-fc",
            references=tmp_path / "10-fc.parquet",
        )
