"""The command `measure` on images and networks in files, and its page, word for word."""

import base64
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import depthlens as package
from depthlens.models import networks
from depthlens.report.check import external

CLASSES = ["bright", "dark", "middle"]
BRIGHTNESS = {"bright": 200, "dark": 50, "middle": 125}
WRONG = ["bright/11-is-dark.png", "dark/<b>is bright.png"]

MYNET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.head = nn.Linear(4, 3)

    def forward(self, images):
        return self.head(self.flat(self.pool(self.stem(images))))

def build(n_classes):
    assert n_classes in (3, 4)
    return Net()

def number(n_classes):
    return n_classes
"""


def picture(brightness: int, rng: np.random.Generator, size=(11, 9)) -> Image.Image:
    noise = rng.integers(-25, 26, (*size, 3))
    return Image.fromarray((brightness + noise).astype(np.uint8))


def fill(folder: Path, n: int, seed: int, wrong: list[str] = ()) -> None:
    """n images a class, and some whose name says what they are."""
    rng = np.random.default_rng(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(n):
            # Sizes differ, as they do in folders.
            size = (11, 9) if number % 2 else (14, 12)
            picture(BRIGHTNESS[name], rng, size).save(folder / name / f"{number:02}.png")
    for path in wrong:
        truth = next(name for name in CLASSES if f"is {name}" in path or f"is-{name}" in path)
        picture(BRIGHTNESS[truth], rng).save(folder / path)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A reader's folder: images, a network, its weights."""
    root = tmp_path_factory.mktemp("reader")
    fill(root / "images/train", 12, seed=1, wrong=WRONG)
    fill(root / "images/new", 3, seed=2)
    name = f"net_{id(root)}"  # modules are imported once a process
    (root / f"{name}.py").write_text(MYNET)
    (root / "mynet.py").write_text(MYNET)
    torch.manual_seed(0)
    scope = {}
    exec(MYNET, scope)
    network = scope["build"](3)
    # Brightness, with what a class adds: the answer is right wherever the image is.
    with torch.no_grad():
        network.stem.weight.fill_(1 / 27)
        network.stem.bias.zero_()
        network.head.weight.copy_(torch.tensor([[3.0], [-3], [0]]).expand(3, 4))
        network.head.bias.copy_(torch.tensor([-1.5, -1.5, 0.0]))
    save_file(network.state_dict(), root / "weights.safetensors")
    return root


@pytest.fixture
def reader(files, monkeypatch, tmp_path):
    """The working directory of the reader, and options that work."""
    monkeypatch.chdir(files)
    return {
        "--network": "mynet:build",
        "--weights": "weights.safetensors",
        "--train": "images/train",
        "--height": 8,
        "--width": 8,
        "--mean": "0.5",
        "--std": "0.25",
        "--probes": "input,stem,flat,head",
        "--k": 5,
        "--device": "cpu",
        "--output": tmp_path / "out",
    }


def words(options: dict[str, object]) -> list[str]:
    return [str(word) for pair in options.items() for word in pair if pair[1] is not None]


