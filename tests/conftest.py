"""What the tests share: tiny images, and one tiny run made once through the stages themselves."""

import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from depthlens import cli, tables
from depthlens.stages import (
    activations,
    convergence,
    depth,
    generate,
    knn,
    probes,
    scores,
    train,
)

REPOSITORY = Path(__file__).parents[1]

# A busy machine is no fault of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# As explicit as a reader needs them; the default study has its own in config.yaml.
FACTORS = {
    "size": [0.4, 0.9],
    "offset_x": [-0.2, 0.2],
    "offset_y": [-0.2, 0.2],
    "rotation": [0.0, 360.0],
    "aspect_ratio": [1.2, 2.0],
    "contrast": [0.5, 0.9],
    "background": [0.0, 0.1],
    "noise": [0.0, 0.05],
}
DATASET = {
    "source": "shapes",
    "seed": 3,
    "train_examples": 96,
    "test_examples": 42,
    "factors": FACTORS,
}
TRAINING = {
    "epochs": 2,
    "batch_size": 32,
    "augmentation": [],
    "label_smoothing": 0.0,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "linear",
    "warmup": 0.0,
    "decay": 0.5,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "device": "cpu",
    "threads": 1,
    "snapshots": 2,
}
ACTIVATIONS = {
    "probes": "children",
    "dtype": "float32",
    "batch_size": 40,
    "device": "cpu",
}
KNN = {
    "n_neighbors": 7,
    "metric": "euclidean",
    "sensitivity": [1, 5, 7],
    "memory": 0.01,
    "shards": 1,
    "device": "cpu",
}
SCORES = {
    "early_epoch": 1,
    "gradient_examples": 24,
    "attack_examples": 3,
    "attack_steps": 4,
    "seed": 0,
}
CONVERGENCE = {"min_train_accuracy": 0.99, "allow_unconverged": True}
MODEL = {"architecture": "resnet18_narrow"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take minutes first: at the end one core would wait for the other."""
    items.sort(key=lambda item: "workflow" not in item.path.parts[-2:])


class TinyRun(NamedTuple):
    """Where the files of the tiny run are, and what they were made with."""

    root: Path

    def images(self, split: str) -> Path:
        return self.root / f"data/shapes/{split}.parquet"

    @property
    def folder(self) -> Path:
        return self.root / "results/shapes/resnet18/seed1"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def predictions(self, split: str) -> Path:
        return self.folder / f"predictions/{split}.parquet"

    def activations(self, split: str, probe: str) -> Path:
        return self.folder / f"activations/{split}/{probe}.parquet"

    def knn(self, split: str, probe: str) -> Path:
        return self.folder / f"knn/{split}/{probe}.parquet"

    def depth(self, split: str) -> Path:
        return self.folder / f"depth/{split}.parquet"

    def scores(self, split: str) -> Path:
        return self.folder / f"scores/{split}.parquet"

    def dynamics(self, split: str) -> Path:
        return self.folder / f"dynamics{'' if split == 'train' else '_test'}.parquet"

    @property
    def snapshots(self) -> Path:
        return self.folder / "snapshots.safetensors"

    @property
    def feature_probe(self) -> str:
        """What the last layer of the network is given."""
        return "09-avgpool"

    @property
    def probe_names(self) -> list[str]:
        return tables.read(self.folder / "probes.parquet")["name"].to_pylist()


@pytest.fixture(scope="session")
def blocks() -> dict[str, dict]:
    """Blocks of the config that the tiny run was made with."""
    return {
        "dataset": DATASET,
        "training": TRAINING,
        "activations": ACTIVATIONS,
        "knn": KNN,
        "scores": SCORES,
        "convergence": CONVERGENCE,
        "model": MODEL,
    }


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository that is tested: to read, never to write."""
    return REPOSITORY


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Images, network, activations, k-NN, depths and scores of both splits: to read only."""
    run = TinyRun(tmp_path_factory.mktemp("study"))
    for split in ("train", "test"):
        generate.run(split=split, output=run.images(split), cfg=DATASET)
    train.run(
        train_images=run.images("train"),
        test_images=run.images("test"),
        seed=1,
        checkpoint=run.checkpoint,
        history=run.folder / "history.parquet",
        dynamics=run.dynamics("train"),
        dynamics_test=run.dynamics("test"),
        snapshots=run.snapshots,
        resume=run.folder / "resume.safetensors",
        cfg={"training": TRAINING, "model": MODEL},
    )
    forward = {"activations": ACTIVATIONS, "model": MODEL}
    probes.run(
        images=run.images("train"),
        checkpoint=run.checkpoint,
        output=run.folder / "probes.parquet",
        cfg=forward,
    )
    for split in ("train", "test"):
        activations.run(
            images=run.images(split),
            checkpoint=run.checkpoint,
            output=run.folder / f"activations/{split}",
            predictions=run.predictions(split),
            cfg=forward,
        )
    convergence.run(
        train_predictions=run.predictions("train"),
        test_predictions=run.predictions("test"),
        output=run.folder / "convergence.json",
        cfg=CONVERGENCE,
    )
    for probe in run.probe_names:
        knn.run(
            references=run.activations("train", probe),
            labels=run.predictions("train"),
            queries=run.activations("test", probe),
            output=run.knn("test", probe),
            leave_one_out=run.knn("train", probe),
            cfg=KNN,
        )
    for split in ("train", "test"):
        depth.run(
            knn=[run.knn(split, probe) for probe in run.probe_names],
            predictions=run.predictions(split),
            convergence=run.folder / "convergence.json",
            output=run.depth(split),
        )
        scores.run(
            split=split,
            predictions=run.predictions(split),
            knn=run.knn(split, run.feature_probe),
            features=run.activations(split, run.feature_probe),
            reference_features=run.activations("train", run.feature_probe),
            labels=run.predictions("train"),
            images=run.images(split),
            checkpoint=run.checkpoint,
            dynamics=run.dynamics(split),
            snapshots=run.snapshots,
            output=run.scores(split),
            cfg={"scores": SCORES, "model": MODEL},
        )
    return run


class Outcome(NamedTuple):
    """What a user sees of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def depthlens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run a command as the shell would, in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["depthlens", *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        path, root = sys.path[:], logging.getLogger()
        handlers, level = root.handlers[:], root.level
        capsys.readouterr()
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        finally:
            signal.signal(signal.SIGTERM, before)
            sys.path[:] = path
            root.handlers[:] = handlers
            root.setLevel(level)
        return Outcome(status, *capsys.readouterr())

    return call
