"""A load that was killed, told by a mark that only one that comes to its end removes.

What belongs to dossiers is written before the dossiers are. A load that ends in between leaves the belongings of
dossiers that are not there, and whatever is erased is erased by the dossiers that are: if these are deleted before they
are loaded again, what is known of them would stay for ever. So the next load removes what belongs to no dossier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from ds_provider.tables import building
from ds_provider.tables.schemas import DOSSIERS, LOADS, OF_DOSSIERS, Table
from ds_provider.warehouse.store import Warehouse

_MARK = ("", "unfinished")
_WIDE = "demarche_"


def begin(warehouse: Warehouse) -> None:
    """Clear away what an unfinished load left, and mark this one.

    :raises DSWarehouseError: if the database refuses.
    """
    names = warehouse.table_names()
    manifest, generation = _MARK
    if LOADS.name not in names:
        # nothing was ever loaded to its end
        _remove_orphans(warehouse, names)
        return
    if warehouse.read(LOADS, ["generation"], f"generation = '{generation}'").num_rows:
        _remove_orphans(warehouse, names)
    loads = warehouse.qualified(LOADS.name)
    warehouse.execute(f"INSERT INTO {loads} (manifest, generation) VALUES ('{manifest}', '{generation}')")


def mark_removed() -> tuple[Table, pa.Table]:
    """What is written with the last of a load's rows."""
    return LOADS, building.erasers(LOADS, [_MARK])


def _remove_orphans(warehouse: Warehouse, names: Iterable[str]) -> None:
    for name in _tables_of_dossiers(names):
        orphans = f"DELETE FROM {warehouse.qualified(name)}"
        if DOSSIERS.name in names:
            dossiers = warehouse.qualified(DOSSIERS.name)
            orphans += f" WHERE dossier_number NOT IN (SELECT number FROM {dossiers})"
        warehouse.execute(orphans)


def _tables_of_dossiers(names: Iterable[str]) -> Iterator[str]:
    """Those that exist. The wide ones by their names: of one that was just made nothing else may be known."""
    long = {table.name for table in OF_DOSSIERS}
    return (name for name in sorted(names) if name in long or name.startswith(_WIDE))
