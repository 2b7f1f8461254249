"""Pickled arrays and plain containers, read as data: nothing that a file names is ever run."""

import copy
import math
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn

import numpy as np

from depthlens.errors import ArtifactError

# The types and sizes that an array of numbers or text can have; dates and records have their own
# state in a pickle, which is not read here, and "O" is handled apart.
_DTYPE = re.compile(r"[biufcSU][0-9]{1,9}")
_LEAVES = (bool, int, float, str, bytes, type(None))
_DEEPEST = 100
_AGAIN = (
    "save it again with numpy.save: an array of numbers or text, or a dictionary of such arrays"
)


def read_pickle(path: Path | str, *, encoding: str = "ASCII") -> Any:
    """What a pickle holds, if that is arrays and plain containers and nothing else.

    Parameters
    ----------
    path : path
    encoding : str
        How the 8-bit strings of a Python 2 pickle become text, as in `pickle.load`.

    Returns
    -------
    dict, list, tuple, set, str, bytes, int, float, bool, None, NumPy array or NumPy scalar
        Containers hold only these again; no array holds Python objects.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, or holds or asks for anything else.
    """
    path = Path(path)
    return _guarded(path, "pickle", lambda file: _plain(_whole(file, encoding)))


def read_npy(path: Path | str) -> Any:
    """The array of a .npy file, or the dictionary that `numpy.save` wrapped into an array.

    Parameters
    ----------
    path : path

    Returns
    -------
    NumPy array, or what the file's single Python object is
        Of the kinds that `read_pickle` returns.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, or holds or asks for anything else.
    """
    path = Path(path)
    return _guarded(path, ".npy file", _npy)


class _NotDataError(Exception):
    """The file holds or asks for something that is no plain data; the message says what."""


def _guarded(path: Path, what: str, read: Callable[[BinaryIO], Any]) -> Any:
    """What `read` makes of the file, every failure told as one sentence about the file."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise ArtifactError(f"{path}: empty; put a whole copy of the file in its place")
            file.seek(0)
            return read(file)
    except ArtifactError:
        raise
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror or error})") from None
    except _NotDataError as error:
        raise ArtifactError(
            f"{path}: refused, and nothing of it was run: it {error}; {_AGAIN}"
        ) from None
    except MemoryError:
        raise ArtifactError(
            f"{path}: says that it holds more than this machine's memory; if it does not, it is "
            "damaged: put a whole copy in its place"
        ) from None
    # Bytes that are no pickle can make the reader raise nearly anything: the documentation of
    # pickle.UnpicklingError says "not necessarily limited to", and so do numpy's header readers.
    except Exception as error:
        reason = _printable(str(error) or type(error).__name__)
        raise ArtifactError(
            f"{path}: damaged, or not a {what} ({reason}); put a whole copy in its place"
        ) from None


def _printable(text: str) -> str:
    """One short line, whatever a hostile file put into a name."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= 120 else f"{line[:119]}…"


