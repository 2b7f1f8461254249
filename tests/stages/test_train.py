"""Training as a stage: what it writes, and that a killed run ends with the bytes of a whole one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from depthlens import tables
from depthlens.datasets import shapes
from depthlens.errors import StudyError
from depthlens.models import checkpoints
from depthlens.stages import train
from depthlens.training import loop

# 27 examples in batches of 13: the last one joins a batch. Dropout, batch statistics and in-place
# activations: all that a resumed run could get wrong.
N_TRAIN, N_TEST = 27, 12
NETWORK = {"architecture": "mobilenet_v3_small"}
FILES = (
    "checkpoint.safetensors",
    "history.parquet",
    "dynamics.parquet",
    "dynamics_test.parquet",
    "snapshots.safetensors",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory, blocks) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        drawn = shapes.generate(0, n, seed=0, split=split, ranges=blocks["dataset"]["factors"])
        split_of = tables.Images(
            np.arange(n, dtype=np.int32), drawn.images, drawn.labels, list(shapes.CLASSES), {}
        )
        tables.write_images(folder / f"{split}.parquet", split_of, {})
    return folder


@pytest.fixture(scope="module")
def settings(blocks) -> dict:
    return blocks["training"] | {"epochs": 3, "batch_size": 13, "snapshots": 2}


def run(folder: Path, data: Path, settings: dict, *, seed: int = 1) -> dict[str, bytes]:
    train.run(
        train_images=data / "train.parquet",
        test_images=data / "test.parquet",
        seed=seed,
        checkpoint=folder / FILES[0],
        history=folder / FILES[1],
        dynamics=folder / FILES[2],
        dynamics_test=folder / FILES[3],
        snapshots=folder / FILES[4],
        resume=folder / "resume.safetensors",
        cfg={"training": settings, "model": NETWORK},
    )
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data, settings) -> Path:
    """Folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, data, settings)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


class Killed(BaseException):
    """Stands for the end of the process."""


def kill(monkeypatch, *, epoch: int) -> None:
    """End the process in the middle of an epoch, after its first step."""
    begun = []

    def bar(batches, **_):
        begun.append(None)
        for index, batch in enumerate(batches):
            if len(begun) == epoch and index == 1:
                raise Killed
            yield batch

    monkeypatch.setattr(train, "bar", bar)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path, monkeypatch, data, settings, whole, epoch
):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, epoch=epoch)
        run(tmp_path, data, settings)
    assert (tmp_path / "resume.safetensors").exists() == (epoch > 1)
    assert not any((tmp_path / name).exists() for name in FILES)

    epochs = []
    original = loop.train
    monkeypatch.setattr(
        train.loop, "train", lambda *a, **k: epochs.append(k["epochs"]) or original(*a, **k)
    )
    assert run(tmp_path, data, settings) == contents(whole)
    assert epochs == [range(epoch, 4)]  # the finished ones were not done again
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_a_killed_run_with_augmentation_and_cosine_goes_on_to_the_same_bytes(
    tmp_path, monkeypatch, data, settings, whole
):
    settings = settings | {
        "augmentation": [{"name": "random_crop", "padding": 4}, {"name": "horizontal_flip"}],
        "label_smoothing": 0.1,
        "schedule": "cosine",
        "warmup": 0.2,
        "decay": 0.0,
    }
    undisturbed = run(tmp_path / "whole", data, settings)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, epoch=3)
        run(tmp_path / "killed", data, settings)
    assert run(tmp_path / "killed", data, settings) == undisturbed
    assert undisturbed["checkpoint.safetensors"] != contents(whole)["checkpoint.safetensors"]


def test_a_look_at_an_example_depends_on_its_id_not_on_its_row(
    tmp_path, monkeypatch, data, settings
):
    settings = settings | {"augmentation": [{"name": "random_crop", "padding": 4}], "epochs": 1}
    ids = tables.read_images(data / "train.parquet").example_id
    asked = []
    original = train.augmentation.looks
    monkeypatch.setattr(
        train.augmentation, "looks", lambda *a, **k: asked.append(k) or original(*a, **k)
    )
    run(tmp_path, data, settings | {"snapshots": 1}, seed=3)
    assert asked[0]["seed"] == 3 and np.array_equal(asked[0]["example_id"], ids)


def test_a_run_killed_between_its_last_epoch_and_its_files_ends_with_the_same_bytes(
    tmp_path, monkeypatch, data, settings, whole
):
    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train, "_write_dynamics", killed)
        run(tmp_path, data, settings)
    assert run(tmp_path, data, settings) == contents(whole)


@pytest.mark.parametrize(
    "changed", [{"optimizer": "sgd", "momentum": 0.0}, {"optimizer": "sgd"}, {"optimizer": "adamw"}]
)
def test_every_optimizer_goes_on_to_the_same_weights(
    tmp_path, monkeypatch, data, settings, changed
):
    settings = settings | {"epochs": 2, "batch_size": 64} | changed
    undisturbed = run(tmp_path / "whole", data, settings)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        original = train._keep

        def keep(*arguments):
            original(*arguments)
            raise Killed

        patch.setattr(train, "_keep", keep)
        run(tmp_path / "killed", data, settings)
    assert run(tmp_path / "killed", data, settings) == undisturbed


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:5000]),  # half-written
        lambda path: path.write_bytes(b"something else"),
    ],
)
def test_a_damaged_state_is_not_used(tmp_path, monkeypatch, data, settings, whole, spoil):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, epoch=2)
        run(tmp_path, data, settings)
    spoil(tmp_path / "resume.safetensors")
    assert run(tmp_path, data, settings) == contents(whole)


