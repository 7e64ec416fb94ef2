"""Tables, built of columns of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.schemas import DATE, INSTANT, TEXT, Table

Key = tuple[int | str, ...]

# Arrow is slow to begin, and the processor's caches soon full: a number between the two
_ENOUGH = 1_000
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH
_DAY = 86_400_000_000  # in microseconds
# as what Arrow keeps dates, and what of them Python, and so every loader, can hold: an offset may carry one beyond
_KEPT = {
    DATE: (pa.int32(), _FIRST_DAY, _LAST_DAY),
    INSTANT: (pa.int64(), _FIRST_DAY * _DAY, (_LAST_DAY + 1) * _DAY - 1),
}


class TableBuilder:
    """A table that grows by some rows at a time.

    :param constants: columns that hold one value in all rows.
    """

    def __init__(self, table: Table, **constants: Any) -> None:
        self._table = table
        self._constants = constants
        self._columns: dict[str, list[Any]] = {}
        self._erased: list[Key] = []
        self._pieces: list[pa.Table] = []

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows. Columns that are not here are null."""
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        if len(self._columns[self._table.key[0]]) >= _ENOUGH:
            self._flush()

    def erase(self, keys: Sequence[Key]) -> None:
        """Add rows that only erase."""
        self._erased.extend(keys)

    def build(self) -> pa.Table:
        """The table, and no way to add to it."""
        self._flush()
        if self._erased:
            self._pieces.append(hard_delete_rows(self._table, self._erased))
        return pa.concat_tables(self._pieces) if self._pieces else self._table.schema.empty_table()

    def _flush(self) -> None:
        if self._columns.get(self._table.key[0]):
            self._pieces.append(build(self._table, self._columns, **self._constants))
            self._columns = {}


def build(table: Table, columns: Mapping[str, Sequence[Any]], **constants: Any) -> pa.Table:
    """A table.

    :param columns: of the same length; those that are not here are null.
    :param constants: columns that hold one value in all rows.
    """
    rows = len(columns[table.key[0]])
    repeated = {name: pa.repeat(pa.scalar(value, table.columns[name]), rows) for name, value in constants.items()}
    return _build(table, {**columns, **repeated}, rows)


def hard_delete_rows(table: Table, keys: Sequence[Key]) -> pa.Table:
    """The rows that remove what has those keys."""
    columns = {name: [key[index] for key in keys] for index, name in enumerate(table.key)}
    return _build(table, columns, len(keys), erased=True)


def _build(table: Table, columns: Mapping[str, Any], rows: int, erased: bool = False) -> pa.Table:
    arrays = [_array(columns.get(name), kind, rows) for name, kind in table.columns.items()]
    return pa.table([*arrays, pa.repeat(erased, rows)], schema=table.schema)


def _array(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array):
        return values
    if kind in _KEPT:
        return _dates(pa.array(values, TEXT), kind)
    return _without_nul(pa.array(values, TEXT)) if kind == TEXT else pa.array(values, kind)


def _without_nul(texts: pa.Array) -> pa.Array:
    """Databases refuse it."""
    characters = texts.buffers()[-1]
    found = characters is not None and b"\0" in characters.to_pybytes()
    return pc.replace_substring(texts, "\0", "\ufffd") if found else texts


def _dates(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """ISO 8601 as dates or instants; null where it is not that, or of a year before 1 or after 9999."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), kind)
    try:
        dates = pc.cast(texts, kind)
    except pa.ArrowInvalid:
        dates = _readable_dates(texts.to_pylist(), kind)
    return dates if _are_within(dates, kind) else _cut(dates, kind)


def _are_within(dates: pa.Array, kind: pa.DataType) -> bool:
    number, least, most = _KEPT[kind]
    found = pc.min_max(dates.view(number)).as_py()
    return found["min"] is None or (least <= found["min"] and found["max"] <= most)


def _cut(dates: pa.Array, kind: pa.DataType) -> pa.Array:
    number, least, most = _KEPT[kind]
    numbers = dates.view(number)
    within = pc.and_(pc.greater_equal(numbers, least), pc.less_equal(numbers, most))
    return pc.if_else(within, dates, pa.scalar(None, kind))


def _readable_dates(texts: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    dates = {text: _readable_date(text, kind) for text in set(texts)}
    return pa.array([dates[text] for text in texts], kind)


def _readable_date(text: str | None, kind: pa.DataType) -> pa.Scalar:
    try:
        return pc.cast(pa.scalar(text, TEXT), kind)
    except pa.ArrowInvalid:
        return pa.scalar(None, kind)
