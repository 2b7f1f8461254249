"""Pickles are read as data: what is data comes back whole, what is not is refused unrun."""

import copyreg
import io
import os
import pickle
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from depthlens.datasets.plain_pickle import read_npy, read_pickle
from depthlens.errors import ArtifactError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
DTYPES = ["?", "u1", "i1", "<i2", ">i4", "<i8", "<f2", "<f4", ">f8", "<c8", "S3", "<U4", ">U4"]
LAYOUTS = {
    "C": lambda array: array,
    "Fortran": np.asfortranarray,
    "every second": lambda array: array[:, ::2],
    "axes moved": lambda array: np.moveaxis(array, 0, 1),
    "one number": lambda array: array[:1, :1, :1].reshape(()),
    "empty": lambda array: array[:0],
}


def array_of(dtype: str) -> np.ndarray:
    return np.arange(24).reshape(2, 3, 4).astype(dtype)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def npy_of(content: bytes, shape: str = "()") -> bytes:
    """A .npy file of objects with any pickle behind its header."""
    header = f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


def assert_same(found: object, expected: object) -> None:
    """Equal in value and in type, all the way down."""
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected, strict=True)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


class TestData:
    """What is read."""

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_an_array_comes_back(self, tmp_path, dtype, layout, protocol):
        array = LAYOUTS[layout](array_of(dtype))
        found = read_pickle(write(tmp_path / "a.pkl", pickle.dumps(array, protocol)))
        assert_same(found, array)
        assert found.flags.writeable

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_plain_containers_come_back(self, tmp_path, protocol):
        value = {
            "list": [1, -(2**70), 0.5, True, None, "Grün\n", b"\xff\x00", b""],
            "tuple": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((("deep",),),)),
            ("a", 1): {1, 2, 3},
            3: {"inner": np.arange(3)},
            "empty": [{}, [], (), set(), ""],
            "scalars": [np.float32(0.1), np.int64(-3), np.bool_(True), np.str_("text")],
        }
        found = read_pickle(write(tmp_path / "v.pkl", pickle.dumps(value, protocol)))
        assert_same(found, value)

    def test_one_object_that_is_held_twice_is_one_again(self, tmp_path):
        images = np.arange(6)
        found = read_pickle(write(tmp_path / "v.pkl", pickle.dumps([images, {"x": images}])))
        assert found[0] is found[1]["x"]

    def test_lists_held_twice_forty_times_over_take_no_time(self, tmp_path):
        value = [0]
        for _ in range(40):  # 2^40 lists, walked without a memory
            value = [value, value]
        read_pickle(write(tmp_path / "v.pkl", pickle.dumps(value)))

    @pytest.mark.parametrize("name", ["numpy.core", "numpy._core"])
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_the_names_of_numpy_1_and_2_are_both_known(self, tmp_path, name, protocol):
        value = [array_of("<f4"), np.float32(2)]
        # Text of protocol 0 to 3 ends at a newline; from 4 on it has its length before it.
        content = pickle.dumps(value, min(protocol, 3)).replace(b"numpy._core", name.encode())
        assert name.encode() in content
        assert_same(read_pickle(write(tmp_path / "v.pkl", content)), value)

    @pytest.mark.parametrize("encoding", ["latin1", "bytes"])
    def test_an_array_of_python_2_comes_back(self, tmp_path, encoding):
        content = (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
            b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02i2K\x00K\x01\x87R"
            b"(K\x03U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            b"\x89U\x06\x00\x01\x00\xff\xff\xfftb."
        )
        found = read_pickle(write(tmp_path / "a.pkl", content), encoding=encoding)
        assert_same(found, np.array([1, 255, -1], ">i2"))

    def test_text_of_python_2_needs_its_encoding(self, tmp_path):
        path = write(tmp_path / "t.pkl", b"U\x01\xe9.")
        assert read_pickle(path, encoding="latin1") == "é"
        assert read_pickle(path, encoding="bytes") == b"\xe9"
        with pytest.raises(ArtifactError, match="damaged"):
            read_pickle(path)

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("dtype", [*DTYPES, "<M8[s]", [("x", "<f4"), ("y", "u1")]])
    def test_an_array_in_a_npy_file_comes_back(self, tmp_path, dtype, layout):
        array = LAYOUTS[layout](array_of("u1").astype(dtype))
        np.save(tmp_path / "a.npy", array, allow_pickle=False)
        assert_same(read_npy(tmp_path / "a.npy"), array)

    def test_version_2_of_the_npy_format_is_read(self, tmp_path):
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array(file, array_of("<f4"), version=(2, 0))
        assert_same(read_npy(tmp_path / "a.npy"), array_of("<f4"))

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_a_dictionary_of_arrays_in_a_npy_file_comes_back(self, tmp_path, layout, protocol):
        value = {"x": LAYOUTS[layout](array_of("u1")), "y": np.arange(2), "names": ["cat", "dog"]}
        content = pickle.dumps(np.array(value, dtype=object), protocol)
        assert_same(read_npy(write(tmp_path / "d.npy", npy_of(content))), value)

    def test_a_dictionary_that_numpy_saved_comes_back(self, tmp_path):
        value = {"x": array_of("u1"), "y": np.arange(2)}
        np.save(tmp_path / "d.npy", value, allow_pickle=True)
        assert_same(read_npy(tmp_path / "d.npy"), value)


