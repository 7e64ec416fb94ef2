"""A warehouse that merges as the real one does, by hand and in memory: for properties that take thousands of loads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from ds_provider.tables.schemas import DELETED_DOSSIERS, DOSSIERS, ERASED, Table
from ds_provider.warehouse.readings import instant, microseconds

Row = dict[str, Any]

_FLAGS = ("number", "deletion_stage", "deletion_reason", "deletion_date")


class Killed(BaseException):
    """What a process that is killed looks like from inside."""


class QuickWarehouse:
    """Stands in for ``Warehouse``.

    :ivar merges_left: after so many merged tables it is killed.
    """

    def __init__(self) -> None:
        self._tables: dict[str, list[Row]] = {}
        self.merges_left: int | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        yield Path(_scratch().name)

    def write(self, rows: Iterable[tuple[Table, pa.Table]]) -> None:
        given: dict[str, tuple[Table, list[Row]]] = {}
        for table, batch in rows:
            given.setdefault(table.name, (table, []))[1].extend(batch.to_pylist())
        for table, staged in given.values():
            if self.merges_left == 0:
                raise Killed
            self.merges_left = None if self.merges_left is None else self.merges_left - 1
            self._merge(table, staged)

    def _merge(self, table: Table, staged: Sequence[Row]) -> None:
        keys = [_key(table, row) for row in staged]
        replaced = set(keys)
        assert not table.unique or len(keys) == len(replaced), f"{table.name} is given a key twice in one write"
        kept = [row for row in self._tables.get(table.name, ()) if _key(table, row) not in replaced]
        self._tables[table.name] = kept + [row for row in staged if not row[ERASED]]

    def read(self, table: Table | str, columns: Sequence[str], where: str | None = None) -> pa.Table:
        assert isinstance(table, Table)
        assert where is None
        schema = pa.schema([(name, table.columns[name]) for name in columns])
        return pa.Table.from_pylist(self._tables.get(table.name, []), schema=schema)

    def execute(self, sql: str) -> None:
        """Have a database run it, on what dossiers and tombstones say of deletions."""
        with closing(sqlite3.connect(":memory:")) as database:
            for table, columns in ((DOSSIERS, _FLAGS), (DELETED_DOSSIERS, tuple(DELETED_DOSSIERS.columns))):
                rows = [[_stored(row[name]) for name in columns] for row in self._tables[table.name]]
                database.execute(f"CREATE TABLE {table.name} ({', '.join(columns)})")
                database.executemany(f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(columns))})", rows)
            database.execute(sql)
            flags = {flags[0]: flags for flags in database.execute(f"SELECT * FROM {DOSSIERS.name}")}
        for row in self._tables[DOSSIERS.name]:
            _, stage, reason, date = flags[row["number"]]
            row.update(deletion_stage=stage, deletion_reason=reason, deletion_date=instant(date))

    def qualified(self, name: str) -> str:
        return name

    def table_names(self) -> set[str]:
        return set(self._tables)

    def create_indexes(self, tables: Iterable[Table]) -> None:
        pass

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Sorted; what a row lacks is null."""
        rows = (tuple(row.get(column) for column in columns) for row in self._tables.get(name, ()))
        return sorted(rows, key=repr)


@cache
def _scratch() -> TemporaryDirectory[str]:
    """One for all, since loads clear up behind themselves and folders cost more than what is put there."""
    return TemporaryDirectory()


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in table.key)


def _stored(value: Any) -> Any:
    return microseconds(value) if isinstance(value, datetime) else value
