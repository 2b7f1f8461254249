"""The estimator: scikit-learn's contract, and what it adds to it."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import depthlens
from depthlens import KNNClassifier, tables


@parametrize_with_checks([KNNClassifier(n_neighbors=3, device="cpu")])
def test_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References, their classes as words, queries."""
    generator = np.random.Generator(np.random.Philox(4))
    references = generator.normal(size=(300, 20)).astype(np.float32)
    words = np.array(["cat", "dog", "eel"])[generator.integers(0, 3, 300)]
    return references, words, generator.normal(size=(50, 20)).astype(np.float32)


def test_classes_shares_and_neighbours_are_those_of_scikit_learn(points):
    references, words, queries = points
    ours = KNNClassifier(n_neighbors=7).fit(references, words)
    theirs = KNeighborsClassifier(n_neighbors=7, algorithm="brute").fit(references, words)
    np.testing.assert_array_equal(ours.predict(queries), theirs.predict(queries))
    np.testing.assert_allclose(ours.predict_proba(queries), theirs.predict_proba(queries))
    distances, rows = ours.kneighbors(queries)
    their_distances, their_rows = theirs.kneighbors(queries)
    np.testing.assert_array_equal(rows, their_rows)
    np.testing.assert_allclose(distances, their_distances, rtol=1e-6)


def test_without_queries_no_point_is_its_own_neighbour_as_in_scikit_learn(points):
    references, words, _ = points
    ours = KNNClassifier(n_neighbors=7).fit(references, words)
    theirs = KNeighborsClassifier(n_neighbors=7, algorithm="brute").fit(references, words)
    _, rows = theirs.kneighbors()
    np.testing.assert_array_equal(ours.kneighbors(return_distance=False), rows)
    counted = np.stack([(words[rows] == word).sum(1) for word in ours.classes_], axis=1)
    np.testing.assert_array_equal(ours.predict(), ours.classes_[counted.argmax(1)])


def test_leave_one_out_goes_by_example_id_not_by_row(points):
    references, words, _ = points
    ids = np.arange(300) + 1000
    fitted = KNNClassifier(n_neighbors=5).fit(references, words, example_id=ids)
    backwards = fitted.predict(references[::-1], example_id=ids[::-1], exclude_self=True)
    np.testing.assert_array_equal(backwards[::-1], fitted.predict())
    strangers = fitted.kneighbors(references, example_id=ids + 1000, exclude_self=True)[1]
    np.testing.assert_array_equal(strangers[:, 0], np.arange(300))


def test_several_k_at_once_are_each_k_alone(points):
    references, words, queries = points
    ks = [9, 1, 30, 4]
    together = KNNClassifier().fit(references, words).predict_each_k(queries, n_neighbors=ks)
    for k, column in zip(ks, together.T, strict=True):
        alone = KNNClassifier(n_neighbors=k).fit(references, words)
        np.testing.assert_array_equal(column, alone.predict(queries))


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_forty_thousand_classes_are_told_apart():
    points = np.arange(40_000, dtype=np.float32)[:, None]
    fitted = KNNClassifier(1, device="cpu").fit(points, np.arange(40_000))
    some = [0, 32_767, 32_768, 39_999]
    assert fitted.predict(points[some]).tolist() == some
    assert fitted.predict_proba(points[some]).argmax(1).tolist() == some


def test_tensors_arrays_and_files_give_the_same(points, tmp_path):
    references, words, queries = points
    for name, values in (("references", references), ("queries", queries)):
        ids = np.arange(len(values), dtype=np.int32)
        tables.write(tmp_path / f"{name}.parquet", {"example_id": ids, "activation": values}, {})
    expected = KNNClassifier(n_neighbors=7).fit(references, words).predict(queries)
    tensors = KNNClassifier(n_neighbors=7).fit(torch.from_numpy(references), words)
    np.testing.assert_array_equal(tensors.predict(torch.from_numpy(queries)), expected)
    files = KNNClassifier(n_neighbors=7).fit(tmp_path / "references.parquet", words)
    np.testing.assert_array_equal(files.predict(str(tmp_path / "queries.parquet")), expected)
    assert files.n_features_in_ == 20 and files.n_samples_fit_ == 300


def test_a_bad_value_names_its_example(points):
    references, words, queries = points
    references[17, 3] = np.nan
    with pytest.raises(ValueError, match="the activation of example 1017 is infinite or not"):
        KNNClassifier().fit(references, words, example_id=np.arange(300) + 1000)
    references[17, 3] = 0
    fitted = KNNClassifier().fit(references, words)
    queries[5, 0] = -np.inf
    with pytest.raises(ValueError, match="the activation of example 5 is infinite or not"):
        fitted.predict(queries)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors: 0 is not greater than 0"),
        ({"n_neighbors": 301}, "301 neighbours asked for, but there are 300 references"),
        ({"memory": -1.0}, "memory: -1.0 is not greater than 0"),
        ({"precision": "float8"}, "precision 'float8': one of auto, bfloat16, float32, float64"),
    ],
)
def test_an_argument_out_of_range_is_named(points, arguments, message):
    references, words, queries = points
    with pytest.raises(ValueError, match=message):
        KNNClassifier(**arguments).fit(references, words).predict(queries)


def test_lengths_that_differ_are_refused(points, tmp_path):
    references, words, _ = points
    with pytest.raises(ValueError, match="300 points, but 299 classes"):
        KNNClassifier().fit(references, words[1:])
    with pytest.raises(ValueError, match="300 points, but 2 example ids"):
        KNNClassifier().fit(references, words, example_id=[1, 2])
    with pytest.raises(ValueError, match="float tensor of shape"):
        KNNClassifier().fit(torch.zeros(3, dtype=torch.int32), words[:3])
    with pytest.raises(ValueError, match="a file brings its own"):
        KNNClassifier().fit(tmp_path / "t.parquet", words, example_id=[1])


def test_the_package_gives_its_classifier_and_no_more():
    assert depthlens.KNNClassifier is KNNClassifier
    with pytest.raises(AttributeError, match="has no attribute 'Classifier'"):
        _ = depthlens.Classifier
