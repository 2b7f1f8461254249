"""Any configuration is a graph or one clear message; no value of it reaches a shell as code."""

import copy
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthlens import config
from depthlens.errors import StudyError
from depthlens.study import Study

from .conftest import REPOSITORY

TINY = yaml.safe_load((REPOSITORY / "tests/smoke.yaml").read_text())
HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "' && touch pwned '",
    '" && touch pwned "',
    "a\ntouch pwned",
    "../../pwned",
    "/pwned",
    "with space",
    "{input}",
    "-n",
    "",
    "é\u202eσ",
    "x" * 300,
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(HOSTILE),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(block: object, at: tuple = ()) -> list[tuple]:
    """Where something stands in a configuration, blocks included."""
    found = [at] if at else []
    if isinstance(block, dict):
        for key, value in block.items():
            found += places(value, (*at, key))
    return found


@st.composite
def configurations(draw) -> dict:
    """The tiny study with some values replaced, taken away or added."""
    changed = copy.deepcopy(TINY)
    for _ in range(draw(st.integers(1, 3))):
        *blocks, key = draw(st.sampled_from(places(changed) or [("study",)]))
        block = changed
        for name in blocks:
            block = block[name]
        action = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
        if action == "remove":
            block.pop(key, None)
        else:
            block[key if action == "replace" else draw(st.sampled_from(HOSTILE))] = draw(values)
    return changed


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(configurations())
def test_any_configuration_is_a_study_or_one_clear_message(changed):
    try:
        study = Study(changed, source="config.yaml")
    except StudyError as error:
        assert all(line.startswith("config.yaml: ") for line in str(error).splitlines())
        return
    root = Path("/study")
    paths = [*study.targets, *study.paths("x"), *map(study.figures, study.runs())]
    assert all((root / path).resolve().is_relative_to(root) for path in paths)
    for name in type(study.config).model_fields:
        block = json.loads(study.block(name)({}))
        whole = json.loads(json.dumps(study.config.model_dump(mode="json")[name]))
        if name == "activations":
            del whole["keep"]  # it changes nothing in a file
        assert block == whole


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("key", ["study.reports", "datasets", "models"])
def test_names_that_become_folders_are_plain(key, text):
    changed = copy.deepcopy(TINY)
    if key == "study.reports":
        changed["study"]["reports"] = text
    else:
        (block,) = changed[key].values()
        changed[key], changed["study"][key] = {text: block}, [text]
    with pytest.raises(StudyError, match=r"config\.yaml"):
        config.check(changed, source="config.yaml")


@pytest.mark.parametrize(
    "change",
    [
        lambda values, text: values["models"]["resnet18"].update(architecture=text),
        lambda values, text: values["activations"].update(probes=["input", text]),
        lambda values, text: values["datasets"]["tiny_shapes"].update(seed=text),
    ],
    ids=["architecture", "probe", "seed"],
)
def test_hostile_values_are_one_message_of_snakemake(fresh, change):
    changed = copy.deepcopy(TINY)
    change(changed, "' $(touch pwned); touch pwned\n{input} .. \"")
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(changed))
    done = fresh.snakemake(check=False)
    assert done.returncode != 0
    assert "touch pwned" in done.stdout + done.stderr  # the value is named
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(fresh.folder.rglob("pwned"))


def test_free_text_reaches_a_command_as_text(fresh):
    text = "' $(touch pwned); touch pwned `touch pwned`\n{wildcards} && \" \\ .."
    changed = copy.deepcopy(TINY)
    changed["datasets"]["tiny_shapes"] = {
        "source": "torchvision",
        "name": "MNIST",
        "data_root": text,
        "train_examples": None,
        "test_examples": None,
    }
    (fresh.folder / "config.yaml").write_text(yaml.safe_dump(changed))
    (fresh.folder / text.replace("/", "_")).write_text("a file where torchvision wants a folder")
    done = fresh.snakemake("data/tiny_shapes/test.parquet", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "error: datasets: MNIST is not in ' $(touch pwned)" in said
    assert not list(fresh.folder.rglob("pwned"))
    assert not (fresh.folder / "data/tiny_shapes/test.parquet").exists()


def test_a_key_that_stands_twice_stops_snakemake_with_both_lines(fresh):
    text = (REPOSITORY / "tests/smoke.yaml").read_text()
    lines = text.splitlines()
    (fresh.folder / "twice.yaml").write_text(text + "knn:\n  n_neighbors: 3\n")
    done = fresh.snakemake("--dry-run", "--configfile", "twice.yaml", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said
    assert (
        f"twice.yaml: lines {lines.index('knn:') + 1} and {len(lines) + 1} both set 'knn'; "
        "take one of them away"
    ) in said


def test_numbers_of_the_command_line_are_numbers_that_stand_over_the_file(fresh):
    done = fresh.snakemake("--dry-run", "--config", "knn={n_neighbors: 0}", check=False)
    assert (
        "config.yaml, --config: knn.n_neighbors: input should be greater than or equal to 1"
    ) in done.stdout + done.stderr


def test_the_code_of_another_checkout_does_not_run(fresh):
    environment = {**fresh.environment, "PYTHONPATH": str(REPOSITORY / "workflow")}
    done = subprocess.run(
        ["snakemake", "--dry-run"],
        cwd=fresh.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"{fresh.folder}/workflow/depthlens is the code of this folder, but " in (
        done.stdout + done.stderr
    )
