"""Extracts: what has landed and is to be loaded, sorted by stream."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, compress, islice

import msgspec

from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Includes
from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.landing.manifest import Manifest, read_manifest
from ds_provider.landing.rows import BATCH, iter_lines, lines_of, read_quarantine
from ds_provider.tables.instants import to_microseconds
from ds_provider.warehouse.tombstones import DELETED, PENDING, Snapshot, Tombstone


class _DeletedDossier(msgspec.Struct, rename="camel"):
    number: int
    state: str
    reason: str
    date_supression: datetime


@dataclass(frozen=True)
class LandedExtract:
    """Files of one extraction: a group's stream, whole or in one window.

    :param url: the URL of its manifest.
    """

    url: str
    manifest: Manifest

    @property
    def group(self) -> int:
        """Number of the groupe instructeur."""
        return self.manifest.groupe_instructeur_number

    @property
    def read_at(self) -> int:
        """Start of the extraction, in microseconds since the epoch."""
        return to_microseconds(self.manifest.read_started_at)

    @property
    def is_complete(self) -> bool:
        """Return whether nothing but the window chose its rows."""
        return all(name.startswith("include_") or name == "order" for name in self.manifest.selection)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the names of the parts of a dossier that were read; none for deletions."""
        if self.manifest.stream != DOSSIERS.name:
            return ()
        includes = vars(Includes()).items()
        return tuple(name for name, default in includes if self.manifest.selection.get(f"include_{name}", default))

    def quarantined_numbers(self) -> frozenset[int]:
        """Return the dossiers that the service lists but could not give."""
        quarantined = read_quarantine(self.url) if self.manifest.quarantined else []
        return frozenset(record.number for record in quarantined)

    def tombstones(self) -> Iterator[Tombstone]:
        """Yield the deletions that it lists."""
        decoder = msgspec.json.Decoder(_DeletedDossier)
        stage = DELETED if self.manifest.stream == DELETED_DOSSIERS.name else PENDING
        for line in chain.from_iterable(self.lines()):
            try:
                row = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise DSDestinationError(f"{self.url} holds a row that is no deletion: {error}") from None
            date = to_microseconds(row.date_supression)
            yield Tombstone(row.number, self.group, row.state, row.reason, date, stage, self.read_at)

    def snapshot(self) -> Snapshot:
        """Return its pending deletions as those of one moment."""
        tombstones = {tombstone.number: tombstone for tombstone in self.tombstones()}
        return Snapshot(self.group, self.read_at, tombstones, self.quarantined_numbers())

    def lines(self) -> Iterator[Sequence[bytes]]:
        """Yield its rows as they landed, in batches."""
        return iter_lines(self.url, self.manifest.parts)

    def lines_at(self, indexes: Sequence[int]) -> Iterator[Sequence[bytes]]:
        """Yield some of its rows as they landed, in batches. A part that holds none of them is not opened.

        :param indexes: their positions among all rows, in ascending order.
        """
        lines = self._lines_at(indexes)
        while batch := list(islice(lines, BATCH)):
            yield batch

    def _lines_at(self, indexes: Sequence[int]) -> Iterator[bytes]:
        first = 0
        for part in self.manifest.parts:
            start, stop = bisect_left(indexes, first), bisect_left(indexes, first + part.rows)
            if start < stop:
                is_wanted = bytearray(part.rows)
                for index in indexes[start:stop]:
                    is_wanted[index - first] = True
                yield from compress(lines_of(self.url, part), is_wanted)
            first += part.rows


@dataclass
class LandedExtracts:
    """Extracts by stream."""

    dossiers: list[LandedExtract] = field(default_factory=list)
    deleted: list[LandedExtract] = field(default_factory=list)
    pending: list[LandedExtract] = field(default_factory=list)

    def __iter__(self) -> Iterator[LandedExtract]:
        yield from (*self.dossiers, *self.deleted, *self.pending)

    @property
    def groups(self) -> set[int]:
        """Numbers of their groups."""
        return {extract.group for extract in self}

    def tombstones(self) -> Iterator[Tombstone]:
        """Return the definitive deletions."""
        return chain.from_iterable(extract.tombstones() for extract in self.deleted)

    def deleted_numbers(self) -> set[int]:
        """Return the dossiers in the lists of deletions, pending or definitive, quarantined ones included."""
        lists = (*self.pending, *self.deleted)
        numbers = {tombstone.number for extract in lists for tombstone in extract.tombstones()}
        return numbers.union(*(extract.quarantined_numbers() for extract in lists))

    def snapshots(self, since: dict[int, int]) -> list[Snapshot]:
        """Return the latest snapshot of each group's pending deletions.

        :param since: by group, the start of the latest snapshot that is loaded, in microseconds since the epoch: an
            earlier one is out of date.
        """
        current = [extract for extract in self.pending if extract.read_at >= since.get(extract.group, 0)]
        latest = {extract.group: extract for extract in sorted(current, key=lambda extract: extract.read_at)}
        return [extract.snapshot() for extract in latest.values()]


def open_extracts(urls: Iterable[str]) -> LandedExtracts:
    """Read the manifests at these URLs, each once.

    :raises DSConfigurationError: if one is of a stream that has no table.
    :raises DSDestinationError: if one is missing.
    """
    extracts = LandedExtracts()
    by_stream = {
        DOSSIERS.name: extracts.dossiers,
        DELETED_DOSSIERS.name: extracts.deleted,
        PENDING_DELETED_DOSSIERS.name: extracts.pending,
    }
    for url in dict.fromkeys(urls):
        extract = LandedExtract(url, read_manifest(url))
        stream = extract.manifest.stream
        if stream not in by_stream:
            raise DSConfigurationError(f"manifests: {url} is of the stream {stream}, which has no table")
        by_stream[stream].append(extract)
    return extracts
