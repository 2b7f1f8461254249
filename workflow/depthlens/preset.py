"""Presets: sizes of study that config.yaml can be set to, key by key, its comments kept."""

import io
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from depthlens import config, plain_yaml, tables
from depthlens.errors import ConfigError, closest

_ABSENT = object()
_FOLDER = resources.files("depthlens") / "presets"


def names() -> dict[str, str]:
    """Every preset, with what its first line says of it."""
    files = [file for file in _FOLDER.iterdir() if file.name.endswith(".yaml")]
    return {
        file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
        .splitlines()[0]
        .removeprefix("# ")
        for file in sorted(files, key=lambda file: file.name)
    }


def load(name: str) -> dict:
    """The keys that a preset sets.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    if name not in names():
        raise ConfigError(
            f"preset: there is no {name!r}{closest(name, names())}; "
            f"presets are {', '.join(names())}"
        )
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return plain_yaml.parse(text, source=name)


def apply(name: str, path: Path | str) -> list[str]:
    """Set the keys of a preset in a configuration file, and leave all else as it is.

    Keys that another preset has changed before go back to the default first: presets do not mix.

    Parameters
    ----------
    name : str
    path : path
        A configuration; it is checked before and after.

    Returns
    -------
    list of str
        One line for each key whose value is another now.

    Raises
    ------
    ConfigError
        If there is no such preset, or the file is no valid configuration, or would not be.
    """
    wanted = load(name)
    config.load(path)
    keeper = _keeper()
    values = keeper.load(Path(path).read_text(encoding="utf-8"))
    changed = dict([*_set(values, load("default"), ""), *_set(values, wanted, "")])
    text = io.StringIO()
    keeper.dump(values, text)
    source = f"{path} with the preset {name}"
    config.check(plain_yaml.parse(text.getvalue(), source=source), source=source)
    before = plain_yaml.read([path])
    was = {key: _value(before, key) for key in changed}
    differs = [key for key in changed if was[key] != changed[key]]
    if differs:
        tables.write_text(path, text.getvalue())
    return [f"{key}: {_shown(was[key])} → {_shown(changed[key])}" for key in differs]


def _set(values: dict, wanted: Mapping, at: str) -> Iterator[tuple[str, object]]:
    """Set keys, and give the dotted name and the value of each."""
    for key, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping):
            yield from _set(values[key], value, f"{at}{key}.")
            continue
        if values.get(key, _ABSENT) == value:
            continue  # as it was written
        values[key] = _lists_in_a_line(value)
        yield f"{at}{key}", value


def _lists_in_a_line(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _lists_in_a_line(inner) for key, inner in value.items()}
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value


def _value(values: Mapping, key: str) -> object:
    for part in key.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return _ABSENT
        values = values[part]
    return values


def _shown(value: object) -> str:
    return "not there" if value is _ABSENT else json.dumps(value)


def _keeper() -> YAML:
    """A reader and writer that keeps comments, and writes as our files are written."""
    keeper = YAML()
    keeper.preserve_quotes = True
    keeper.width = 4096
    keeper.brace_single_entry_mapping_in_flow_sequence = True  # {name: …} in a list, not name: …
    keeper.representer.add_representer(
        type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return keeper