def resized(path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGB").resize((8, 8), Image.Resampling.BILINEAR)
    return np.moveaxis(np.asarray(image), -1, 0)


def folder_as_arrays(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    paths = sorted(folder.rglob("*.png"), key=lambda path: str(path.relative_to(folder)))
    labels = np.array([CLASSES.index(path.parent.name) for path in paths])
    names = [str(path.relative_to(folder)) for path in paths]
    return np.stack([resized(path) for path in paths]), labels, names


@pytest.mark.parametrize("queries", [None, "images/new"])
def test_the_tables_are_those_of_measure_and_ranked(depthlens, reader, files, tmp_path, queries):
    outcome = depthlens("measure", *words(reader | {"--queries": queries}))
    assert outcome.status == 0, outcome.err
    scope = {}
    exec(MYNET, scope)
    model = scope["build"](3)

    model.load_state_dict(load_file(files / "weights.safetensors"))
    sets = [folder_as_arrays(files / "images/train")]
    sets += [folder_as_arrays(files / "images/new")] if queries else []
    floats = [((images / 255 - 0.5) / 0.25, labels) for images, labels, _ in sets]
    expected = package.measure(
        model, *floats, probes=["input", "stem", "flat", "head"], n_neighbors=5, device="cpu"
    )
    expected.insert(0, "file", sets[-1][2])

    csv = pd.read_csv(tmp_path / "out/examples.csv")
    assert csv["rank"].tolist() == list(range(1, len(expected) + 1))
    assert csv["depth"].is_monotonic_decreasing
    for _, group in csv.groupby("depth"):
        assert group["confidence"].is_monotonic_increasing
    found = csv.set_index("file").loc[expected["file"]].reset_index()
    for column in ("label", "prediction", *expected.attrs["probes"]):
        assert found[column].tolist() == [CLASSES[index] for index in expected[column]], column
    for column in ("depth", "depth_label", "correct"):
        assert found[column].tolist() == expected[column].tolist(), column
    for column in ("confidence", "loss", "entropy", "knn_disagreement", "suspicion"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-4, atol=1e-5)

    table = pq.read_table(tmp_path / "out/examples.parquet")
    assert table["example_id"].to_pylist() == list(range(len(expected)))
    assert table["file"].to_pylist() == expected["file"].tolist()
    assert table["depth"].to_pylist() == expected["depth"].tolist()
    about = json.loads(table.schema.metadata[b"depthlens"])
    assert about["classes"] == CLASSES
    assert about["probes"] == expected.attrs["probes"]
    assert about["leave_one_out"] == (queries is None)


def test_wrong_labels_are_the_most_suspect_and_shown(depthlens, reader, tmp_path):
    assert depthlens("measure", *words(reader)).status == 0
    csv = pd.read_csv(tmp_path / "out/examples.csv").sort_values("suspicion_rank")
    assert set(csv["file"][:2]) == set(WRONG)
    assert csv["suggested"].tolist()[:2] == [
        "dark" if "is-dark" in name else "bright" for name in csv["file"][:2]
    ]
    assert csv["suspect"].tolist() == [True, True] + 36 * [False]
    page = (tmp_path / "out/index.html").read_text()
    assert external(page) == []
    assert "<b>is" not in page
    suspects = page[page.index('<section id="suspects">') : page.index('<section id="hardest">')]
    assert len(re.findall("<li>", suspects)) == 2
    assert "bright → dark" in suspects
    assert "dark/&lt;b&gt;is" in suspects
    source = re.search(r'src="data:image/png;base64,([^"]+)"', suspects)[1]

    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))
    assert any(
        np.array_equal(np.moveaxis(shown, -1, 0), resized(Path("images/train") / name))
        for name in WRONG
    )


