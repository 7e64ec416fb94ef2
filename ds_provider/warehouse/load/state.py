"""State of a warehouse before a load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ds_provider.api.query.selection import PENDING_DELETED_DOSSIERS
from ds_provider.tables import schemas
from ds_provider.tables.instants import to_microseconds
from ds_provider.tables.wide.naming import ColumnRegistry
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.tombstones import PENDING, Tombstone
from ds_provider.warehouse.versions import HeldVersions


@dataclass(frozen=True)
class WarehouseState:
    """Summary of what was loaded before.

    :param table_names: the tables that exist.
    :param snapshots: by group, the start of the latest loaded snapshot of its pending deletions, in microseconds since
        the epoch.
    :param groups: by number, when the row of the group was read.
    :param revisions: the ids of the known revisions.
    """

    table_names: frozenset[str]
    versions: HeldVersions
    tombstones: dict[int, Tombstone]
    snapshots: dict[int, int]
    groups: dict[int, datetime]
    revisions: frozenset[str]
    registry: ColumnRegistry

    @classmethod
    def of(cls, warehouse: Warehouse) -> WarehouseState:
        """Read the state.

        :raises DSWarehouseError: if the database cannot be read.
        """
        groups = warehouse.read(schemas.GROUPES_INSTRUCTEURS, ["number", "read_at"])
        snapshots = _snapshots(warehouse)
        tombstones = tombstones_of(warehouse.read(schemas.DELETED_DOSSIERS, list(schemas.DELETED_DOSSIERS.columns)))
        return cls(
            table_names=frozenset(warehouse.table_names()),
            versions=HeldVersions(
                warehouse.read(schemas.DOSSIERS, ["number", "date_derniere_modification", "read_at"])
            ),
            tombstones={number: _confirmed(tombstone, snapshots) for number, tombstone in tombstones.items()},
            snapshots=snapshots,
            groups={row["number"]: row["read_at"] for row in groups.to_pylist()},
            revisions=frozenset(warehouse.read(schemas.REVISIONS, ["id"])["id"].to_pylist()),
            registry=ColumnRegistry(
                warehouse.read(schemas.CHAMP_COLUMNS, list(schemas.CHAMP_COLUMNS.columns)).to_pylist()
            ),
        )


def tombstones_of(rows: pa.Table) -> dict[int, Tombstone]:
    """Return the tombstones in the rows of ``deleted_dossiers``, by number.

    :param rows: with all columns of the table, which are in the order of a tombstone's fields.
    """
    columns = (column.cast(schemas.INTEGER) if column.type == schemas.INSTANT else column for column in rows.columns)
    return {row[0]: Tombstone(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)}


def rows_of(tombstones: Iterable[Tombstone]) -> pa.Table:
    """Return tombstones as rows of ``deleted_dossiers``."""
    rows = [dict(zip(schemas.DELETED_DOSSIERS.columns, astuple(tombstone), strict=True)) for tombstone in tombstones]
    return pa.Table.from_pylist(rows, schema=schemas.DELETED_DOSSIERS.schema)


def _confirmed(tombstone: Tombstone, snapshots: dict[int, int]) -> Tombstone:
    """Date a pending tombstone by its group's latest snapshot, which listed it too: else it would be removed by now."""
    if tombstone.stage != PENDING or tombstone.group is None:
        return tombstone
    return replace(tombstone, read_at=max(tombstone.read_at, snapshots.get(tombstone.group, 0)))


def _snapshots(warehouse: Warehouse) -> dict[int, int]:
    loads = warehouse.read(schemas.LOADS, ["groupe_instructeur_number", "stream", "read_started_at"])
    snapshots = loads.filter(pc.field("stream") == PENDING_DELETED_DOSSIERS.name).sort_by("read_started_at")
    # the last one of a group is its latest
    return {row["groupe_instructeur_number"]: to_microseconds(row["read_started_at"]) for row in snapshots.to_pylist()}
