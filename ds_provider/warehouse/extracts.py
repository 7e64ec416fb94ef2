"""What is to be loaded: landed readings, sorted by what they are of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import msgspec

from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS
from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.landing.manifest import Manifest, read_manifest
from ds_provider.landing.rows import iter_lines, read_quarantine
from ds_provider.warehouse.tombstones import DELETED, PENDING, Snapshot, Tombstone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class _DeletedDossier(msgspec.Struct, rename="camel"):
    number: int
    state: str
    reason: str
    date_supression: datetime


@dataclass(frozen=True)
class LandedExtract:
    """One landed reading.

    :param url: of its manifest.
    """

    url: str
    manifest: Manifest

    @property
    def read(self) -> int:
        """When it began, in microseconds since the epoch."""
        return microseconds(self.manifest.read_started_at)

    @property
    def is_complete(self) -> bool:
        """Whether nothing but the window chose its rows."""
        chosen = self.manifest.selection.keys()
        return not any(not name.startswith("include_") and name != "order" for name in chosen)

    def unreadable(self) -> frozenset[int]:
        """The dossiers that the service lists but could not give."""
        quarantined = read_quarantine(self.url) if self.manifest.quarantined else []
        return frozenset(record.number for record in quarantined)

    def lines(self) -> Iterator[Sequence[bytes]]:
        """Its rows as they landed, in batches."""
        return iter_lines(self.url, self.manifest.parts)


@dataclass
class LandedExtracts:
    """Landed readings, by what they are of."""

    dossiers: list[LandedExtract] = field(default_factory=list)
    deleted: list[LandedExtract] = field(default_factory=list)
    pending: list[LandedExtract] = field(default_factory=list)

    def __iter__(self) -> Iterator[LandedExtract]:
        yield from (*self.dossiers, *self.deleted, *self.pending)

    @property
    def groupes(self) -> set[int]:
        """The groups that they are of."""
        return {reading.manifest.groupe_instructeur_number for reading in self}

    def tombstones(self) -> Iterator[Tombstone]:
        """The definitive deletions."""
        for reading in self.deleted:
            yield from _tombstones(reading, DELETED)

    def deleted_numbers(self) -> set[int]:
        """The dossiers that the lists of deletions name, of both kinds, also those of which no more can be read."""
        named = {stone.number for reading in self.pending for stone in _tombstones(reading, PENDING)}
        named |= {stone.number for stone in self.tombstones()}
        return named.union(*(reading.unreadable() for reading in (*self.pending, *self.deleted)))

    def snapshots(self, since: dict[int, int]) -> list[Snapshot]:
        """The latest snapshot of each group's pending deletions.

        :param since: by group, when the snapshot began that is loaded already: an earlier one says nothing any more.
        """
        latest: dict[int, LandedExtract] = {}
        for reading in sorted(self.pending, key=lambda reading: reading.read):
            groupe = reading.manifest.groupe_instructeur_number
            if reading.read >= since.get(groupe, 0):
                latest[groupe] = reading
        return [_snapshot(reading) for reading in latest.values()]


def open_extracts(urls: Iterable[str]) -> LandedExtracts:
    """The manifests at these URLs, each once.

    :raises DSDestinationError: if one is not there.
    """
    readings = LandedExtracts()
    by_stream = {
        DOSSIERS.name: readings.dossiers,
        DELETED_DOSSIERS.name: readings.deleted,
        PENDING_DELETED_DOSSIERS.name: readings.pending,
    }
    for url in dict.fromkeys(urls):
        reading = LandedExtract(url, read_manifest(url))
        if reading.manifest.stream not in by_stream:
            raise DSConfigurationError(f"manifests: {url} is of {reading.manifest.stream}, which no table is made of")
        by_stream[reading.manifest.stream].append(reading)
    return readings


def microseconds(instant: datetime) -> int:
    """Since the epoch."""
    delta = instant - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def instant(microseconds_since_epoch: int | None) -> datetime | None:
    """The same, as an instant."""
    return None if microseconds_since_epoch is None else _EPOCH + timedelta(microseconds=microseconds_since_epoch)


def _snapshot(reading: LandedExtract) -> Snapshot:
    stones = {stone.number: stone for stone in _tombstones(reading, PENDING)}
    return Snapshot(reading.manifest.groupe_instructeur_number, reading.read, stones, reading.unreadable())


def _tombstones(reading: LandedExtract, stage: str) -> Iterator[Tombstone]:
    decoder = msgspec.json.Decoder(_DeletedDossier)
    for lines in reading.lines():
        for line in lines:
            try:
                row = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise DSDestinationError(f"{reading.url} holds a row that is no deletion: {error}") from None
            yield Tombstone(
                number=row.number,
                groupe=reading.manifest.groupe_instructeur_number,
                state=row.state,
                reason=row.reason,
                date=microseconds(row.date_supression),
                stage=stage,
                read=reading.read,
            )
