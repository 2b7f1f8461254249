"""YAML that has one meaning: what readers of it disagree on is refused.

To Snakemake, which reads YAML 1.1, `no` is false, 010 is 8 and 1e-4 is a text; to DVC and editors,
which read YAML 1.2 as is done here, they are a word and two numbers. To most readers the last of
two equal keys is the one that counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from depthlens.errors import ConfigError

_AMBIGUOUS = "!ambiguous"
_TEXT = yaml.SafeLoader.DEFAULT_SCALAR_TAG
_VALUES = {
    "tag:yaml.org,2002:null": "|~|null|Null|NULL",
    "tag:yaml.org,2002:bool": "true|True|TRUE|false|False|FALSE",
    "tag:yaml.org,2002:int": "[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)",
    "tag:yaml.org,2002:float": r"""
        [-+]?[0-9]+ (\.[0-9]*([eE][-+]?[0-9]+)? | [eE][-+]?[0-9]+)
        | [-+]?\.[0-9]+([eE][-+][0-9]+)? | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN)""",
}
_SCALARS = {
    **_VALUES,
    "tag:yaml.org,2002:merge": "<<",
    # Words for truth; other bases; underscores, leading zeros, hours and minutes; dates.
    _AMBIGUOUS: r"""
        yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|=
        | [-+]?0b[01_]+ | [-+]?0o[0-7_]+ | [-+]?0x[0-9a-fA-F_]+ | [-+][0-9_]+
        | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?([eE][-+]?[0-9]+)?
        | [-+]?\.[0-9_]+([eE][-+]?[0-9]+)?
        | [0-9]{4}-[0-9]{2}-[0-9]{2} | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9].*""",
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # built or not
    """Reads plain scalars as `_SCALARS` says, the first that fits; what fits none is a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML declares its own
        None: [(tag, re.compile(rf"(?:{form})\Z", re.X)) for tag, form in _SCALARS.items()]
    }


def read(paths: Iterable[Path | str], given: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Values of configuration files, the later over the earlier, and of a command line over all.

    Parameters
    ----------
    paths : iterable of path
    given : mapping, optional
        What Snakemake makes of `--config`: in it a number, a truth value and null are texts.

    Raises
    ------
    ConfigError
        If a file cannot be read, or can be in two ways: the message has the line.
    """
    values: dict[str, Any] = {}
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from None
        values = _merged(values, parse(text, source=str(path)))
    return _merged(values, {key: _evaluated(value) for key, value in (given or {}).items()})


def parse(text: str, *, source: str) -> dict[str, Any]:
    """Values of a text; raises `ConfigError` that names the source, as `read` does."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node() or yaml.ScalarNode(_TEXT, "")
        fault = next(_faults(root), None)
        values = None if fault else loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{source}: not YAML ({reason})") from None
    if fault:
        raise ConfigError(f"{source}: {fault}")
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: must hold keys and values")
    return values


def _faults(root: yaml.Node) -> Iterator[str]:
    """What readers disagree on, in the order of the lines."""
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:  # an alias of it
            continue
        seen.add(id(node))
        if node.tag == _AMBIGUOUS:
            yield (
                f"line {_line(node)}: readers of YAML disagree on {node.value}; put it in quotes "
                "if it is a text, else write true, false or the number in plain digits"
            )
        if isinstance(node, yaml.SequenceNode):
            pending += reversed(node.value)
        if isinstance(node, yaml.MappingNode):
            pending += [part for pair in reversed(node.value) for part in reversed(pair)]
            first: dict[tuple[str, str], int] = {}
            for key, _ in node.value:
                name = (key.tag, str(key.value))
                if name in first:
                    yield (
                        f"lines {first[name]} and {_line(key)} both set {key.value!r}; "
                        "take one of them away"
                    )
                first[name] = _line(key)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Blocks key by key, as Snakemake merges them; all else is replaced."""
    both = {
        key: _merged(values[key], value)
        for key, value in over.items()
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping)
    }
    return {**values, **over, **both}


def _evaluated(given: object) -> object:
    """What was given, with each text that would be another value in a file as that value."""
    if isinstance(given, Mapping):
        return {key: _evaluated(value) for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [_evaluated(value) for value in given]
    if not isinstance(given, str) or not given:
        return given
    loader = _Loader("")
    tag = loader.resolve(yaml.ScalarNode, given, (True, False))
    return loader.construct_object(yaml.ScalarNode(tag, given)) if tag in _VALUES else given
