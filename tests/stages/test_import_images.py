"""`depthlens import-images`: every source lands as the same two tables."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from depthlens import config, tables
from depthlens.datasets import collections, sources
from depthlens.errors import StudyError
from depthlens.stages import import_images

MEASURED = ["brightness", "contrast", "ink", "edges"]
ALL = {"train_examples": None, "test_examples": None}
PIXELS = {
    split: np.random.default_rng(seed).integers(0, 256, (n, 8, 9), dtype=np.uint8)
    for seed, (split, n) in enumerate({"train": 12, "test": 6}.items())
}
LABELS = {split: np.arange(len(images)) % 3 for split, images in PIXELS.items()}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(cfg: dict) -> dict[str, tables.Images]:
    """Both tables of a block that config.yaml would take."""
    config.check_blocks(["dataset"], cfg)
    import_images.run(train_output="data/train.parquet", test_output="data/test.parquet", cfg=cfg)
    return {split: tables.read_images(f"data/{split}.parquet") for split in ("train", "test")}


def torchvision_(monkeypatch) -> dict:
    def load(_name, split, _root):
        return PIXELS[split][:, None], LABELS[split].astype(np.int16), ["0", "1", "2"]

    monkeypatch.setattr(collections, "load", load)
    return {"source": "torchvision", "name": "MNIST", "data_root": "somewhere", **ALL}


def image_folder_(_monkeypatch) -> dict:
    for split, images in PIXELS.items():
        for i, (pixels, label) in enumerate(zip(images, LABELS[split], strict=True)):
            path = Path(f"images/{split}/{label}/{i:02}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    size = {"height": 8, "width": 9, "channels": 1, "resize": "crop"}
    return {
        "source": "image_folder", "path": "images", **size, "test_share": None, "seed": 0, **ALL
    }  # fmt: skip


def homework(_monkeypatch) -> dict:
    np.save("data.npy", {"x": PIXELS["train"][..., None], "y": LABELS["train"]})
    np.save("test_data.npy", {"x": PIXELS["test"][..., None] / 255, "y": LABELS["test"]})
    files = {"train": "data.npy", "test": "test_data.npy"}
    return {"source": "homework", **files, "classes": None, **ALL}


def npz(_monkeypatch) -> dict:
    arrays = {f"x_{split}": images for split, images in PIXELS.items()}
    arrays |= {f"y_{split}": np.eye(3)[labels] for split, labels in LABELS.items()}
    np.savez("a.npz", **arrays)
    names = {"images": "x_{split}", "labels": "y_{split}"}
    return {"source": "npz", "train": "a.npz", "test": "a.npz", **names, "classes": None, **ALL}


def function(_monkeypatch) -> dict:
    np.savez("a.npz", **PIXELS)
    Path("my_images.py").write_text(
        "import numpy as np\n"
        "def load(split, n_classes):\n"
        "    images = np.load('a.npz')[split]\n"
        "    labels = np.arange(len(images)) % n_classes\n"
        "    return images, labels, [str(c) for c in range(n_classes)]\n"
    )
    arguments = {"arguments": {"n_classes": 3}, "files": ["a.npz"]}
    return {"source": "function", "function": "my_images:load", **arguments, **ALL}


SOURCES = [torchvision_, image_folder_, homework, npz, function]


@pytest.mark.parametrize("prepare", SOURCES)
def test_every_source_lands_as_the_same_tables(prepare, monkeypatch):
    found = run(prepare(monkeypatch))
    for split, table in found.items():
        np.testing.assert_array_equal(table.images[:, 0], PIXELS[split])
        np.testing.assert_array_equal(table.labels, LABELS[split])
        assert table.labels.dtype == np.int16
        assert table.example_id.tolist() == list(range(len(PIXELS[split])))
        assert table.classes == ["0", "1", "2"]
        assert list(table.factors) == MEASURED
        measured = collections.measure(PIXELS[split][:, None])
        np.testing.assert_array_equal(table.factors["edges"], measured["edges"])


@pytest.mark.parametrize("prepare", SOURCES)
def test_the_first_so_many_are_taken(prepare, monkeypatch):
    found = run(prepare(monkeypatch) | {"train_examples": 5, "test_examples": 4})
    np.testing.assert_array_equal(found["train"].images[:, 0], PIXELS["train"][:5])
    np.testing.assert_array_equal(found["test"].images[:, 0], PIXELS["test"][:4])
    if found["train"].files:
        assert found["train"].files[3] == "train/0/03.png"
        assert len(found["train"].files) == 5


@pytest.mark.parametrize("prepare", SOURCES)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"test_examples": 7}, "test_examples is 7, but .* has 6"),
        ({"train_examples": 2}, r"no train example of 2 among the first 2 of .*; raise train_ex"),
    ],
)
def test_a_wrong_number_of_images_is_refused(prepare, monkeypatch, changed, said, tmp_path):
    with pytest.raises(StudyError, match=said):
        run(prepare(monkeypatch) | changed)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("prepare", SOURCES)
def test_where_the_files_lie_does_not_change_the_tables(prepare, monkeypatch, tmp_path):
    run(prepare(monkeypatch))
    before = {path: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    cfg = prepare(monkeypatch)
    for key in ("path", "train", "test"):
        if key in cfg:
            cfg[key] = str(tmp_path / "elsewhere" / cfg[key])
    cfg |= {"data_root": "other"} if "data_root" in cfg else {}
    run(cfg)
    for path, content in before.items():
        assert (tmp_path / "elsewhere/data" / path.name).read_bytes() == content


def test_skipped_images_are_counted_and_change_nothing_else(monkeypatch, caplog):
    cfg = image_folder_(monkeypatch)
    run(cfg)
    whole = {path: path.read_bytes() for path in Path("data").iterdir()}
    run(cfg | {"on_error": "skip"})  # of nothing
    assert {path: path.read_bytes() for path in Path("data").iterdir()} == whole
    for name in ("images/train/0/03.png", "images/train/1/01.png"):
        Path(name).write_bytes(b"torn")
    with pytest.raises(StudyError, match=r"train/1/01\.png: not .*\n.*train/0/03\.png: not"):
        run(cfg)
    with caplog.at_level("INFO"):
        found = run(cfg | {"on_error": "skip"})["train"]
    assert "2 of 12 train images are left out:" in caplog.text
    kept = [f"train/{i % 3}/{i:02}.png" for i in range(12) if i not in (1, 3)]
    assert found.files == kept
    np.testing.assert_array_equal(found.images[:, 0], PIXELS["train"][[0, 2, *range(4, 12)]])
    np.testing.assert_array_equal(found.labels, [0, 2, *LABELS["train"][4:]])
    assert found.example_id.tolist() == list(range(10))
    some = run(cfg | {"on_error": "skip", "train_examples": 6})["train"]
    assert some.files == kept[:4]
    for i in range(0, 12, 3):
        Path(f"images/train/0/{i:02}.png").write_bytes(b"torn")
    with pytest.raises(StudyError, match="no train example of 0 in images"):
        run(cfg | {"on_error": "skip"})


def test_both_splits_share_the_scale_of_the_training_images(monkeypatch, caplog):
    cfg = image_folder_(monkeypatch)
    wide = {split: images.astype(np.uint16) * 8 + 300 for split, images in PIXELS.items()}
    wide["train"][0, 0, :2] = 300, 300 + 2047
    wide["test"][0, 0, 0] = 9000
    for split, images in wide.items():
        for i, values in enumerate(images):
            Image.fromarray(values).save(f"images/{split}/{i % 3}/{i:02}.png")
    with caplog.at_level("INFO"):
        found = run(cfg)
    assert "12 train images have 16 bits, 300 … 2347: 300 … 2347, the range" in caplog.text
    for split, images in wide.items():
        exact = ((images.astype(float) - 300) / 8).clip(0, 255).astype(np.uint8)
        np.testing.assert_array_equal(found[split].images[:, 0], exact)


def test_scales_are_compared_of_lists_too(monkeypatch):
    cfg = homework(monkeypatch)
    np.save("data.npy", {"x": PIXELS["train"].astype(float).tolist(), "y": LABELS["train"]})
    with pytest.raises(StudyError, match=r"train has values up to 255, test has values up to 1;"):
        run(cfg)


def test_names_of_image_files_are_a_column_and_no_factor(monkeypatch):
    found = run(image_folder_(monkeypatch))
    assert found["test"].files[:3] == ["test/0/00.png", "test/1/01.png", "test/2/02.png"]
    assert pq.read_schema("data/test.parquet").names[-2:] == ["edges", "file"]


def test_the_table_says_which_contents_it_was_made_from(monkeypatch):
    run(image_folder_(monkeypatch))
    said = tables.metadata("data/train.parquet")["source_sha256"]
    named = sources.files({"source": "image_folder", "path": "images"})
    assert said == sources.digest({name: tables.sha256(path) for name, path in named.items()})


def test_splits_of_two_sizes_are_refused(monkeypatch):
    cfg = npz(monkeypatch)
    arrays = dict(np.load("a.npz"))
    np.savez("a.npz", **arrays | {"x_test": PIXELS["test"][:, :7]})
    with pytest.raises(StudyError, match=r"\(1, 8, 9\) and test images of \(1, 7, 9\)"):
        run(cfg)


def test_fewer_labels_than_images_are_refused(monkeypatch):
    cfg = npz(monkeypatch)
    np.savez("a.npz", **dict(np.load("a.npz")) | {"y_test": [0, 1]})
    with pytest.raises(StudyError, match=r"numbers label|has 6 test images and 2 labels"):
        run(cfg)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("return images, labels, [split, 'b', 'c']", "other classes for train than for test"),
        ("return images, labels, list('abc'), {split: labels}", "other factors for train"),
        ("return images, labels, list('abc'), {'ink': labels}", "a factor called ink is measured"),
        ("return images, labels * 0, list('abc')", "no train example of b, c in my_"),
    ],
)
def test_a_function_must_return_splits_that_fit(monkeypatch, line, said, request):
    cfg = function(monkeypatch)
    name = f"my_{abs(hash(request.node.name))}"
    text = Path("my_images.py").read_text().splitlines()[:-1]
    Path(f"{name}.py").write_text("\n".join([*text, f"    {line}"]))
    with pytest.raises(StudyError, match=said):
        run(cfg | {"function": f"{name}:load"})


def test_a_file_that_a_function_should_read_must_be_there(monkeypatch):
    with pytest.raises(StudyError, match=r"datasets: files: gone\.npz: no such file"):
        run(function(monkeypatch) | {"files": ["gone.npz"]})


def test_both_tables_are_written_by_the_command(depthlens, monkeypatch):
    cfg = json.dumps(npz(monkeypatch))
    done = depthlens(
        "import-images", "--train-output", "a.parquet", "--test-output", "b.parquet", "--cfg", cfg
    )
    assert done.status == 0
    assert "imported 12 train images of 3 classes: a.parquet" in done.err
    assert len(tables.read_images("b.parquet").labels) == 6


class TestExamples:
    """docs/data.md, as a reader follows it."""

    @pytest.fixture
    def page(self, repository) -> str:
        return (repository / "docs/data.md").read_text(encoding="utf-8")

    @pytest.fixture
    def blocks(self, page) -> dict[str, dict]:
        """Every example, by the name of its dataset."""
        found = {}
        for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
            found |= yaml.safe_load(text)
        return found

    def test_every_source_has_one(self, blocks):
        assert {block["source"] for block in blocks.values()} == (
            config._DATASETS_BY_SOURCE.keys() - {"shapes"}
        )

    def test_the_image_folder(self, blocks, page):
        generator = np.random.default_rng(0)
        for i in range(24):
            path = Path(f"birds/{'test' if i % 3 else 'train'}/{'ab'[i % 2]}/{i}.jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (30 + i, 90 - i, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        found = run(blocks["birds"])
        assert found["train"].images.shape == (8, 3, 64, 64)

        # And how its hardest images are found again.
        Path("data").rename("birds_tables")
        Path("data").mkdir()
        Path("birds_tables").rename("data/birds")
        folder = Path("results/birds/resnet18/seed1/depth")
        folder.mkdir(parents=True)
        table = pd.DataFrame({"example_id": range(16), "depth": range(16)})
        table.to_parquet(folder / "test.parquet")
        program = next(text for text in codes(page) if "read_parquet" in text)
        said = []
        exec(program, {"print": said.append})
        assert said[0]["file"].iloc[0] == found["test"].files[15]

    def test_the_homework(self, blocks):
        homework(None)
        assert run(blocks["course"])["test"].images.shape == (6, 1, 8, 9)

    def test_the_archive(self, blocks):
        npz(None)
        Path("a.npz").rename("digits.npz")
        assert run(blocks["archive"])["test"].images.shape == (6, 1, 8, 9)

    def test_the_function(self, blocks, page):
        text = next(text for text in codes(page) if "def load" in text)
        Path("my_data.py").write_text(text)
        found = run(blocks["squares"])
        assert found["train"].images.shape == (200, 1, 12, 12)
        assert list(found["train"].factors) == ["corner", *MEASURED]

    def test_the_collection(self, blocks, page, monkeypatch):
        torchvision_(monkeypatch)
        assert len(run(blocks["fashion_mnist"])["train"].labels) == 12
        for name in collections.COLLECTIONS:
            head, dash, part = name.partition("-")
            assert f"`{name}`" in page or (f"`{head}-" in page and f"`{dash}{part}`" in page)


def codes(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)