class Calls:
    """Pickles as a call of a function, which is what a hostile pickle does."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Instance:
    """A class of somebody's own code."""


def exec_source(marker: Path) -> str:
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


HOSTILE = {
    "os.system": (lambda m: Calls(os.system, f"touch '{m}'"), r"posix\.system|nt\.system"),
    "eval": (lambda m: Calls(eval, exec_source(m)), r"(builtins|__builtin__)\.eval"),
    "exec": (lambda m: Calls(exec, exec_source(m)), r"(builtins|__builtin__)\.exec"),
    "open": (lambda m: Calls(open, str(m), "w"), r"\.open"),
    "file of numpy": (lambda m: Calls(np.savetxt, str(m), [1]), r"numpy.*savetxt"),
}


@pytest.fixture
def marker(tmp_path) -> Path:
    return tmp_path / "was run"


class TestHostile:
    """What is refused: named, and not run."""

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize("attack", HOSTILE)
    def test_a_call_is_refused_by_name(self, tmp_path, marker, attack, protocol):
        make, name = HOSTILE[attack]
        content = pickle.dumps(make(marker), protocol)
        path = write(tmp_path / "h.pkl", content)
        with pytest.raises(ArtifactError, match=name) as caught:
            read_pickle(path)
        assert not marker.exists()
        assert str(caught.value).startswith(f"{path}: refused")
        assert "numpy.save" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
        pickle.loads(content)  # the attack is one: an ordinary reader runs it
        assert marker.exists()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize("attack", HOSTILE)
    def test_a_call_deep_in_an_object_array_is_refused(self, tmp_path, marker, attack, protocol):
        make, name = HOSTILE[attack]
        value = {"x": np.arange(3), "y": [0, {"deep": (make(marker),)}]}
        content = npy_of(pickle.dumps(np.array(value, dtype=object), protocol))
        path = write(tmp_path / "h.npy", content)
        with pytest.raises(ArtifactError, match=name):
            read_npy(path)
        assert not marker.exists()
        np.load(path, allow_pickle=True)
        assert marker.exists()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_an_instance_is_refused_by_the_name_of_its_class(self, tmp_path, protocol):
        # Protocols 0 and 1 rebuild it through a function of copyreg, which is refused first.
        path = write(tmp_path / "h.pkl", pickle.dumps(Instance(), protocol))
        with pytest.raises(ArtifactError, match="Instance" if protocol > 1 else "copy_reg"):
            read_pickle(path)

    @pytest.mark.parametrize(
        "name",
        [
            "os system",
            "builtins getattr",
            "builtins dict",
            "numpy load",
            "numpy.core.multiarray fromfile",
            "numpy ndarray.tofile",
            "numpy.matrix matrix",
            "depthlens.datasets.plain_pickle _Call",
            "copyreg _reconstructor",
        ],
    )
    def test_a_name_alone_is_refused(self, tmp_path, name):
        module, attribute = name.split()
        for content in (
            f"c{module}\n{attribute}\n.".encode(),
            f"(i{module}\n{attribute}\n.".encode(),
            b"\x80\x04V" + f"{module}\nV{attribute}\n".encode() + b"\x93.",
        ):
            with pytest.raises(ArtifactError, match=re.escape(f"{module}.{attribute}")):
                read_pickle(write(tmp_path / "h.pkl", content))

    @pytest.mark.parametrize("codec", ["zlib", "zlib_codec", "hex", "utf-7", "unicode_escape"])
    def test_another_codec_than_latin1_is_refused(self, tmp_path, codec):
        content = f"c_codecs\nencode\n(Vtext\nV{codec}\ntR.".encode()
        with pytest.raises(ArtifactError, match=rf"_codecs\.encode.*{codec}"):
            read_pickle(write(tmp_path / "h.pkl", content))

    def test_a_codec_by_default_is_refused(self, tmp_path):
        with pytest.raises(ArtifactError, match=r"_codecs\.encode"):
            read_pickle(write(tmp_path / "h.pkl", b"c_codecs\nencode\n(Vtext\ntR."))

    @pytest.mark.parametrize("content", [b"Pan id\n.", b"Van id\nQ."])
    def test_a_persistent_id_is_refused(self, tmp_path, content):
        with pytest.raises(ArtifactError, match=r"refused.*persistent id"):
            read_pickle(write(tmp_path / "h.pkl", content))

    @pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\x00", b"\x84\xf0\x00\x00\x00"])
    def test_an_extension_code_is_refused_even_if_it_is_known(self, tmp_path, opcode):
        copyreg.add_extension("os", "system", 0xF0)
        try:
            assert pickle.loads(opcode + b".") is os.system  # now it lies in the cache of C
            with pytest.raises(ArtifactError, match="extension code 240"):
                read_pickle(write(tmp_path / "h.pkl", opcode + b"."))
        finally:
            copyreg.remove_extension("os", "system", 0xF0)

    def test_what_may_be_named_cannot_be_changed(self, tmp_path):
        # BUILD with a pair sets attributes: of a function, its defaults or what it is known by.
        for names in (b"numpy\ndtype", b"numpy\nndarray", b"_codecs\nencode", b"builtins\nset"):
            for state in (b"}Vmine\nK\x01s", b"N}V__defaults__\n)s\x86"):
                content = b"\x80\x02c" + names + b"\n" + state + b"b."
                with pytest.raises(ArtifactError, match=r"refused.*changes what it names"):
                    read_pickle(write(tmp_path / "h.pkl", content))
        assert_same(
            read_pickle(write(tmp_path / "a.pkl", pickle.dumps(array_of("u1")))), array_of("u1")
        )

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (np.array(["a", None], dtype=object), "array of Python objects"),
            ({"x": [np.array({}, dtype=object)]}, "array of Python objects"),
            (np.zeros(2, "M8[s]"), "dtype 'M8'"),
            (np.zeros(2, [("x", "f4")]), "dtype 'V4'"),
            ([np.dtype("f4")], "holds a dtype"),
            ([np.ndarray], "a function or a type"),
            ([frozenset({1})], "frozenset"),
            (1j, "complex"),
            (bytearray(b"x"), "bytearray"),
            (slice(1), "slice"),
        ],
    )
    @pytest.mark.parametrize("protocol", [2, 5])
    def test_what_is_not_plain_is_refused(self, tmp_path, value, reason, protocol):
        path = write(tmp_path / "h.pkl", pickle.dumps(value, protocol))
        with pytest.raises(ArtifactError, match=f"refused.*{reason}"):
            read_pickle(path)

    def test_an_array_of_objects_in_a_npy_file_is_refused(self, tmp_path):
        np.save(tmp_path / "o.npy", np.array(["a", None], dtype=object), allow_pickle=True)
        with pytest.raises(ArtifactError, match=r"refused.*array of Python objects"):
            read_npy(tmp_path / "o.npy")
        np.save(tmp_path / "r.npy", np.zeros(2, [("x", "O")]), allow_pickle=True)
        with pytest.raises(ArtifactError, match=r"refused.*records of Python objects"):
            read_npy(tmp_path / "r.npy")

    @pytest.mark.parametrize("kind", [list, dict])
    def test_what_holds_itself_is_refused(self, tmp_path, kind):
        value = kind()
        value.append(value) if kind is list else value.update(me=value)
        with pytest.raises(ArtifactError, match="holds itself"):
            read_pickle(write(tmp_path / "h.pkl", pickle.dumps(value)))

    def test_nesting_without_end_is_refused(self, tmp_path):
        with pytest.raises(ArtifactError, match="deep"):
            read_pickle(write(tmp_path / "l.pkl", b"]" * 5000 + b"a" * 4999 + b"."))
        # The hash of this tuple, key of a dictionary, ends the whole process if it is ever taken.
        with pytest.raises(ArtifactError, match="deep"):
            read_pickle(write(tmp_path / "t.pkl", b"})" + b"\x85" * 10**6 + b"Ns."))

    def test_a_name_with_lines_and_bells_is_one_short_line(self, tmp_path):
        name = "x\n\x1b[31m\a" + "y" * 5000
        content = b"\x80\x04\x8c\x02osX" + struct.pack("<I", len(name)) + name.encode() + b"\x93."
        with pytest.raises(ArtifactError) as caught:
            read_pickle(write(tmp_path / "h.pkl", content))
        told = str(caught.value).removeprefix(str(tmp_path))
        assert told.isprintable()
        assert len(told) < 400


