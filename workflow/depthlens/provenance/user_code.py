"""A user's function, named "package.module:function": where its source is, and how it is called.

A module is looked for in the working directory first, then where Python looks.
"""

import ast
import contextlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from depthlens.errors import StudyError, closest

NAME = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
"""What the name of a function looks like."""


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
def importable() -> Iterator[None]:
    """Modules in the working directory can be imported, as if a script there had been started."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


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
    with importable():
        imported = _guarded(f"{key}: importing {module}", lambda: _import(module, key))
        found = getattr(imported, name, None)
        if not callable(found):
            names = [other for other, value in vars(imported).items() if callable(value)]
            raise StudyError(f"{key}: {module} has no function {name!r}{closest(name, names)}")
        shown = ", ".join(map(repr, arguments))
        return _guarded(f"{key}: {name}({shown})", lambda: found(*arguments, **options))


def _import(module: str, key: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # a module that the user's own imports
        raise StudyError(
            f"{key}: no module {module!r}, neither in {Path.cwd()} nor where Python looks"
        ) from None


def _guarded(what: str, action: Callable[[], Any]) -> Any:
    """Its result; whatever it raises is told as one line."""
    try:
        return action()
    except StudyError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())[:200]
        told = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
        raise StudyError(f"{what} failed: {told} ({_place(error)})") from None


def _place(error: BaseException) -> str:
    """File and line that a user should look at: the last that is not of an installed package."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename != __file__
    ]
    own = [frame for frame in frames if not _is_installed(frame.filename)] or frames
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else "no line of it is known"


def _is_installed(filename: str) -> bool:
    return Path(filename).is_relative_to(sys.base_prefix) or "site-packages" in filename


def _is_own(module: str, file: Path, here: Path) -> bool:
    """Whether a module lies in the working directory and is not one of ours or installed there."""
    is_here = file.resolve().is_relative_to(here) and "site-packages" not in file.parts
    return is_here and module.partition(".")[0] != "depthlens"


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
