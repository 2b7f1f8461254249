"""One network on a part of the images: what it says, held against torch and scikit-learn."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional

from depthlens.chapters.representation.experiments import feature_space, networks
from depthlens.datasets import shapes
from depthlens.models import inputs
from depthlens.models.networks import build
from depthlens.tables import Images

RANGES = {
    "size": (0.4, 0.7), "offset_x": (0, 0), "offset_y": (0, 0), "rotation": (0, 360),
    "aspect_ratio": (1.2, 2), "contrast": (0.5, 0.8), "background": (0, 0.1), "noise": (0, 0.1),
}  # fmt: skip
SETTINGS = {
    "name": "convnet",
    "recipe": {
        "architecture": "small_convnet",
        "train_examples": 96,
        "test_examples": 120,
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 1e-3,
    },
    "n_neighbors": 5,
    "embedded": 100,
    "references": 24,
}


def split(name: str, n: int) -> Images:
    drawn = shapes.generate(0, n, seed=5, split=name, ranges=RANGES)
    return Images(
        np.arange(n, dtype=np.int32), drawn.images, drawn.labels, list(shapes.CLASSES), {}
    )


@pytest.fixture(scope="module")
def images():
    return {"shapes": (split("train", 120), split("test", 150))}


def made(images, share=1.0):
    return networks.experiment(
        images,
        cell={"dataset": "shapes", "share": share, "seed": 3},
        settings=SETTINGS,
        progress=lambda batches: batches,
    )


@pytest.fixture(scope="module")
def whole(images):
    return made(images)


def test_every_test_image_has_an_answer_and_embedded_ones_a_depth(whole):
    answers = whole["convnet"]
    assert len(answers) == 120 and answers["depth"].notna().sum() == 100
    assert answers["depth"].dropna().between(0, answers["n_probes"].iloc[0]).all()
    assert set(answers["images"]) == {96}
    assert set(answers["prediction"]) <= set(shapes.CLASSES)


def test_answers_and_losses_are_those_of_the_network(images, monkeypatch):
    """Of training and of test images, at the end of the training, in evaluation mode."""
    seen = {}
    fit = networks.trial.fit

    def spy(train, test, **options):
        seen["train"], seen["network"] = train, options["network"]
        return fit(train, test, **options)

    monkeypatch.setattr(networks.trial, "fit", spy)
    answers = made(images)["convnet"]
    network = seen["network"].eval()
    _, test = images["shapes"]
    for split, rows in ((test, answers["example_id"]), (seen["train"], slice(None))):
        with torch.inference_mode():
            logits = network(torch.tensor(split.images[rows]).float() / 255)
        labels = torch.tensor(split.labels[rows]).long()
        loss = functional.cross_entropy(logits, labels, reduction="none").numpy()
        right = (logits.argmax(1) == labels).numpy()
        if split is test:
            np.testing.assert_allclose(answers["loss"], loss, rtol=1e-4, atol=1e-6)
            assert np.array_equal(answers["label"] == answers["prediction"], right)
        else:
            assert answers["train_loss"].iloc[0] == pytest.approx(loss.mean(), rel=1e-4)
            assert answers["train_accuracy"].iloc[0] == pytest.approx(right.mean())


def test_neighbours_are_those_of_scikit_learn(images, whole, monkeypatch):
    seen = {}
    keep = feature_space.embedding

    def spy(features, test, embedded, prediction):
        seen.update(features=features, ids=test.example_id, some=embedded.example_id)
        return keep(features, test, embedded, prediction)

    monkeypatch.setattr(feature_space, "embedding", spy)
    again = made(images)["convnet_embedding"]
    assert list(seen["features"]) == ["before_relu", "last"]
    for (name, among), rows in again.groupby(["features", "among"]):
        ids = seen["ids"] if among == "all" else seen["some"]
        features = seen["features"][name][np.searchsorted(seen["ids"], ids)]
        reference = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(features)
        found = reference.kneighbors(features, return_distance=False)
        for place, neighbours in enumerate(rows["neighbours"]):
            others = [row for row in found[place] if row != place][:8]
            assert set(neighbours) == set(ids[others])
        labels = rows.set_index("example_id")["label"]
        first = rows.iloc[0]
        share = np.mean([labels[n] == first["label"] for n in first["neighbours"]])
        assert first["purity"] == pytest.approx(share)
    assert again.groupby(["features", "among"]).size().to_dict() == {
        ("before_relu", "all"): 120, ("before_relu", "embedded"): 100,
        ("last", "all"): 120, ("last", "embedded"): 100,
    }  # fmt: skip
    # One map: of all images, before the ReLU.
    assert again["x"].notna().tolist() == [True] * 120 + [False] * 320


def test_features_are_those_of_the_network_before_and_behind_its_relu(images):
    _, test = images["shapes"]
    network = build("small_convnet", n_classes=6, seed=1, shape=(1, 32, 32)).eval()
    found = feature_space.features_of(network, test, lambda batch: batch.float() / 255)
    with torch.inference_mode():
        hidden = torch.nn.Sequential(*[*network][:9])(
            torch.tensor(test.images).float() / 255
        ).numpy()
    assert hidden.shape == (150, 128) and (hidden < 0).any()
    np.testing.assert_allclose(found["before_relu"], hidden, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(found["last"], hidden.clip(0), rtol=2e-3, atol=1e-4)
    narrow = build("resnet18_narrow", n_classes=6, seed=1, shape=(1, 32, 32))
    assert list(feature_space.features_of(narrow, test, inputs.prepare({"channels": 1}))) == [
        "last"
    ]


def test_classes_are_as_far_apart_as_their_means():
    labels = np.array([0, 0, 1, 2])
    test = Images(np.arange(4, dtype=np.int32), np.zeros((4, 1, 2, 2)), labels, [*"abc"], {})
    features = np.array([[0, 0], [0, 2], [3, 5], [0, -3]], np.float32)
    found = feature_space.distances({"last": features}, test)
    # The mean of a is (0, 1): b is 3, 4 away, c 4; b and c are (3, 8) apart.
    assert found.values.tolist() == [
        ["last", "a", "b", 5.0],
        ["last", "a", "c", 4.0],
        ["last", "b", "c", pytest.approx(73**0.5)],
    ]


def test_a_part_of_the_images_has_answers_only(images):
    found = made(images, share=0.25)
    assert set(found["convnet"]["images"]) == {24}
    assert all(
        len(found[f"convnet_{name}"]) == 0
        for name in ("kernels", "embedding", "distances", "pictures")
    )


def test_smaller_parts_lie_within_larger_ones_with_classes_in_equal_shares(images):
    train, _ = images["shapes"]
    parts = [networks._part(train, n, 3) for n in (12, 24, 96)]
    for small, large in itertools.pairwise(parts):
        assert set(small.example_id) <= set(large.example_id)
    assert all(np.ptp(np.bincount(part.labels)) == 0 for part in parts)


def test_pixels_are_those_of_the_dataset(images, whole):
    _, test = images["shapes"]
    shown = whole["convnet_pictures"]
    for row in shown.itertuples():
        assert np.array_equal(row.pixels.reshape(row.height, row.width), test.images[row[1], 0])
    first = whole["convnet_embedding"].iloc[0]
    assert {first["example_id"], *first["neighbours"]} <= set(shown["example_id"])


def test_filters_are_there_before_and_after(whole):
    kernels = whole["convnet_kernels"]
    assert kernels.groupby("moment").size().to_dict() == {"after": 32 * 25, "before": 32 * 25}
    weights = kernels.pivot(index=["filter", "row", "column"], columns="moment", values="weight")
    assert (weights["before"] != weights["after"]).mean() > 0.9


def test_the_same_again(images, whole):
    again = made(images)
    for name, table in whole.items():
        for column in table:
            for left, right in zip(table[column], again[name][column], strict=True):
                assert np.array_equal(left, right, equal_nan=column in ("depth", "x", "y"))
