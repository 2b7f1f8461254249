"""Whatever reads config.yaml reads the same: us, Snakemake (PyYAML), DVC (ruamel)."""

import datetime
import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from depthlens import plain_yaml
from depthlens.errors import ConfigError


def value(written: str) -> object:
    return plain_yaml.parse(f"key: {written}", source="c.yaml")["key"]


def same(one: object, other: object) -> bool:
    """Equal, and of one type: neither 1 and True, nor 1 and 1.0."""
    both_nan = isinstance(one, float) and isinstance(other, float) and one != one and other != other
    return type(one) is type(other) and (both_nan or one == other)


words = st.sampled_from(
    ["yes", "no", "on", "OFF", "y", "n", "true", "True", "null", "~", "=", "<<", ".inf", ".nan"]
)
scalars = st.lists(
    st.one_of(words, st.text("0123456789", min_size=1, max_size=4), st.sampled_from("-+._eE:xobT")),
    min_size=1,
    max_size=5,
).map("".join)


@given(scalars)
@example("010")
@example("0o10")
@example("1:30")
@example("1_000")
@example("1e3")
@example(".5e3")
@example("-_1")
def test_a_plain_word_is_refused_or_is_the_same_to_every_reader(written):
    try:
        ours = value(written)
    except ConfigError as error:
        assert str(error).startswith("c.yaml: ")
        return
    assert same(ours, YAML(typ="safe").load(f"key: {written}")["key"])
    snakemakes = yaml.load(f"key: {written}", Loader=yaml.FullLoader)["key"]
    # YAML 1.1 wants a point and a sign in an exponent; what is meant is beyond doubt.
    assert same(ours, snakemakes) or (isinstance(ours, float) and ours == float(snakemakes))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        ("-12", -12),
        ("+.5", 0.5),
        ("0x1F", 31),
        (".inf", math.inf),
        ("", None),
        ("~", None),
        ("TRUE", True),
        ("y", "y"),
        ("2b", "2b"),
        ("1.2.3", "1.2.3"),
        ('"no"', "no"),
        ("'010'", "010"),
        ('"1:30"', "1:30"),
        ('"1e-4"', "1e-4"),
    ],
)
def test_a_word_is_what_was_written(written, meant):
    assert same(value(written), meant)


@pytest.mark.parametrize(
    "written",
    ["no", "Yes", "on", "010", "08", "0o10", "0b11", "1:30", "1:30.5", "1_0", "2024-01-01", "="],
)
@pytest.mark.parametrize("place", ["{}", "[1, {}]", "{{a: {}}}", "{{{}: 1}}"])
def test_what_readers_disagree_on_is_refused_with_its_line_and_the_cure(written, place):
    text = f"# a study\nother: 1\nkey: {place.format(written)}\n"
    with pytest.raises(ConfigError) as caught:
        plain_yaml.parse(text, source="c.yaml")
    assert str(caught.value).startswith(
        f"c.yaml: line 3: readers of YAML disagree on {written}; put it in quotes if it is a text"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "lines 1 and 3 both set 'a'"),
        ("a: 1\n'a': 1\n", "lines 1 and 2 both set 'a'"),
        ("knn:\n  k: 1\nx: 2\nknn:\n  k: 1\n", "lines 1 and 4 both set 'knn'"),
        ("knn:\n  k: 1\n  m: 2\n  k: 1\n", "lines 2 and 4 both set 'k'"),
        ("knn: {k: 1, k: 2}\n", "lines 1 and 1 both set 'k'"),
        ("list:\n- {a: 1}\n- a: 1\n  a: 1\n", "lines 3 and 4 both set 'a'"),
        ('{"a": {"b": 1,\n"b": 1}}', "lines 1 and 2 both set 'b'"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(text, said):
    with pytest.raises(ConfigError) as caught:
        plain_yaml.parse(text, source="c.yaml")
    assert str(caught.value) == f"c.yaml: {said}; take one of them away"


def test_blocks_may_share_what_an_anchor_names():
    text = "x: {d: &d {<<: &b {k: 1, m: 1}, k: 2}}\ne: {<<: *d, m: 3}\nlist: [*b, *b]\n"
    read = plain_yaml.parse(text, source="c.yaml")
    assert read == yaml.safe_load(text) == YAML(typ="safe").load(text)
    assert read["e"] == {"k": 2, "m": 3}


@pytest.mark.parametrize("text", ["a: [1", "a: !!int x", f"a: {'9' * 5000}", "a: " + "[" * 5000])
def test_what_cannot_be_read_is_one_line(text):
    with pytest.raises(ConfigError, match=r"^c\.yaml: not YAML") as caught:
        plain_yaml.parse(text, source="c.yaml")
    assert len(str(caught.value).splitlines()) == 1


def test_later_files_and_the_command_line_replace_key_by_key(tmp_path):
    (tmp_path / "a.yaml").write_text("knn: &k {k: 1, m: {x: 1, y: 2}}\nother: *k\nlist: [1, 2]\n")
    (tmp_path / "b.yaml").write_text("knn: {m: {y: 3}}\nlist: [3]\n")
    read = plain_yaml.read([tmp_path / "a.yaml", tmp_path / "b.yaml"], {"knn": {"k": "5"}})
    assert read == {
        "knn": {"k": 5, "m": {"x": 1, "y": 3}},
        "other": {"k": 1, "m": {"x": 1, "y": 2}},
        "list": [3],
    }


def test_texts_of_the_command_line_are_read_as_a_file_is():
    from snakemake.cli import parse_config

    entry = "{n: 7, r: 1e-4, s: -0.5, t: true, z: null, w: x, l: [1, x], no: no, o: 010, e: ''}"
    assert plain_yaml.read([], parse_config([f"knn={entry}"])) == {
        "knn": {
            "n": 7,
            "r": 1e-4,
            "s": -0.5,
            "t": True,
            "z": None,
            "w": "x",
            "l": [1, "x"],
            "no": "no",
            "o": "010",
            "e": "",
        }
    }


def test_what_is_no_text_on_the_command_line_stays():
    given = {"block": {"n": 7, "day": datetime.date(2024, 1, 1), "list": (True, None)}}
    kept = plain_yaml.read([], given)["block"]
    assert kept == {"n": 7, "day": datetime.date(2024, 1, 1), "list": [True, None]}
