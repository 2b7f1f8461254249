"""What the Snakefile asks of a study."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

from depthlens.errors import ConfigError, StudyError
from depthlens.models import networks
from depthlens.probes.plan import plan
from depthlens.provenance.code import code_digest
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
    assert study.datasets("torchvision") == ["fashion_mnist"]


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
    assert blocks == {"training": values["training"], "model": {"architecture": "vgg11"}}


def test_a_key_outside_of_a_block_does_not_change_it(study, values):
    before = study.block("training", "models.resnet18")({})
    values["knn"]["memory"] = 1.0
    values["models"]["vgg"]["architecture"] = "vgg13"
    assert Study(values, source="").block("training", "models.resnet18")({}) == before
    values["training"]["epochs"] += 1
    assert Study(values, source="").block("training", "models.resnet18")({}) != before


def test_how_a_number_is_written_does_not_change_a_block(study, values):
    before = study.block("training")({})
    values["training"]["learning_rate"] = "1e-4"
    values["training"]["weight_decay"] = 0
    assert Study(values, source="").block("training")({}) == before


def test_probes_are_those_of_the_network(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = networks.build("resnet18", n_classes=6, seed=0)
    expected = [probe.name for probe in plan(network, "children")]
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
