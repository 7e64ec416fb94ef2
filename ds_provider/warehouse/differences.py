"""What the service shows against what the warehouse holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ds_provider.tables.schemas import DOSSIERS
from ds_provider.warehouse.database.store import Warehouse
from ds_provider.warehouse.tombstones import DELETED


class DossierState(NamedTuple):
    """A dossier as the service shows it, or as the warehouse holds it.

    :param modified: its date of last change, to the second.
    :param stage: what hides it in the warehouse; none where nothing does.
    """

    groupe: int
    state: str
    modified: datetime
    stage: str | None = None


@dataclass
class Differences:
    """Dossier numbers, by what is wrong with them.

    :param missing: shown, and not held.
    :param moved: held in another group than the one that shows them.
    :param stale: held in an earlier version.
    :param restored: shown, and held as hidden or gone.
    :param absent: held, and shown by no group: hidden or deleted since, expired, or moved meanwhile.
    """

    missing: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    stale: set[int] = field(default_factory=set)
    restored: set[int] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)

    @property
    def to_read(self) -> set[int]:
        """Those of which the service shows more than is held."""
        return self.missing | self.moved | self.stale | self.restored


def held_dossiers(warehouse: Warehouse) -> dict[int, DossierState]:
    """The dossiers that the warehouse holds, by number.

    :raises DSWarehouseError: if the database cannot be read.
    """
    columns = ["number", "groupe_instructeur_number", "state", "date_derniere_modification", "deletion_stage"]
    rows = warehouse.read(DOSSIERS, columns)
    numbers, *seen = (rows[name].to_pylist() for name in columns)
    return {number: DossierState(*row) for number, row in zip(numbers, zip(*seen, strict=True), strict=True)}


def compare(
    shown: Mapping[int, DossierState], held: Mapping[int, DossierState], groupes: Collection[int]
) -> Differences:
    """What differs, for dossiers of these groups.

    :param shown: by any of the groups.
    :param groupes: those that were looked at: what belongs to others may well be shown there.
    """
    differences = Differences()
    for number, sight in shown.items():
        kind = _difference(sight, held.get(number), differences)
        if kind is not None:
            kind.add(number)
    differences.absent = {
        number
        for number, sight in held.items()
        if number not in shown and sight.stage is None and sight.groupe in groupes
    }
    return differences


def _difference(shown: DossierState, held: DossierState | None, differences: Differences) -> set[int] | None:
    if held is None:
        return differences.missing
    if held.stage is not None:
        # a definitive deletion is never taken back: the dossier was purged while it was looked for
        return None if held.stage == DELETED else differences.restored
    if shown.modified < held.modified:
        # loaded since it was looked at
        return None
    if shown.groupe != held.groupe:
        return differences.moved
    return differences.stale if shown[1:3] != held[1:3] else None
