"""Rows for a warehouse, given by their differences."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ds_provider.tables.schemas import ERASED, Table
from ds_provider.warehouse.database.store import Warehouse


def batch(table: Table, *rows: dict[str, Any]) -> tuple[Table, pa.Table]:
    return table, pa.Table.from_pylist(list(rows), schema=table.schema)


def hard_delete(table: Table, **key: Any) -> tuple[Table, pa.Table]:
    return batch(table, {**key, ERASED: True})


def rows_of(warehouse: Warehouse, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    """Return rows sorted by the requested columns, null first."""
    rows = [tuple(row.values()) for row in warehouse.read(table, columns).to_pylist()]
    return sorted(rows, key=lambda row: [(value is not None, value) for value in row])
