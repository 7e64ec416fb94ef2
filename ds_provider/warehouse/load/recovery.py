"""What a load finds in the dataset before it begins: tables of others, and what a load that was killed has left.

What belongs to dossiers is written before the dossiers are. A load that ends in between leaves the belongings of
dossiers that are not there, and whatever is erased is erased by the dossiers that are: if these are deleted before they
are loaded again, what is known of them would stay for ever. So a load leaves a mark that it removes at its end, and one
that finds a mark removes what belongs to no dossier.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pyarrow as pa

from ds_provider.exceptions import DSWarehouseError
from ds_provider.tables.rows import building
from ds_provider.tables.schemas import CHILD_TABLES, DOSSIERS, ERASED, LOADS, TABLES, Table
from ds_provider.warehouse.database.store import Warehouse

_MARK = ("", "unfinished")
_CHILD_TABLES = {table.name for table in CHILD_TABLES}
_WIDE = re.compile(r"demarche_[0-9]+(_[a-z0-9_]+)?")


def recover_and_mark(warehouse: Warehouse) -> None:
    """Clear away what an unfinished load left, and mark this one.

    :raises DSWarehouseError: if the database refuses, or the dataset has tables of others under our names.
    """
    names = warehouse.table_names()
    manifest, generation = _MARK
    if LOADS.name not in names:
        # nothing was ever loaded to its end
        _refuse_others(warehouse, names)
        _remove_orphans(warehouse, names)
        return
    if warehouse.read(LOADS, ["generation"], f"generation = '{generation}'").num_rows:
        _remove_orphans(warehouse, names)
    loads = warehouse.qualified(LOADS.name)
    warehouse.execute(f"INSERT INTO {loads} (manifest, generation) VALUES ('{manifest}', '{generation}')")


def mark_removed() -> tuple[Table, pa.Table]:
    """What is written with the last of a load's rows."""
    return LOADS, building.hard_delete_rows(LOADS, [_MARK])


def _refuse_others(warehouse: Warehouse, names: Collection[str]) -> None:
    ours = (table.name for table in TABLES if table.name in names)
    others = [name for name in ours if ERASED not in warehouse.columns_of(name)]
    if others:
        raise DSWarehouseError(
            f"{warehouse} has tables of its own under the names {', '.join(others)}: give dataset the name of a schema "
            "that is for these tables alone"
        )


def _remove_orphans(warehouse: Warehouse, names: Collection[str]) -> None:
    for name in _tables_of_dossiers(warehouse, names):
        orphans = f"DELETE FROM {warehouse.qualified(name)}"
        if DOSSIERS.name in names:
            dossiers = warehouse.qualified(DOSSIERS.name)
            orphans += f" WHERE dossier_number NOT IN (SELECT number FROM {dossiers})"
        warehouse.execute(orphans)


def _tables_of_dossiers(warehouse: Warehouse, names: Collection[str]) -> Iterator[str]:
    """Those that exist. The wide ones by what they look like: of one that was just made nothing else may be known."""
    for name in sorted(names):
        if name in _CHILD_TABLES or (
            _WIDE.fullmatch(name) and {"dossier_number", ERASED} <= warehouse.columns_of(name)
        ):
            yield name
