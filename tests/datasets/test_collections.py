"""Collections in torchvision's layout: read where present, one clear error where absent."""

import gzip
import hashlib
import pickle
import struct
from urllib.error import URLError

import numpy as np
import pytest
import torchvision

from depthlens import tables
from depthlens.datasets import collections
from depthlens.errors import StudyError
from depthlens.stages import import_images

COUNTS = {"train": 40, "test": 20}


def pictures(split: str) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(len(split))
    n = COUNTS[split]
    images = generator.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    return images, (np.arange(n) % 10).astype(np.uint8)


def write_idx(folder, *, packed: bool = False) -> None:
    """The four files of MNIST's format, as its page describes them."""
    folder.mkdir(parents=True)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = pictures(split)
        files = {
            f"{prefix}-images-idx3-ubyte": struct.pack(">IIII", 0x803, *images.shape)
            + images.tobytes(),
            f"{prefix}-labels-idx1-ubyte": struct.pack(">II", 0x801, len(labels))
            + labels.tobytes(),
        }
        for name, content in files.items():
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """A machine without a network, whatever machine this is."""

    def refuse(*_args, **_kwargs):
        raise URLError("no network here")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("urllib.request.urlretrieve", refuse)
    for module in ("mnist", "cifar"):
        download = f"torchvision.datasets.{module}.download_and_extract_archive"
        monkeypatch.setattr(download, refuse)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_files_in_the_layout_of_mnist_are_read(tmp_path, name, split):
    write_idx(tmp_path / name / "raw")
    images, labels, classes = collections.load(name, split, tmp_path)
    expected, expected_labels = pictures(split)
    np.testing.assert_array_equal(images, expected[:, None])
    np.testing.assert_array_equal(labels, expected_labels)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int16
    assert len(classes) == 10
    assert classes[9] == {"MNIST": "9 - nine", "FashionMNIST": "Ankle boot"}[name]


