"""The house: imports point one way between its rooms, no cycle exists, and the words are the house's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ds_provider"
MODULES = sorted(PACKAGE.rglob("*.py"))
DAGS = PACKAGE.parent / "dags"

# each room and those it may import; a room's own modules may import each other
API = {"api.budget", "api.transport", "api.query", "api.paging", "api.polling"}
LANDING = API - {"api.budget", "api.polling"}
TABLES = {"tables", "tables.json", "tables.rows", "tables.wide"}
WAREHOUSE = {"warehouse", "warehouse.database", "warehouse.load"}
BELOW_SYNC = API | TABLES | WAREHOUSE | {"landing", "exceptions"}
BELOW_HOOKS = BELOW_SYNC | {"sync", "state"}
FACE = {"constants", "exceptions"}
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "get_provider_info": {"__init__"},
    "exceptions": set(),
    "constants": set(),
    "wording": set(),
    "api": set(),
    "api.budget": {"exceptions"},
    "api.transport": {"api.budget", "exceptions"},
    "api.query": {"api.transport", "exceptions"},
    "api.paging": {"api.transport", "api.query", "exceptions"},
    "api.polling": {"api.transport", "api.query", "api.paging", "exceptions"},
    "landing": {"api.transport", "api.query", "api.paging", "exceptions"},
    "tables": {"exceptions"},
    "tables.json": {"tables", "exceptions"},
    "tables.rows": {"tables", "tables.json", "exceptions"},
    "tables.wide": {"tables", "tables.json", "tables.rows", "exceptions"},
    "warehouse.database": {"tables", "tables.rows", "constants", "exceptions"},
    "warehouse": {"api.query", "landing", "tables", "warehouse.database", "exceptions"},
    "warehouse.load": TABLES | {"api.query", "landing", "warehouse", "warehouse.database", "exceptions"},
    "state": {"api.query", "api.polling", "landing", "exceptions"},
    "sync": BELOW_SYNC | {"state"},
    "retry_policy": {"exceptions"},
    "parameter_checks": {"api.query", "exceptions"},
    "map_labels": {"api.query", "exceptions"},
    "assets": FACE,
    "metrics": {"api.transport", "sync", "warehouse", "warehouse.load"},
    "asset_events": {"state", "assets", "api.query", "exceptions"},
    "openlineage": BELOW_SYNC,
    "hooks": BELOW_SYNC | FACE | {"__init__", "metrics"},
    "links": {"hooks", "parameter_checks", "api.query", "exceptions"},
    "triggers": {"hooks", "parameter_checks", "retry_policy"} | BELOW_HOOKS | FACE,
    "operators": {
        "hooks",
        "asset_events",
        "assets",
        "links",
        "map_labels",
        "metrics",
        "openlineage",
        "parameter_checks",
        "retry_policy",
    }
    | BELOW_HOOKS
    | FACE,
    "task_groups": {"operators", "hooks", "sync", "api.query", "parameter_checks", "retry_policy"} | FACE,
    "sensors": {"hooks", "triggers", "map_labels", "parameter_checks", "retry_policy"} | BELOW_HOOKS | FACE,
    "sandbox": set(),
    "sandbox.world": set(),
    "sandbox.graphql": {"sandbox", "sandbox.world"},
    "sandbox.http": {"sandbox", "sandbox.graphql", "sandbox.world"},
    "cli": {"hooks", "operators", "sandbox", "sandbox.http"} | BELOW_HOOKS | FACE,
}
# any room but the sandbox counts in logs and errors, and they import nothing
WORDS = {"wording"}
# the sandbox's face hands on what its endpoint is
FACES = {"sandbox": {"sandbox.http"}, "sandbox.__main__": {"sandbox.http"}}
WITHOUT_AIRFLOW = {"__init__", "get_provider_info", "api", "tables", "warehouse", "sandbox"} | FACE | WORDS
PUBLIC_AIRFLOW = ("airflow.sdk", "airflow.triggers.base", "airflow.cli", "airflow.providers")

# words for which the field has a plainer one, and constants named after an extreme instead of a limit
RETIRED_WORD = re.compile(
    r"(?i:\b(behind|told|sighting|graveyard|culprit|likewise)\b)|\b(MOST|LARGEST|LONGEST|FEWEST|SHORTEST|LOWEST)_"
)
NOT_A_SUBJECT = re.compile(r"(what|whether|how|of|that|those|where|who|which|the same|all that)\b", re.IGNORECASE)


def name_of(module: Path) -> str:
    """The module's dotted name below the package."""
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


