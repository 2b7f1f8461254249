"""What a result depends on, by content: the code of a stage and everything of ours it imports."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from depthlens.errors import StudyError

_PACKAGE = Path(__file__).parents[1]
_ROOT = "__init__"


class _RelativeImportError(Exception):
    """A name that means something only to whoever knows where it stands."""


@cache
def code_digest(module: str) -> str:
    """Digest of a module and of every module of this package that it imports, directly or not.

    Parameters
    ----------
    module : str
        Dotted name below the package, such as "stages.knn".

    Returns
    -------
    str
        16 hexadecimal digits. They depend on the contents of the files alone, never on their
        times, their place on the disk or the order of imports. Files that a package ships beside
        its modules (templates) count with it.

    Raises
    ------
    StudyError
        If there is no such module.
    """
    total = hashlib.sha256()
    for name, digest in module_digests(module).items():
        total.update(f"{name}\0{digest}\n".encode())
    return total.hexdigest()[:16]


def module_digests(module: str) -> dict[str, str]:
    """SHA-256 of each module that `code_digest` covers, ordered by name; raises as it does."""
    pending, seen = [_ROOT, module], {}
    while pending:
        name = pending.pop()
        if name not in seen:
            seen[name], needed = _module(name)
            pending += needed
    return {name: seen[name] for name in sorted(seen)}


@cache  # every stage asks about the same modules
def _module(name: str) -> tuple[str, list[str]]:
    """Digest of a module, and the modules that it needs."""
    file = _module_file(name)
    digest = hashlib.sha256(file.read_bytes())
    if file.name == "__init__.py" and file.parent != _PACKAGE:
        for extra in sorted(file.parent.rglob("*")):
            if extra.is_file() and extra.suffix not in (".py", ".pyc"):
                digest.update(extra.name.encode() + extra.read_bytes())
    # Importing a.b.c runs the __init__ of a and of a.b too.
    needed = [".".join(name.split(".")[:end]) for end in range(1, name.count(".") + 1)]
    if name != _ROOT:  # what it offers it imports when it is asked for
        needed += _imports(file)
    return digest.hexdigest(), needed


def _module_file(module: str) -> Path:
    path = _PACKAGE.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    raise StudyError(f"depthlens.{module}: no such module")


def _imports(file: Path) -> list[str]:
    """Modules of this package that a file imports anywhere, functions included."""
    try:
        names = _names_imported(file.read_bytes())
    except _RelativeImportError:
        raise StudyError(f"{file}: imports by a relative name; write depthlens. in front") from None
    return [name for name in names if _is_module(name)]


def _names_imported(source: bytes) -> list[str]:
    """Names below this package that a source imports: modules, and what may be in them."""
    found = []
    for statement in _statements(ast.parse(source)):
        if isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            if statement.level or statement.module is None:  # it has no module where it has a level
                raise _RelativeImportError
            found.append(statement.module)
            found += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return [name.removeprefix("depthlens.") for name in found if name.startswith("depthlens.")]


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """All statements in a block, those of blocks in it included.

    `ast.walk` goes through their expressions, too: ten times as long, in every call of snakemake.
    """
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for statement in getattr(block, name, ()):
            yield statement
            yield from _statements(statement)


def _is_module(name: str) -> bool:
    path = _PACKAGE.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