def saved(value: object) -> bytes:
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


WHOLE = {
    "pickle 0": (read_pickle, pickle.dumps({"x": array_of("u1"), "y": [1, 2]}, 0)),
    "pickle 2": (read_pickle, pickle.dumps({"x": array_of("u1"), "y": [1, 2]}, 2)),
    "pickle 5": (read_pickle, pickle.dumps({"x": array_of("u1"), "y": [1, 2]}, 5)),
    "array": (read_npy, saved(array_of("<f4"))),
    "dictionary": (read_npy, saved({"x": array_of("u1"), "y": np.arange(2)})),
}


class TestDamage:
    """Files that are broken: one sentence each."""

    @pytest.mark.parametrize("kind", WHOLE)
    def test_a_file_cut_anywhere_is_one_clear_error(self, tmp_path, kind):
        read, content = WHOLE[kind]
        read(write(tmp_path / "whole", content))
        for kept in range(len(content)):
            with pytest.raises(ArtifactError, match=r"damaged|empty") as caught:
                read(write(tmp_path / "cut", content[:kept]))
            assert len(str(caught.value).splitlines()) == 1
            assert str(tmp_path / "cut") in str(caught.value)

    @pytest.mark.filterwarnings("ignore")  # numpy warns about headers that look old
    @pytest.mark.parametrize("kind", WHOLE)
    @pytest.mark.parametrize(
        "flipped",
        [0x10, *(pytest.param(bit, marks=pytest.mark.exhaustive) for bit in (0x01, 0x80))],
    )
    def test_a_byte_changed_anywhere_is_one_clear_error_or_other_data(
        self, tmp_path, kind, flipped
    ):
        read, content = WHOLE[kind]
        refused = 0
        for place in range(len(content)):
            changed = bytearray(content)
            changed[place] ^= flipped
            try:
                read(write(tmp_path / "changed", bytes(changed)))
            except ArtifactError:
                refused += 1
        assert refused > len(content) / 12

    @pytest.mark.parametrize("kind", WHOLE)
    def test_more_than_the_file_should_hold_is_an_error(self, tmp_path, kind):
        read, content = WHOLE[kind]
        with pytest.raises(ArtifactError, match="damaged"):
            read(write(tmp_path / "longer", content + b"x"))

    @pytest.mark.parametrize("read", [read_pickle, read_npy])
    def test_nothing_is_called_empty_and_no_file_is_called_none(self, tmp_path, read):
        with pytest.raises(ArtifactError, match="empty"):
            read(write(tmp_path / "empty", b""))
        with pytest.raises(ArtifactError, match="no such file"):
            read(tmp_path / "absent")
        with pytest.raises(ArtifactError, match="cannot be read"):
            read(tmp_path)

    @pytest.mark.parametrize("size", [2**26, 2**40, 2**63 - 1, 2**64 - 1])
    @pytest.mark.parametrize("opcode", [b"\x8e", b"\x8d", b"\x96", b"\x95"])
    def test_a_length_beyond_the_file_asks_for_no_memory(self, tmp_path, opcode, size):
        content = b"\x80\x05" + opcode + struct.pack("<Q", size) + b"x."
        path = write(tmp_path / "long.pkl", content)
        tracemalloc.start()
        try:
            with pytest.raises(ArtifactError, match="damaged"):
                read_pickle(path)
            assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
        finally:
            tracemalloc.stop()

    def test_a_memo_index_beyond_reason_asks_for_no_memory(self, tmp_path):
        content = b"K\x01r" + struct.pack("<I", 2**32 - 1) + b"."
        assert read_pickle(write(tmp_path / "memo.pkl", content)) == 1

    @pytest.mark.parametrize("shape", ["(-1,)", "(2**9,)", "(10**15,)", "'text'", "(1.5,)", "(2,)"])
    def test_a_header_that_lies_is_an_error(self, tmp_path, shape):
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
        with pytest.raises(ArtifactError, match="damaged"):
            read_npy(write(tmp_path / "lie.npy", content + b"x"))
        objects = pickle.dumps(np.array({}, dtype=object))
        with pytest.raises(ArtifactError, match="damaged"):
            read_npy(write(tmp_path / "lie.npy", npy_of(objects, shape)))

    def test_an_array_whose_bytes_do_not_fill_it_is_an_error(self, tmp_path):
        content = pickle.dumps(np.arange(6, dtype="u1"), 4)
        assert b"K\x06\x85" in content
        with pytest.raises(ArtifactError, match=r"damaged.*6 bytes in an array of 7"):
            read_pickle(write(tmp_path / "a.pkl", content.replace(b"K\x06\x85", b"K\x07\x85")))

    @pytest.mark.parametrize("content", [b"text, no pickle", zlib.compress(b"x"), b"\x80\xff."])
    def test_another_format_is_an_error(self, tmp_path, content):
        for read in (read_pickle, read_npy):
            with pytest.raises(ArtifactError, match="damaged"):
                read(write(tmp_path / "other", content))
