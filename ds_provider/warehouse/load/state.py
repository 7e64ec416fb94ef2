"""What a warehouse holds before something is loaded into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from ds_provider.api.query.selection import PENDING_DELETED_DOSSIERS
from ds_provider.tables.schemas import (
    CHAMP_COLUMNS,
    DELETED_DOSSIERS,
    DOSSIERS,
    GROUPES_INSTRUCTEURS,
    LOADS,
    REVISIONS,
)
from ds_provider.tables.wide.naming import Registry
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.extracts import instant, microseconds
from ds_provider.warehouse.tombstones import PENDING, Tombstone
from ds_provider.warehouse.versions import Versions


@dataclass(frozen=True)
class WarehouseState:
    """What was loaded before.

    :param snapshots: by group, when the latest loaded snapshot of its pending deletions began, in microseconds since
        the epoch.
    :param groupes: by number, when what is known of the group was read.
    """

    versions: Versions
    tombstones: dict[int, Tombstone]
    snapshots: dict[int, int]
    groupes: dict[int, datetime]
    revisions: frozenset[str]
    registry: Registry

    @classmethod
    def of(cls, warehouse: Warehouse) -> WarehouseState:
        """Read it.

        :raises DSWarehouseError: if the database cannot be read.
        """
        groupes = warehouse.read(GROUPES_INSTRUCTEURS, ["number", "read_at"])
        snapshots = _snapshots(warehouse)
        tombstones = tombstones_of(warehouse.read(DELETED_DOSSIERS, list(DELETED_DOSSIERS.columns)))
        return cls(
            versions=Versions(warehouse.read(DOSSIERS, ["number", "date_derniere_modification", "read_at"])),
            tombstones={number: _confirmed(stone, snapshots) for number, stone in tombstones.items()},
            snapshots=snapshots,
            groupes=dict(zip(*(groupes[name].to_pylist() for name in ("number", "read_at")), strict=True)),
            revisions=frozenset(warehouse.read(REVISIONS, ["id"])["id"].to_pylist()),
            registry=Registry(warehouse.read(CHAMP_COLUMNS, list(CHAMP_COLUMNS.columns)).to_pylist()),
        )


def tombstones_of(rows: pa.Table) -> dict[int, Tombstone]:
    """The tombstones in the rows of ``deleted_dossiers``, by number."""
    return {
        row["number"]: Tombstone(
            number=row["number"],
            groupe=row["groupe_instructeur_number"],
            state=row["state"],
            reason=row["reason"],
            date=microseconds(row["date_supression"]) if row["date_supression"] else None,
            stage=row["stage"],
            read=microseconds(row["read_at"]),
        )
        for row in rows.to_pylist()
    }


def rows_of(tombstones: Iterable[Tombstone]) -> pa.Table:
    """Tombstones as rows of ``deleted_dossiers``."""
    rows = [
        {
            "number": stone.number,
            "groupe_instructeur_number": stone.groupe,
            "state": stone.state,
            "reason": stone.reason,
            "date_supression": instant(stone.date),
            "stage": stone.stage,
            "read_at": instant(stone.read),
        }
        for stone in tombstones
    ]
    return pa.Table.from_pylist(rows, schema=DELETED_DOSSIERS.schema)


def _confirmed(stone: Tombstone, snapshots: dict[int, int]) -> Tombstone:
    """What is pending was so in the latest snapshot of its group too, or its tombstone would be no more."""
    if stone.stage != PENDING or stone.groupe is None:
        return stone
    return replace(stone, read=max(stone.read, snapshots.get(stone.groupe, 0)))


def _snapshots(warehouse: Warehouse) -> dict[int, int]:
    latest: dict[int, int] = {}
    for row in warehouse.read(LOADS, ["groupe_instructeur_number", "stream", "read_started_at"]).to_pylist():
        if row["stream"] == PENDING_DELETED_DOSSIERS.name:
            groupe, read = row["groupe_instructeur_number"], microseconds(row["read_started_at"])
            latest[groupe] = max(read, latest.get(groupe, 0))
    return latest
