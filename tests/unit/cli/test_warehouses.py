"""Commands that read a warehouse say that they wait for a task, and make no warehouse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.sandbox import Sandbox
from ds_provider.warehouse.database import locks, waiting
from tests.support.command_line import Run


@pytest.fixture
def file(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The warehouse of the connection ``warehouse``, which is not made yet."""
    file = home / "w.duckdb"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "dsduckdb", "host": str(file)}))
    return file


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whoever waits for the warehouse give up at once."""
    monkeypatch.setattr(locks, "TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)


@pytest.fixture(params=["status", "describe"])
def argv(request: pytest.FixtureRequest, sandbox: Sandbox) -> tuple[object, ...]:
    number = (sandbox.demarche,) if request.param == "describe" else ()
    return (request.param, *number, "--warehouse-conn-id", "warehouse")


def test_command_says_that_it_waits_for_a_task_that_holds_the_file(
    ds: Run, file: Path, impatient: None, argv: tuple[object, ...]
) -> None:
    file.touch()
    with DSWarehouseHook("warehouse").warehouse().locked():
        ran = ds(*argv)
    assert ran.err.startswith(f"DuckDB {file}, dataset demarches_simplifiees is in use by another task: waiting")
    assert (ran.code, ran.out) == (4, "")


def test_command_without_a_warehouse_makes_none(ds: Run, file: Path, argv: tuple[object, ...]) -> None:
    ran = ds(*argv)
    assert (ran.code, ran.out) == (1, "")
    assert "no warehouse yet" in ran.error
    assert not file.exists()


def test_check_does_not_wait_for_a_task_that_holds_the_file(ds: Run, file: Path, impatient: None) -> None:
    ran = ds("check", "--warehouse-conn-id", "warehouse", "-o", "json")
    assert ran.rows[-1]["detail"] == f"{file} is not there yet: the first load makes it"
    warehouse = DSWarehouseHook("warehouse").warehouse()
    with warehouse.connected():
        pass
    with warehouse.locked():
        ran = ds("check", "--warehouse-conn-id", "warehouse", "-o", "json")
    assert (ran.rows[-1]["result"], ran.rows[-1]["detail"]) == ("ok", f"{file} can be opened")
    assert "waiting" not in ran.err
