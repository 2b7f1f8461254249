"""Experiments on edges: tables as they are described, and numbers held against other ways."""

import importlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import rankdata
from torch.nn import functional

from depthlens import tables
from depthlens.chapters.inductive_bias.experiments import (
    convolutions,
    course,
    depths,
    detectors,
    filters,
    gallery,
    learning,
    material,
    translation,
)
from depthlens.datasets import edges
from depthlens.errors import StudyError
from depthlens.models import edge_networks
from depthlens.stages import cell as stage
from depthlens.training import loop
from depthlens.training.schedules import linear
from depthlens.training.stacked import Moment

SETTINGS = {
    "classes": list(edges.KINDS[:3]),
    "images": 3,
    "validation_images": 4,
    "batch_size": 4,
    "momentum": 0.9,
    "learning_rate": 0.02,
    "epochs": 3,
}
SHIFTED = {**SETTINGS, "location_ratio": 0.5, "shifts": [0, 1, 4, 14]}
FILTERED = {"averaging_sizes": [3, 4], "files": {"photograph": {"picture": None}}}
COURSE = {**SETTINGS, "name": "longer", "answers_at": [2]}
CNN, MLP = ({"architecture": name, "seeds": "1+2"} for name in ("cnn", "mlp"))


def made(module, cell, settings):
    return module.experiment({}, cell=cell, settings=settings, progress=lambda epochs: epochs)


@pytest.fixture(scope="module")
def trained():
    """Tables of the course of both networks."""
    return {cell["architecture"]: made(course, cell, COURSE) for cell in (CNN, MLP)}


@pytest.fixture(scope="module")
def moved():
    return {cell["architecture"]: made(translation, cell, SHIFTED) for cell in (CNN, MLP)}


@pytest.fixture(scope="module")
def deep():
    settings = {**SETTINGS, "n_neighbors": 2}
    return {cell["architecture"]: made(depths, cell, settings) for cell in (CNN, MLP)}


# ── material ────────────────────────────────────────────────────────────────────────────────────


def test_a_trial_has_images_and_networks_of_every_seed():
    trial = material.prepare({**CNN, "kernel_size": 3}, SETTINGS)
    assert trial.seeds == [1, 2] and trial.classes == SETTINGS["classes"]
    for split, n in (("train", 3), ("validation", 4)):
        for seed, drawn in zip(trial.seeds, trial.images[split], strict=True):
            expected = edges.generate(n, classes=trial.classes, seed=seed, split=split)
            np.testing.assert_array_equal(drawn.images, expected.images)
            np.testing.assert_array_equal(drawn.labels, expected.labels)
    for seed, network in zip(trial.seeds, trial.networks, strict=True):
        expected = edge_networks.build("cnn", n_classes=3, seed=seed, kernel_size=3)
        assert torch.equal(network.conv2.weight, expected.conv2.weight)


def test_values_of_the_cell_go_before_those_of_the_settings():
    trial = material.prepare({**CNN, "images": 5}, SETTINGS)
    assert len(trial.images["train"][0].labels) == 15


def test_pixels_of_all_splits_and_seeds_are_moved_alike():
    plain = material.prepare(CNN, SETTINGS)
    permuted = material.prepare({**CNN, "permuted": True}, SETTINGS)
    before, after = (
        np.concatenate(
            [drawn.images for of in trial.images.values() for drawn in of]
        ).reshape(-1, 784)
        for trial in (plain, permuted)
    )  # fmt: skip
    assert not np.array_equal(before, after)
    # As columns, the same ones in another order.
    assert np.array_equal(np.unique(before, axis=1), np.unique(after, axis=1))
    np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))


def random_moment(trial, epoch=7):
    random = np.random.default_rng(0)
    return Moment(
        epoch=epoch,
        logits={
            split: 5 * random.normal(size=(2, len(of[0].labels), 3)).astype(np.float32)
            for split, of in trial.images.items()
        },
    )


