"""Collections in torchvision's layout: read where present, one clear error where absent."""

import bz2
import gzip
import hashlib
import pickle
import struct
from typing import get_args
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torchvision

from depthlens.datasets import collections, settings
from depthlens.errors import StudyError

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
    for module in ("mnist", "cifar", "utils"):
        download = f"torchvision.datasets.{module}.download_and_extract_archive"
        monkeypatch.setattr(download, refuse)
    monkeypatch.setattr("torchvision.datasets.utils.download_url", refuse)


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
        ("KMNIST", "KMNIST/raw", "train-images-idx3-ubyte"),
        ("QMNIST", "QMNIST/raw", "qmnist-train-images-idx3-ubyte"),
        ("EMNIST-letters", "EMNIST/raw", "emnist-letters-train-images-idx3-ubyte"),
        ("CIFAR10", "cifar-10-batches-py", "data_batch_1"),
        ("CIFAR100", "cifar-100-python", "meta"),
        ("SVHN", ".", "train_32x32.mat"),
        ("STL10", "stl10_binary", "train_X.bin"),
        ("USPS", ".", "usps.bz2"),
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


def test_kmnist_is_read_as_mnist_is(tmp_path):
    write_idx(tmp_path / "KMNIST/raw")
    images, labels, classes = collections.load("KMNIST", "test", tmp_path)
    np.testing.assert_array_equal(images[:, 0], pictures("test")[0])
    np.testing.assert_array_equal(labels, pictures("test")[1])
    assert classes[:2] == ["o", "ki"]


def idx(values: np.ndarray) -> bytes:
    """A file of unsigned bytes, or of whole numbers in four bytes, as MNIST's page describes it."""
    kind, dtype = (0x08, ">u1") if values.dtype == np.uint8 else (0x0C, ">i4")
    head = bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.astype(dtype).tobytes()


