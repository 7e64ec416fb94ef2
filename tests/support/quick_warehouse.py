"""Warehouse that merges as the real one does, in memory: for property tests with thousands of loads."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from ds_provider.tables.instants import from_microseconds, to_microseconds
from ds_provider.tables.schemas import ERASED, INSTANT, TABLES, Table

Row = dict[str, Any]

# where a row stands among the others of its table
_PLACE = "_place"


class Killed(BaseException):
    """Raised where a process would be killed."""


class QuickWarehouse:
    """Stands in for ``Warehouse``.

    :ivar merges_left: the number of merged tables after which it is killed.
    """

    def __init__(self) -> None:
        self._tables: dict[str, list[Row]] = {}
        self._columns: dict[str, dict[str, pa.DataType]] = {}
        self.merges_left: int | None = None

    def create_tables(self) -> None:
        """Have all tables, empty, as after a load."""
        self.write((table, table.schema.empty_table()) for table in TABLES)

    def create_table(self, name: str) -> None:
        """Have a table of any other name."""
        self._tables[name] = []

    def drop_table(self, name: str) -> None:
        del self._tables[name]

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def connected(self) -> AbstractContextManager[None]:
        return nullcontext()

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
        columns = self._columns.setdefault(table.name, {})
        columns.update(table.columns)
        keys = [_key(table, row) for row in staged]
        replaced = set(keys)
        assert not table.unique or len(keys) == len(replaced), f"{table.name} is given a key twice in one write"
        kept = [row for row in self._tables.get(table.name, ()) if _key(table, row) not in replaced]
        kept += [{name: row[name] for name in table.columns} for row in staged if not row[ERASED]]
        # a column that came later is null in what came before
        self._tables[table.name] = [dict.fromkeys(columns) | row for row in kept]

    def read(self, table: Table, columns: Sequence[str], where: str | None = None) -> pa.Table:
        rows = self._tables.get(table.name, [])
        if where and rows:
            sql = f"SELECT {_PLACE} FROM {table.name} WHERE {where}"
            with self._database(sql) as database:
                rows = [rows[place] for (place,) in database.execute(sql)]
        schema = pa.schema([(name, table.columns[name]) for name in columns])
        return pa.Table.from_pylist(rows, schema=schema)

    def execute(self, sql: str) -> None:
        """Run a statement in SQLite, on the tables that it names."""
        with self._database(sql) as database:
            database.execute(sql)
            for name in self._named_in(sql):
                found = database.execute(f"SELECT * FROM {name}").fetchall()
                self._tables[name] = [self._changed(name, dict(row)) for row in found]

    @contextmanager
    def _database(self, sql: str) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(":memory:")) as database:
            database.row_factory = sqlite3.Row
            for name in self._named_in(sql):
                columns = self._columns[name]
                database.execute(f"CREATE TABLE {name} ({', '.join(columns)}, {_PLACE})")
                rows = [(*(_stored(row[c]) for c in columns), i) for i, row in enumerate(self._tables[name])]
                database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * (len(columns) + 1))})", rows)
            yield database

    def _named_in(self, sql: str) -> list[str]:
        return sorted(self._tables.keys() & set(re.findall(r"\w+", sql)))

    def _changed(self, name: str, stored: Row) -> Row:
        """Return a row with the changes that the database made."""
        place, types = stored.pop(_PLACE), self._columns[name]
        before = dict.fromkeys(types) if place is None else self._tables[name][place]
        changed = [column for column in types if stored[column] != _stored(before[column])]
        return before | {c: from_microseconds(stored[c]) if types[c] == INSTANT else stored[c] for c in changed}

    def qualified(self, name: str) -> str:
        return name

    def table_names(self) -> set[str]:
        return set(self._tables)

    def columns_of(self, name: str) -> set[str]:
        return set(self._columns.get(name, ()))

    def create_indexes(self, tables: Iterable[Table]) -> None:
        pass

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return the rows in order; a column that a row lacks is null."""
        rows = (tuple(row.get(column) for column in columns) for row in self._tables.get(name, ()))
        return sorted(rows, key=repr)


@cache
def _scratch() -> TemporaryDirectory[str]:
    """Return one folder for all loads: each cleans up after itself, and a new folder takes longer than its use."""
    return TemporaryDirectory()


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in table.key)


def _stored(value: Any) -> Any:
    return to_microseconds(value) if isinstance(value, datetime) else value
