"""Presets change the keys that they name, and nothing else of the file."""

import shutil

import pytest
import yaml

from depthlens import config, preset
from depthlens.errors import ConfigError


@pytest.fixture
def path(repository, tmp_path):
    return shutil.copy2(repository / "config.yaml", tmp_path / "config.yaml")


def leaves(values: dict, at: str = "") -> dict[str, object]:
    """Every value that is no block, by its dotted key; blocks that a preset brings count whole."""
    found = {}
    for key, value in values.items():
        found |= leaves(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}": value}
    return found


def test_the_default_preset_is_the_config_of_the_repository(path, repository):
    assert preset.apply("default", path) == []
    assert path.read_bytes() == (repository / "config.yaml").read_bytes()


@pytest.mark.parametrize("name", preset.names())
def test_a_preset_sets_its_keys_and_no_others(path, repository, name):
    before = leaves(yaml.safe_load(path.read_text()))
    preset.apply(name, path)
    config.load(path)
    after, wanted = leaves(yaml.safe_load(path.read_text())), leaves(preset.load(name))
    assert {key: after[key] for key in wanted} == wanted
    assert {key: value for key, value in after.items() if key not in wanted} == {
        key: value for key, value in before.items() if key not in wanted
    }
    # Every line that was not changed is still there, with its comment.
    kept = set(path.read_text().splitlines())
    lost = [
        line for line in (repository / "config.yaml").read_text().splitlines() if line not in kept
    ]
    assert len(lost) <= len(wanted)


@pytest.mark.parametrize("name", preset.names())
def test_the_default_preset_takes_back_what_another_set(path, repository, name):
    preset.apply(name, path)
    preset.apply("default", path)
    values = yaml.safe_load(path.read_text())
    original = yaml.safe_load((repository / "config.yaml").read_text())
    # Blocks that a preset brought stay: a study that does not name them is not changed by them.
    for block in ("datasets", "models"):
        values[block] = {k: v for k, v in values[block].items() if k in original[block]}
    assert values == original


def test_what_a_user_changed_elsewhere_stays(path):
    path.write_text(path.read_text().replace("gallery_images: 32", "gallery_images: 12"))
    preset.apply("thorough", path)
    assert config.load(path).figures.gallery_images == 12
    assert config.load(path).study.replicates == 3


def test_lists_of_a_preset_stand_in_a_line_as_a_user_would_write_them(path):
    preset.apply("cifar10", path)
    text = path.read_text()
    assert "  augmentation: [{name: random_crop, padding: 4}, {name: horizontal_flip}]" in text
    assert "    mean: [0.4914, 0.4822, 0.4465]\n" in text


def test_each_changed_key_is_said_with_both_values(path):
    said = preset.apply("thorough", path)
    assert "study.replicates: 0 → 3" in said
    assert preset.apply("thorough", path) == []


def test_an_unknown_preset_is_refused_with_the_one_that_was_meant(path):
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="no 'thorou'; did you mean 'thorough'"):
        preset.apply("thorou", path)
    assert path.read_bytes() == before


def test_a_preset_that_does_not_fit_what_is_there_changes_nothing(path):
    path.write_text(path.read_text().replace("splits: [train, test]", "splits: [test]"))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"with the preset thorough: .*splits must include train"):
        preset.apply("thorough", path)
    assert path.read_bytes() == before


def test_the_command_lists_and_sets(depthlens, path):
    assert "thorough: " in depthlens("preset").out
    done = depthlens("preset", "thorough", "--config", path)
    assert done.status == 0
    assert done.out.splitlines()[-1] == f"{path}: set to thorough"
    assert depthlens("preset", "thorough", "--config", path).out == f"{path}: already thorough\n"
