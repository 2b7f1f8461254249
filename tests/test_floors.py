"""The package is a house of floors: docs/design.md says which, and imports only point down."""

import ast
import tomllib
from pathlib import Path

import depthlens

PACKAGE = Path(depthlens.__file__).parent
FLOORS = (
    {"errors", "blocks", "plain_yaml", "tables", "provenance", "progress"},
    {"datasets", "models", "training", "probes", "knn", "depth", "intervals", "scores", "trial"},
    {"prose", "ledger", "figures", "report", "sweep"},
    {"chapters"},
    {"stages"},
    {"config", "study", "cli", "measuring", "verify", "why", "preset"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room(name: str) -> str:
    return name.split(".")[1]


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("depthlens.")}


def modules() -> dict[Path, str]:
    return {
        path: "depthlens." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "__init__.py"
    }


def test_every_module_has_a_floor():
    assert {room(name) for name in modules().values()} == set(FLOOR)


def test_no_module_imports_from_a_floor_above_its_own():
    for path, name in modules().items():
        for other in imported(path):
            assert FLOOR[room(other)] <= FLOOR[room(name)], f"{name} imports {other}"


def test_types_are_strict_on_the_floors_of_ground_and_science():
    file = Path(__file__).parents[1] / "pyproject.toml"
    settings = tomllib.loads(file.read_text())["tool"]["mypy"]
    assert settings["strict"]
    relaxed = {
        room(name)
        for block in settings["overrides"]
        for name in block["module"]
        if name.startswith("depthlens.")
    }
    assert relaxed == set().union(*FLOORS[2:])


def test_science_knows_no_config():
    science = FLOORS[1]
    for path, name in modules().items():
        if room(name) in science:
            assert not {"config", "progress"} & {room(other) for other in imported(path)}, name


def test_no_job_depends_on_the_keys_of_a_room():
    # A better description of a key must not make networks again: digests follow imports.
    for path, name in modules().items():
        keys = {other for other in imported(path) if "settings" in other.split(".")}
        assert not keys or name == "depthlens.config", f"{name} imports {keys}"


def test_the_workflow_can_be_read_without_torch():
    # Every call of snakemake imports this: it must stay quick.
    pending, seen = {"depthlens.study"}, set()
    names = {name: path for path, name in modules().items()}
    while pending:
        name = pending.pop()
        path = names.get(name) or names.get(f"{name}.__init__")
        if path is None or name in seen:
            continue
        seen.add(name)
        tree = ast.parse(path.read_text())
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in top:
            found = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            assert not any(module.split(".")[0] in ("torch", "torchvision") for module in found)
            pending |= {module for module in found if module.startswith("depthlens")}
            if isinstance(node, ast.ImportFrom) and node.module.startswith("depthlens"):
                pending |= {f"{node.module}.{alias.name}" for alias in node.names}
