"""What becomes of dossiers that the service hides, deletes or no longer shows.

A definitive deletion is final. All else may be taken back: a dossier that is shown after it was hidden is restored.
"After" is told by the readings, and where they may have overlapped also by the dossier itself, since to restore it
moves its date of last change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from ds_provider.warehouse.versions import Version

PENDING, DELETED, VANISHED = "pending", "deleted", "vanished"

SECOND = 1_000_000


class Held(Protocol):
    """The versions of dossiers that a warehouse holds."""

    def get(self, number: int, /) -> Version | None: ...


@dataclass(frozen=True)
class Tombstone:
    """What is known of a dossier that is not shown any more.

    :param stage: ``pending``, ``deleted`` or ``vanished``: in none of the service's lists.
    :param date: the service's date of the deletion, in microseconds since the epoch; none where it gives none.
    :param read: when the reading began that showed it, likewise: of what is pending the last, of all else the first.
    """

    number: int
    groupe: int | None
    state: str | None
    reason: str | None
    date: int | None
    stage: str
    read: int

    def outlived_by(self, version: Version | None) -> bool:
        """Whether a version of the dossier was shown after this."""
        if version is None or self.stage == DELETED or version.read <= self.read:
            return False
        # the readings may have overlapped: then the dossier's own dates tell
        return self.date is None or version.modified // SECOND >= self.date // SECOND


@dataclass(frozen=True)
class Snapshot:
    """The pending deletions of a group at one moment.

    :param read: when it was asked for, in microseconds since the epoch.
    :param unreadable: the dossiers that it lists, and of which no more is known.
    """

    groupe: int
    read: int
    tombstones: Mapping[int, Tombstone]
    unreadable: frozenset[int] = frozenset()

    def lists(self, number: int) -> bool:
        """Whether a dossier was hidden then."""
        return number in self.tombstones or number in self.unreadable


@dataclass
class TombstoneSet:
    """The tombstones of a warehouse, and how they change.

    :param known: those that it holds.
    :param changed: those that are new or other than they were.
    :param lifted: the numbers of those that are no more.
    """

    known: Mapping[int, Tombstone]
    changed: dict[int, Tombstone] = field(default_factory=dict)
    lifted: set[int] = field(default_factory=set)
    _confirmed: dict[int, Tombstone] = field(default_factory=dict)

    def get(self, number: int) -> Tombstone | None:
        """A dossier's tombstone, as it stands by now."""
        if number in self.lifted:
            return None
        return self.changed.get(number) or self._confirmed.get(number) or self.known.get(number)

    def stand(self) -> Iterable[Tombstone]:
        """All of them, as they stand by now."""
        yield from self.changed.values()
        gone = self.lifted | self.changed.keys()
        yield from (stone for number, stone in self.known.items() if number not in gone)

    def bury(self, stones: Iterable[Tombstone]) -> None:
        """Take in definitive deletions, whatever was known."""
        for stone in stones:
            self._put(stone)

    def hide(self, snapshots: Iterable[Snapshot], held: Held) -> None:
        """Take in pending deletions: those that a group's snapshot lists, and those that it lists no more."""
        snapshots = list(snapshots)
        for snapshot in snapshots:
            self._release(snapshot)
        for snapshot in snapshots:
            for number, stone in snapshot.tombstones.items():
                known = self.get(number)
                if (known is None or known.stage != DELETED) and not stone.outlived_by(held.get(number)):
                    self._put(stone)

    def mark_vanished(self, stones: Iterable[Tombstone]) -> None:
        """Take in dossiers that no list shows; since when is kept where that is known already."""
        for stone in stones:
            if self.get(stone.number) is None:
                self._put(stone)

    def show(self, shown: Mapping[int, Version]) -> None:
        """Take in dossiers that are shown: those that were hidden before are restored."""
        for number, version in shown.items():
            stone = self.get(number)
            if stone is not None and stone.outlived_by(version):
                self._lift(number)

    def _release(self, snapshot: Snapshot) -> None:
        gone = [
            stone.number
            for stone in self.stand()
            if stone.stage == PENDING
            and stone.groupe == snapshot.groupe
            and stone.read <= snapshot.read
            and not snapshot.lists(stone.number)
        ]
        for number in gone:
            self._lift(number)

    def _put(self, stone: Tombstone) -> None:
        standing = self.get(stone.number)
        if standing is None or replace(standing, read=stone.read) != stone:
            self.lifted.discard(stone.number)
            self.changed[stone.number] = stone
        elif stone.stage == PENDING and stone.number not in self.changed:
            # still pending is no change; that the snapshot was loaded says since when
            self._confirmed[stone.number] = stone

    def _lift(self, number: int) -> None:
        self.changed.pop(number, None)
        if number in self.known:
            self.lifted.add(number)