@pytest.mark.parametrize("split", ["train", "test"])
def test_colour_images_are_read_channel_first(tmp_path, monkeypatch, split):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    generator = np.random.default_rng(0)
    listed = {"train_list": [], "test_list": []}
    expected = {}
    for name in ["data_batch_1", "data_batch_2", "test_batch"]:
        data = generator.integers(0, 256, (10, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": data, "labels": list(range(10))})
        (folder / name).write_bytes(content)
        which = "test_list" if name == "test_batch" else "train_list"
        listed[which].append([name, hashlib.md5(content).hexdigest()])
        expected.setdefault("test" if name == "test_batch" else "train", []).append(data)
    meta = pickle.dumps({"label_names": [f"class {i}" for i in range(10)]})
    (folder / "batches.meta").write_bytes(meta)
    kind = torchvision.datasets.CIFAR10
    for key, value in listed.items():
        monkeypatch.setattr(kind, key, value)
    about = {"filename": "batches.meta", "key": "label_names", "md5": hashlib.md5(meta).hexdigest()}
    monkeypatch.setattr(kind, "meta", about)

    images, labels, classes = collections.load("CIFAR10", split, tmp_path)
    # CIFAR-10 stores the red plane, then the green, then the blue.
    whole = np.concatenate(expected[split]).reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(images, whole)
    assert images.flags.c_contiguous
    assert labels.tolist() == list(range(10)) * (len(whole) // 10)
    assert classes[3] == "class 3"


@pytest.mark.parametrize(
    ("name", "folder", "file"),
    [
        ("MNIST", "MNIST/raw", "train-images-idx3-ubyte"),
        ("FashionMNIST", "FashionMNIST/raw", "train-images-idx3-ubyte"),
        ("CIFAR10", "cifar-10-batches-py", "data_batch_1"),
    ],
)
def test_no_data_and_no_network_says_what_to_put_where(tmp_path, name, folder, file):
    with pytest.raises(StudyError) as caught:
        collections.load(name, "train", tmp_path / "root")
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert text.startswith(f"datasets: {name} is not in {tmp_path / 'root'}")
    assert str(tmp_path / "root" / folder) in text
    assert file in text


def test_a_file_that_is_missing_is_not_taken_for_present(tmp_path):
    write_idx(tmp_path / "MNIST/raw")
    (tmp_path / "MNIST/raw/train-labels-idx1-ubyte").unlink()
    with pytest.raises(StudyError, match="MNIST is not in"):
        collections.load("MNIST", "train", tmp_path)


@pytest.mark.parametrize("kept", [0, 10, 5000])
def test_a_truncated_file_is_one_clear_error(tmp_path, kept):
    write_idx(tmp_path / "MNIST/raw")
    file = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(StudyError, match="datasets: MNIST"):
        collections.load("MNIST", "train", tmp_path)


def test_what_is_measured_of_an_image_is_what_it_says():
    black = np.zeros((1, 4, 4), np.uint8)
    half = black.copy()
    half[0, :, 2:] = 255
    dim = (half // 5 * 2).astype(np.uint8)  # 102: 0.4 of white
    measured = collections.measure(np.stack([black, half, dim]))
    np.testing.assert_allclose(measured["brightness"], [0, 0.5, 0.2], atol=1e-6)
    np.testing.assert_allclose(measured["contrast"], [0, 0.5, 0.2], atol=1e-6)
    np.testing.assert_allclose(measured["ink"], [0, 0.5, 0.5], atol=1e-6)
    # One of three steps across is a full one, no step down is.
    np.testing.assert_allclose(measured["edges"], [0, 1 / 6, 0.4 / 6], atol=1e-6)
    assert all(values.dtype == np.float32 for values in measured.values())


def test_grey_written_as_three_equal_channels_measures_the_same():
    grey = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8), dtype=np.uint8)
    one, three = collections.measure(grey), collections.measure(grey.repeat(3, axis=1))
    for name in one:
        np.testing.assert_allclose(one[name], three[name], atol=1e-6)


class TestStage:
    """`depthlens import-images`."""

    def cfg(self, root, **changed) -> dict:
        return {
            "source": "torchvision",
            "name": "MNIST",
            "data_root": str(root),
            "train_examples": None,
            "test_examples": None,
        } | changed

    def test_all_images_of_a_split_become_a_table_of_images(self, tmp_path):
        write_idx(tmp_path / "MNIST/raw")
        output = tmp_path / "data/mnist/test.parquet"
        import_images.run(split="test", output=output, cfg=self.cfg(tmp_path))
        split = tables.read_images(output)
        np.testing.assert_array_equal(split.images[:, 0], pictures("test")[0])
        assert split.example_id.tolist() == list(range(20))
        assert set(split.factors) == {"brightness", "contrast", "ink", "edges"}

    def test_the_first_so_many_are_taken(self, tmp_path):
        write_idx(tmp_path / "MNIST/raw")
        cfg = self.cfg(tmp_path, train_examples=12)
        import_images.run(split="train", output=tmp_path / "t.parquet", cfg=cfg)
        split = tables.read_images(tmp_path / "t.parquet")
        np.testing.assert_array_equal(split.images[:, 0], pictures("train")[0][:12])

    def test_where_the_files_lay_does_not_change_the_table(self, tmp_path):
        for root in ("here", "there"):
            write_idx(tmp_path / root / "MNIST/raw")
            cfg = self.cfg(tmp_path / root)
            import_images.run(split="train", output=tmp_path / f"{root}.parquet", cfg=cfg)
        assert (tmp_path / "here.parquet").read_bytes() == (tmp_path / "there.parquet").read_bytes()

    def test_more_images_than_there_are_is_refused(self, tmp_path):
        write_idx(tmp_path / "MNIST/raw")
        cfg = self.cfg(tmp_path, test_examples=21)
        with pytest.raises(StudyError, match="test_examples is 21, but MNIST has 20"):
            import_images.run(split="test", output=tmp_path / "t.parquet", cfg=cfg)
        assert not (tmp_path / "t.parquet").exists()

    def test_a_class_with_no_example_is_named(self, tmp_path):
        write_idx(tmp_path / "MNIST/raw")
        cfg = self.cfg(tmp_path, train_examples=8)
        with pytest.raises(StudyError, match="no train example of 8 - eight, 9 - nine"):
            import_images.run(split="train", output=tmp_path / "t.parquet", cfg=cfg)
        assert not (tmp_path / "t.parquet").exists()
