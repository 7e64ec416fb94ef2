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


@pytest.mark.parametrize(
    "value",
    [
        '{"conn_type": "dsduckdb", "host": "/data/w.duckdb"}',
        # as Airflow's form saves it
        '{"conn_type": "dsduckdb", "host": "/data/w.duckdb", "login": "", "schema": "", "port": 0, "extra": "{}"}',
        "dsduckdb:///data/w.duckdb",
        "dsduckdb://%2Fdata%2Fw.duckdb",
        "duckdb:///data/w.duckdb",
    ],
)
def test_duckdb_file_is_given_as_json_or_as_a_uri(monkeypatch, value: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DUCK", value)
    assert str(DSWarehouseHook("duck", "ds").warehouse()) == "DuckDB /data/w.duckdb, dataset ds"


def test_duckdb_connection_survives_airflow_s_own_uri(monkeypatch) -> None:
    made = Connection(conn_id="duck", conn_type="dsduckdb", host="/data/A folder/w.duckdb")
    monkeypatch.setenv("AIRFLOW_CONN_DUCK", made.get_uri())
    assert str(DSWarehouseHook("duck", "ds").warehouse()) == "DuckDB /data/A folder/w.duckdb, dataset ds"


def test_hook_of_a_duckdb_connection_is_found_by_its_type(monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DUCK", '{"conn_type": "dsduckdb", "host": "/data/w.duckdb"}')
    hook = DSWarehouseHook.get_hook("duck")
    assert isinstance(hook, DSWarehouseHook)
    assert hook.warehouse_conn_id == "duck"


def test_check_of_a_connection_says_if_the_file_can_be_used(connect, tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    hook = DSWarehouseHook(connect(conn_type="dsduckdb", host=str(file)))
    assert hook.test_connection() == (True, f"{file} is not there yet: the first load makes it.")
    assert not file.exists(), "a check makes nothing"
    hook.warehouse().write([batch(DOSSIERS, {"number": 1})])
    assert hook.test_connection() == (True, f"{file} can be opened.")
    script = f"import duckdb, sys; file = duckdb.connect({str(file)!r}); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as task:
        assert task.stdout is not None
        task.stdout.readline()
        assert hook.test_connection() == (True, f"{file} is there, and a task has it open.")
        task.communicate()


def test_check_of_a_connection_names_what_is_wrong(connect, tmp_path: Path) -> None:
    nowhere = connect(conn_type="dsduckdb", host=str(tmp_path / "none" / "w.duckdb"))
    ok, message = DSWarehouseHook(nowhere).test_connection()
    assert not ok
    assert message.endswith("its folder does not exist on this machine")
    text = tmp_path / "text.duckdb"
    text.write_text("no database" * 10_000)
    ok, message = DSWarehouseHook(connect(conn_type="dsduckdb", host=str(text))).test_connection()
    assert not ok
    assert message.startswith(f"{text} cannot be opened: ")
    assert DSWarehouseHook(connect(conn_type="dsduckdb", host="w.duckdb")).test_connection()[0] is False
    assert DSWarehouseHook("no_such_connection").test_connection()[0] is False
    postgres = connect(conn_type="postgres", host="h", login="l", schema="d")
    assert "tests DuckDB files" in DSWarehouseHook(postgres).test_connection()[1]


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
