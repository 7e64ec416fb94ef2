"""The databases that a warehouse can be in: their connections, and all rows in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.postgres import create_database

DATASETS = "table_schema LIKE 'demarches_simpl%'"


class Database(Protocol):
    """:ivar conn_id: the warehouse's connection, if it has one."""

    conn_id: str | None

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...


class Duckdb:
    """The file in Airflow's home, which needs no connection."""

    conn_id: str | None = None

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_HOME", str(home))
        self._file = home / "ds_warehouse.duckdb"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        with duckdb.connect(str(self._file), read_only=True) as connection:
            return connection.execute(sql).fetchall()


class Postgres:
    """A new database of a server."""

    conn_id: str | None = "warehouse"

    def __init__(self, socket: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_HOME", str(home))
        self._socket, self._name = socket, create_database(socket)
        connection = {"conn_type": "postgres", "host": socket, "login": "postgres", "schema": self._name}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg2

        with (
            closing(psycopg2.connect(host=self._socket, user="postgres", dbname=self._name)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            return cursor.fetchall()


def all_rows(database: Database) -> Iterator[tuple[str, list[Any]]]:
    """Yield each table of all datasets with its rows, the staging tables and dlt's own included."""
    names = database.rows(f"SELECT table_schema, table_name FROM information_schema.tables WHERE {DATASETS}")
    for schema, table in names:
        yield f"{schema}.{table}", database.rows(f'SELECT * FROM {schema}."{table}"')


def dossier_numbers(database: Database) -> set[int]:
    """Return the numbers of the dossiers that any table has a row of."""
    columns = database.rows(
        f"SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE {DATASETS} AND "
        "(column_name = 'dossier_number' OR (column_name = 'number' AND "
        "(table_name = 'dossiers' OR starts_with(table_name, 'demarche_'))))"
    )
    # in the dataset and in its staging twin
    assert len(columns) >= 2 * 10
    found = (database.rows(f'SELECT {column} FROM {schema}."{table}"') for schema, table, column in columns)
    return {number for rows in found for (number,) in rows}
