"""config.yaml: what is accepted, what is refused, and what the user is told."""

import copy
import json
import re

import pytest
import yaml

from depthlens import config, plain_yaml
from depthlens.errors import ConfigError


@pytest.fixture
def values(repository) -> dict:
    """The default study, to change."""
    return yaml.safe_load((repository / "config.yaml").read_text(encoding="utf-8"))


def put(values: dict, key: str, value: object) -> dict:
    """A copy with one dotted key set."""
    changed = copy.deepcopy(values)
    block = changed
    *path, last = key.split(".")
    for part in path:
        block = block[part]
    block[last] = value
    return changed


def without(values: dict, key: str) -> dict:
    changed = copy.deepcopy(values)
    block = changed
    *path, last = key.split(".")
    for part in path:
        block = block[part]
    del block[last]
    return changed


def message(values: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        config.check(values)
    return str(caught.value)


@pytest.mark.parametrize("name", ["config.yaml", "tests/smoke.yaml"])
def test_both_studies_are_valid(repository, name):
    assert isinstance(config.load(repository / name), config.Config)


@pytest.mark.parametrize("name", ["config.yaml", "tests/smoke.yaml"])
def test_the_first_line_tells_editors_the_schema(repository, name):
    path = repository / name
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert schema
    assert (path.parent / schema[1]).resolve() == (
        repository / "workflow/schemas/config.schema.json"
    )


def test_the_schema_file_is_that_of_the_models(repository):
    path = repository / "workflow/schemas/config.schema.json"
    assert path.read_text(encoding="utf-8") == config.schema(), "run `depthlens schema`"


def test_the_schema_describes_every_key():
    undescribed = [
        key
        for block in json.loads(config.schema())["$defs"].values()
        for key, about in block.get("properties", {}).items()
        if not {"description", "$ref", "const"} & about.keys()
    ]
    assert undescribed == []


def test_every_key_of_the_default_study_has_a_comment(repository):
    lines = (repository / "config.yaml").read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if re.match(r"\s*[\w-]+:\s+[^#\s]", line) and "  # " not in line]
    assert bare == []
    # A block is explained by its own comment, by the one above, or by those of its keys.
    assert sum("#" in line for line in lines) > 40


def leaves(block: object, path: str = "") -> list[str]:
    if isinstance(block, dict):
        return [leaf for key, value in block.items() for leaf in leaves(value, f"{path}.{key}")]
    return [path.removeprefix(".")]


def test_every_key_is_needed(values):
    for key in leaves(values):
        assert f"{key}: this key is missing" in message(without(values, key))


