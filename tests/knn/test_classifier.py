"""The estimator: scikit-learn's contract, and what it adds to it."""

import re

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import depthlens
from depthlens import KNNClassifier, tables


@parametrize_with_checks(
    [
        KNNClassifier(n_neighbors=3, device="cpu"),
        KNNClassifier(n_neighbors=3, device="cpu", weights="distance", metric="cosine"),
    ]
)
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
        *[
            ({"n_neighbors": k}, f"n_neighbors: {k!r} is not a whole number greater than 0")
            for k in (0, -3, 5.0, "5", True, None, [5], np.nan)
        ],
        *[
            ({"memory": value}, f"memory: {value!r} is not a number greater than 0, in GB")
            for value in (0, -1.0, "2", None, True, np.inf, np.nan)
        ],
        ({"precision": "float8"}, "precision: unknown 'float8'; did you mean 'float64'?"),
        ({"device": "gpu"}, "device: unknown 'gpu'; "),
        ({"device": torch.device("cpu")}, "device: unknown device(type='cpu'); "),
        ({"metric": "manhattan"}, "metric: unknown 'manhattan'; choose from: cosine, euclidean"),
        ({"weights": len}, "weights: unknown <built-in function len>; choose from: distance, unif"),
    ],
)
def test_an_argument_out_of_range_is_named_at_fit(points, arguments, message):
    references, words, queries = points
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        KNNClassifier(**arguments).fit(references, words)
    fitted = KNNClassifier().fit(references, words).set_params(**arguments)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        fitted.predict(queries)


def test_neighbours_asked_of_a_method_are_checked_like_those_of_the_classifier(points):
    references, words, queries = points
    fitted = KNNClassifier().fit(references, words)
    with pytest.raises(ValueError, match="n_neighbors: '5' is not a whole number"):
        fitted.kneighbors(queries, "5")
    with pytest.raises(ValueError, match=r"n_neighbors: 2\.5 is not a whole number"):
        fitted.predict_each_k(queries, n_neighbors=[1, 2.5])
    with pytest.raises(ValueError, match="n_neighbors: at least one is needed"):
        fitted.predict_each_k(queries, n_neighbors=[])
    with pytest.raises(ValueError, match="mode: unknown 'distances'; did you mean 'distance'"):
        fitted.kneighbors_graph(queries, mode="distances")
    with pytest.raises(ValueError, match="301 neighbours asked for, but there are 300 references"):
        fitted.kneighbors(queries, 301)


@pytest.mark.parametrize("as_points", [np.asarray, torch.from_numpy])
def test_points_without_features_or_of_other_features_are_refused(points, as_points):
    references, words, queries = points
    with pytest.raises(ValueError, match=r"\(300, 0\)"):
        KNNClassifier().fit(as_points(references[:, :0]), words)
    fitted = KNNClassifier(metric="cosine").fit(as_points(references), words)
    with pytest.raises(ValueError, match="X has 7 features, but KNNClassifier is expecting 20"):
        fitted.predict(as_points(queries[:, :7].copy()))


# Arrays and tensors of every kind


