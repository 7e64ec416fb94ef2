"""Refresh: the dossiers that were read longest ago are read again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.tables.schemas import DOSSIERS

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse


def due_dossiers(
    warehouse: Warehouse, groups: Iterable[int], max_age: timedelta, now: datetime
) -> dict[int, list[int]]:
    """Return the numbers of the dossiers that were read longest ago, and of all that are overdue, by group.

    :param max_age: as many daily runs as there are whole days in it read each dossier once.
    :raises DSWarehouseError: if the warehouse cannot be read.
    """
    dossiers = warehouse.read(DOSSIERS, ("number", "groupe_instructeur_number", "read_at", "deletion_stage"))
    held = dossiers.filter(pc.is_null(dossiers["deletion_stage"]))
    oldest_first = held.sort_by([("read_at", "ascending"), ("number", "ascending")])
    overdue_before = pa.scalar(now - max_age, dossiers["read_at"].type)
    due: dict[int, list[int]] = {}
    for group in groups:
        rows = oldest_first.filter(pc.equal(oldest_first["groupe_instructeur_number"], group))
        overdue = pc.sum(pc.less(rows["read_at"], overdue_before)).as_py() or 0
        share = -(-rows.num_rows // max_age.days)
        if rows.num_rows:
            due[group] = rows["number"].slice(0, max(overdue, share)).to_pylist()
    return due