@pytest.mark.parametrize(
    "block",
    ["study", "models", "training", "convergence", "activations", "knn", "figures", "chapters"],
)
def test_every_block_is_needed(values, block):
    assert message(without(values, block)) == f"config.yaml: {block}: this key is missing"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("trainning", "training"),
        ("training.learning_rat", "learning_rate"),
        ("knn.n_neighbours", "n_neighbors"),
        ("study.seed", "seeds"),
        ("models.resnet18.architectur", "architecture"),
        ("datasets.shapes.factors.contrasts", "contrast"),
        ("datasets.shapes.train_example", "train_examples"),
        ("datasets.fashion_mnist.data_rot", "data_root"),
        ("chapters.difficulty.bootstrap_sample", "bootstrap_samples"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(values, key, meant):
    assert message(put(values, key, 1)) == (
        f"config.yaml: {key}: unknown key; did you mean {meant!r}?"
    )


def test_every_fault_has_a_line_of_its_own(values):
    values = put(put(values, "training.epochs", 0), "knn.n_neighbors", -1)
    lines = message(values).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("config.yaml: training.epochs: ")
    assert lines[1].startswith("config.yaml: knn.n_neighbors: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("study.seeds", [-1]),
        ("study.seeds", [2**32]),
        ("study.seeds", []),
        ("study.seeds", [1, 1]),
        ("study.splits", ["test", "validation"]),
        ("study.reports", "../elsewhere"),
        ("study.reports", "/tmp"),
        ("datasets.shapes.train_examples", 5),
        ("datasets.shapes.factors.size", [0.0, 0.5]),
        ("datasets.shapes.factors.size", [0.7, 0.2]),
        ("datasets.shapes.factors.size", [0.2]),
        ("datasets.shapes.factors.size", [0.2, 0.3, 0.4]),
        ("datasets.shapes.factors.size", 0.5),
        ("datasets.shapes.factors.aspect_ratio", [0.5, 2.0]),
        ("datasets.shapes.factors.contrast", [0.0, 1.1]),
        ("datasets.shapes.factors.noise", [-0.1, 0.1]),
        ("datasets.shapes.factors.noise", ["0.1", 0.2]),
        ("datasets.shapes.factors.noise", [False, 0.2]),
        ("datasets.fashion_mnist.name", "ImageNet"),
        ("datasets.fashion_mnist.train_examples", 0),
        ("training.epochs", 0),
        ("training.epochs", 1.5),
        ("training.epochs", "10"),
        ("training.epochs", True),
        ("training.batch_size", 1),
        ("training.optimizer", "adamm"),
        ("training.learning_rate", 0),
        ("training.learning_rate", -1e-4),
        ("training.learning_rate", 11),
        ("training.learning_rate", "fast"),
        ("training.learning_rate", "1e-4"),
        ("training.learning_rate", float("nan")),
        ("training.learning_rate", float("inf")),
        ("training.learning_rate", None),
        ("training.learning_rate", True),
        ("training.weight_decay", 2),
        ("training.augmentation", [{"name": "random_crop", "padding": 0}]),
        ("training.augmentation", None),
        ("training.label_smoothing", 1.0),
        ("training.schedule", "step"),
        ("training.warmup", 1.0),
        ("training.warmup", -0.1),
        ("training.momentum", 1.0),
        ("training.device", "tpu"),
        ("training.threads", 0),
        ("convergence.min_train_accuracy", 99),
        ("convergence.allow_unconverged", "yes"),
        ("activations.probes", "layers"),
        ("activations.probes", []),
        ("activations.dtype", "float64"),
        ("activations.batch_size", 0),
        ("knn.n_neighbors", 0),
        ("knn.n_neighbors", 65_536),
        ("knn.memory", 0),
        ("knn.metric", "manhattan"),
        ("knn.sensitivity", [1, 1]),
        ("knn.sensitivity", [0]),
        ("knn.sensitivity", []),
        ("study.replicates", -1),
        ("replicates.held_out", 0),
        ("replicates.held_out", 1),
        ("scores.early_epoch", 0),
        ("scores.early_epoch", 11),
        ("scores.gradient_examples", 0),
        ("scores.attack_examples", -1),
        ("scores.attack_steps", 0),
        ("figures.dpi", 10),
        ("figures.confidence_level", 1.0),
        ("chapters.difficulty.bootstrap_samples", 10),
    ],
)
def test_a_value_out_of_range_or_of_another_type_is_named(values, key, value):
    text = message(put(values, key, value))
    assert len(text.splitlines()) == 1
    assert text.startswith(f"config.yaml: {key}")
    assert "Value error" not in text


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([{"name": "random_crop"}], "0.padding: this key is missing"),
        ([{"name": "horizontal_flip", "paddin": 4}], "0.paddin: unknown key; choose from: name"),
        (
            [{"name": "horizontal_flip"}, {"name": "random_crop", "paddin": 4, "padding": 4}],
            "1.paddin: unknown key; did you mean 'padding'?",
        ),
        (
            [{"name": "crop"}],
            "0.name: unknown name 'crop'; choose from: horizontal_flip, random_crop",
        ),
        ([{"padding": 4}], "0.name: this key is missing"),
        (["horizontal_flip"], "0: must be a block of keys and values, not 'horizontal_flip'"),
    ],
)
def test_a_step_of_the_augmentation_that_is_none_is_named(values, steps, said):
    text = message(put(values, "training.augmentation", steps))
    assert text == f"config.yaml: training.augmentation.{said}"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"schedule": "cosine"}, "decay: cosine falls over all steps after the warmup"),
        ({"schedule": "one_cycle", "warmup": 0.3}, "decay: one_cycle falls over all steps"),
        ({"schedule": "one_cycle", "decay": 0}, "warmup: one_cycle rises first; set warmup to"),
        ({"warmup": 0.8}, "warmup: 0.8 and decay 0.3 are more than the whole training"),
    ],
)
def test_shares_that_a_schedule_would_ignore_are_refused(values, keys, said):
    values["training"] |= keys
    assert message(values).startswith(f"config.yaml: training: {said}")