@pytest.mark.parametrize(
    "kind",
    [
        lambda values: values[::-1].copy()[::-1],
        lambda values: np.repeat(values, 2, axis=1)[:, ::-2][:, ::-1],
        np.asfortranarray,
        lambda values: values.astype(values.dtype.newbyteorder("S")),
        lambda values: values.astype(object),
        lambda values: values.tolist(),
        torch.from_numpy,
        lambda values: torch.from_numpy(values).requires_grad_(),
        lambda values: torch.from_numpy(values).T.contiguous().T,
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_are_taken_however_they_lie_in_memory(points, kind, dtype):
    references, words, queries = points
    plain = KNNClassifier(5).fit(references.astype(dtype), words).kneighbors(queries.astype(dtype))
    fitted = KNNClassifier(5).fit(kind(references.astype(dtype)), words)
    distances, rows = fitted.kneighbors(kind(queries.astype(dtype)))
    np.testing.assert_array_equal(rows, plain[1])
    np.testing.assert_allclose(distances, plain[0], rtol=1e-6)


def test_points_that_cannot_be_written_to_are_taken_and_labels_and_ids_may_be_tensors(points):
    references, _, queries = points
    references.flags.writeable = queries.flags.writeable = False
    labels, ids = torch.arange(300) % 3, torch.arange(300) + 7
    found = KNNClassifier(5).fit(references, labels, example_id=ids)
    expected = KNeighborsClassifier(5).fit(references, labels.numpy()).predict(queries)
    np.testing.assert_array_equal(found.predict(queries), expected)


@pytest.mark.parametrize("as_points", [np.asarray, torch.from_numpy])
def test_whole_numbers_are_not_rounded(as_points):
    seconds = np.array([[1_700_000_000], [1_700_000_001], [1_700_000_002]])
    fitted = KNNClassifier(1).fit(as_points(seconds), ["a", "b", "c"])
    assert fitted.predict(as_points(seconds)).tolist() == ["a", "b", "c"]


def test_columns_of_seconds_are_classified_as_by_scikit_learn():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    seconds = 1.7e9 + 20.0 * labels[:, None] + generator.normal(size=(400, 2))
    train, test = slice(0, 300), slice(300, None)
    ours = KNNClassifier(5).fit(seconds[train], labels[train])
    assert ours.score(seconds[test], labels[test]) == 1.0


# What scikit-learn has beyond Euclidean majorities


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [2, 7])
def test_weights_and_metrics_are_those_of_scikit_learn(points, dtype, weights, metric, k):
    references, words, queries = points[0].astype(dtype), points[1], points[2].astype(dtype)
    if metric == "euclidean":  # at distance 0 of one, and of two of other classes
        references[20:22] += 100
        references[21], words[20], words[21] = references[20], "eel", "cat"
        queries[0], queries[1] = references[9], references[20]
    ours = KNNClassifier(k, weights=weights, metric=metric).fit(references, words)
    # A tree takes differences: its distances of equal points are 0.
    algorithm = "kd_tree" if metric == "euclidean" else "brute"
    theirs = KNeighborsClassifier(k, weights=weights, metric=metric, algorithm=algorithm)
    theirs.fit(references.astype(np.float64), words)
    double = queries.astype(np.float64)
    np.testing.assert_array_equal(ours.predict(queries), theirs.predict(double))
    np.testing.assert_allclose(ours.predict_proba(queries), theirs.predict_proba(double), atol=1e-5)
    np.testing.assert_allclose(ours.kneighbors(queries)[0], theirs.kneighbors(double)[0], atol=1e-6)
    each = ours.predict_each_k(queries, n_neighbors=[k, 1])
    np.testing.assert_array_equal(each[:, 0], ours.predict(queries))
    assert ours.score(None, words) == pytest.approx(theirs.score(None, words))
    for mode in ("connectivity", "distance"):
        for asked in ((queries, double), (None, None)):
            graphs = [
                some.kneighbors_graph(data, mode=mode)
                for some, data in zip((ours, theirs), asked, strict=True)
            ]
            assert graphs[0].format == "csr" and graphs[0].shape == graphs[1].shape
            np.testing.assert_allclose(*(graph.toarray() for graph in graphs), atol=1e-6)


def test_inverse_distances_worked_by_hand():
    train, words = np.array([[0.0], [3.0], [4.0], [9.0]]), ["far", "near", "near", "far"]
    fitted = KNNClassifier(3, weights="distance").fit(train, words)
    shares = fitted.predict_proba([[1.0], [3.0]])
    # 1 to the left; 1/2 and 1/3 to the right. At 3 only the point that is there counts.
    np.testing.assert_allclose(shares, [[6 / 11, 5 / 11], [0, 1]])
    assert fitted.predict([[1.0], [3.0]]).tolist() == ["far", "near"]


def test_a_point_of_zeros_is_at_right_angles_to_others():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    fitted = KNNClassifier(3, metric="cosine").fit(points, [0, 1, 2])
    distances, rows = fitted.kneighbors([[0.0, 0.0], [3.0, 0.0]])
    assert rows.tolist() == [[0, 1, 2], [1, 0, 2]]
    np.testing.assert_allclose(distances, [[0, 1, 1], [0, 1, 1]], atol=1e-15)


def test_lengths_that_differ_are_refused(points, tmp_path):
    references, words, _ = points
    with pytest.raises(ValueError, match="300 points, but 299 classes"):
        KNNClassifier().fit(references, words[1:])
    with pytest.raises(ValueError, match="300 points, but 2 example ids"):
        KNNClassifier().fit(references, words, example_id=[1, 2])
    with pytest.raises(ValueError, match="example_id: one whole number a point is needed, not fl"):
        KNNClassifier().fit(references, words, example_id=np.arange(300) / 2)
    with pytest.raises(ValueError, match="a tensor of real numbers of shape"):
        KNNClassifier().fit(torch.zeros(3), words[:3])
    with pytest.raises(ValueError, match="a file brings its own"):
        KNNClassifier().fit(tmp_path / "t.parquet", words, example_id=[1])


def test_the_package_gives_its_classifier_and_no_more():
    assert depthlens.KNNClassifier is KNNClassifier
    with pytest.raises(AttributeError, match="has no attribute 'Classifier'"):
        _ = depthlens.Classifier
