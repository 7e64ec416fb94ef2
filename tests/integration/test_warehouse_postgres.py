"""The warehouse in Postgres: the cases of every database, and those of Postgres alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ds_provider.exceptions import DSWarehouseError
from ds_provider.tables.schemas import CHAMP_ROWS, DOSSIERS, INTEGER, TABLES, Table
from ds_provider.warehouse.database.destinations import ConnectionFields, Destination, destination_of
from ds_provider.warehouse.database.store import Warehouse
from tests.support.postgres import create_database
from tests.support.store_cases import StoreCases
from tests.support.warehouse_rows import batch, rows_of

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
PASSWORD = "p@ss/w:rd"


@pytest.fixture(scope="module")
def destination(postgres: str) -> Destination:
    name = create_database(postgres)
    return destination_of(ConnectionFields("postgres", host=postgres, login="postgres", password=PASSWORD, schema=name))


def query(destination: Destination, sql: str) -> list[Any]:
    connection = psycopg2.connect(destination.credentials)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.fixture
def warehouse(destination: Destination, tmp_path: Path) -> Iterator[Warehouse]:
    yield Warehouse(destination, "ds", tmp_path / "work")
    for dataset in ("ds", "ds_staging", "another", "another_staging"):
        query(destination, f"DROP SCHEMA IF EXISTS {dataset} CASCADE")


COUNTER = """
import sys
from tests.integration.test_warehouse_postgres import *
warehouse = Warehouse(Destination("postgres", "Postgres", sys.argv[1]), "ds", Path(sys.argv[2]))
for _ in range(5):
    with warehouse.locked():
        numbers = warehouse.read(DOSSIERS, ["number"])["number"].to_pylist()
        warehouse.write([batch(DOSSIERS, {"number": len(numbers) + 1})])
"""


class TestPostgres(StoreCases):
    def test_processes_take_turns(self, warehouse: Warehouse, tmp_path: Path) -> None:
        command = [sys.executable, "-c", COUNTER, warehouse.destination.credentials, str(tmp_path / "work")]
        processes = [
            subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(2)
        ]
        for process in processes:
            out, _ = process.communicate(timeout=120)
            assert process.returncode == 0, out
        assert rows_of(warehouse, DOSSIERS, "number") == [(number,) for number in range(1, 11)]

    def test_columns_have_the_types_of_their_values(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(CHAMP_ROWS, {"dossier_number": 1})])
        found = query(
            warehouse.destination,
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'ds' AND table_name = 'champs'",
        )
        types = dict(found)
        assert {name: types[f"{name}_value"] for name in ("text", "boolean", "integer", "decimal", "date")} == {
            "text": "character varying",
            "boolean": "boolean",
            "integer": "bigint",
            "decimal": "double precision",
            "date": "date",
        }
        assert types["timestamp_value"] == "timestamp with time zone"
        assert types["json_value"].startswith("json")

    def test_load_replaces_a_nul_in_a_text(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(CHAMP_ROWS, {"dossier_number": 1, "string_value": "a\0b"})])
        assert rows_of(warehouse, CHAMP_ROWS, "string_value") == [("a\ufffdb",)]

    def test_keys_are_indexed(self, warehouse: Warehouse) -> None:
        warehouse.write([batch(DOSSIERS, {"number": 1}), batch(CHAMP_ROWS, {"dossier_number": 1})])
        warehouse.create_indexes(TABLES)
        found = query(warehouse.destination, "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'ds'")
        assert any(table == "dossiers" and "(number)" in index for table, index in found)
        assert any(table == "champs" and "(dossier_number)" in index for table, index in found)

    def test_tables_whose_long_names_begin_alike_are_indexed(self, warehouse: Warehouse) -> None:
        columns = {"dossier_number": INTEGER}
        names = ["demarche_2147483647_annotations_" + "x" * 29 + end for end in ("", "_2")]
        tables = [Table(name, columns, ("dossier_number",), "dossier_number") for name in names]
        warehouse.write([batch(table, {"dossier_number": 1}) for table in tables])
        warehouse.create_indexes(tables)
        found = query(warehouse.destination, "SELECT tablename FROM pg_indexes WHERE schemaname = 'ds' ORDER BY 1")
        assert [name for (name,) in found] == names

    def test_lock_ends_with_its_connection(self, warehouse: Warehouse) -> None:
        with warehouse.locked():
            locks = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
            [(pid,)] = query(warehouse.destination, locks)
            query(warehouse.destination, f"SELECT pg_terminate_backend({pid})")
            other = Warehouse(warehouse.destination, "ds", warehouse._working_folder)
            with other.locked():
                assert query(warehouse.destination, locks)
        assert query(warehouse.destination, locks) == []

    def test_datasets_are_locked_one_by_one(self, warehouse: Warehouse) -> None:
        other = Warehouse(warehouse.destination, "another", warehouse._working_folder)
        with warehouse.locked(), other.locked():
            assert len(query(warehouse.destination, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")) == 2

    @pytest.mark.parametrize("do", ["write", "read", "execute", "table_names", "locked"])
    def test_error_of_a_missing_database_hides_the_password(self, warehouse: Warehouse, do: str) -> None:
        url = re.sub(r":5432/\w+", ":5432/nowhere", warehouse.destination.credentials)
        missing = Warehouse(replace(warehouse.destination, credentials=url), "ds", warehouse._working_folder)
        calls = {
            "write": lambda: missing.write([batch(DOSSIERS, {"number": 1})]),
            "read": lambda: missing.read(DOSSIERS, ["number"]),
            "execute": lambda: missing.execute("SELECT 1"),
            "table_names": missing.table_names,
            "locked": lambda: missing.locked().__enter__(),
        }
        with pytest.raises(DSWarehouseError, match="nowhere") as failure:
            calls[do]()
        assert PASSWORD not in str(failure.value)
        assert "p%40ss" not in str(failure.value)