def test_scores_are_torch_s_cross_entropy_and_the_share_of_right_answers():
    trial = material.prepare(CNN, SETTINGS)
    moment = random_moment(trial)
    found = material.scores_of(trial, moment).set_index(["split", "seed"])
    assert list(found) == ["dataset", "epoch", "loss", "accuracy", "examples"]
    for split, n in (("train", 9), ("validation", 12)):
        for place, seed in enumerate([1, 2]):
            logits = torch.tensor(moment.logits[split][place])
            labels = torch.tensor(trial.images[split][place].labels).long()
            row = found.loc[(split, seed)]
            assert row["loss"] == pytest.approx(float(functional.cross_entropy(logits, labels)))
            assert row["accuracy"] == pytest.approx(float((logits.argmax(1) == labels).sum()) / n)
            assert row["examples"] == n and row["epoch"] == 7


def test_confidence_is_torch_s_softmax_of_the_answer():
    trial = material.prepare(CNN, SETTINGS)
    moment = random_moment(trial)
    found = material.answers_of(trial, moment, split="validation")
    expected = torch.tensor(moment.logits["validation"]).softmax(2).max(2)
    np.testing.assert_allclose(found["confidence"], expected.values.flatten(), rtol=1e-5)
    names = np.array(SETTINGS["classes"])
    assert found["prediction"].tolist() == names[expected.indices.flatten()].tolist()
    assert found["label"].tolist() == names[list(range(3)) * 8].tolist()
    assert found["example"].tolist() == [*range(12), *range(12)]


def test_epochs_that_are_looked_at_are_evenly_spaced():
    assert material.evenly(300, 30) == list(range(0, 301, 10))
    assert material.evenly(4, 30) == [0, 1, 2, 3, 4]
    assert material.evenly(300, 3, also=[50, 400]) == [0, 50, 100, 200, 300]


# ── learning and its course ─────────────────────────────────────────────────────────────────────


def test_learning_has_a_row_for_every_seed_and_split_that_is_asked_for():
    found = made(learning, {**CNN, "images": 2}, {**SETTINGS, "splits": ["train", "test"]})
    columns = ["dataset", "seed", "epoch", "split", "loss", "accuracy", "examples"]
    assert list(found) == columns
    rows = found[["seed", "split", "epoch", "examples"]].to_records(index=False).tolist()
    assert sorted(rows) == [
        (1, "test", 3, 12), (1, "train", 3, 6), (2, "test", 3, 12), (2, "train", 3, 6),
    ]  # fmt: skip


def test_course_has_curves_answers_and_kernels(trained):
    found = trained["cnn"]
    assert list(found) == ["longer", "longer_answers", "longer_kernels"]
    curves = found["longer"]
    assert sorted(set(curves["epoch"])) == [0, 1, 2, 3]
    assert len(curves) == 4 * 2 * 2
    assert list(found["longer_answers"]) == [
        "dataset", "seed", "epoch", "example", "label", "prediction", "confidence",
    ]  # fmt: skip
    assert sorted(set(found["longer_answers"]["epoch"])) == [2, 3]
    assert len(found["longer_kernels"]) == 2 * 2 * 3 * 49


def test_kernels_before_are_the_initial_weights_and_those_after_are_not(trained):
    kernels = trained["cnn"]["longer_kernels"]
    for seed in (1, 2):
        initial = edge_networks.build("cnn", n_classes=3, seed=seed).conv1.weight[:, 0]
        before, after = (
            kernels[(kernels["seed"] == seed) & (kernels["moment"] == moment)]
            for moment in ("before", "after")
        )
        for _, row in before.sample(40, random_state=0).iterrows():
            place = row["filter"], row["row"], row["column"]
            assert row["weight"] == np.float32(initial[place].item())
        assert not np.allclose(before["weight"], after["weight"])


def test_an_mlp_has_no_kernels_but_the_columns(trained):
    none, some = (trained[name]["longer_kernels"] for name in ("mlp", "cnn"))
    assert len(none) == 0 and list(none) == list(some)
    assert {name: none[name].dtype.kind for name in ("seed", "row", "weight")} == {
        "seed": "i", "row": "i", "weight": "f",
    }  # fmt: skip


