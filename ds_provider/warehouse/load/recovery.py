"""Recovery from a load that was killed, and a check that the dataset holds no tables of others.

A load writes child rows before their dossiers. One that is killed in between leaves child rows without a dossier.
Erasure starts from the dossiers that are held, so these rows would stay for ever if their dossiers were deleted before
they are loaded again. A load therefore leaves a mark and removes it at its end. The next load that finds a mark removes
all child rows without a dossier.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pyarrow as pa

from ds_provider.exceptions import DSWarehouseError
from ds_provider.tables.rows.building import hard_delete_rows
from ds_provider.tables.schemas import CHILD_TABLES, DOSSIER_COLUMNS, DOSSIERS, LOADS, TABLES, Table
from ds_provider.warehouse.database.store import Warehouse

_MARK = ("", "unfinished")
_CHILD_TABLES = {table.name for table in CHILD_TABLES}
_WIDE = re.compile(r"demarche_[0-9]+(_[a-z0-9_]+)?")


def recover_and_mark(warehouse: Warehouse, names: Collection[str]) -> bool:
    """Remove the orphans that an unfinished load left, and mark this load as unfinished.

    :param names: the tables that exist.
    :returns: true if there was an unfinished load.
    :raises DSWarehouseError: if the database refuses, or the dataset has tables of others under our names.
    """
    manifest, generation = _MARK
    if LOADS.name not in names:
        # no load ever finished
        _refuse_others(warehouse, names)
        _remove_orphans(warehouse, names)
        return False
    was_killed = bool(warehouse.read(LOADS, ["generation"], f"generation = '{generation}'").num_rows)
    if was_killed:
        _remove_orphans(warehouse, names)
    loads = warehouse.qualified(LOADS.name)
    warehouse.execute(f"INSERT INTO {loads} (manifest, generation) VALUES ('{manifest}', '{generation}')")
    return was_killed


def mark_removal() -> tuple[Table, pa.Table]:
    """Return the row that removes the mark: it is written with the last rows of a load."""
    return LOADS, hard_delete_rows(LOADS, [_MARK])


def _refuse_others(warehouse: Warehouse, names: Collection[str]) -> None:
    ours = (table for table in TABLES if table.name in names)
    others = [table.name for table in ours if not {*table.key, table.required} <= warehouse.columns_of(table.name)]
    if others:
        raise DSWarehouseError(
            f"{warehouse} has tables of its own under the names {', '.join(others)}: give dataset the name of a schema "
            "that is for these tables alone"
        )


def _remove_orphans(warehouse: Warehouse, names: Collection[str]) -> None:
    for name, key in _child_tables(warehouse, names):
        orphans = f"DELETE FROM {warehouse.qualified(name)}"
        if DOSSIERS.name in names:
            dossiers = warehouse.qualified(DOSSIERS.name)
            orphans += f" WHERE {key} NOT IN (SELECT number FROM {dossiers})"
        warehouse.execute(orphans)


def _child_tables(warehouse: Warehouse, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the tables with child rows, and their column of a dossier's number.

    A wide one is known by its columns: its load may have registered nothing.
    """
    for name in sorted(names):
        if name in _CHILD_TABLES:
            yield name, "dossier_number"
        elif _WIDE.fullmatch(name) and DOSSIER_COLUMNS.keys() <= warehouse.columns_of(name):
            yield name, "number"