def test_schedules_and_augmentation_are_taken(values):
    values["training"] |= {"schedule": "one_cycle", "warmup": 0.3, "decay": 0}
    steps = [{"name": "random_crop", "padding": 4}, {"name": "horizontal_flip"}]
    values["training"]["augmentation"] = steps
    taken = config.check(values).training.model_dump(mode="json")
    assert taken["augmentation"] == steps
    assert config.check_blocks(["training"], taken) == taken


def test_splits_without_test_are_refused(values):
    text = message(put(values, "study.splits", ["train"]))
    assert text == "config.yaml: study: splits must include test: figures and claims are about it"


@pytest.mark.parametrize("written", ["1e-4", "1E-4", "1.0e-4", "0.0001"])
def test_a_number_is_read_however_it_is_written(values, written):
    written = plain_yaml.parse(f"rate: {written}", source="")["rate"]
    values = put(values, "training.learning_rate", written)
    assert config.check(values).training.learning_rate == 1e-4


def test_a_number_in_a_range_may_be_whole(values):
    values = put(values, "datasets.shapes.factors.noise", [0, 1e-2])
    assert config.check(values).datasets["shapes"].factors.noise == (0.0, 0.01)


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "", "-a", "a.b"])
def test_a_name_that_is_no_plain_name_is_refused(values, name):
    values["models"][name] = {"architecture": "resnet18"}
    assert "config.yaml: models" in message(values)


def network(**keys: object) -> dict:
    """A block of `models` as a step is given it."""
    return config.check_blocks(["model"], {"architecture": "resnet18", **keys})


def test_a_network_needs_no_more_than_its_architecture():
    assert network() == {"architecture": "resnet18"}
    full = config.Network(architecture="resnet18").model_dump(mode="json")
    assert full == {
        "architecture": "resnet18",
        "weights": None,
        "channels": 3,
        "mean": None,
        "std": None,
        "input_size": None,
    }
    assert network(**full) == full


@pytest.mark.parametrize(
    "keys",
    [
        {"architecture": "mlp7", "channels": 1, "mean": [0.5], "std": [0.25]},
        {"architecture": "timm:resnet10t", "input_size": [224, 200]},
        {"architecture": "mine.networks:make", "weights": "mine/w.safetensors"},
        {"mean": [0, 1e-1, 0.2], "std": [1, 2, 3]},
    ],
)
def test_a_network_is_described_in_full(keys):
    assert network(**keys)["architecture"] == keys.get("architecture", "resnet18")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"mean": [0.5] * 3}, "mean is given without std; give both, or neither"),
        ({"std": [0.5] * 3}, "std is given without mean; give both, or neither"),
        ({"mean": [0.5], "std": [0.5]}, "mean has 1 values; the network takes 3 channels"),
        ({"mean": [0.5] * 3, "std": [0.5] * 2}, "std has 2 values"),
        ({"mean": [0.5] * 3, "std": [0.5, 0, 0.5]}, "std.1: input should be greater than 0"),
        ({"channels": 2}, "channels: input should be 1 or 3"),
        ({"channels": True}, "channels: input should be a valid number"),
        ({"input_size": [32]}, "input_size"),
        ({"input_size": [32, 0]}, "input_size.1: input should be greater than or equal to 1"),
        ({"input_size": 32}, "input_size: input should be a valid list"),
        ({"weights": ""}, "weights"),
        ({"architecture": "my-nets:make"}, "neither timm:NAME nor a function of yours"),
        ({"architecture": "nets.py:make()"}, "neither timm:NAME nor a function of yours"),
        ({"weight": "w"}, "weight: unknown key; did you mean 'weights'?"),
    ],
)
def test_a_network_that_cannot_be_is_refused(values, keys, said):
    values["models"]["resnet18"].update(keys)
    text = message(values)
    assert text.startswith("config.yaml: models.resnet18")
    assert said in text
    assert len(text.splitlines()) == 1


def test_replicates_of_a_network_that_is_not_trained_are_refused(values):
    values = put(values, "models.resnet18.weights", "w.safetensors")
    values = put(values, "study.replicates", 4)
    assert message(values).startswith(
        "config.yaml: study.replicates: replicates are trained, but models.resnet18 has weights"
    )
    config.check(put(values, "study.replicates", 0))


@pytest.mark.parametrize(
    ("key", "name", "meant"), [("datasets", "shape", "shapes"), ("models", "resnet81", "resnet18")]
)
def test_an_undefined_name_is_refused_with_the_one_that_was_meant(values, key, name, meant):
    text = message(put(values, f"study.{key}", [name]))
    assert text == (
        f"config.yaml: study.{key}: {name!r} is not in the block {key}; did you mean {meant!r}?"
    )