def test_answers_are_right_as_often_as_the_curves_say(trained):
    for found in trained.values():
        answers, curves = found["longer_answers"], found["longer"]
        right = (
            (answers["label"] == answers["prediction"])
            .groupby([answers["seed"], answers["epoch"]])
            .mean()
        )
        expected = curves[curves["split"] == "validation"].set_index(["seed", "epoch"])["accuracy"]
        np.testing.assert_allclose(right, expected[right.index])


def test_a_recipe_of_the_cell_is_followed():
    recipes = {"small": {"kernel_size": 3, "epochs": 2}, "large": {"kernel_size": 5, "epochs": 1}}
    found = made(
        course, {**CNN, "recipe": "small"}, {**SETTINGS, "name": "shift", "recipes": recipes}
    )
    assert found["shift"]["epoch"].max() == 2
    assert found["shift_kernels"]["row"].max() == 2


def test_as_often_as_is_asked_for_is_a_training_looked_at():
    found = made(course, CNN, {**COURSE, "moments": 1, "answers_at": []})["longer"]
    assert sorted(set(found["epoch"])) == [0, 3]


# ── detectors and gallery ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [2, 3, 7])
def test_training_the_last_layer_on_features_is_training_the_network(size):
    cell = {"architecture": f"cnn_frozen_{size}", "seeds": "1+2"}
    settings = {**SETTINGS, "learning_rate": 0.05}
    found = made(detectors, cell, settings).set_index(["split", "seed"])
    trial = material.prepare(cell, settings)
    for place, seed in enumerate(trial.seeds):
        network = trial.networks[place]
        train, validation = (trial.images[split][place] for split in ("train", "validation"))
        optimizer = loop.make_optimizer(
            network, "sgd", learning_rate=0.05, momentum=0.9, weight_decay=0.0
        )
        for _ in loop.train(
            network, optimizer, train_images=train.images, train_labels=train.labels,
            test_images=validation.images, test_labels=validation.labels, epochs=range(1, 4),
            last_epoch=3, batch_size=4, schedule=linear, seed=seed, device=torch.device("cpu"),
            prepare=lambda pixels: pixels.float() / 255,
        ):  # fmt: skip
            pass
        for split, drawn in (("train", train), ("validation", validation)):
            with torch.no_grad():
                logits = network(torch.tensor(drawn.images).float() / 255)
            labels = torch.tensor(drawn.labels).long()
            expected = float(functional.cross_entropy(logits, labels))
            assert found.loc[(split, seed), "loss"] == pytest.approx(expected, rel=1e-4)


def test_a_gallery_has_all_kinds_of_images_and_undoes_the_permutation():
    found = made(gallery, {"seed": 3}, {"location_ratio": 0.5})
    pixels = found["gallery"]
    counts = pixels.groupby("kind")["example"].nunique().to_dict()
    assert counts == {"plain": 15, "permuted": 15, "train": 9, "validation": 9}
    plain, moved = (
        pixels[pixels["kind"] == kind].pivot(
            index="example", columns=["row", "column"], values="brightness"
        ).to_numpy()
        for kind in ("plain", "permuted")
    )  # fmt: skip
    expected = edges.generate(3, classes=edges.KINDS, seed=3, split="train")
    assert np.array_equal(plain, expected.images.reshape(15, -1))
    assert not np.array_equal(plain, moved)
    assert np.array_equal(np.sort(plain), np.sort(moved))
    assert found["restored"]["same"].tolist() == [1.0] * 15


# ── shifted images ──────────────────────────────────────────────────────────────────────────────


def test_shifted_images_repeat_their_first_row_and_column():
    image = np.array([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], np.uint8)
    assert translation.shifted(image, 0).tolist() == image.tolist()
    assert translation.shifted(image, 1)[0, 0].tolist() == [[1, 1, 2], [1, 1, 2], [4, 4, 5]]
    assert translation.shifted(image, 2)[0, 0].tolist() == [[1, 1, 1], [1, 1, 1], [1, 1, 1]]


