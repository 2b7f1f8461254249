"""What the Snakefile asks of a study."""

import json
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
import yaml

from depthlens.errors import ConfigError, StudyError
from depthlens.models import networks
from depthlens.probes.plan import plan
from depthlens.provenance import records
from depthlens.provenance.code import code_digest
from depthlens.provenance.snakemake import Job
from depthlens.study import Study


@pytest.fixture
def values(repository) -> dict:
    """A study of two datasets, two models and two seeds."""
    values = yaml.safe_load((repository / "config.yaml").read_text(encoding="utf-8"))
    values["study"].update(
        datasets=["shapes", "fashion_mnist"], models=["resnet18", "vgg"], seeds=[1, 7]
    )
    values["models"] = {
        "resnet18": {"architecture": "resnet18"},
        "vgg": {"architecture": "vgg11"},
    }
    return values


@pytest.fixture
def study(values) -> Study:
    return Study(values, source="here.yaml")


def test_runs_are_every_dataset_model_and_seed(study):
    assert [tuple(run) for run in study.runs()] == [
        (dataset, model, seed)
        for dataset in ("shapes", "fashion_mnist")
        for model in ("resnet18", "vgg")
        for seed in (1, 7)
    ]


def test_a_run_has_the_folder_that_users_were_promised(study):
    assert next(study.runs()).folder == "results/shapes/resnet18/seed1"


def test_paths_are_below_every_run(study):
    paths = study.paths("a", "b")
    assert len(paths) == 16
    assert paths[0] == "results/shapes/resnet18/seed1/a"
    assert paths[-1] == "results/fashion_mnist/vgg/seed7/b"


def test_datasets_are_listed_by_source_studied_or_not(values):
    values["study"]["datasets"] = ["shapes"]
    study = Study(values, source="here.yaml")
    assert study.datasets("shapes") == ["shapes"]
    assert study.datasets("torchvision") == ["fashion_mnist", "mnist"]


def test_a_block_is_json_with_sorted_keys(study, values):
    text = study.block("knn")({})
    assert json.loads(text) == values["knn"]
    assert list(json.loads(text)) == sorted(values["knn"])


def test_braces_in_a_text_are_no_wildcards(values):
    values["datasets"]["fashion_mnist"]["data_root"] = "{input}"
    study = Study(values, source="")
    assert json.loads(study.block("datasets.fashion_mnist")({}))["data_root"] == "{input}"


def test_several_blocks_are_a_mapping(study, values):
    blocks = json.loads(study.block("figures", "chapters.difficulty")({}))
    assert blocks == {
        "figures": values["figures"],
        "chapters.difficulty": values["chapters"]["difficulty"],
    }


@pytest.mark.parametrize("of", [dict, SimpleNamespace])
def test_wildcards_choose_the_block_of_a_model(study, values, of):
    block = study.block("training", "models.{model}")
    blocks = json.loads(block(of(model="vgg", seed="1")))
    assert blocks.keys() == {"training", "model"}
    assert blocks["training"] == values["training"]
    assert blocks["model"]["architecture"] == "vgg11"


def test_a_key_outside_of_a_block_does_not_change_it(study, values):
    before = study.block("training", "models.resnet18")({})
    values["knn"]["memory"] = 1.0
    values["models"]["vgg"]["architecture"] = "vgg13"
    assert Study(values, source="").block("training", "models.resnet18")({}) == before
    values["training"]["epochs"] += 1
    assert Study(values, source="").block("training", "models.resnet18")({}) != before


def test_how_a_number_is_written_does_not_change_a_block(study, values):
    before = study.block("training")({})
    values["training"]["learning_rate"] = 1e-4
    values["training"]["weight_decay"] = 0
    assert Study(values, source="").block("training")({}) == before