def test_an_unknown_source_is_refused_with_the_one_that_was_meant(values):
    text = message(put(values, "datasets.shapes.source", "shape"))
    assert text == (
        "config.yaml: datasets.shapes.source: unknown source 'shape'; did you mean 'shapes'?"
    )


EXAMPLES = {"train_examples": None, "test_examples": None}
SOURCES = {
    "image_folder": {
        "path": "images",
        "height": 32,
        "width": 48,
        "channels": 3,
        "resize": "crop",
        "test_share": 0.25,
        "seed": 1,
        **EXAMPLES,
    },
    "homework": {"train": "data.npy", "test": "test_data.npy", "classes": None, **EXAMPLES},
    "npz": {
        "train": "a.npz",
        "test": "a.npz",
        "images": "x_{split}",
        "labels": "y_{split}",
        "classes": ["cat", "dog"],
        **EXAMPLES,
    },
    "function": {
        "function": "package.module:load",
        "arguments": {"size": 3, "names": ["a", None], "more": {"x": 0.5}},
        "files": ["a.csv"],
        **EXAMPLES,
    },
}


@pytest.fixture(params=SOURCES)
def imported(request, values) -> dict:
    """A study of a dataset that others made, called `mine`."""
    values["study"]["datasets"] = ["mine"]
    values["datasets"]["mine"] = {"source": request.param, **SOURCES[request.param]}
    return values


def test_every_source_is_taken_as_it_is_written(imported):
    block = config.check(imported).datasets["mine"]
    assert block.model_dump(mode="json", exclude={"on_error"}) == imported["datasets"]["mine"]


def test_damaged_images_stop_unless_they_are_to_be_skipped(values):
    values["datasets"]["mine"] = {"source": "image_folder", **SOURCES["image_folder"]}
    assert config.check(values).datasets["mine"].on_error == "stop"
    skipping = put(values, "datasets.mine.on_error", "skip")
    assert config.check(skipping).datasets["mine"].on_error == "skip"


def test_every_key_of_a_source_is_needed_and_no_other_is_known(imported):
    for key in imported["datasets"]["mine"].keys() - {"source"}:
        text = message(without(imported, f"datasets.mine.{key}"))
        assert text == f"config.yaml: datasets.mine.{key}: this key is missing"
    text = message(put(imported, "datasets.mine.train_example", 1))
    assert text == (
        "config.yaml: datasets.mine.train_example: unknown key; did you mean 'train_examples'?"
    )


def test_neighbours_are_counted_in_any_source(imported):
    config.check(imported)
    text = message(put(imported, "datasets.mine.train_examples", 30))
    assert "references; datasets.mine.train_examples has too few for it" in text


@pytest.mark.parametrize(
    ("source", "key", "value"),
    [
        ("image_folder", "path", ""),
        ("image_folder", "height", 0),
        ("image_folder", "width", 5000),
        ("image_folder", "channels", 2),
        ("image_folder", "channels", True),
        ("image_folder", "resize", "shrink"),
        ("image_folder", "test_share", 0),
        ("image_folder", "test_share", 1),
        ("image_folder", "test_share", "all"),
        ("image_folder", "seed", -1),
        ("image_folder", "on_error", "ignore"),
        ("homework", "train", None),
        ("homework", "classes", ["one"]),
        ("homework", "classes", ["a", "a"]),
        ("homework", "classes", [0, 1]),
        ("npz", "images", ""),
        ("npz", "labels", None),
        ("function", "function", "module"),
        ("function", "function", "module:"),
        ("function", "function", "../module:load"),
        ("function", "function", "a b:load"),
        ("function", "arguments", None),
        ("function", "arguments", {1: 2}),
        ("function", "files", "a.csv"),
        ("function", "files", [""]),
        ("function", "train_examples", 0),
    ],
)
def test_a_wrong_value_of_a_source_is_named(values, source, key, value):
    values["datasets"]["mine"] = {"source": source, **SOURCES[source], key: value}
    lines = message(values).splitlines()
    assert len(lines) == (len(value) if value == [0, 1] else 1)
    assert all(line.startswith(f"config.yaml: datasets.mine.{key}") for line in lines)


