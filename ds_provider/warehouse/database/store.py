"""Store of one dataset: it merges and reads rows, and admits one writer at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from ds_provider.exceptions import (
    DSError,
    DSWarehouseError,
    DSWarehouseLockedError,
    DSWarehouseRightsError,
    LockHolder,
)
from ds_provider.tables.schemas import Table
from ds_provider.warehouse.database.destinations import Destination
from ds_provider.warehouse.database.errors import is_lock_failure, is_refused, redacted_reason
from ds_provider.warehouse.database.lock_holders import lock_holders
from ds_provider.warehouse.database.locks import advisory_lock, file_lock
from ds_provider.warehouse.database.scratch import scratch_folder
from ds_provider.warehouse.database.waiting import wait_out

if TYPE_CHECKING:
    from ds_provider.warehouse.database.dlt_client import DltClient

# dlt takes a third of a second to import, and DAG files must not wait for it: modules that need it are imported late

Rows = Iterable[tuple[Table, pa.Table]]

T = TypeVar("T")


class Warehouse:
    """Tables of one dataset, which is a schema of the database.

    A DuckDB file is open to one process at a time: each method waits for its turn.

    :param destination: the database.
    :param dataset: the schema's name.
    :param working_folder: the parent of the runs' scratch folders; nothing stays there.
    """

    def __init__(self, destination: Destination, dataset: str, working_folder: Path) -> None:
        self.destination = destination
        self.dataset = dataset
        self._working_folder = working_folder
        self._is_locked = False
        self._client: DltClient | None = None

    def __str__(self) -> str:
        return f"{self.destination.name}, dataset {self.dataset}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer for the length of a ``with``, across processes; ``write`` does not lock by itself.

        Other objects of this class wait too, those of this process included. Only DuckDB and Postgres have such a
        lock: with others the DAG must run one writer at a time (``max_active_runs``, or a pool).

        Within it nothing waits for others who use the tables: whoever holds the lock leaves it before it waits.

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

    @contextmanager
    def connected(self) -> Iterator[DltClient]:
        """Keep one connection for all methods but ``write``, for the length of a ``with``.

        Each of them opens one of its own otherwise, which takes longer than most statements.

        :raises DSWarehouseError: if the database cannot be reached.
        """
        if self._client is not None:
            yield self._client
            return
        stack, self._client = self._wait_out(self._open)
        try:
            yield self._client
        finally:
            self._client = None
            with self._errors("closed"):
                stack.close()

    def write(self, rows: Rows) -> None:
        """Merge all rows in one run: many batches of a table, in any order. A few megabytes of each are in memory.

        A row takes the place of all those with its key, or only removes them (``_erased``). The columns that a batch
        lacks are null in its rows. Within one call a unique key is given once. Each table is merged by itself: rows
        that must not be visible before others belong into a later call.

        :param rows: if it is empty, no run is started. If it raises, the error comes through and nothing is merged.
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
                # perhaps it failed because the database is gone: then the next run empties the staging tables
                with suppress(Exception):
                    self._tidy()
                raise
            self._tidy()

    def read(self, table: Table, columns: Sequence[str], where: str | None = None) -> pa.Table:
        """Return some columns of a table, in its types: no row if it does not exist yet.

        :param columns: one that the database lacks is null.
        :param where: a condition in SQL.
        :raises DSWarehouseError: if the database cannot be read.
        """
        return self._run("read", lambda client: client.read(table, columns, where))

    def execute(self, sql: str) -> None:
        """Run one statement, which names tables by :meth:`qualified`.

        :raises DSWarehouseError: if the database refuses it.
        """
        self._run("written", lambda client: client.execute(sql))

    def qualified(self, name: str) -> str:
        """Return a table's name for SQL: with its dataset, and quoted.

        :raises DSWarehouseError: if the database cannot be reached.
        """
        with self.connected() as client:
            return client.qualified(name)

    def table_names(self) -> set[str]:
        """Return the tables that exist.

        :raises DSWarehouseError: if the database cannot be read.
        """
        names = self._run("read", lambda client: client.table_names())
        return {name for name in names if not name.startswith("_dlt_")}

    def columns_of(self, name: str) -> set[str]:
        """Return the columns of a table: an empty set if it does not exist.

        :raises DSWarehouseError: if the database cannot be read.
        """
        return self._run("read", lambda client: client.columns_of(name))

    def create_indexes(self, tables: Iterable[Table]) -> None:
        """Index the first column of each table's key, in Postgres alone: the other databases need none.

        :param tables: those that do not exist are skipped.
        :raises DSWarehouseError: if the database refuses.
        """
        if self.destination.kind != "postgres":
            return
        with self._errors("indexed"), self.connected() as client:
            existing = client.table_names()
            for table in tables:
                if table.name in existing:
                    client.create_index(table.name, table.key[0])

    def scratch(self) -> AbstractContextManager[Path]:
        """Return a context with a folder for spooled rows; a later run removes it if this one is killed."""
        return scratch_folder(self._working_folder)

    def _run(self, what: str, action: Callable[[DltClient], T]) -> T:
        def attempt() -> T:
            with self._errors(what), self.connected() as client:
                return action(client)

        return self._wait_out(attempt)

    def _wait_out(self, action: Callable[[], T]) -> T:
        """Run an action that may meet others, and wait for them, unless the lock is held."""
        return action() if self._is_locked else wait_out(action)

    def _open(self) -> tuple[ExitStack, DltClient]:
        from ds_provider.warehouse.database.dlt_client import DltClient

        with ExitStack() as stack, self._errors("reached"):
            stack.enter_context(self._isolated_dlt())
            client = stack.enter_context(DltClient(self.destination, self.dataset))
            return stack.pop_all(), client

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
                stack.enter_context(self._kept_open())
            folder = stack.enter_context(self.scratch())
            stack.enter_context(isolated_dlt(folder))
            yield folder

    def _kept_open(self) -> AbstractContextManager[object]:
        """Keep a DuckDB file open: to open it for each of dlt's jobs takes a third of a load."""
        import duckdb

        return closing(duckdb.connect(str(self.destination.credentials)))

    def _tidy(self) -> None:
        from ds_provider.warehouse.database.dlt_client import DltClient

        with DltClient(self.destination, self.dataset) as client:
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
            raise self._failure(what, error) from None

    def _failure(self, what: str, error: Exception) -> DSWarehouseError:
        text = f"{self} cannot be {what}: {redacted_reason(error, self.destination.secrets)}"
        schemas = self.dataset, f"{self.dataset}_staging"
        if is_refused(error):
            return DSWarehouseRightsError(
                f"{text}; the role needs the schemas {' and '.join(schemas)}, with USAGE and CREATE on both, and to "
                "own the tables in them: docs/how_to/postgres_warehouse.md has the GRANT"
            )
        if not is_lock_failure(error):
            return DSWarehouseError(text)
        holders = self._holders(schemas)
        held = f"in use by {'; '.join(map(str, holders))}" if holders else "in use by others"
        return DSWarehouseLockedError(f"{text}; {held}", holders)

    def _holders(self, schemas: Sequence[str]) -> list[LockHolder]:
        if self.destination.kind == "postgres":
            # only the reason of an error: what hides it hides no more
            with suppress(Exception):
                return lock_holders(str(self.destination.credentials), schemas)
        return []


class _Source:
    """Batches that hold a row, and the error that ended them, if any."""

    def __init__(self, rows: Rows) -> None:
        self.failure: Exception | None = None
        self._rows = (pair for pair in rows if pair[1].num_rows)
        self._first = list(islice(self._rows, 1))
        self.is_empty = not self._first

    def __iter__(self) -> Iterator[tuple[Table, pa.Table]]:
        try:
            yield from chain(self._first, self._rows)
        except Exception as error:
            self.failure = error
            raise