def test_probes_are_those_of_the_network(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = networks.build("resnet18", n_classes=6, seed=0)
    expected = [probe.name for probe in plan(network, "children", torch.zeros(1, 3, 32, 32))]
    assert study.probes("resnet18") == expected


def test_probes_are_computed_once_for_each_question(study, values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = study.probes("resnet18")
    kept = list((tmp_path / ".snakemake/depthlens").iterdir())
    assert len(kept) == 1
    # From now on the answer is read, not computed.
    monkeypatch.setattr("depthlens.probes.plan.outline", lambda *_: pytest.fail("computed again"))
    assert study.probes("resnet18") == first
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    values["activations"]["probes"] = ["input", "fc"]
    assert Study(values, source="").probes("resnet18") == ["00-input", "01-fc"]


def test_an_unknown_architecture_is_named_before_anything_runs(values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values["models"]["vgg"]["architecture"] = "vgg111"
    with pytest.raises(StudyError, match="no classifier 'vgg111'; did you mean 'vgg11'"):
        Study(values, source="").probes("vgg")
    assert not list(tmp_path.rglob("*.json"))


def test_faults_name_the_file_they_are_in(values):
    values["knn"]["k"] = 3
    with pytest.raises(ConfigError, match=r"^here\.yaml: knn\.k: unknown key"):
        Study(values, source="here.yaml")


def test_a_digest_is_that_of_the_code(study):
    assert study.digest("stages.depth") == code_digest("stages.depth")


def test_asking_a_study_needs_no_torch():
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, depthlens.study; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "False"


class TestSource:
    """What tells two contents of a dataset's source apart."""

    @pytest.fixture
    def source(self, values, tmp_path, monkeypatch):
        """Asks a fresh study, as every call of snakemake does."""
        monkeypatch.chdir(tmp_path)
        examples = {"train_examples": None, "test_examples": None}
        folder = {
            "source": "image_folder", "path": "images", "height": 8, "width": 8, "channels": 1,
            "resize": "pad", "test_share": 0.5, "seed": 0, **examples,
        }  # fmt: skip
        function = {"source": "function", "function": "mine:f", "arguments": {}, "files": ["a"]}
        values["datasets"] |= {
            "folder": folder,
            "function": {**function, **examples},
            "homework": {
                "source": "homework", "train": "d.npy", "test": "t.npy", "classes": None, **examples
            },
        }  # fmt: skip
        for name in ("images/a/1.png", "images/b/2.png", "mine.py", "a", "d.npy", "t.npy"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return lambda name: Study(values, source="").source(name)({})

    def test_imported_datasets_are_all_that_are_not_generated(self, values, study):
        assert study.imported() == ["fashion_mnist", "mnist"]

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("folder", "images/b/2.png"),
            ("function", "mine.py"),
            ("function", "a"),
            ("homework", "d.npy"),
            ("homework", "t.npy"),
        ],
    )
    def test_content_counts_and_time_and_place_do_not(self, source, name, file, tmp_path):
        path = tmp_path / file
        before = source(name)
        assert re.fullmatch("sha256:[0-9a-f]{64}", before)
        os.utime(path, (1, 1))
        assert source(name) == before
        content = path.read_bytes()
        path.write_bytes(content[:-1] + b"!")
        assert source(name) != before
        path.write_bytes(content)
        assert source(name) == before
        path.rename(path.with_name(f"other{path.suffix}"))
        assert source(name) != before

    def test_files_that_are_no_images_do_not_count(self, source, tmp_path):
        before = source("folder")
        (tmp_path / "images/a/notes.txt").write_text("x")
        assert source("folder") == before
        (tmp_path / "images/a/3.png").write_text("x")
        assert source("folder") != before

    def test_a_name_that_is_too_long_is_no_source(self, values, source, tmp_path):
        values["datasets"]["folder"]["path"] = values["datasets"]["homework"]["train"] = "x" * 300
        assert source("folder") == "absent"
        assert source("homework").startswith("sha256:")

    def test_a_file_is_read_once(self, source, monkeypatch, tmp_path):
        for path in tmp_path.rglob("*"):
            os.utime(path, (1, 1))
        time.sleep(1.1)  # a file that has just changed is not trusted
        before = source("folder")
        monkeypatch.setattr("depthlens.provenance.fingerprints.sha256", None)
        assert source("folder") == before
        (tmp_path / ".snakemake/depthlens/source-folder.json").write_text("half")
        with pytest.raises(TypeError):
            source("folder")

    @pytest.mark.parametrize("gone", ["folder", "function", "homework"])
    def test_where_no_source_is_there_the_table_stands_for_it(self, source, gone, tmp_path):
        before = source(gone)
        made = {
            f"data/{gone}/{split}.parquet": records.Output("0" * 64, 1)
            for split in ("train", "test")
        }
        job = Job("import", "", (f"'{before}'", "'0123456789abcdef'"), (), (), "")
        for name in ("images", "mine.py", "a", "d.npy", "t.npy"):
            (tmp_path / name).rename(tmp_path / f"no_{name}")
        assert source(gone) == "absent"
        records.write(records.Record(job, made))
        assert source(gone) == before

    def test_a_folder_that_lost_its_images_is_another_source(self, source, tmp_path):
        before = source("folder")
        for path in (tmp_path / "images").rglob("*.png"):
            path.unlink()
        assert source("folder") not in (before, "absent")

    def test_a_dataset_that_nobody_asks_for_is_not_looked_at(self, source, values, monkeypatch):
        monkeypatch.setattr("depthlens.datasets.sources.files", None)
        Study(values, source="").source("folder")


class TestTrainedElsewhere:
    """A network whose weights come from a file."""

    @pytest.fixture
    def study(self, values) -> Study:
        values["models"]["vgg"]["weights"] = "my {weights}.safetensors"
        return Study(values, source="")

    def test_it_has_one_run_a_dataset(self, study):
        assert study.trains("resnet18")
        assert not study.trains("vgg")
        seeds = {name: [run.seed for run in study.runs() if run.model == name] for name in
                 ("resnet18", "vgg")}  # fmt: skip
        assert seeds == {"resnet18": [1, 7, 1, 7], "vgg": [1, 1]}
        assert [tuple(run) for run in study.networks("shapes", "vgg")] == [("shapes", "vgg", 1)]

    def test_its_checkpoint_is_all_that_is_pulled(self, study):
        files = {run.model: study.checkpoint_files(run) for run in study.runs()}
        assert files["vgg"] == ["results/fashion_mnist/vgg/seed1/checkpoint.safetensors"]
        assert len(files["resnet18"]) == 5

    def test_its_weights_are_named_as_they_are(self, study):
        assert study.weights("vgg")({}) == "my {weights}.safetensors"


class TestNetworkCode:
    """What tells two contents of the source of a user's own network apart."""

    @pytest.fixture
    def code(self, values, tmp_path, monkeypatch):
        """Asks a fresh study, as every call of snakemake does."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "own_network.py").write_text("import own_layers")
        (tmp_path / "own_layers.py").write_text("one")
        values["models"]["vgg"]["architecture"] = "own_network:make"
        return lambda model: Study(values, source="").network_code("{model}")({"model": model})

    def test_a_library_is_known_by_its_version(self, code):
        assert code("resnet18") == "library"

    @pytest.mark.parametrize("module", ["own_network", "own_layers"])
    def test_content_of_its_module_and_of_those_that_it_imports_counts(
        self, code, module, tmp_path
    ):
        before, path = code("vgg"), tmp_path / f"{module}.py"
        assert before.startswith("sha256:")
        path.touch()
        assert code("vgg") == before
        path.write_text(path.read_text() + "  # more")
        assert code("vgg") != before