def test_equal_runs_write_equal_bytes(depthlens, reader, tmp_path):
    for name in ("one", "two"):
        assert depthlens("measure", *words(reader | {"--output": tmp_path / name})).status == 0
    for name in ("examples.csv", "examples.parquet", "index.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_archive_is_measured_as_the_folder_is(depthlens, reader, files, tmp_path):
    images, labels, _ = folder_as_arrays(files / "images/train")
    np.savez(tmp_path / "train.npz", x=images, y=labels)
    archive = {"--train": tmp_path / "train.npz", "--height": None, "--width": None}
    options = reader | {"--classes": ",".join(CLASSES)}
    for name, changed in (("folder", {}), ("archive", archive)):
        given = options | changed | {"--output": tmp_path / name}
        assert depthlens("measure", *words(given)).status == 0
    one, two = (pd.read_csv(tmp_path / name / "examples.csv") for name in ("folder", "archive"))
    pd.testing.assert_frame_equal(one.drop(columns="file"), two.drop(columns="file"))
    assert two["file"][0].startswith("train.npz[")


def test_an_archive_of_both_splits_is_read_as_the_study_reads_it(
    depthlens, reader, files, tmp_path
):
    sets = {"train": files / "images/train", "test": files / "images/new"}
    arrays = {}
    for split, folder in sets.items():
        arrays[f"x_{split}"], arrays[f"y_{split}"], _ = folder_as_arrays(folder)
    np.savez(tmp_path / "both.npz", **arrays)
    options = reader | {"--queries": "images/new", "--classes": ",".join(CLASSES)}
    both = {"--train": tmp_path / "both.npz", "--queries": tmp_path / "both.npz"}
    names = {"--images": "x_{split}", "--labels": "y_{split}", "--height": None, "--width": None}
    for name, changed in (("folder", {}), ("archive", both | names)):
        outcome = depthlens("measure", *words(options | changed | {"--output": tmp_path / name}))
        assert outcome.status == 0, outcome.err
    one, two = (pd.read_csv(tmp_path / name / "examples.csv") for name in ("folder", "archive"))
    pd.testing.assert_frame_equal(one.drop(columns="file"), two.drop(columns="file"))
    # Without the names: what is there, and how to name it.
    outcome = depthlens("measure", *words(options | both | {"--queries": None}))
    assert (outcome.status, outcome.err.count("error: ")) == (1, 1)
    assert "has no array 'x', it has x_train, y_train, x_test, y_test" in outcome.err
    assert "name two of them with --images and --labels" in outcome.err


def test_damaged_images_are_all_named_or_skipped_and_counted(depthlens, reader, tmp_path):
    fill(tmp_path / "torn", 8, seed=3)
    torn = ["bright/03.png", "dark/05.png"]
    for name in torn:
        (tmp_path / "torn" / name).write_bytes(b"torn")
    (tmp_path / "torn/middle/00.png").rename(tmp_path / "torn/middle/00.jfif")
    options = reader | {"--train": tmp_path / "torn"}
    outcome = depthlens("measure", *words(options))
    assert outcome.status == 1
    lines = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert [name in line for name, line in zip(torn, lines, strict=True)] == [True, True]
    assert lines[-1].endswith("or give --on-error skip")
    assert "datasets:" not in outcome.err
    outcome = depthlens("measure", *words(options | {"--on-error": "skip"}))
    assert outcome.status == 0, outcome.err
    assert "2 of 24 train images are left out:" in outcome.err
    csv = pd.read_csv(tmp_path / "out/examples.csv")
    names = {f"{label}/{i:02}.png" for label in CLASSES for i in range(8)} - {*torn}
    assert set(csv["file"]) == names - {"middle/00.png"} | {"middle/00.jfif"}
    assert (csv["label"] == csv["file"].str.split("/").str[0]).all()
    for path in (tmp_path / "torn/dark").iterdir():
        path.write_bytes(b"torn")
    outcome = depthlens("measure", *words(options | {"--on-error": "skip"}))
    assert outcome.status == 1
    assert "torn: no image of dark is whole, and the class would be lost" in outcome.err


def test_labels_are_found_by_the_names_of_outputs(depthlens, reader, tmp_path):
    turned = reader | {"--classes": "middle,dark,bright"}
    assert depthlens("measure", *words(turned)).status == 0
    csv = pd.read_csv(tmp_path / "out/examples.csv")
    assert (csv["label"] == csv["file"].str.split("/").str[0]).all()
    # The first output is that of bright images, whatever it is called.
    assert csv["prediction"][csv["label"] == "bright"].mode().item() == "middle"


def test_a_named_architecture_takes_its_weights(depthlens, reader, tmp_path):
    network = networks.build("squeezenet1_1", n_classes=3, seed=5)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    options = reader | {
        "--network": "squeezenet1_1",
        "--weights": tmp_path / "weights.safetensors",
        "--probes": "children",
        "--height": 24,
        "--width": 24,
    }
    outcome = depthlens("measure", *words(options))
    assert outcome.status == 0, outcome.err
    csv = pd.read_csv(tmp_path / "out/examples.csv")
    assert list(csv.columns[-3:]) == ["00-input", "01-features", "02-classifier"]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"--network": "mynet:bild"}, "mynet has no function 'bild'; did you mean 'build'?"),
        ({"--network": "mynets:build"}, "no module 'mynets'"),
        (
            {"--network": "mynet:number"},
            "--network: mynet:number returned a int, not a torch.nn.Module",
        ),
        ({"--network": "resnet81"}, "no classifier 'resnet81'; did you mean 'resnet18'?"),
        ({"--network": "resnet18", "--weights": None}, "--weights: resnet18 has none of its own"),
        ({"--network": "resnet18"}, "weights.safetensors: not the weights of resnet18: missing"),
        ({"--weights": "no.safetensors"}, "no.safetensors: no such file"),
        ({"--weights": "mynet.py"}, "mynet.py: not a whole safetensors file"),
        ({"--train": "images/none"}, "images/none"),
        ({"--train": "images/train/dark"}, "00.png lies in no folder of a class"),
        ({"--train": "images"}, "images has a folder train and others (new)"),
        ({"--train": "x" * 300}, "File name too long"),
        ({"--queries": "images/train"}, "the same for --train and --queries"),
        ({"--queries": "mynet.py"}, "mynet.py: not a whole NumPy archive"),
        ({"--height": None}, "images/train: give --height and --width"),
        ({"--classes": "bright,dark"}, "labels middle are not among"),
        ({"--classes": "bright,dark,middle,none"}, "--classes: 4 names, but the network has 3"),
        ({"--mean": "0.5,0.5"}, "--mean: 0.5, 0.5 is not one number, nor one for each of 3"),
        ({"--std": "0"}, "--std: what is divided by must be greater than 0"),
        ({"--k": 38}, "--n-neighbors: 38 neighbours asked for, but there are 37 other"),
        ({"--channels": 1}, "--network: it does not take a batch of train, shape (3, 1, 8, 8)"),
        ({"--probes": "input,steam"}, "--probes: the network has no module 'steam'; did you mean"),
        ({"--output": "mynet.py"}, "cannot be written (mynet.py: Not a directory)"),
        ({"--memory": 0}, "--memory: 0.0 is not greater than 0"),
        ({"--std": "1e-9", "--dtype": "float16"}, "; set --dtype to float32"),
        ({"--workdir": "none"}, "--workdir: none: no folder to write to"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    depthlens, reader, tmp_path, changed, fault
):
    outcome = depthlens("measure", *words(reader | changed))
    assert outcome.status == 1
    errors = [line for line in outcome.err.replace("\r", "\n").splitlines() if "error" in line]
    assert len(errors) == 1, outcome.err
    assert errors[0].startswith("error: ")
    assert fault in errors[0]
    assert "datasets:" not in errors[0]
    assert not (tmp_path / "out").exists()


