"""Arrow tables, built of columns of values as the API sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.instants import EPOCH
from ds_provider.tables.schemas import DATE, INSTANT, TEXT, Table

Key = tuple[int | str, ...]

# Arrow is slow to begin, and the processor's caches soon full: a number between the two
_FLUSH_AT = 1_000
_FIRST_DAY, _LAST_DAY = (day.toordinal() - EPOCH.toordinal() for day in (date.min, date.max))
_DAY = 86_400_000_000  # in microseconds
# the numbers that Arrow keeps dates as, and the range that Python, and so every loader, can hold: an offset may carry
# a date beyond it
_RANGES = {
    DATE: (pa.int32(), _FIRST_DAY, _LAST_DAY),
    INSTANT: (pa.int64(), _FIRST_DAY * _DAY, (_LAST_DAY + 1) * _DAY - 1),
}


class TableBuilder:
    """Builder of a table that grows by some rows at a time."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns: dict[str, list[Any]] = {}
        self._deleted: list[Key] = []
        self._pieces: list[pa.Table] = []

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows. Columns that are not here are null."""
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        if len(self._columns[self._table.key[0]]) >= _FLUSH_AT:
            self._flush()

    def hard_delete(self, keys: Sequence[Key]) -> None:
        """Add rows that remove what has these keys."""
        self._deleted.extend(keys)

    def build(self) -> pa.Table:
        """Return the table."""
        self._flush()
        if self._deleted:
            self._pieces.append(hard_delete_rows(self._table, self._deleted))
        return pa.concat_tables(self._pieces) if self._pieces else self._table.schema.empty_table()

    def _flush(self) -> None:
        if self._columns.get(self._table.key[0]):
            self._pieces.append(build(self._table, self._columns))
            self._columns = {}


def build(table: Table, columns: Mapping[str, Sequence[Any]], *, hard_delete: bool = False) -> pa.Table:
    """Return a table of rows to load.

    :param columns: of one length; those that are not here are null.
    :param hard_delete: whether the rows remove those that have their keys.
    """
    rows = len(columns[table.key[0]])
    arrays = [
        array_of(columns[name], kind) if name in columns else pa.nulls(rows, kind)
        for name, kind in table.columns.items()
    ]
    return pa.table([*arrays, pa.repeat(hard_delete, rows)], schema=table.schema)


def hard_delete_dossiers(table: Table, numbers: Sequence[int]) -> pa.Table:
    """Return the rows that remove all that a table holds of dossiers.

    :param table: one whose rows are a dossier's: its key begins with the dossier's number.
    """
    keys: list[Key] = [*product(numbers, table.parts)] if table.parts else [(number,) for number in numbers]
    return hard_delete_rows(table, keys)


def hard_delete_rows(table: Table, keys: Sequence[Key]) -> pa.Table:
    """Return the rows that remove what has these keys."""
    columns = {name: [key[index] for key in keys] for index, name in enumerate(table.key)}
    return build(table, columns, hard_delete=True)


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values as the API sends them as an array of a column's type."""
    if kind in _RANGES:
        return _dates(pa.array(values, TEXT), kind)
    return without_nul(pa.array(values, TEXT)) if kind == TEXT else pa.array(values, kind)


def without_nul(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return texts with U+FFFD in place of each character NUL, which databases refuse."""
    pieces = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    # to look costs a small part of what to replace does
    return pc.replace_substring(texts, "\0", "\ufffd") if any(map(_has_nul, pieces)) else texts


def _has_nul(texts: pa.Array) -> bool:
    characters = texts.buffers()[-1]
    return characters is not None and b"\0" in characters.to_pybytes()


def _dates(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return ISO 8601 texts as dates or instants: null where they are not that, or not of the years 1 to 9999."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), kind)
    try:
        dates = pc.cast(texts, kind)
    except pa.ArrowInvalid:
        dates = _cast_each(texts.to_pylist(), kind)
    return _within_range(dates, kind)


def _within_range(dates: pa.Array, kind: pa.DataType) -> pa.Array:
    number, first, last = _RANGES[kind]
    numbers = dates.view(number)
    found = pc.min_max(numbers).as_py()
    if found["min"] is None or (first <= found["min"] and found["max"] <= last):
        return dates
    within = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
    return pc.if_else(within, dates, pa.scalar(None, kind))


def _cast_each(texts: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    dates = {text: _cast_or_null(text, kind) for text in set(texts)}
    return pa.array([dates[text] for text in texts], kind)


def _cast_or_null(text: str | None, kind: pa.DataType) -> pa.Scalar:
    try:
        return pc.cast(pa.scalar(text, TEXT), kind)
    except pa.ArrowInvalid:
        return pa.scalar(None, kind)