@pytest.mark.parametrize(
    ("part", "first", "classes"),
    [
        ("letters", 1, list("abcdefghijklmnopqrstuvwxyz")),
        ("digits", 0, list("0123456789")),
        ("balanced", 0, [*"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"abdefghnqrt"]),
    ],
)
def test_emnist_is_upright_and_its_classes_begin_at_0(tmp_path, part, first, classes):
    folder = tmp_path / "EMNIST/raw"
    folder.mkdir(parents=True)
    upright, numbers = pictures("train")
    upright[0] = 0
    upright[0, 0, :] = 255  # a bar at the top
    labels = (first + numbers).astype(np.uint8)
    # The files hold columns for rows.
    (folder / f"emnist-{part}-train-images-idx3-ubyte").write_bytes(idx(upright.transpose(0, 2, 1)))
    (folder / f"emnist-{part}-train-labels-idx1-ubyte").write_bytes(idx(labels))
    images, found, names = collections.load(f"EMNIST-{part}", "train", tmp_path)
    np.testing.assert_array_equal(images[:, 0], upright)
    np.testing.assert_array_equal(found, numbers)
    assert names == classes


def test_the_class_of_qmnist_is_the_first_of_its_labels(tmp_path):
    folder = tmp_path / "QMNIST/raw"
    folder.mkdir(parents=True)
    images, numbers = pictures("test")
    about = np.arange(len(numbers) * 8).reshape(-1, 8) + 100
    about[:, 0] = numbers
    (folder / "qmnist-test-images-idx3-ubyte").write_bytes(idx(images))
    (folder / "qmnist-test-labels-idx2-int").write_bytes(idx(about))
    found, labels, _ = collections.load("QMNIST", "test", tmp_path)
    np.testing.assert_array_equal(found[:, 0], images)
    np.testing.assert_array_equal(labels, numbers)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_cifar_100_has_its_fine_classes(tmp_path, monkeypatch):
    kind = torchvision.datasets.CIFAR100
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    planes = np.arange(5, dtype=np.uint8).repeat(3072).reshape(5, 3072)
    names = [f"fine {i}" for i in range(100)]
    batch = {"fine_labels": [9, 8, 7, 6, 99], "coarse_labels": [1] * 5, "data": planes}
    content = {
        "train": b"\x80\x02" + python_2(batch) + b".",
        "test": b"\x80\x02" + python_2(batch | {"fine_labels": [0, 1, 2, 3, 4]}) + b".",
        "meta": b"\x80\x02" + python_2({"fine_label_names": names}) + b".",
    }
    for name, written in content.items():
        (folder / name).write_bytes(written)
    monkeypatch.setattr(kind, "train_list", [["train", md5(content["train"])]])
    monkeypatch.setattr(kind, "test_list", [["test", md5(content["test"])]])
    monkeypatch.setattr(
        kind, "meta", {"filename": "meta", "key": "fine_label_names", "md5": md5(content["meta"])}
    )
    images, labels, classes = collections.load("CIFAR100", "train", tmp_path)
    assert labels.tolist() == [9, 8, 7, 6, 99]
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert classes == names
    assert collections.load("CIFAR100", "test", tmp_path)[1].tolist() == [0, 1, 2, 3, 4]


@pytest.fixture
def svhn(tmp_path, monkeypatch):
    """Files of SVHN, as scipy writes them."""
    generator = np.random.default_rng(1)
    split_list = {}
    for split, n in COUNTS.items():
        file = tmp_path / f"{split}_32x32.mat"
        content = {
            "X": generator.integers(0, 256, (32, 32, 3, n), dtype=np.uint8),
            "y": (np.arange(n) % 10 + 1).astype(np.uint8)[:, None],
        }
        scipy.io.savemat(file, content)
        split_list[split] = ["http://example.invalid/x", file.name, md5(file.read_bytes())]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", split_list)
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_svhn_is_read_as_torchvision_reads_it(svhn, split):
    images, labels, classes = collections.load("SVHN", split, svhn)
    theirs = torchvision.datasets.SVHN(svhn, split=split)
    np.testing.assert_array_equal(images, theirs.data)
    np.testing.assert_array_equal(labels, theirs.labels)
    assert labels[9] == 0, "the label of 0 is 10 in the file"
    assert classes == list("0123456789")


@pytest.fixture
def usps(tmp_path, monkeypatch):
    """Files of USPS: lines `label index:value …`, values from -1 to 1."""
    split_list = {}
    for split, name in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        lines = []
        for i in range(COUNTS[split]):
            values = np.linspace(-1, 1, 256) if i % 2 else np.full(256, -1.0)
            pairs = " ".join(f"{at}:{value:.4f}" for at, value in enumerate(values, start=1))
            lines.append(f"{i % 10 + 1} {pairs}")
        content = bz2.compress("\n".join(lines).encode())
        (tmp_path / name).write_bytes(content)
        split_list[split] = ["http://example.invalid/x", name, md5(content)]
    monkeypatch.setattr(torchvision.datasets.USPS, "split_list", split_list)
    return tmp_path


def test_usps_goes_from_black_to_white(usps):
    images, labels, classes = collections.load("USPS", "test", usps)
    assert images.shape == (20, 1, 16, 16)
    assert images[0].max() == 0
    assert (images[1, 0, 0, 0], images[1, 0, -1, -1]) == (0, 255)
    assert labels.tolist() == [*range(10), *range(10)]
    assert classes == list("0123456789")


@pytest.mark.parametrize(("name", "file"), [("SVHN", "test_32x32.mat"), ("USPS", "usps.t.bz2")])
def test_a_single_file_that_was_changed_is_called_damaged(svhn, usps, name, file):
    path = svhn / file
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(StudyError, match=rf"{name} in .* is damaged \({file} is not what its MD5"):
        collections.load(name, "test", svhn)
    collections.load(name, "train", svhn)


def test_stl_10_is_read_without_its_unlabelled_images(tmp_path, monkeypatch):
    kind = torchvision.datasets.STL10
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    generator = np.random.default_rng(2)
    stored = generator.integers(0, 256, (10, 3, 96, 96), dtype=np.uint8)  # columns for rows
    content = {
        "train_X.bin": stored.tobytes(),
        "train_y.bin": np.arange(1, 11, dtype=np.uint8).tobytes(),
        "test_X.bin": stored[::-1].tobytes(),
        "test_y.bin": np.arange(10, 0, -1, dtype=np.uint8).tobytes(),
    }
    for name, written in content.items():
        (folder / name).write_bytes(written)
    listed = {name: [name, md5(written)] for name, written in content.items()}
    monkeypatch.setattr(
        kind,
        "train_list",
        [listed["train_X.bin"], listed["train_y.bin"], ["unlabeled_X.bin", "0" * 32]],
    )
    monkeypatch.setattr(kind, "test_list", [listed["test_X.bin"], listed["test_y.bin"]])
    images, labels, classes = collections.load("STL10", "train", tmp_path)
    assert labels.tolist() == list(range(10))
    np.testing.assert_array_equal(images[3, 1], stored[3, 1].T)
    images, labels, _ = collections.load("STL10", "test", tmp_path)
    assert labels.tolist() == list(range(9, -1, -1))
    assert (classes[0], classes[9]) == ("airplane", "truck")


def test_every_collection_of_the_config_can_be_read():
    field = settings.TorchvisionDataset.model_fields["name"]
    assert set(get_args(field.annotation)) == collections.COLLECTIONS.keys()
    kinds = {name.partition("-")[0] for name in collections.COLLECTIONS}
    assert all(hasattr(torchvision.datasets, kind) for kind in kinds)


def test_what_is_measured_does_not_depend_on_how_many_are(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (25, 3, 9, 7), dtype=np.uint8)
    at_once = collections.measure(images)
    monkeypatch.setattr(collections, "_MEASURED", 4)
    for name, values in collections.measure(images).items():
        np.testing.assert_array_equal(values, at_once[name])


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