def test_a_network_may_import_what_lies_beside_it_while_it_runs(depthlens, reader, files):
    late = MYNET.replace("return self.head", "import helper; return helper.same * self.head")
    (files / "late_net.py").write_text(late)
    options = reader | {"--network": "late_net:build"}
    outcome = depthlens("measure", *words(options))
    assert outcome.status == 1
    line = late[: late.index("import helper")].count("\n") + 1
    assert f"No module named 'helper' ({files / 'late_net.py'}, line {line})" in outcome.err
    (files / "helper.py").write_text("same = 1\n")
    assert depthlens("measure", *words(options)).status == 0


def test_what_cannot_be_written_is_found_before_the_work(depthlens, reader, monkeypatch):
    monkeypatch.setattr("depthlens.measuring.command.read", None)
    outcome = depthlens("measure", *words(reader | {"--output": "mynet.py/out"}))
    assert outcome.status == 1
    assert "mynet.py/out/index.html: cannot be written" in outcome.err


def test_out_of_memory_names_options_of_the_command(depthlens, reader, monkeypatch):
    def read(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr("depthlens.measuring.command.read", read)
    outcome = depthlens("measure", *words(reader))
    assert outcome.err.splitlines()[-1] == "error: out of memory; lower --memory or --batch-size"


def test_a_word_where_a_number_belongs_is_named(depthlens, reader):
    outcome = depthlens("measure", *words(reader | {"--mean": "0.5;0.5"}))
    assert outcome.status == 2
    assert "'0.5;0.5' is not one number" in outcome.err


def blocks(repository: Path) -> list[tuple[str, str]]:
    """The first two blocks of code of docs/measure.md: what they are in, and their text."""
    page = (repository / "docs/measure.md").read_text("utf-8")
    return re.findall(r"```(\w*)\n(.*?)```", page, re.DOTALL)[:2]


def test_the_python_of_the_page_works_as_written(repository, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    monkeypatch.syspath_prepend(files)
    (code,) = (text for kind, text in blocks(repository) if kind == "python")
    assert len(code.strip().splitlines()) <= 17
    scope: dict = {}
    exec(compile(code, "measure.md", "exec"), scope)
    table = scope["table"]
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 38
    assert isinstance(scope["model"], nn.Module)
    # What is printed last are the suspects, and the wrong labels lead them.
    printed = capsys.readouterr().out.splitlines()
    start = max(i for i, line in enumerate(printed) if "suspicion" in line)
    for name in WRONG:
        assert any(name in line for line in printed[start + 1 : start + 3])


def test_the_command_of_the_page_works_as_written(
    repository, depthlens, files, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    for name in ("images", "mynet.py", "weights.safetensors"):
        (tmp_path / name).symlink_to(files / name)
    (command,) = (text for kind, text in blocks(repository) if kind == "")
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    assert program == "depthlens"
    outcome = depthlens(*arguments)
    assert outcome.status == 0, outcome.err
    output = tmp_path / arguments[arguments.index("--output") + 1]
    names = {"examples.csv", "examples.parquet", "index.html"}
    assert {path.name for path in output.iterdir()} == names
