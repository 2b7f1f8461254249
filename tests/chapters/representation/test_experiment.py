"""One network on a part of the images: what it says, held against torch and scikit-learn."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional

from depthlens.chapters.representation.experiments import networks
from depthlens.datasets import shapes
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
    keep = networks._features_of

    def spy(embedded, found):
        seen["features"], seen["ids"] = found.features, embedded.example_id
        return keep(embedded, found)

    monkeypatch.setattr(networks, "_features_of", spy)
    again = made(images)["convnet_embedding"]
    features = seen["features"]
    reference = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(features)
    rows = reference.kneighbors(features, return_distance=False)
    for place, neighbours in enumerate(again["neighbours"]):
        others = [row for row in rows[place] if row != place][:8]
        assert set(neighbours) == set(seen["ids"][others])
        assert again["example_id"].iloc[place] not in neighbours
    labels = again.set_index("example_id")["label"]
    first = again.iloc[0]
    share = np.mean([labels[n] == first["label"] for n in first["neighbours"]])
    assert first["purity"] == pytest.approx(share)


def test_a_part_of_the_images_has_answers_only(images):
    found = made(images, share=0.25)
    assert set(found["convnet"]["images"]) == {24}
    assert all(len(found[f"convnet_{name}"]) == 0 for name in ("kernels", "embedding", "pictures"))


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
    assert kernels.groupby("moment").size().to_dict() == {"after": 16 * 25, "before": 16 * 25}
    weights = kernels.pivot(index=["filter", "row", "column"], columns="moment", values="weight")
    assert (weights["before"] != weights["after"]).mean() > 0.9


def test_the_same_again(images, whole):
    again = made(images)
    for name, table in whole.items():
        for column in table:
            for left, right in zip(table[column], again[name][column], strict=True):
                assert np.array_equal(left, right, equal_nan=column == "depth")