def features(size: int) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize(
    ("size", "shift", "steps"), [(28, 3, 3), (28, 14, 14), (14, 4, 2), (14, 5, 2), (7, 12, 3)]
)
def test_features_that_move_along_have_no_error(size, shift, steps):
    before = features(size)
    after = torch.roll(before, (steps, steps), dims=(2, 3))
    assert translation.relative_error(before, after, shift) == 0
    assert translation.relative_error(before, 2 * after, shift) == pytest.approx(1)
    assert translation.relative_error(before, before, shift) > 0.1


def test_a_relative_error_is_as_computed_by_hand():
    # Of four rows and columns of features, two in the middle count; the image has seven a feature.
    before, after = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    before[0, 0, 1:3, 1:3] = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    after[0, 0, 1:3, 1:3] = torch.tensor([[3.0, 1.0], [2.0, 4.0]])
    after[0, 0, 0] = 100.0
    # Root of (1 + 4) / 4 over root of (9 + 16) / 4.
    assert translation.relative_error(before, after, 6) == pytest.approx((5 / 25) ** 0.5)


def test_one_number_an_image_is_compared_as_it_is():
    before = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    found = translation.relative_error(before, before + 0.5, 9)
    assert found == pytest.approx(0.5 / 2.5**0.5)


def test_no_feature_is_no_division_by_zero():
    assert translation.relative_error(torch.zeros(1, 1, 7, 7), torch.zeros(1, 1, 7, 7), 4) == 0


def test_translation_has_an_accuracy_of_every_shift(moved):
    for name, found in moved.items():
        accuracies = found["translation"]
        assert list(accuracies) == ["dataset", "seed", "shift", "accuracy", "examples"]
        assert accuracies["shift"].tolist() == [0, 1, 4, 14] * 2
        assert accuracies["accuracy"].between(0, 1).all() and set(accuracies["examples"]) == {12}
        assert len(found["equivariance"]) == (0 if name == "mlp" else 2 * 4 * 4)
    assert list(moved["cnn"]["equivariance"]) == list(moved["mlp"]["equivariance"])


def test_a_convolution_is_equivariant_and_a_pooling_for_even_shifts(moved):
    found = moved["cnn"]["equivariance"]
    errors = found.groupby(["probe", "shift"])["error"].max()
    assert np.isfinite(found["error"]).all()
    assert errors.xs(0, level="shift").max() == 0
    assert errors["conv1"].max() < 1e-5
    assert errors["pool1"][[4, 14]].max() < 1e-5 < 0.01 < errors["pool1"][1]


def test_images_that_are_shifted_are_new_and_drawn_like_those_learned_from():
    trial = material.prepare(CNN, SHIFTED, splits=("train",))
    fresh = translation._fresh(trial, 2, {**SHIFTED, **CNN})
    learned = trial.images["train"][1]
    assert len(fresh.labels) == 12
    assert not {image.tobytes() for image in fresh.images} & {
        image.tobytes() for image in learned.images
    }
    assert np.nanmax(fresh.factors["horizontal_start"]) < 14
    assert sorted(fresh.labels.tolist()) == sorted(list(range(3)) * 4)


# ── filters ─────────────────────────────────────────────────────────────────────────────────────


def mirrored(place: int, length: int) -> int:
    """The pixel beyond a border is the one as far on this side of the last."""
    place = abs(place)
    return place if place < length else 2 * (length - 1) - place


@pytest.mark.parametrize("kernel", [filters.averaging(3), filters.averaging(5), filters.LAPLACIAN])
def test_filters_are_what_a_loop_over_pixels_makes(kernel):
    image = np.random.default_rng(0).random((9, 7))
    reach = len(kernel) // 2
    expected = np.zeros_like(image)
    for row in range(9):
        for column in range(7):
            for down in range(-reach, reach + 1):
                for right in range(-reach, reach + 1):
                    expected[row, column] += (
                        kernel[down + reach, right + reach]
                        * image[mirrored(row + down, 9), mirrored(column + right, 7)]
                    )
    np.testing.assert_allclose(filters.filtered(image, kernel), expected, atol=1e-12)


