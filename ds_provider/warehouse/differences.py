"""Differences between the dossiers that the service shows and those that the warehouse holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ds_provider.tables.schemas import DOSSIERS
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.tombstones import DELETED


class DossierState(NamedTuple):
    """State of a dossier in the service or in the warehouse.

    :param group: the number of its groupe instructeur.
    :param modified: its date of last change, to the second.
    :param stage: the stage of its tombstone in the warehouse; null if it has none.
    """

    group: int
    state: str
    modified: datetime
    stage: str | None = None


@dataclass
class Differences:
    """Dossier numbers, by kind of difference.

    :param missing: shown but not held.
    :param moved: held in another group than the one that shows them.
    :param stale: held in an earlier version.
    :param restored: shown but held as hidden or gone.
    :param absent: held but shown by no group: hidden or deleted since, expired, or moved meanwhile.
    """

    missing: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    stale: set[int] = field(default_factory=set)
    restored: set[int] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)

    @property
    def to_read(self) -> set[int]:
        """Numbers of the dossiers to read again."""
        return self.missing | self.moved | self.stale | self.restored


def held_dossiers(warehouse: Warehouse) -> dict[int, DossierState]:
    """Return the dossiers that the warehouse holds, by number.

    :raises DSWarehouseError: if the database cannot be read.
    """
    columns = ["number", "groupe_instructeur_number", "state", "date_derniere_modification", "deletion_stage"]
    numbers, *values = (column.to_pylist() for column in warehouse.read(DOSSIERS, columns).columns)
    return {number: DossierState(*row) for number, row in zip(numbers, zip(*values, strict=True), strict=True)}


def compare(
    shown: Mapping[int, DossierState], held: Mapping[int, DossierState], groups: Collection[int]
) -> Differences:
    """Return the differences for dossiers of these groups.

    :param shown: the dossiers that any of the groups shows, by number.
    :param held: the dossiers that the warehouse holds, by number.
    :param groups: those that were scanned: a dossier of another group may well be shown there.
    """
    differences = Differences()
    for number, state in shown.items():
        kind = _difference(state, held.get(number), differences)
        if kind is not None:
            kind.add(number)
    differences.absent = {
        number
        for number, state in held.items()
        if number not in shown and state.stage is None and state.group in groups
    }
    return differences


def _difference(shown: DossierState, held: DossierState | None, differences: Differences) -> set[int] | None:
    if held is None:
        return differences.missing
    if held.stage is not None:
        # a definitive deletion is never taken back: the dossier was purged during the scan
        return None if held.stage == DELETED else differences.restored
    if shown.modified < held.modified:
        # a later version was loaded since the scan
        return None
    if shown.group != held.group:
        return differences.moved
    return differences.stale if shown[1:3] != held[1:3] else None
