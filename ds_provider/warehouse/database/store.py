"""One dataset of one database: its rows merged, read, and kept from two writers at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ds_provider.exceptions import DSError, DSWarehouseError
from ds_provider.tables.schemas import TABLES, Table
from ds_provider.warehouse.database.destinations import Destination
from ds_provider.warehouse.database.errors import redacted_reason
from ds_provider.warehouse.database.locks import advisory_lock, file_lock
from ds_provider.warehouse.database.scratch import scratch_folder

if TYPE_CHECKING:
    from ds_provider.warehouse.database.dlt_client import Client

# dlt takes a third of a second to import, which no DAG file is to wait for: what needs it is imported where it is used

Rows = Iterable[tuple[Table, pa.Table]]

_TABLES: Mapping[str, Table] = {table.name: table for table in TABLES}
_DLT_OWN = "_dlt_"


class Warehouse:
    """The tables of one dataset, which is a schema of the database.

    A DuckDB file is open to one process at a time: each method waits for its turn.

    :param destination: the database.
    :param dataset: the schema's name.
    :param working_folder: below which a run keeps rows on their way; nothing stays there.
    """

    def __init__(self, destination: Destination, dataset: str, working_folder: Path) -> None:
        self.destination = destination
        self.dataset = dataset
        self._working_folder = working_folder
        self._is_locked = False

    def __str__(self) -> str:
        return f"{self.destination.name}, dataset {self.dataset}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer for the length of a ``with``, across processes; ``write`` does not see to it by itself.

        Other objects of this class wait too, those of this process included. Only DuckDB and Postgres have such a
        lock: elsewhere it is for the DAG to run one writer at a time (``max_active_runs``, or a pool).

        :raises DSWarehouseError: if another writer does not end within an hour.
        """
        if self._is_locked:
            yield
            return
        with ExitStack() as stack:
            with self._errors("locked"):
                stack.enter_context(self._lock())
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def write(self, rows: Rows) -> None:
        """Merge all rows in one run: many batches of a table, in any order, of which one is in memory at a time.

        A row takes the place of all those with its key, or only removes them (``_erased``). The columns that a batch
        lacks are null in its rows. Within one call a unique key is given once, and each table is merged by itself:
        what must not be seen before the rest is written by a later call.

        :param rows: with nothing in it, no run is started. What it raises comes through, and nothing is merged then.
        :raises DSWarehouseError: if the database refuses the rows.
        """
        source = _Source(rows)
        if source.is_empty:
            return
        with self._errors("written", source), self._isolated_dlt() as folder:
            from ds_provider.warehouse.database.dlt_runtime import merge

            try:
                merge(self.destination, self.dataset, folder, source)
            except BaseException:
                # a database that is gone is why it failed, perhaps: the next run empties what this one cannot
                with suppress(Exception):
                    self._tidy()
                raise
            self._tidy()

    def read(self, table: Table | str, columns: Sequence[str], where: str | None = None) -> pa.Table:
        """Some columns of a table, in the types of ``tables.schemas``; no row where it does not exist yet.

        :param table: given the name alone of a table that is none of ``TABLES``, the types are the database's.
        :param columns: one that the database does not have yet is null.
        :param where: a condition in SQL.
        :raises DSWarehouseError: if the database cannot be read.
        """
        name = table if isinstance(table, str) else table.name
        known = _TABLES.get(name) if isinstance(table, str) else table
        with self._errors("read"), self._client() as client:
            present = client.columns_of(name)
            found = [column for column in columns if column in present]
            json = known.json if known else frozenset()
            batches = list(client.select(name, found, json, where)) if found else []
            return _assemble(batches, columns, known.columns if known else {})

    def execute(self, sql: str) -> None:
        """Run one statement, in which tables are named by :meth:`qualified`.

        :raises DSWarehouseError: if the database refuses it.
        """
        with self._errors("written"), self._client() as client:
            client.execute(sql)

    def qualified(self, name: str) -> str:
        """A table's name as SQL has it: with its dataset, and quoted."""
        from ds_provider.warehouse.database.dlt_client import Client

        with self._isolated_dlt():
            return Client(self.destination, self.dataset).qualified(name)

    def table_names(self) -> set[str]:
        """The tables that exist.

        :raises DSWarehouseError: if the database cannot be read.
        """
        with self._errors("read"), self._client() as client:
            return {name for name in client.table_names() if not name.startswith(_DLT_OWN)}

    def columns_of(self, name: str) -> set[str]:
        """The columns that a table has; none where it does not exist.

        :raises DSWarehouseError: if the database cannot be read.
        """
        with self._errors("read"), self._client() as client:
            return client.columns_of(name)

    def create_indexes(self, tables: Iterable[Table]) -> None:
        """Index the first column of each table's key where that is of use, which is in Postgres.

        :param tables: those that do not exist are left out.
        :raises DSWarehouseError: if the database refuses.
        """
        if self.destination.kind != "postgres":
            return
        with self._errors("indexed"), self._client() as client:
            existing = client.table_names()
            for table in tables:
                if table.name in existing:
                    client.create_index(table.name, table.key[0])

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder for rows that are put aside, removed at the end, or by a later run if this one is killed."""
        return scratch_folder(self._working_folder)

    def _lock(self) -> AbstractContextManager[None]:
        credentials = str(self.destination.credentials)
        if self.destination.kind == "duckdb":
            return file_lock(Path(f"{credentials}.lock"), str(self))
        if self.destination.kind == "postgres":
            return advisory_lock(credentials, self.dataset, str(self))
        return nullcontext()

    @contextmanager
    def _isolated_dlt(self) -> Iterator[Path]:
        from ds_provider.warehouse.database.dlt_runtime import isolated_dlt

        with ExitStack() as stack:
            if self.destination.kind == "duckdb":
                stack.enter_context(self.locked())
            folder = stack.enter_context(self.scratch())
            stack.enter_context(isolated_dlt(folder))
            yield folder

    @contextmanager
    def _client(self) -> Iterator[Client]:
        from ds_provider.warehouse.database.dlt_client import Client

        with self._isolated_dlt(), Client(self.destination, self.dataset) as client:
            yield client

    def _tidy(self) -> None:
        from ds_provider.warehouse.database.dlt_client import Client

        with Client(self.destination, self.dataset) as client:
            client.tidy()

    @contextmanager
    def _errors(self, what: str, source: _Source | None = None) -> Iterator[None]:
        try:
            yield
        except DSError:
            raise
        except Exception as error:  # noqa: BLE001 - every database has errors of its own
            if source and source.failure:
                raise source.failure from None
            reason = redacted_reason(error, self.destination.secrets)
            raise DSWarehouseError(f"{self} cannot be {what}: {reason}") from None


class _Source:
    """Batches that hold a row, and what ended them if that was an error."""

    def __init__(self, rows: Rows) -> None:
        self.failure: Exception | None = None
        self._rows = (pair for pair in rows if pair[1].num_rows)
        self._first = next(self._rows, None)

    @property
    def is_empty(self) -> bool:
        return self._first is None

    def __iter__(self) -> Iterator[tuple[Table, pa.Table]]:
        try:
            if self._first is not None:
                yield self._first
            self._first = None
            yield from self._rows
        except Exception as error:
            self.failure = error
            raise


def _assemble(batches: Sequence[pa.Table], columns: Sequence[str], types: Mapping[str, pa.DataType]) -> pa.Table:
    """One table of the columns asked for: null where a batch lacks one."""
    read = pa.concat_tables(batches, promote_options="permissive") if batches else pa.table({})
    present = set(read.column_names)
    arrays = {
        column: read.column(column) if column in present else pa.nulls(read.num_rows, types.get(column, pa.null()))
        for column in columns
    }
    return pa.table({name: array.cast(types.get(name, array.type)) for name, array in arrays.items()})