def test_an_average_of_even_ground_is_that_ground_and_its_laplacian_nothing():
    even = np.full((6, 6), 0.3)
    np.testing.assert_allclose(filters.filtered(even, filters.averaging(4)), even)
    np.testing.assert_allclose(filters.filtered(even, filters.LAPLACIAN), 0, atol=1e-12)


def test_every_filter_has_all_pixels_and_the_noise_goes_through_it():
    found = made(filters, {"picture": "edges"}, FILTERED)
    assert list(found) == ["dataset", "filter", "row", "column", "value", "noise"]
    images = {
        (name, column): rows.pivot(index="row", columns="column", values=column).to_numpy()
        for name, rows in found.groupby("filter")
        for column in ("value", "noise")
    }
    assert {name for name, _ in images} == {"none", "average 3", "average 4", "laplacian"}
    assert all(image.shape == (28, 28) for image in images.values())
    clean = images["none", "value"] - images["none", "noise"]
    drawn = edges.generate(1, classes=["both"], seed=0, split="train").images[0, 0]
    np.testing.assert_allclose(clean * 255, drawn, atol=1e-3)
    for name, kernel in (("average 4", filters.averaging(4)), ("laplacian", filters.LAPLACIAN)):
        for column in ("value", "noise"):
            expected = filters.filtered(images["none", column].astype(float), kernel)
            np.testing.assert_allclose(images[name, column], expected, atol=1e-5)


def test_a_large_even_ground_has_noise_alone():
    found = made(filters, {"picture": "noise"}, FILTERED)
    plain = found[found["filter"] == "none"]
    assert len(plain) == 256**2 and set(found["dataset"]) == {"noise"}
    np.testing.assert_allclose(plain["value"] - plain["noise"], 0.5, atol=1e-6)
    assert plain["noise"].std() == pytest.approx(0.1, rel=0.02)


