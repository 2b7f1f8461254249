"""Users' code: where a function "package.module:function" is, and what is said when it fails.

A module is looked for in the working directory first, then where Python looks. Whatever code of a
user raises (a function, a network while it runs, a dataset while it is read) is told as one line
with the file and line of theirs; what is raised in our own code is a bug of ours, left as it is.
"""

import ast
import contextlib
import importlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from depthlens.errors import StudyError, closest

NAME = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
"""What the name of a function looks like."""

_OURS = f"{Path(__file__).parents[1]}/"
_LIBRARY = f"{sysconfig.get_path('stdlib')}/"
_WORKER = "Original Traceback (most recent call last):"  # how a DataLoader tells of its workers


def source_files(function: str) -> dict[str, Path]:
    """The file of a function's module, and of every module beside it that it imports.

    Beside it means in the working directory, if the module is there, and in the module's own
    package otherwise: what is installed is known by its version, not by its content. Nothing is
    imported or run.

    Parameters
    ----------
    function : str
        Like "package.module:function".

    Returns
    -------
    dict of dotted name to path
        Ordered by name; empty if there is no such module, or no source of it.
    """
    module = function.partition(":")[0]
    package, here = module.partition(".")[0], Path.cwd().resolve()
    found: dict[str, Path] = {}
    pending, seen = _with_parents(module), set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        file = _file(name)
        if file is None or not (name.partition(".")[0] == package or _is_own(name, file, here)):
            continue
        found[name] = file
        pending += [part for other in _imports(file, name) for part in _with_parents(other)]
    return dict(sorted(found.items())) if module in found else {}


@contextlib.contextmanager
def importable(function: str) -> Iterator[None]:
    """A function's module can be imported, as if a script in the working directory were started.

    What lies there is imported even where Python has a module of that name, which has it again
    afterwards.
    """
    here, module = Path.cwd().resolve(), function.partition(":")[0]
    found = _file(module)
    is_here = found is not None and _is_own(module, found, here)
    files = {name: _file(name) for name in (_tops(source_files(function)) if is_here else ())}
    theirs = {name: file for name, file in files.items() if file and _is_own(name, file, here)}
    hidden = {
        name: module
        for name, module in sys.modules.items()
        if (top := name.partition(".")[0]) in theirs and not _is_of(sys.modules[top], theirs[top])
    }
    before = list(sys.path), list(sys.meta_path)
    sys.path.insert(0, str(here))
    sys.meta_path.insert(0, PathFinder)  # else Python finds some of its modules in itself
    importlib.invalidate_caches()
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.path[:], sys.meta_path[:] = before
        borrowed = _tops(hidden) | (theirs.keys() & sys.stdlib_module_names)
        for name in [name for name in sys.modules if name.partition(".")[0] in borrowed]:
            del sys.modules[name]
        sys.modules.update(hidden)


def call(key: str, function: str, *arguments: object, **options: object) -> Any:
    """Import a user's function and call it.

    Parameters
    ----------
    key : str
        Key of config.yaml to name in messages.
    function : str
        Like "package.module:function".
    *arguments, **options
        For the function.

    Raises
    ------
    StudyError
        If there is no such module or function, or if either raises anything: one line that says
        what and where, in the user's own file.
    """
    module, _, name = function.partition(":")
    with importable(function):
        with guarded(f"{key}: importing {module} failed"):
            imported = _import(module, key)
        found = getattr(imported, name, None)
        if not callable(found):
            names = [other for other, value in vars(imported).items() if callable(value)]
            raise StudyError(f"{key}: {module} has no function {name!r}{closest(name, names)}")
        shown = ", ".join(map(repr, arguments))
        with guarded(f"{key}: {name}({shown}) failed"):
            return found(*arguments, **options)


@contextlib.contextmanager
def guarded(what: str, cure: str = "") -> Iterator[None]:
    """Whatever a user's code raises in the block is told as one line.

    The block is the one call of theirs, or of a function of ours that calls theirs.

    Raises
    ------
    StudyError
        Like "what: KeyError: 'x' (their.py, line 3); cure". What was raised in our own code, below
        the block, is raised as it is.
    """
    try:
        yield
    except StudyError:
        raise
    except (Exception, SystemExit) as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, of a GPU: the caller has a cure
            raise
        frames = [frame for frame in _frames(error) if frame.filename != __file__]
        if len(frames) > 1 and frames[-1].filename.startswith(_OURS):
            raise
        raise StudyError(f"{what}: {_told(error)}{cure}") from None


def fault(error: BaseException) -> str | None:
    """One line about an error in a user's code; None if it is one in ours."""
    own = [frame for frame in _frames(error) if not _is_installed(frame.filename)]
    is_theirs = own and not own[-1].filename.startswith(_OURS)
    return f"code of yours failed: {_told(error)}" if is_theirs else None


def _import(module: str, key: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # a module that the user's own imports
        raise StudyError(
            f"{key}: no module {module!r}, neither in {Path.cwd()} nor where Python looks"
        ) from None


def _told(error: BaseException) -> str:
    """Like "KeyError: 'x' (their.py, line 3)"; without a place where none is theirs."""
    text = str(error)
    if _WORKER in text:
        text = text.strip().splitlines()[-1].removeprefix(f"{type(error).__name__}: ")
    reason = " ".join(text.split())[:200]
    told = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    place = _place(error)
    return f"{told} ({place})" if place else told


def _place(error: BaseException) -> str:
    """File and line that a user should look at: the last that is neither installed nor ours."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    if _WORKER in str(error):
        places = re.findall(r'File "(.+?)", line (\d+)', str(error))
    else:
        places = [(frame.filename, frame.lineno) for frame in _frames(error)]
    own = [place for place in places if not (_is_installed(place[0]) or place[0].startswith(_OURS))]
    return f"{own[-1][0]}, line {own[-1][1]}" if own else ""


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith("<")]


def _is_installed(filename: str) -> bool:
    parts = {"site-packages", "dist-packages"}
    return filename.startswith(_LIBRARY) or bool(parts & set(Path(filename).parts))


def _is_own(module: str, file: Path, here: Path) -> bool:
    """Whether a module lies in the working directory and is not one of ours or installed there."""
    is_here = file.resolve().is_relative_to(here) and "site-packages" not in file.parts
    return is_here and module.partition(".")[0] != "depthlens"


def _tops(modules: Iterable[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def _is_of(module: ModuleType, file: Path) -> bool:
    loaded = getattr(module, "__file__", None)
    return loaded is not None and Path(loaded).resolve() == file.resolve()


def _file(module: str) -> Path | None:
    """Where a module's source is; looks at parents without importing them."""
    places: list[str] | None = [str(Path.cwd()), *sys.path]
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        if places is None:
            return None
        spec = PathFinder.find_spec(".".join(parts[:end]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations and list(spec.submodule_search_locations)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def _imports(file: Path, module: str) -> list[str]:
    """Dotted names that a source imports anywhere, of modules or of what is in them."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):  # whoever imports it is told
        return []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                depth = node.level - (file.name == "__init__.py")
                parts = module.split(".")
                parents = parts[: len(parts) - depth]
                base = ".".join([*parents, *filter(None, [base])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name and not name.endswith(".*")]


def _with_parents(module: str) -> list[str]:
    """Importing a.b.c runs a and a.b too."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
