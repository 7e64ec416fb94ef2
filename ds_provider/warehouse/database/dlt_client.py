"""Reads and statements outside of dlt's load runs, over the connection that dlt makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import dlt
import pyarrow as pa
from dlt.dataset.utils import get_destination_clients
from dlt.destinations.job_client_impl import SqlJobClientBase

from ds_provider.tables.schemas import Table
from ds_provider.warehouse.database.destinations import Destination
from ds_provider.warehouse.database.dlt_runtime import SCHEMA, VERSIONS, conformed, factory_of
from ds_provider.warehouse.database.names import index_name

ROWS_AT_ONCE = 100_000


class DltClient:
    """Connection to a dataset, open for the length of a ``with``."""

    def __init__(self, destination: Destination, dataset: str) -> None:
        client, _ = get_destination_clients(dlt.Schema(SCHEMA), factory_of(destination), dataset)
        assert isinstance(client, SqlJobClientBase)  # noqa: S101 - for the type checker
        self._client = client
        self._sql = client.sql_client
        self._destination = destination

    def __enter__(self) -> DltClient:
        self._client.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._client.__exit__(*failure)

    def qualified(self, table: str) -> str:
        """Return a table's name with its dataset, quoted."""
        return self._sql.make_qualified_table_name(table)

    def execute(self, sql: str) -> None:
        """Run one statement."""
        self._sql.execute_sql(sql)

    def table_names(self) -> set[str]:
        """Return all tables of the dataset, dlt's own included, and no view. Some databases list them in capitals."""
        # ClickHouse has no datasets: there, a table's name begins with it
        catalog, dataset, (blank,) = self._sql._get_information_schema_components("_")
        named: dict[str, str | None] = {"table_catalog": catalog, "table_schema": dataset}
        known = {column: value for column, value in named.items() if value is not None}
        condition = " AND ".join(["table_type = 'BASE TABLE'", *(f"{column} = %s" for column in known)])
        tables = self._sql._qualify_info_schema_table_name("TABLES")
        rows = self._sql.execute_sql(f"SELECT table_name FROM {tables} WHERE {condition}", *known.values())
        return {str(name).removeprefix(blank[:-1]).lower() for (name,) in rows or ()}

    def columns_of(self, table: str) -> set[str]:
        """Return the columns of a table: an empty set if it does not exist."""
        return {name.lower() for name in self._client.get_storage_table(table)[1]}

    def read(self, table: Table, columns: Sequence[str], where: str | None) -> pa.Table:
        """Return columns in the types of a table: null where the database lacks one, no row if it lacks the table."""
        schema = pa.schema([(column, table.columns[column]) for column in columns])
        present = self.columns_of(table.name)
        found = [column for column in columns if column in present]
        batches = self.select(table, found, where) if found else ()
        return pa.concat_tables([conformed(batch, schema) for batch in batches] or [schema.empty_table()])

    def select(self, table: Table, columns: Sequence[str], where: str | None) -> Iterator[pa.Table]:
        """Yield existing columns in batches, in the types of the database."""
        selected = ", ".join(self._text_of(name) if name in table.json else self._quoted(name) for name in columns)
        sql = f"SELECT {selected} FROM {self.qualified(table.name)}"
        for rows in self._fetch(f"{sql} WHERE {where}" if where else sql):
            yield rows.rename_columns(list(columns))

    def create_index(self, table: str, column: str) -> None:
        """Index a column, unless it is indexed."""
        index, target = self._quoted(index_name(table, column)), self.qualified(table)
        self.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {target} ({self._quoted(column)})")

    def tidy(self) -> None:
        """Empty the staging tables, which hold copies of a run's rows, and dlt's record of the tables' schemas.

        Without the record dlt looks at the tables themselves, so that one that a person dropped comes back.
        """
        self._sql.truncate_tables(*({VERSIONS} & self.table_names()))
        with self._sql.with_staging_dataset():
            self._sql.truncate_tables(*sorted(self.table_names()))

    def _quoted(self, column: str) -> str:
        return self._sql.escape_column_name(column)

    def _text_of(self, column: str) -> str:
        """Select JSON as its text: the drivers of these two databases would decode it."""
        quoted = self._quoted(column)
        return f"CAST({quoted} AS VARCHAR)" if self._destination.kind in ("duckdb", "postgres") else quoted

    def _fetch(self, sql: str) -> Iterator[pa.Table]:
        if self._destination.kind == "postgres":
            yield from _fetch_from_postgres(str(self._destination.credentials), sql)
        elif self._destination.kind == "duckdb":
            yield self._sql.native_connection.sql(sql).to_arrow_table()
        else:
            with self._sql.execute_query(sql) as cursor:
                yield from cursor.iter_arrow(ROWS_AT_ONCE)


def _fetch_from_postgres(url: str, sql: str) -> Iterator[pa.Table]:
    """Yield rows by ADBC, column by column: dlt would make a Python object of each value."""
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        for batch in cursor.fetch_record_batch():
            yield pa.Table.from_batches([batch])