def _npy(file: BinaryIO) -> Any:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise _NotDataError(f"has version {version[0]}.{version[1]} of the .npy format")
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    if dtype.hasobject:
        if dtype != np.dtype(object):
            raise _NotDataError("holds records of Python objects")
        array = _whole(file, "ASCII")
        if not isinstance(array, _Array) or array.objects is None or array.shape != shape:
            raise ValueError("the header and the array disagree")
        return _plain(array.objects[0] if shape == () else array)
    # Known before anything is allocated: a damaged header can ask for any amount of memory.
    there = os.fstat(file.fileno()).st_size - file.tell()
    if there != (promised := math.prod(shape) * dtype.itemsize):
        raise ValueError(f"{there} bytes of data where the header says {promised}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _whole(file: BinaryIO, encoding: str) -> Any:
    """The one object that is pickled from here to the end of the file."""
    read = _Reader(file, encoding=encoding).load()
    if file.read(1):
        raise ValueError("something follows the end of the pickle")
    return read


# What the reader puts on its stack in place of NumPy's own functions and types. A pickle can call
# what is on the stack (REDUCE), and change what is on it (BUILD sets attributes, of functions too,
# where there is no __setstate__): these have no attributes and check their arguments. NumPy's own
# __setstate__ trusts the state it is given, down to a dtype that takes numbers for pointers.


class _Fixed:
    """Something that a pickle may name but not change."""

    __slots__ = ()

    def __setstate__(self, state: object) -> NoReturn:
        raise _NotDataError("changes what it names")


class _NdarrayType(_Fixed):
    """numpy.ndarray, which only _reconstruct takes."""

    __slots__ = ()


class _Dtype:
    """numpy.dtype('f8', False, True), then the state (3, '<', …) with the order of its bytes."""

    __slots__ = ("code", "order")
    __hash__ = None  # type: ignore[assignment]  # as whatever has none says it

    def __init__(self, code: object, *_flags: object) -> None:
        self.code = _text(code)
        self.order = "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = _text(state[1])
        if self.order not in ("<", ">", "|", "="):
            raise ValueError("byte order of a dtype")

    @property
    def is_object(self) -> bool:
        # Python 2 and 3 on machines of 32 and 64 bits.
        return self.code in ("O", "O4", "O8")

    def numpy(self) -> np.dtype:
        if self.is_object:
            raise _NotDataError("holds an array of Python objects")
        if not _DTYPE.fullmatch(self.code):
            raise _NotDataError(f"holds an array of dtype {_printable(self.code)!r}")
        return np.dtype(self.order + self.code)


class _Array:
    """An array on the stack: empty as _reconstruct makes it, then filled by its state."""

    __slots__ = ("objects", "shape", "values")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.values: np.ndarray | None = None
        self.objects: list[object] | None = None
        self.shape: tuple[int, ...] | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, shape, dtype, is_fortran, content = state
        if self.shape is not None:
            raise ValueError("an array is filled twice")
        if type(dtype) is _Dtype and dtype.is_object:
            if type(content) is not list or len(content) != math.prod(_sizes(shape)):
                raise ValueError("number of objects in an array")
            self.objects = content
        else:
            self.values = _values(content, dtype, shape, "F" if is_fortran else "C")
        self.shape = _sizes(shape)


class _Call(_Fixed):
    """One of our functions, under a name of NumPy's."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *args: object) -> object:
        return self._function(*args)


def _text(value: object) -> str:
    """The argument of a dtype, which Python 2 wrote as bytes."""
    if type(value) is bytes:
        return value.decode("ascii")
    if type(value) is not str:
        raise ValueError("text expected in a dtype")
    return value


def _sizes(shape: object) -> tuple[int, ...]:
    if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("shape of an array")
    return shape


def _values(content: object, dtype: object, shape: object, order: object) -> np.ndarray:
    """An array of its own, writable memory from the bytes of a pickle."""
    if type(dtype) is not _Dtype:
        raise ValueError("dtype of an array")
    if type(content) is str:  # Python 2, read with encoding="latin1"
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray) or order not in ("C", "F"):
        raise ValueError("content of an array")
    found, sizes = dtype.numpy(), _sizes(shape)
    if len(content) != (promised := math.prod(sizes) * found.itemsize):
        raise ValueError(f"{len(content)} bytes in an array of {promised}")
    return np.ndarray(sizes, found, buffer=content, order=order).copy(order="K")


def _reconstruct(kind: object, _shape: object, _code: object) -> _Array:
    if type(kind) is not _NdarrayType:
        raise ValueError("type of an array")
    return _Array()


def _frombuffer(
    content: object, dtype: object, shape: object, order: object, axes: object = None
) -> _Array:
    array = _Array()
    kept = axes is not None and order == "K"
    array.values = _values(content, dtype, shape, "C" if kept else order)
    if kept:
        array.values = array.values.transpose(_sizes(axes))
    array.shape = array.values.shape
    return array


def _scalar(dtype: object, content: object) -> object:
    return _values(content, dtype, (), "C")[()]


def _encode(text: object, codec: object = None) -> bytes:
    """How protocols 0 to 2 write bytes. Other codecs run code or unpack bombs: zlib, for one."""
    if codec not in ("latin1", "latin-1"):
        raise _NotDataError(f"asks for '_codecs.encode' with {_printable(ascii(codec))}")
    if type(text) is not str:
        raise ValueError("text of bytes")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


def _set(members: object) -> set[object]:
    if type(members) is not list:
        raise ValueError("members of a set")
    return set(members)


_NAMES = {("numpy", "ndarray"): _NdarrayType(), ("numpy", "dtype"): _Call(_Dtype)}
_NAMES |= {
    (f"numpy.{core}.{module}", name): _Call(function)
    for core in ("core", "_core")  # before and since NumPy 2
    for module, name, function in (
        ("multiarray", "_reconstruct", _reconstruct),
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _frombuffer),
    )
}
_NAMES |= {
    (builtins, name): _Call(function)
    for builtins in ("builtins", "__builtin__")  # the second in protocols 0 to 2
    for name, function in (("set", _set), ("bytes", _empty_bytes))
}
_NAMES[("_codecs", "encode")] = _Call(_encode)


class _Whole:
    """A file that gives what was asked for or ends: no half line that passes for a name, and no
    memory set aside for a length, from a damaged byte, that is more than the whole file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def read(self, size: int) -> bytes:
        if size > self._size:
            raise EOFError("Ran out of input")
        return self._file.read(size)

    def readline(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise EOFError("Ran out of input")
        return line


def _shallow(load: Callable[["_Reader"], None]) -> Callable[["_Reader"], None]:
    """Python's hash of a tuple in a tuple in … overflows the C stack: a crash, no error."""

    def load_tuple(self: "_Reader") -> None:
        load(self)
        made = self.stack[-1]
        inner = (self._depths[id(x)][0] for x in made if type(x) is tuple and x)
        depth = 1 + max(inner, default=0)
        if depth > _DEEPEST:
            raise _NotDataError(f"nests tuples more than {_DEEPEST} deep")
        self._depths[id(made)] = depth, made  # kept alive, so that its id stays its own

    return load_tuple


# The reader in Python, not the one in C: that one takes extension codes from a cache without asking
# find_class, and a damaged memo index makes it write gigabytes. A data set is few, large objects.
class _Reader(pickle._Unpickler):
    """A `pickle.Unpickler` that finds nothing but the stand-ins above."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = copy.copy(pickle._Unpickler.dispatch)
    # Python's own reader has these, its published types do not.
    read: Callable[[int], bytes]
    append: Callable[[object], None]
    stack: list[Any]

    def __init__(self, file: BinaryIO, *, encoding: str) -> None:
        super().__init__(_Whole(file), encoding=encoding)
        self._depths: dict[int, tuple[int, tuple[object, ...]]] = {}

    def find_class(self, module: str, name: str) -> _Fixed:
        if (module, name) not in _NAMES:
            raise _NotDataError(f"asks for '{_printable(f'{module}.{name}')}', which is no data")
        return _NAMES[module, name]

    def persistent_load(self, pid: object) -> NoReturn:
        raise _NotDataError("asks for an object kept outside the file (a persistent id)")

    def get_extension(self, code: int) -> NoReturn:
        raise _NotDataError(f"asks for extension code {code}, which is no data")

    def load_bytearray8(self) -> None:
        # Python's own fills that much memory with zeros before it reads.
        size = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    for _opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
        dispatch[_opcode[0]] = _shallow(dispatch[_opcode[0]])
    del _opcode


def _plain(read: Any) -> Any:
    """The same with arrays in place of what stood for them, if there is nothing but plain data."""
    finished: dict[int, Any] = {}  # an object that is held twice is one object again
    open_: set[int] = set()

    def one(value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _LEAVES or isinstance(value, np.generic):
            return value
        if id(value) in finished:
            return finished[id(value)]
        if id(value) in open_:
            raise _NotDataError(f"holds a {kind.__name__} that holds itself")
        if depth > _DEEPEST:
            raise _NotDataError(f"nests more than {_DEEPEST} deep")
        open_.add(id(value))
        if kind is _Array:
            if value.objects is not None:
                raise _NotDataError("holds an array of Python objects")
            if value.values is None:
                raise ValueError("an array without content")
            made = value.values
        elif kind is dict:
            made = {one(key, depth + 1): one(item, depth + 1) for key, item in value.items()}
        elif kind in (list, tuple, set):
            made = kind([one(item, depth + 1) for item in value])
        elif isinstance(value, _Fixed):
            raise _NotDataError("holds a function or a type")
        else:
            raise _NotDataError(f"holds a {kind.__name__.lstrip('_').lower()}")
        open_.discard(id(value))
        finished[id(value)] = made
        return made

    return one(read, 0)