def test_one_archive_for_both_splits_needs_names_that_differ(values):
    mine = {"source": "npz", **SOURCES["npz"], "labels": "y"}
    values["datasets"]["mine"] = mine
    assert "labels: train and test are one file, so the name must hold {split}" in message(values)
    values["datasets"]["mine"] = mine | {"test": "b.npz"}
    config.check(values)


@pytest.mark.parametrize(("splits", "most"), [(["test"], 60), (["train", "test"], 59)])
def test_more_neighbours_than_references_are_refused(values, splits, most):
    values = put(put(values, "study.splits", splits), "datasets.shapes.train_examples", 60)
    values = put(values, "knn.sensitivity", [1])
    config.check(put(values, "knn.n_neighbors", most))
    text = message(put(values, "knn.n_neighbors", most + 1))
    assert f"knn.n_neighbors: {most + 1} neighbours of {most} references" in text
    assert "datasets.shapes.train_examples" in text


def test_each_shard_must_have_enough_references(values):
    values = put(put(values, "datasets.shapes.train_examples", 60), "knn.n_neighbors", 14)
    values = put(values, "knn.sensitivity", [1])
    config.check(put(values, "knn.shards", 4))
    text = message(put(values, "knn.shards", 5))
    assert "14 neighbours of 11 references in each of 5 shards" in text


def test_every_k_of_the_sensitivity_must_have_enough_references(values):
    values = put(put(values, "datasets.shapes.train_examples", 60), "knn.sensitivity", [1, 59])
    config.check(values)
    text = message(put(values, "knn.sensitivity", [1, 60]))
    assert "knn.sensitivity: 60 neighbours of 59 references" in text


def test_a_replicate_has_fewer_references(values):
    values = put(put(values, "datasets.shapes.train_examples", 100), "knn.sensitivity", [1])
    values = put(put(values, "datasets.shapes.test_examples", 20), "knn.n_neighbors", 60)
    config.check(values)
    assert "60 neighbours of 59 references" in message(put(values, "study.replicates", 2))


@pytest.mark.parametrize(
    ("n", "held_out", "fits"),
    [(1, 0.5, False), (2, 0.5, True), (3, 1 / 3, True), (3, 0.3, False), (3, 0.7, False)],
)
def test_replicates_show_every_image_from_both_sides(values, n, held_out, fits):
    values = put(put(values, "study.replicates", n), "replicates.held_out", held_out)
    if fits:
        config.check(values)
    else:
        assert f"study.replicates: {n} replicates" in message(values)


def test_replicates_need_the_training_split(values):
    values = put(put(values, "study.replicates", 2), "study.splits", ["test"])
    assert "study.splits must include train" in message(values)


def test_no_more_snapshots_than_epochs(values):
    text = message(put(values, "training.snapshots", 11))
    assert "training: snapshots: 11 of 10 epochs" in text


def test_a_dataset_that_is_not_studied_may_be_too_small(values):
    values["datasets"]["few"] = put(values["datasets"]["shapes"], "train_examples", 6)
    config.check(values)


def test_a_list_of_modules_is_taken(values):
    probes = ["input", "layer1.0.conv1", "fc"]
    assert config.check(put(values, "activations.probes", probes)).activations.probes == probes


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx"])
def test_a_file_that_is_no_yaml_is_named_on_one_line(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"c\.yaml: not YAML") as caught:
        config.load(tmp_path / "c.yaml")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "- 1", "word"])
def test_a_file_without_keys_is_named(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match="must hold keys and values"):
        config.load(tmp_path / "c.yaml")


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        config.load(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("shares", [0.5, 0.25, 1.0], "shares: must ascend and end with 1"),
        ("shares", [0.25, 0.5], "shares: must ascend and end with 1"),
        ("n_neighbors", 3750, "the smallest share of convnet.train_examples is 3750; lower it"),
        ("embedded", 3001, "embedded: 3001, but resnet.test_examples is 3000; lower it"),
    ],
)
def test_shares_and_neighbours_of_representation_fit(values, key, value, words):
    values["chapters"]["representation"][key] = value
    assert words in message(values)


def test_neighbours_of_edges_fit(values):
    values["chapters"]["inductive_bias"]["depth"]["n_neighbors"] = 150
    assert "depth.n_neighbors: 150 neighbours of 150 training images; lower it" in message(values)


def test_datasets_of_chapters_are_defined(values):
    values["chapters"]["representation"]["convnet"]["dataset"] = "mnits"
    said = message(values)
    assert "chapters.representation.convnet.dataset: 'mnits' is not in the block datasets" in said
    assert "mnist" in said
