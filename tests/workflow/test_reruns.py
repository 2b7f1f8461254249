"""Exactly what depends on a change is made again: every key, every kind of touch, any folder."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from depthlens.chapters.contents import CHAPTERS
from depthlens.study import Study

from .conftest import Copy

RUN = "results/tiny_shapes/resnet18/seed1"
FOLLOWS = {
    "generate_tiny_shapes": {
        "train",
        "probes",
        "activations_resnet18",
        "scores_train_resnet18",
        "scores_test_resnet18",
        "card_tiny_shapes_resnet18",
        "difficulty_figures",
        "study_report",
    },
    "train": {
        "probes",
        "activations_resnet18",
        "scores_train_resnet18",
        "scores_test_resnet18",
        "difficulty_figures",
        "study_report",
    },
    "probes": {"difficulty_figures", "difficulty_claims", "study_report"},
    "activations_resnet18": {
        "knn",
        "convergence",
        "depth_resnet18",
        "scores_train_resnet18",
        "scores_test_resnet18",
        "card_tiny_shapes_resnet18",
    },
    "convergence": {"depth_resnet18", "difficulty_figures", "difficulty_claims", "study_report"},
    "knn": {"depth_resnet18", "scores_train_resnet18", "scores_test_resnet18"},
    "neighbours": {"votes"},
    "votes": {"depth_resnet18", "scores_train_resnet18", "scores_test_resnet18"},
    "depth_resnet18": {
        "card_tiny_shapes_resnet18",
        "difficulty_figures",
        "difficulty_claims",
        "study_report",
    },
    "scores_train_resnet18": {
        "card_tiny_shapes_resnet18",
        "difficulty_figures",
        "difficulty_claims",
        "study_report",
    },
    "scores_test_resnet18": {
        "card_tiny_shapes_resnet18",
        "difficulty_figures",
        "difficulty_claims",
        "study_report",
    },
    "card_tiny_shapes_resnet18": set(),
    "difficulty_figures": {"study_report"},
    "difficulty_claims": {"study_report"},
    "study_report": set(),
}
"""who reads what a rule makes"""

SHAPES = "datasets.tiny_shapes."
SCORES = {"scores_train_resnet18", "scores_test_resnet18"}
CHAPTER = {"difficulty_claims", "card_tiny_shapes_resnet18"}
KEYS = {
    "study.datasets": (["tiny_shapes", "second"], {"generate_second", "train"}),
    "study.models": (["resnet18", "second"], {"train", "probes", "activations_second"}),
    "study.seeds": ([1, 2], {"train"}),
    "study.replicates": (2, {"resample", "train"}),
    "study.splits": (["test"], {"knn"}),
    "study.reports": ("reports/other", {"difficulty_figures", "difficulty_claims"}),
    f"{SHAPES}source": ("torchvision", {"import_images_tiny_shapes"}),
    f"{SHAPES}seed": (2, {"generate_tiny_shapes"}),
    f"{SHAPES}train_examples": (66, {"generate_tiny_shapes"}),
    f"{SHAPES}test_examples": (36, {"generate_tiny_shapes"}),
    f"{SHAPES}factors.size": ([0.2, 0.6], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.offset_x": ([0.0, 0.1], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.offset_y": ([0.0, 0.1], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.rotation": ([0.0, 90.0], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.aspect_ratio": ([1.5, 2.0], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.contrast": ([0.2, 0.8], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.background": ([0.0, 0.2], {"generate_tiny_shapes"}),
    f"{SHAPES}factors.noise": ([0.0, 0.1], {"generate_tiny_shapes"}),
    "models.resnet18.architecture": ("resnet34", {"train"}),
    "training.epochs": (3, {"train"}),
    "training.batch_size": (32, {"train"}),
    "training.augmentation": ([{"name": "horizontal_flip"}], {"train"}),
    "training.label_smoothing": (0.1, {"train"}),
    "training.optimizer": ("sgd", {"train"}),
    "training.learning_rate": (2e-4, {"train"}),
    "training.schedule": ("cosine", {"train"}),
    "training.warmup": (0.1, {"train"}),
    "training.decay": (0.4, {"train"}),
    "training.weight_decay": (0.1, {"train"}),
    "training.momentum": (0.8, {"train"}),
    "training.device": ("cpu", {"train"}),
    "training.threads": (2, {"train"}),
    "training.snapshots": (1, {"train"}),
    "replicates.held_out": (0.4, set()),  # there are none
    "replicates.seed": (2, set()),
    "checkpoints.source": ("pull", {"study_report"}),
    "convergence.min_train_accuracy": (0.5, {"convergence"}),
    "convergence.allow_unconverged": (False, {"convergence"}),
    "activations.probes": (["input", "layer4"], {"probes", "activations_resnet18"}),
    "activations.dtype": ("float32", {"probes", "activations_resnet18"}),
    "activations.keep": (False, set()),  # what is there is as good as it was
    "activations.batch_size": (100, {"probes", "activations_resnet18"}),
    "activations.device": ("cpu", {"probes", "activations_resnet18"}),
    "knn.n_neighbors": (7, {"knn"}),
    "knn.metric": ("cosine", {"knn"}),
    "knn.sensitivity": ([1, 4], {"knn"}),
    "knn.memory": (0.2, {"knn"}),
    "knn.shards": (2, {"neighbours"}),
    "knn.device": ("cpu", {"knn"}),
    "scores.early_epoch": (2, SCORES),
    "scores.gradient_examples": (None, SCORES),
    "scores.attack_examples": (0, SCORES),
    "scores.attack_steps": (3, SCORES),
    "scores.seed": (1, SCORES),
    "figures.gallery_images": (16, {"difficulty_figures"}),
    "figures.confidence_level": (0.9, {"difficulty_figures"}),
    "figures.dpi": (80, {"difficulty_figures"}),
    "chapters.difficulty.confidence_level": (0.9, CHAPTER),
    "chapters.difficulty.bootstrap_samples": (500, CHAPTER),
    "chapters.difficulty.bootstrap_seed": (1, CHAPTER),
}
"""another value of each key, and the rules that read it; the page prints all keys"""


def first_of_each_block() -> list:
    """All keys; exhaustive are those whose block has had a key with the same readers."""
    seen, params = set(), []
    for key, (_, readers) in KEYS.items():
        kind = key.rpartition(".")[0], frozenset(readers)
        params.append(pytest.param(key, marks=[pytest.mark.exhaustive] if kind in seen else []))
        seen.add(kind)
    return params


def following(rules: set[str]) -> set[str]:
    """Rules, and all that follow from them."""
    found, pending = set(), [*rules]
    while pending:
        if (rule := pending.pop()) not in found:
            found.add(rule)
            pending += FOLLOWS.get(rule, set())
    return found


def leaves(values: dict, at: str = "") -> set[str]:
    """Dotted keys of everything in a configuration that is not a block."""
    found = set()
    for key, value in values.items():
        found |= leaves(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}"}
    return found


def with_key(values: dict, key: str, value: object) -> dict:
    """A configuration with another value of one key, valid on its own."""
    *blocks, name = key.split(".")
    inner = values
    for block in blocks:
        inner = inner[block]
    inner[name] = value
    if key == "study.datasets":
        values["datasets"]["second"] = values["datasets"]["tiny_shapes"]
    if key == "study.models":
        values["models"]["second"] = {"architecture": "resnet34"}
    if key == "training.schedule":
        values["training"]["decay"] = 0.0
    if key == f"{SHAPES}source":
        values["datasets"]["tiny_shapes"] = {
            "source": "torchvision",
            "name": "MNIST",
            "data_root": "data/torchvision",
            "train_examples": 60,
            "test_examples": 30,
        }
    return values


@pytest.fixture
def study(finished) -> Copy:
    """The finished study; whatever is changed in its files is put back."""
    kept = {
        path: path.read_bytes()
        for path in [
            finished.folder / "config.yaml",
            *(finished.folder / "rules").glob("*.smk"),
            *(finished.folder / "workflow").rglob("*.py"),
        ]
    }
    yield finished
    for path, content in kept.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


def rewrite(study: Copy, change) -> None:
    config = study.folder / "config.yaml"
    values = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(change(values), sort_keys=False))


def test_every_key_is_tried(repository):
    """Those of chapters of experiments in test_chapters.py: a bare snakemake does not make them."""
    values = yaml.safe_load((repository / "tests/smoke.yaml").read_text())
    for chapter in CHAPTERS:
        del values["chapters"][chapter]
    assert set(KEYS) == leaves(values)


def test_chapters_of_experiments_are_printed_by_the_page_and_no_more(study):
    rewrite(
        study,
        lambda values: with_key(values, "chapters.benchmarks_of_difficulty.n_neighbors", 4),
    )
    assert study.planned() - {"all"} == {"study_report"}


@pytest.mark.parametrize("key", first_of_each_block())
def test_a_key_reruns_what_reads_it_and_what_follows(study, key):
    value, readers = KEYS[key]
    rewrite(study, lambda values: with_key(values, key, value))
    expected = following(readers) | {"study_report"}
    if key == "study.datasets":  # and the card of the second dataset is a rule of its own
        expected -= {"generate_tiny_shapes"}
        expected = {rule.replace("card_tiny_shapes", "card_second") for rule in expected}
    if key == "study.splits":  # nobody asks for scores of the training images any more
        expected -= {"scores_train_resnet18"}
    if key == "study.replicates":  # only what is new of them, and what is drawn of all networks
        expected -= {"probes", "difficulty_figures", "difficulty_claims"}
        expected |= {"ensemble_figures_tiny_shapes_resnet18"}
    if key == "study.models":  # the second network has rules of its own
        expected = {rule.replace("_resnet18", "_second") for rule in expected}
    if key == f"{SHAPES}source":
        expected |= following({"generate_tiny_shapes"}) - {"generate_tiny_shapes"}
    assert study.planned() - {"all"} == expected


def test_a_dataset_that_is_not_studied_is_read_by_the_page_alone(study):
    def add(values):
        values["datasets"]["other"] = dict(values["datasets"]["tiny_shapes"], seed=5)
        return values

    rewrite(study, add)
    assert study.planned() - {"all"} == {"study_report"}


def test_two_values_that_change_places_are_two_changes(study):
    def swap(values):
        training = values["training"]
        training["decay"], training["weight_decay"] = training["weight_decay"], training["decay"]
        return values

    rewrite(study, swap)
    assert study.planned() - {"all"} == following({"train"})


def test_order_of_keys_comments_and_dates_do_not_count(study):
    def backwards(values):
        if not isinstance(values, dict):
            return values
        return {key: backwards(values[key]) for key in reversed(values)}

    rewrite(study, backwards)
    config = study.folder / "config.yaml"
    config.write_text("# Another comment.\n" + config.read_text())
    for path in study.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    assert study.planned() == set()


def test_dates_in_any_order_do_not_count(study):
    for number, path in enumerate(sorted((study.folder / "results").rglob("*.parquet"))):
        os.utime(path, (10**9 - number, 10**9 - number))
    assert study.planned() == set()


def test_another_folder_without_snakemakes_memory_has_nothing_to_do(finished, tmp_path):
    clone = Copy(tmp_path / "clone")
    shutil.copytree(finished.folder, clone.folder, copy_function=shutil.copyfile)
    for folder in (".snakemake", f"{RUN}/activations", f"{RUN}/benchmarks", f"{RUN}/logs"):
        shutil.rmtree(clone.folder / folder)
    assert clone.planned() == set()
    # Files that are gone still have their records: what a change means is known.
    rewrite(clone, lambda values: with_key(values, "knn.n_neighbors", 7))
    again = following({"activations_resnet18"})
    assert following({"knn"}) | {"activations_resnet18"} <= clone.planned() - {"all"} <= again
    rewrite(clone, lambda values: with_key(values, "activations.dtype", "float32"))
    assert clone.planned() >= following({"probes", "activations_resnet18"})


def test_a_folder_without_records_makes_everything_again(finished, tmp_path):
    clone = Copy(tmp_path / "clone")
    shutil.copytree(finished.folder, clone.folder)
    for folder in (".snakemake", "provenance"):
        shutil.rmtree(clone.folder / folder)
    assert clone.planned() - {"all"} == following({"generate_tiny_shapes"})


@pytest.mark.parametrize(
    ("module", "readers"),
    [
        ("training/loop.py", {"train"}),
        ("knn/votes.py", {"knn"}),
        ("depth.py", {"depth_resnet18", *SCORES}),
        ("chapters/difficulty/depth.py", {"difficulty_figures", "difficulty_claims"}),
        ("report/templates/page.html", {"study_report"}),
    ],
)
def test_an_edited_module_reruns_the_rules_that_use_it(study, module, readers):
    path = study.folder / "workflow/depthlens" / module
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    environment = study.run("python", "-c", "import depthlens; print(depthlens.__file__)")
    assert str(study.folder) in environment.stdout
    try:
        assert study.planned() - {"all"} == following(readers)
    finally:
        path.write_bytes(before)


def test_an_edited_command_reruns_its_rule(study):
    path = study.folder / "rules/difficulty.smk"
    path.write_text(path.read_text().replace('"depthlens convergence', '"depthlens  convergence'))
    assert study.planned() - {"all"} == following({"convergence"})


@pytest.mark.parametrize(
    "path", ["data/tiny_shapes/test.parquet", f"{RUN}/knn/test/09-avgpool.parquet"]
)
def test_a_file_replaced_by_another_of_the_same_size_and_date_is_made_again(study, path):
    # It is gone as soon as the study is not whole.
    made_by = json.loads((study.folder / "reports/smoke/manifest.json").read_text())[path]
    file = study.folder / path
    before, dates = file.read_bytes(), file.stat()
    other = bytearray(before)
    other[len(other) // 2] ^= 1
    file.unlink()
    file.write_bytes(other)
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    try:
        assert f"{path} will be made again: its bytes have changed" in study.plan()
        assert study.planned() - {"all"} == following({made_by["rule"]})
        with_reason = study.run("depthlens", "why", path).stdout
        assert with_reason.endswith(f"rule {made_by['rule']}: its bytes have changed\n")
    finally:
        file.write_bytes(before)
    assert study.planned() == set()


def test_a_file_from_nowhere_is_not_trusted(finished, tmp_path):
    copy = Copy(Path(shutil.copytree(finished.folder, tmp_path / "study")))
    path = f"{RUN}/depth/test.parquet"
    for record in (copy.folder / "provenance").rglob("test.parquet.json"):
        if path in json.loads(record.read_text())["outputs"]:
            record.unlink()
    shutil.rmtree(copy.folder / ".snakemake")
    assert f"{path} will be made again" in copy.plan()


def test_touch_is_refused_and_makes_no_record_of_jobs_that_did_not_run(finished, tmp_path):
    study = Copy(Path(shutil.copytree(finished.folder, tmp_path / "study")))
    rewrite(study, lambda values: with_key(values, "knn.n_neighbors", 7))
    records = study.folder / "provenance"
    before = {path: path.read_bytes() for path in records.rglob("*.json")}
    said = study.snakemake("--touch", check=False)
    assert said.returncode and "--touch says that jobs have run" in said.stdout + said.stderr
    study.snakemake("--touch", "--forceall", "--no-hooks")
    assert study.planned() - {"all"} == following({"knn"}) | {"study_report"}
    assert before == {path: path.read_bytes() for path in records.rglob("*.json")}


def test_why_names_the_key_and_both_values(study):
    rewrite(study, lambda values: with_key(values, "knn.n_neighbors", 7))
    said = study.run("depthlens", "why", "reports/smoke/index.html").stdout
    assert said == "reports/smoke/index.html: knn.n_neighbors is 7, was 10\n"


def test_why_names_the_module(study):
    path = study.folder / "workflow/depthlens/depth.py"
    path.write_bytes(path.read_bytes() + b"\n")
    said = study.run("depthlens", "why", f"{RUN}/depth/test.parquet").stdout
    assert said == f"{RUN}/depth/test.parquet: the code of depth has changed\n"


def test_why_says_that_nothing_has_changed(study):
    assert study.run("depthlens", "why").stdout == "all: up to date\n"


def test_what_training_left_has_no_rule_where_it_is_pulled(study):
    rewrite(study, lambda values: with_key(values, "checkpoints.source", "pull"))
    assert "train" not in study.snakemake("--list-rules").stdout.split()


def test_records_hold_no_time_no_host_and_no_folder(finished):
    for path in (finished.folder / "provenance").rglob("*.json"):
        text = path.read_text()
        assert str(finished.folder) not in text and os.uname().nodename not in text
        assert not {"starttime", "endtime", "job_hash"} & set(json.loads(text))


def test_manifest_lists_everything_that_the_study_ends_with(finished):
    values = yaml.safe_load((finished.folder / "config.yaml").read_text())
    manifest = json.loads((finished.folder / "reports/smoke/manifest.json").read_text())
    for path in Study(values, source="config.yaml").targets:
        assert manifest[path]["bytes"] == (finished.folder / path).stat().st_size
    assert manifest[f"{RUN}/checkpoint.safetensors"]["config"]["training"] == values["training"]
    rules = {entry["rule"] for entry in manifest.values()}
    assert rules == set(FOLLOWS) - {"neighbours", "votes"}


def test_the_manifest_comes_back_without_a_job_while_the_study_is_whole(study):
    manifest = study.folder / "reports/smoke/manifest.json"
    before = manifest.read_bytes()
    manifest.unlink()
    assert study.planned() == set()
    assert manifest.read_bytes() == before

    page = study.folder / "reports/smoke/index.html"
    content = page.read_bytes()
    page.unlink()
    assert "study_report" in study.planned()
    assert not manifest.exists()
    page.write_bytes(content)
    assert study.planned() == set()
    assert manifest.read_bytes() == before
