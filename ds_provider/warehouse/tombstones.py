"""Tombstones: what becomes of dossiers that the service hides, deletes or no longer shows.

A definitive deletion is final. Everything else may be taken back: a dossier that is shown after it was hidden is
restored. The times of extraction say what "after" is. Where two extractions may have overlapped, the dossier's own date
decides as well, since its restoration moves its date of last change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ds_provider.warehouse.versions import HeldVersions, Version

PENDING, DELETED, VANISHED = "pending", "deleted", "vanished"

SECOND = 1_000_000


@dataclass(frozen=True)
class Tombstone:
    """Record of a dossier that is not shown any more. Both times are in microseconds since the epoch.

    :param group: the number of the groupe instructeur.
    :param stage: ``pending``, ``deleted`` or ``vanished``: in none of the service's lists.
    :param date: the service's date of the deletion; null if it gives none.
    :param read_at: when the extraction began that showed it: the last one if it is pending, else the first one.
    """

    number: int
    group: int | None
    state: str | None
    reason: str | None
    date: int | None
    stage: str
    read_at: int

    def is_outlived_by(self, version: Version | None) -> bool:
        """Return whether this version of the dossier was shown after the tombstone."""
        if version is None or self.stage == DELETED or version.read_at <= self.read_at:
            return False
        # the extractions may have overlapped: then the dossier's own dates decide
        return self.date is None or version.modified // SECOND >= self.date // SECOND


@dataclass(frozen=True)
class Snapshot:
    """Pending deletions of a group at one moment.

    :param read_at: when it was requested, in microseconds since the epoch.
    :param quarantined: the dossiers that it lists but could not give.
    """

    group: int
    read_at: int
    tombstones: Mapping[int, Tombstone]
    quarantined: frozenset[int] = frozenset()

    def __contains__(self, number: int) -> bool:
        return number in self.tombstones or number in self.quarantined


@dataclass
class TombstoneSet:
    """Tombstones of a warehouse, and how a load changes them.

    :param known: those that the warehouse holds.
    :param changed: those that are new or differ from the known ones.
    :param removed: the numbers of known ones that hold no longer.
    """

    known: Mapping[int, Tombstone]
    changed: dict[int, Tombstone] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    _confirmed: dict[int, Tombstone] = field(default_factory=dict)

    def get(self, number: int) -> Tombstone | None:
        """Return a dossier's tombstone, with all changes so far."""
        if number in self.removed:
            return None
        return self.changed.get(number) or self._confirmed.get(number) or self.known.get(number)

    def active(self) -> Iterator[Tombstone]:
        """Yield all tombstones, with all changes so far."""
        yield from self.changed.values()
        replaced = self.removed | self.changed.keys()
        yield from (tombstone for number, tombstone in self.known.items() if number not in replaced)

    def add_deleted(self, tombstones: Iterable[Tombstone]) -> None:
        """Add definitive deletions, whatever was known."""
        for tombstone in tombstones:
            self._put(tombstone)

    def apply_snapshots(self, snapshots: Iterable[Snapshot], held: HeldVersions | Mapping[int, Version]) -> None:
        """Add the pending deletions that the groups' snapshots list, and remove those that they no longer list."""
        snapshots = list(snapshots)
        for snapshot in snapshots:
            self._remove_unlisted(snapshot)
        for snapshot in snapshots:
            for number, tombstone in snapshot.tombstones.items():
                known = self.get(number)
                if (known is None or known.stage != DELETED) and not tombstone.is_outlived_by(held.get(number)):
                    self._put(tombstone)

    def mark_vanished(self, tombstones: Iterable[Tombstone]) -> None:
        """Add dossiers that no list shows. One that is known already keeps its tombstone, and so its time."""
        for tombstone in tombstones:
            if self.get(tombstone.number) is None:
                self._put(tombstone)

    def restore(self, shown: Mapping[int, Version]) -> None:
        """Remove the tombstones of dossiers that were shown after them."""
        for number, version in shown.items():
            tombstone = self.get(number)
            if tombstone is not None and tombstone.is_outlived_by(version):
                self._remove(number)

    def _remove_unlisted(self, snapshot: Snapshot) -> None:
        unlisted = [
            tombstone.number
            for tombstone in self.active()
            if tombstone.stage == PENDING
            and tombstone.group == snapshot.group
            and tombstone.read_at <= snapshot.read_at
            and tombstone.number not in snapshot
        ]
        for number in unlisted:
            self._remove(number)

    def _put(self, tombstone: Tombstone) -> None:
        known = self.get(tombstone.number)
        if known is None or replace(known, read_at=tombstone.read_at) != tombstone:
            self.removed.discard(tombstone.number)
            self.changed[tombstone.number] = tombstone
        elif tombstone.stage == PENDING and tombstone.number not in self.changed:
            # still pending is no change: the row of the loaded snapshot holds the new time
            self._confirmed[tombstone.number] = tombstone

    def _remove(self, number: int) -> None:
        self.changed.pop(number, None)
        if number in self.known:
            self.removed.add(number)
