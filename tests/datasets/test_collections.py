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


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_pickles_of_an_old_torchvision_are_not_read(tmp_path, name):
    write_idx(tmp_path / name / "raw")
    old = tmp_path / name / "processed"
    old.mkdir()
    for file in ("training.pt", "test.pt"):
        (old / file).write_bytes(b"")
    with pytest.raises(StudyError, match="processed holds pickles of an old torchvision"):
        collections.load(name, "train", tmp_path)


def python_2(value: object) -> bytes:
    """What cPickle of Python 2 wrote into the files of CIFAR-10, opcode for opcode."""
    match value:
        case int():
            return b"J" + struct.pack("<i", value)
        case str():
            return b"T" + struct.pack("<i", len(value)) + value.encode("latin1")
        case list():
            return b"](" + b"".join(map(python_2, value)) + b"e"
        case dict():
            items = (python_2(key) + python_2(item) for key, item in value.items())
            return b"}(" + b"".join(items) + b"u"
        case np.ndarray():
            dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # fmt: skip  # noqa: E501
            content = python_2(value.tobytes().decode("latin1"))
            shape = b"".join(map(python_2, value.shape)) + b"\x86"
            empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
            return empty + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    raise TypeError(type(value))


def cifar_10() -> dict[str, bytes]:
    """The seven files, with ten images in each batch."""
    generator = np.random.default_rng(0)
    files = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        batch = {
            "batch_label": name,
            "labels": generator.permutation(10).tolist(),
            "data": generator.integers(0, 256, (10, 3072), dtype=np.uint8),
            "filenames": [f"caf\xe9_{i}.png" for i in range(10)],
        }
        files[name] = b"\x80\x02" + python_2(batch) + b"."
    names = [f"class {i}" for i in range(10)]
    files["batches.meta"] = b"\x80\x02" + python_2({"label_names": names}) + b"."
    return files


@pytest.fixture
def write_cifar(tmp_path, monkeypatch):
    """Writes files of CIFAR-10 and has torchvision take their MD5 for the right ones."""

    def write(files: dict[str, bytes]) -> None:
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir(exist_ok=True)
        listed = {"train_list": [], "test_list": []}
        for name, content in files.items():
            (folder / name).write_bytes(content)
            md5 = hashlib.md5(content).hexdigest()
            if name == "batches.meta":
                meta = {"filename": name, "key": "label_names", "md5": md5}
                monkeypatch.setattr(torchvision.datasets.CIFAR10, "meta", meta)
            else:
                listed["test_list" if name == "test_batch" else "train_list"].append([name, md5])
        for key, value in listed.items():
            monkeypatch.setattr(torchvision.datasets.CIFAR10, key, value)

    return write


@pytest.mark.parametrize("split", ["train", "test"])
def test_colour_images_are_read_as_torchvision_reads_them(tmp_path, write_cifar, split):
    write_cifar(cifar_10())
    images, labels, classes = collections.load("CIFAR10", split, tmp_path)
    theirs = torchvision.datasets.CIFAR10(tmp_path, train=split == "train")
    assert len(images) == {"train": 50, "test": 10}[split]
    np.testing.assert_array_equal(images, theirs.data.transpose(0, 3, 1, 2))
    assert labels.tolist() == theirs.targets
    assert classes == theirs.classes
    assert images.dtype == np.uint8
    assert labels.dtype == np.int16
    assert images.flags.c_contiguous


def test_red_comes_before_green_and_blue(tmp_path, write_cifar):
    # The page of CIFAR-10: 1024 red values, then 1024 green, then 1024 blue.
    planes = np.repeat(np.array([10, 20, 30], np.uint8), 1024)[None]
    batch = {"data": planes, "labels": [4]}
    write_cifar(cifar_10() | {"test_batch": pickle.dumps(batch)})
    images, labels, _ = collections.load("CIFAR10", "test", tmp_path)
    assert images.shape == (1, 3, 32, 32)
    for channel, value in enumerate((10, 20, 30)):
        assert (images[0, channel] == value).all()
    assert labels.tolist() == [4]


@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta"])
def test_code_in_a_file_of_cifar_10_is_not_run(tmp_path, write_cifar, name):
    marker = tmp_path / "was run"
    hostile = b"cpathlib\nPath.touch\n(cpathlib\nPath\nV%s\n\x85RtR." % str(marker).encode()
    hostile = hostile.replace(
        b"cpathlib\nPath.touch\n", b"\x80\x04\x8c\x07pathlib\x8c\nPath.touch\x93"
    )
    write_cifar(cifar_10() | {name: hostile})
    with pytest.raises(StudyError, match=rf"{name}: refused.*pathlib\.Path\.touch"):
        collections.load("CIFAR10", "train", tmp_path)
    assert not marker.exists()
    pickle.loads(hostile)  # what torchvision would have done
    assert marker.exists()


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
def test_a_file_of_cifar_10_that_was_changed_is_not_taken_for_present(tmp_path, write_cifar, name):
    write_cifar(cifar_10())
    file = tmp_path / "cifar-10-batches-py" / name
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(StudyError, match="CIFAR10 is not in"):
        collections.load("CIFAR10", "train", tmp_path)


@pytest.mark.parametrize(
    "batch",
    [
        ["no dictionary"],
        {"data": np.zeros((2, 3072), np.uint8)},
        {"data": np.zeros((2, 3072), np.uint8), "labels": [0]},
        {"data": np.zeros((2, 3071), np.uint8), "labels": [0, 1]},
        {"data": np.zeros((2, 3072), np.float32), "labels": [0, 1]},
        {"data": "text", "labels": [0, 1]},
    ],
)
def test_a_batch_that_is_none_is_called_damaged(tmp_path, write_cifar, batch):
    write_cifar(cifar_10() | {"test_batch": pickle.dumps(batch)})
    with pytest.raises(StudyError, match=r"datasets: CIFAR10 in .* is damaged .*test_batch"):
        collections.load("CIFAR10", "test", tmp_path)


def test_absent_cifar_10_is_downloaded_from_where_torchvision_says(
    tmp_path, write_cifar, monkeypatch
):
    write_cifar(cifar_10())
    folder = tmp_path / "cifar-10-batches-py"
    away = folder.rename(tmp_path / "away")
    asked = []

    def download(url, root, *, filename, md5):
        asked.append((url, filename, md5))
        away.rename(root / "cifar-10-batches-py")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", download)
    images, _, _ = collections.load("CIFAR10", "test", tmp_path)
    assert len(images) == 10
    kind = torchvision.datasets.CIFAR10
    assert asked == [(kind.url, kind.filename, kind.tgz_md5)]
    collections.load("CIFAR10", "test", tmp_path)
    assert len(asked) == 1, "what is there was downloaded again"

    # A download that is not what it should be is not read.
    away = folder.rename(tmp_path / "away")
    (away / "test_batch").write_bytes(b"changed on the way")
    with pytest.raises(StudyError, match="MD5"):
        collections.load("CIFAR10", "test", tmp_path)


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
