"""Imports point one way: Airflow's thin classes, the warehouse, files and tables, the API, its errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ds_provider"
MODULES = sorted(PACKAGE.rglob("*.py"))

BELOW_AIRFLOW = {"warehouse", "landing", "tables", "api", "exceptions"}
BELOW_HOOKS = {"sync", "state", "assets"} | BELOW_AIRFLOW
MAY_IMPORT = {
    "__init__": set[str](),
    "get_provider_info": set[str](),
    "exceptions": set[str](),
    "retry_policy": {"exceptions"},
    "api": {"exceptions"},
    "landing": {"api", "exceptions"},
    "tables": {"api", "exceptions"},
    "warehouse": {"tables", "landing", "api", "exceptions"},
    "sync": BELOW_AIRFLOW | {"state"},
    "state": {"landing", "api", "exceptions", "triggers"},
    "assets": {"exceptions"},
    "asset_events": {"state", "assets", "api", "exceptions"},
    "openlineage": BELOW_AIRFLOW,
    "hooks": BELOW_AIRFLOW,
    "links": {"hooks", "landing", "api", "exceptions"},
    "triggers": {"hooks"} | BELOW_HOOKS,
    "operators": {"hooks", "asset_events", "links", "openlineage"} | BELOW_HOOKS,
    "sensors": {"hooks", "triggers"} | BELOW_HOOKS,
    "sandbox": set[str](),
    "cli": {"sandbox"},
}
WITHOUT_AIRFLOW = {"__init__", "get_provider_info", "exceptions", "api", "tables", "warehouse", "sandbox"}
PUBLIC_AIRFLOW = ("airflow.sdk", "airflow.triggers.base", "airflow.cli.cli_config", "airflow.providers")


def part_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imports_of(module: Path, root: str) -> set[str]:
    return {name for name in imports_in(module.read_text()) if name == root or name.startswith(f"{root}.")}


def named(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def test_the_reading_of_imports_sees_each_form() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    from e.g import h, i\n"
    assert set(imports_in(source)) == {"a.b", "c.d", "e.g.h", "e.g.i"}


def test_each_part_of_the_house_has_its_place() -> None:
    assert {part_of(module) for module in MODULES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_imports_point_one_way(module: Path) -> None:
    part = part_of(module)
    imported = {name.split(".")[1] for name in imports_of(module, "ds_provider") if "." in name}
    assert imported - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_imports_are_absolute(module: Path) -> None:
    assert not [name for name in imports_in(module.read_text()) if name.startswith(".")]


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) in WITHOUT_AIRFLOW], ids=named)
def test_what_lies_below_airflow_knows_nothing_of_it(module: Path) -> None:
    assert not imports_of(module, "airflow")


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) not in WITHOUT_AIRFLOW], ids=named)
def test_airflow_is_imported_by_its_public_names(module: Path) -> None:
    for name in imports_of(module, "airflow"):
        assert name.startswith(tuple(f"{public}." for public in PUBLIC_AIRFLOW)), name
        assert "._" not in name, name
