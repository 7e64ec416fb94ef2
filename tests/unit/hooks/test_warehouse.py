"""The hook finds the database that a connection means, and masks what is secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.warehouse import DSWarehouseHook
from ds_provider.tables.schemas import DOSSIERS
from tests.support.warehouse_rows import batch, rows_of


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_to(**fields: Any) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields))
        return "warehouse"

    return set_to


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    secrets: list[str] = []
    monkeypatch.setattr("ds_provider.hooks.warehouse.mask_secret", secrets.extend)
    return secrets


def test_hook_without_a_connection_uses_a_file_in_airflows_home(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    warehouse = DSWarehouseHook().warehouse()
    assert str(warehouse) == f"DuckDB {tmp_path}/ds_warehouse.duckdb, dataset demarches_simplifiees"
    warehouse.write([batch(DOSSIERS, {"number": 1})])
    assert (tmp_path / "ds_warehouse.duckdb").exists()
    assert rows_of(DSWarehouseHook().warehouse(), DOSSIERS, "number") == [(1,)]
    assert rows_of(DSWarehouseHook(dataset="another").warehouse(), DOSSIERS, "number") == []


def test_hook_accepts_a_working_folder(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    with DSWarehouseHook().warehouse(tmp_path / "work").scratch() as folder:
        assert folder.parent == tmp_path / "work"


def test_hook_returns_the_database_of_its_connection(connect, masked) -> None:
    conn_id = connect(conn_type="postgres", host="h", login="l", password="p@ss", schema="d")
    assert str(DSWarehouseHook(conn_id, "ds").warehouse()) == "Postgres h:5432/d, dataset ds"
    assert masked == ["p@ss", "p%40ss"]


@pytest.mark.parametrize(
    "fields", [{"conn_type": "aws"}, {"conn_type": "postgres"}, {"conn_type": "duckdb", "host": "/x", "extra": "[1]"}]
)
def test_hook_names_a_connection_that_cannot_work(connect, fields: dict[str, Any]) -> None:
    with pytest.raises(DSConfigurationError, match="connection 'warehouse': "):
        DSWarehouseHook(connect(**fields)).warehouse()


@pytest.mark.parametrize("port", ["5433", " 5433 ", 5433.0])
def test_hook_reads_a_port_of_any_type(monkeypatch, masked, port: Any) -> None:
    given = Connection(conn_id="warehouse", conn_type="postgres", host="h", login="l", schema="d", port=port)
    monkeypatch.setattr(DSWarehouseHook, "get_connection", lambda self, conn_id: given)
    assert str(DSWarehouseHook("warehouse", "ds").warehouse()) == "Postgres h:5433/d, dataset ds"


@pytest.mark.parametrize(
    ("field", "value"),
    [("port", "abc"), ("port", 70000), ("host", 12), ("login", b"l"), ("password", "a\ud800"), ("schema", ["d"])],
)
def test_hook_names_the_field_that_cannot_work(monkeypatch, field: str, value: Any) -> None:
    fields = {"host": "h", "login": "l", "schema": "d", field: value}
    given = Connection(conn_id="warehouse", conn_type="postgres", **fields)
    monkeypatch.setattr(DSWarehouseHook, "get_connection", lambda self, conn_id: given)
    with pytest.raises(DSConfigurationError, match=f"connection 'warehouse': the {field} "):
        DSWarehouseHook("warehouse").warehouse()


@pytest.mark.parametrize("dataset", ["", "a" * 41, "1a", "é", 'a"; DROP', "Majuscule", "a.b", None])
def test_hook_refuses_an_invalid_dataset(dataset: Any) -> None:
    with pytest.raises(DSConfigurationError, match="dataset"):
        DSWarehouseHook(dataset=dataset).warehouse()


def test_hook_names_the_extra_that_is_not_installed(monkeypatch) -> None:
    monkeypatch.setattr("ds_provider.warehouse.database.destinations._is_installed", lambda module: module != "dlt")
    with pytest.raises(DSConfigurationError, match=r"airflow-provider-demarches-simplifiees\[warehouse\]"):
        DSWarehouseHook().warehouse()


def test_hook_is_imported_without_the_extra() -> None:
    script = (
        "import sys\n"
        "for name in ('dlt', 'pyarrow', 'duckdb', 'psycopg2'):\n"
        "    sys.modules[name] = None\n"
        "import ds_provider.hooks.warehouse\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_hook_refuses_the_dataset_that_another_one_empties(connect) -> None:
    with pytest.raises(DSConfigurationError, match="_staging"):
        DSWarehouseHook(dataset="demarches_simplifiees_staging").warehouse()