def test_the_state_of_another_config_is_not_used(tmp_path, monkeypatch, data, settings, whole):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill(patch, epoch=2)
        run(tmp_path, data, settings | {"learning_rate": 0.5})
    assert run(tmp_path, data, settings) == contents(whole)


def test_another_seed_gives_another_network(tmp_path, data, settings, whole):
    other = run(tmp_path, data, settings, seed=2)
    assert other["checkpoint.safetensors"] != contents(whole)["checkpoint.safetensors"]


def test_history_has_a_row_an_epoch(whole, settings):
    history = tables.read(whole / "history.parquet")
    assert history.column_names == [
        "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate",
    ]  # fmt: skip
    assert history["epoch"].to_pylist() == [1, 2, 3]
    rates = history["learning_rate"].to_numpy()
    assert rates[0] == settings["learning_rate"]
    assert np.all(np.diff(rates) <= 0)


def test_the_dynamics_of_both_splits_have_a_row_an_epoch_and_example(whole):
    for name, n in (("dynamics", N_TRAIN), ("dynamics_test", N_TEST)):
        table = tables.read(whole / f"{name}.parquet")
        assert {field.name: field.type for field in table.schema} == {
            "epoch": pa.int16(),
            "example_id": pa.int32(),
            "loss": pa.float32(),
            "margin": pa.float32(),
            "prediction": pa.int16(),
            "error_norm": pa.float32(),
            "gradient_norm": pa.float32(),
        }
        assert table["epoch"].to_pylist() == [e for e in (1, 2, 3) for _ in range(n)]
        assert table["example_id"].to_pylist() == list(range(n)) * 3
        assert np.isfinite(table["gradient_norm"].to_numpy()).all()


def test_history_and_dynamics_tell_one_story(whole, data):
    history = tables.read(whole / "history.parquet")
    dynamics = tables.read(whole / "dynamics.parquet")
    labels = tables.read_images(data / "train.parquet").labels
    loss, margin, prediction = (
        dynamics[name].to_numpy().reshape(3, N_TRAIN) for name in ("loss", "margin", "prediction")
    )
    right = prediction == labels
    np.testing.assert_allclose(history["train_loss"], loss.mean(1, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(history["train_accuracy"], right.mean(1))
    np.testing.assert_array_equal(margin > 0, right)
    # loss = log(1 + Σ exp(other - own)): between the largest term and five of them.
    least = np.log1p(np.exp(-margin.astype(np.float64)))
    assert np.all(loss >= least - 1e-5)
    assert np.all(loss <= np.log1p(5 * np.exp(-margin.astype(np.float64))) + 1e-5)


def test_the_checkpoint_has_the_accuracy_that_history_says(whole, data):
    test = tables.read_images(data / "test.parquet")
    network = checkpoints.load_network(
        whole / "checkpoint.safetensors", architecture="mobilenet_v3_small", n_classes=6
    )
    with torch.inference_mode():
        answer = network((torch.tensor(test.images) / 255).repeat(1, 3, 1, 1)).argmax(1).numpy()
    history = tables.read(whole / "history.parquet")
    assert history["test_accuracy"][2].as_py() == pytest.approx((answer == test.labels).mean())


def test_everything_says_what_it_was_made_from(whole, data, settings):
    _, about = checkpoints.load_tensors(whole / "checkpoint.safetensors")
    assert about["architecture"] == "mobilenet_v3_small"
    assert about["n_classes"] == 6
    assert about["config"] == {"training": settings, "model": NETWORK, "seed": 1}
    assert about["inputs"]["train"]["sha256"] == tables.sha256(data / "train.parquet")
    assert tables.metadata(whole / "dynamics.parquet")["inputs"] == about["inputs"]


def test_snapshots_are_the_weights_after_their_epochs(tmp_path, data, settings, whole):
    tensors, about = checkpoints.load_tensors(whole / "snapshots.safetensors")
    assert about["epochs"] == [2, 3]
    final, _ = checkpoints.load_tensors(whole / "checkpoint.safetensors")
    assert tensors.keys() == {f"{epoch}.{name}" for epoch in (2, 3) for name in final}
    assert all(torch.equal(tensors[f"3.{name}"], value) for name, value in final.items())
    # At a constant rate the first two epochs are the same, however many follow.
    constant = settings | {"decay": 0.0}
    run(tmp_path / "three", data, constant)
    run(tmp_path / "two", data, constant | {"epochs": 2, "snapshots": 0})
    kept, _ = checkpoints.load_tensors(tmp_path / "three/snapshots.safetensors")
    ended, _ = checkpoints.load_tensors(tmp_path / "two/checkpoint.safetensors")
    assert all(torch.equal(kept[f"2.{name}"], value) for name, value in ended.items())
    assert checkpoints.load_tensors(tmp_path / "two/snapshots.safetensors")[0] == {}


def test_a_network_that_does_not_fit_is_refused_before_training(tmp_path, data, settings):
    with pytest.raises(StudyError, match="alexnet does not take images of 1×32×32"):
        train.run(
            train_images=data / "train.parquet",
            test_images=data / "test.parquet",
            seed=1,
            checkpoint=tmp_path / "c",
            history=tmp_path / "h",
            dynamics=tmp_path / "d",
            dynamics_test=tmp_path / "t",
            snapshots=tmp_path / "s",
            resume=tmp_path / "r",
            cfg={"training": settings, "model": {"architecture": "alexnet"}},
        )
    assert list(tmp_path.iterdir()) == []