NAMES = {name_of(module): module for module in MODULES}


def room_of(name: str) -> str:
    """The room that a module or a name in one stands in."""
    parts = name.split(".")
    for length in (2, 1):
        if ".".join(parts[:length]) in MAY_IMPORT:
            return ".".join(parts[:length])
    return parts[0]


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def imports_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imports_of(module: Path, root: str) -> set[str]:
    return {name for name in imports_in(tree_of(module)) if name == root or name.startswith(f"{root}.")}


def modules_imported_by(module: Path) -> set[str]:
    """The modules of the package, by name, that a module imports, those for type checks included."""
    found = set()
    for imported in imports_of(module, "ds_provider"):
        name = imported.removeprefix("ds_provider").lstrip(".")
        while name and name not in NAMES:
            name = name.rpartition(".")[0]
        found.add(name or "__init__")
    return found


def test_reading_of_imports_sees_each_form() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    from e.g import h, i\n"
    assert set(imports_in(ast.parse(source))) == {"a.b", "c.d", "e.g.h", "e.g.i"}


def test_each_module_stands_in_a_room() -> None:
    assert {room_of(name) for name in NAMES} == set(MAY_IMPORT)


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_one_way(name: str) -> None:
    room = room_of(name)
    imported = {room_of(other) for other in modules_imported_by(NAMES[name])}
    assert imported - {room} <= MAY_IMPORT[room] | WORDS | FACES.get(name, set())


def test_rooms_import_each_other_without_a_cycle() -> None:
    tuple(TopologicalSorter(MAY_IMPORT).static_order())


def test_modules_import_each_other_without_a_cycle() -> None:
    faces = {name for name, module in NAMES.items() if module.name == "__init__.py"}
    imports = {name: modules_imported_by(module) - faces for name, module in NAMES.items() if name not in faces}
    tuple(TopologicalSorter(imports).static_order())


@pytest.mark.parametrize("name", NAMES)
def test_modules_private_to_a_folder_stay_there(name: str) -> None:
    folder = name.rpartition(".")[0]
    for other in modules_imported_by(NAMES[name]):
        parent, _, last = other.rpartition(".")
        assert not re.match("_[^_]", last) or parent == folder, other


@pytest.mark.parametrize("name", NAMES)
def test_imports_are_absolute(name: str) -> None:
    assert not [imported for imported in imports_in(tree_of(NAMES[name])) if imported.startswith(".")]


@pytest.mark.parametrize("name", [name for name in NAMES if name.split(".")[0] in WITHOUT_AIRFLOW])
def test_rooms_below_airflow_know_nothing_of_it(name: str) -> None:
    assert not imports_of(NAMES[name], "airflow")


@pytest.mark.parametrize("name", [name for name in NAMES if name.split(".")[0] not in WITHOUT_AIRFLOW])
def test_airflow_is_imported_by_its_public_names(name: str) -> None:
    for imported in imports_of(NAMES[name], "airflow"):
        assert imported.startswith(tuple(f"{public}." for public in PUBLIC_AIRFLOW)), imported
        assert "._" not in imported, imported


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("sync.")])
def test_jobs_need_no_class_of_airflow_to_be_imported(name: str) -> None:
    at_import = [node for node in tree_of(NAMES[name]).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [node for node in at_import if "airflow" in ast.unparse(node).split()[1]]


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_begin_with_a_verb_or_a_noun(name: str) -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree_of(NAMES[name])) if isinstance(node, kinds)]
    docstrings = [docstring for node in nodes if (docstring := ast.get_docstring(node))]
    assert not [docstring for docstring in docstrings if NOT_A_SUBJECT.match(docstring)]


@pytest.mark.parametrize("file", [*MODULES, *sorted(DAGS.glob("*.py"))], ids=lambda file: file.stem)
def test_retired_words_do_not_come_back(file: Path) -> None:
    assert [found[0] for found in RETIRED_WORD.finditer(file.read_text())] == []