def test_a_photograph_has_no_noise_and_keeps_its_shape(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (360, 480, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    files = {"photograph": {"picture": str(tmp_path / "own.png")}}
    found = made(filters, {"picture": "photograph"}, {**FILTERED, "files": files})
    assert found["row"].max() == 179 and found["column"].max() == 239
    assert not found["noise"].any()
    plain = found[found["filter"] == "none"]["value"]
    assert plain.between(0, 1).all() and plain.nunique() > 50


def test_what_is_no_picture_is_refused_by_the_name_of_its_setting(tmp_path):
    (tmp_path / "own.png").write_text("no picture")
    files = {"photograph": {"picture": str(tmp_path / "own.png")}}
    with pytest.raises(StudyError, match=r"chapters\.inductive_bias\.picture: .*own\.png"):
        made(filters, {"picture": "photograph"}, {**FILTERED, "files": files})


# ── convolutions and depth ──────────────────────────────────────────────────────────────────────


def test_layers_are_listed_by_formula_and_as_measured():
    found = made(convolutions, {"architecture": "cnn_deeper", "kernel_size": 3}, {})
    names = ["output_size", "parameters", "receptive_field"]
    assert list(found) == [
        "dataset", "layer", "kind", *names, *(f"measured_{name}" for name in names),
        "field_of_alike", "measured_field_of_alike",
    ]  # fmt: skip
    assert found["layer"].tolist() == ["conv1", "pool1", "conv2", "conv3", "conv4"]
    # 3; and 1; and thrice 2 · 2.
    assert found["receptive_field"].tolist() == [3, 4, 8, 12, 16]
    assert found["field_of_alike"].tolist() == [3, 3, 5, 7, 9]
    assert found["measured_field_of_alike"].tolist() == [3, 3, 5, 7, 9]
    assert found["parameters"].tolist() == [30, 0, 84, 84, 84]
    for name in names:
        assert found[name].tolist() == found[f"measured_{name}"].tolist()


def test_depths_are_of_every_validation_image(deep):
    for name, n_probes in (("cnn", 9), ("mlp", 7)):
        found = deep[name]
        assert list(found)[:8] == [
            "dataset", "seed", "example", "label", "prediction", "correct", "depth", "n_probes",
        ]  # fmt: skip
        assert found["example"].tolist() == [*range(12), *range(12)]
        assert set(found["n_probes"]) == {n_probes}
        assert found["depth"].between(0, n_probes).all()
        assert (found["correct"] == (found["label"] == found["prediction"])).all()


def test_factors_are_those_of_the_edge_that_an_image_has(deep):
    found = deep["cnn"]
    drawn = edges.generate(4, classes=SETTINGS["classes"], seed=2, split="validation")
    of_seed = found[found["seed"] == 2].reset_index()
    for place, label in enumerate(of_seed["label"]):
        row = of_seed.loc[place]
        assert row["factor_background"] == drawn.factors["background"][place]
        for name in ("start", "width", "intensity"):
            if label == "none":
                assert np.isnan(row[f"factor_{name}"])
            else:
                assert row[f"factor_{name}"] == drawn.factors[f"{label}_{name}"][place]
    contrast = found["factor_intensity"] - found["factor_background"]
    np.testing.assert_allclose(found["factor_contrast"], contrast)


def test_depth_is_that_of_neighbours_in_the_layers_one_by_one(deep):
    """The MLP's depth of one seed, by sorting all distances at each of its probes."""
    settings = {**SETTINGS, "n_neighbors": 2}
    trial = material.prepare(MLP, settings)
    for _ in material.train(trial, MLP, settings):
        pass
    network = trial.networks[0].eval()
    seen = [
        torch.tensor(trial.images[split][0].images).float() / 255
        for split in ("train", "validation")
    ]
    labels = trial.images["train"][0].labels
    agreed = []
    probes = [(None, torch.nn.Identity()), *network.named_children()]
    with torch.inference_mode():
        for _, module in probes:
            seen = [module(values) for values in seen]
            references, queries = (values.half().flatten(1).double().numpy() for values in seen)
            distances = ((queries[:, None] - references[None]) ** 2).sum(2)
            ranks = np.stack([rankdata(row, method="ordinal") for row in distances])
            votes = np.stack(
                [np.bincount(labels[rank <= 2], minlength=3).argmax() for rank in ranks]
            )
            agreed.append(votes)
    answers = seen[1].argmax(1).numpy()
    expected = []
    for image, answer in enumerate(answers):
        depth = len(probes)
        while depth and agreed[depth - 1][image] == answer:
            depth -= 1
        expected.append(depth)
    found = deep["mlp"]
    assert found.loc[found["seed"] == 1, "depth"].tolist() == expected


# ── all of them ─────────────────────────────────────────────────────────────────────────────────

CELLS = {
    "learning": (CNN, SETTINGS, ["few_images"]),
    "course": (CNN, COURSE, ["longer", "longer_answers", "longer_kernels"]),
    "detectors": ({**CNN, "architecture": "cnn_frozen_2"}, SETTINGS, ["frozen_detectors"]),
    "gallery": ({"seed": 3}, {"location_ratio": 0.5}, ["gallery", "restored"]),
    "translation": (CNN, SHIFTED, ["translation", "equivariance"]),
    "depths": (MLP, {**SETTINGS, "n_neighbors": 2}, ["depth_of_edges"]),
    "filters": ({"picture": "edges"}, FILTERED, ["filters"]),
    "convolutions": ({"architecture": "cnn", "kernel_size": 3}, {}, ["convolutions"]),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_made_twice_has_the_same_bytes(name, tmp_path):
    cell, settings, asked = CELLS[name]
    written = []
    for turn in ("first", "second"):
        paths = [tmp_path / turn / table / "cell.parquet" for table in asked]
        stage.run(
            experiment=f"inductive_bias.experiments.{name}",
            data=tmp_path,
            outputs=paths,
            cell=cell,
            settings=settings,
        )
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]
    module = importlib.import_module(f"depthlens.chapters.inductive_bias.experiments.{name}")
    found = made(module, cell, settings)
    expected = [found] if isinstance(found, pd.DataFrame) else [found[table] for table in asked]
    for path, rows in zip(paths, expected, strict=True):
        pd.testing.assert_frame_equal(
            tables.read(path).to_pandas(), rows, check_dtype=False, check_exact=True
        )
