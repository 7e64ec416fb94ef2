"""One reading of one stream of one group, from its first page to the moment that readers see it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.query.selection import Selection
from ds_provider.exceptions import DSDestinationError, DSError
from ds_provider.landing.checkpoint import Checkpointer, CheckpointStore
from ds_provider.landing.layout import fingerprint, folder_of, new_generation
from ds_provider.landing.manifest import MANIFEST, Manifest, Part, find_manifest, replace_manifest
from ds_provider.landing.orphans import remove_orphans
from ds_provider.landing.parts import PartWriter, write_part
from ds_provider.landing.quarantine import add, pending, resolve
from ds_provider.landing.resume import resume
from ds_provider.landing.storage import make_folder, names_in

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)


class LandingWriter:
    """Collects pages and publishes them at once.

    Every reading writes parts under names of its own. The manifest is replaced in one step, last; the parts of the
    reading that it replaces stay until the next replacement, for those who are still reading them.

    :param zone: the landing zone.
    :param selection: what is being read.
    :param checkpoint: where this reading says how far it came, and an earlier try of it may have. Without it, a reading
        that is interrupted is read anew.
    :param started: when the service was first asked, if that was before now.
    """

    def __init__(
        self,
        zone: ObjectStoragePath,
        selection: Selection,
        checkpoint: CheckpointStore | None = None,
        started: datetime | None = None,
    ) -> None:
        self.selection = selection
        self.folder = folder_of(zone, selection)
        self.rows = self.pages = self.requests = 0
        self.first_date: datetime | None = None
        self._last_date: datetime | None = None
        self._newer: datetime | None = None
        #: the dossiers asked for by number that are not to be had: of which nothing is shown, and beyond our rights
        self.gone: set[int] = set()
        self.foreign: set[int] = set()
        #: what was taken over from an earlier try: each number with its date on the sort column
        self.landed: dict[int, datetime] = {}
        self._zone = zone
        self._generation = new_generation()
        self._started = started or datetime.now(timezone.utc)
        self._writer = PartWriter(self.folder, self._generation)
        self._taken: list[Part] = []
        self._quarantined: dict[int, Quarantined] = {}
        self._healed: set[int] = set()
        self._bookmark = Checkpointer(checkpoint, self.folder, selection)
        with self._storage_errors():
            make_folder(self.folder)
            # before the first page: a storage that will not be read back fails before anything is asked
            self._previous = find_manifest(self.folder)
            self._pending = frozenset(pending(zone, selection))
            self._resume()

    def add(self, page: Page) -> None:
        """Write a page's rows. Pages may come in any order, but from one thread.

        :raises DSDestinationError: if the storage refuses them.
        """
        self._note([(row.head.number, row.date(self.selection.sort_column)) for row in page.rows])
        self._newer = min(filter(None, (self._newer, page.newer)), default=None)
        # before the first byte, so that whatever is on the disk can be found
        if page.rows and not self._bookmark.tried:
            self._save()
        closed = len(self._writer.parts)
        with self._storage_errors():
            self._writer.write([row.raw for row in page.rows])
        self.rows += len(page.rows)
        self.pages += 1
        self.requests += page.requests
        self.gone.update(page.gone)
        self.foreign.update(page.foreign)
        if len(self._writer.parts) > closed:
            self._save()

    def quarantine(self, record: Quarantined) -> None:
        """Note a dossier that the service lists but cannot give."""
        self._quarantined[record.number] = record

    def publish(self) -> Manifest:
        """Make the reading the one that readers see, and return its manifest.

        :raises DSDestinationError: if the storage refuses.
        """
        with self._storage_errors():
            self._writer.close()
            self._check_parts()
            manifest = self._manifest()
            replace_manifest(self.folder, manifest, self._generation)
        self._tidy(manifest)
        return manifest

    def suspend(self) -> None:
        """Keep what was landed of a reading that failed for the next try; where there can be none, remove it."""
        # what cannot be closed is found as what a killed reading left
        with contextlib.suppress(Exception):
            self._writer.close()
        if self.rows:
            self._save()
        if not self._bookmark.kept:
            self.abort()

    def abort(self) -> None:
        """Remove what was written of a reading that failed; what readers see stays as it was."""
        # what cannot be removed now is removed as an orphan later
        with contextlib.suppress(Exception):
            self._writer.abort()

    @property
    def last_date(self) -> datetime | None:
        """From where on the next reading misses nothing: a row that changed while it was read is landed once, as it was
        first, and is still to be read as it is now."""
        return min(filter(None, (self._last_date, self._newer)), default=None)

    @property
    def manifest_url(self) -> str:
        return str(self.folder / MANIFEST)

    @property
    def pending(self) -> frozenset[int]:
        """The dossiers that earlier runs could not read and none has read since."""
        return self._pending

    @property
    def quarantined(self) -> list[Quarantined]:
        """The dossiers that the service lists but could not give, by number."""
        return [self._quarantined[number] for number in sorted(self._quarantined)]

    def _note(self, rows: Collection[tuple[int, datetime]]) -> None:
        if not rows:
            return
        if self._pending:
            self._healed |= self._pending.intersection(number for number, _ in rows)
        # a dossier that an earlier run could not read may lie anywhere: it says nothing of how far this one came
        dates = [date for _, date in rows if self._is_in_window(date)]
        self.first_date = min(filter(None, (self.first_date, *dates)), default=None)
        self._last_date = max(filter(None, (self._last_date, *dates)), default=None)

    def _is_in_window(self, date: datetime) -> bool:
        window = self.selection.window
        if window is None:
            return True
        after = window.read_from is None or date >= window.read_from.replace(microsecond=0)
        return after and (window.end is None or date < window.end)

    def _resume(self) -> None:
        progress = self._bookmark.find(self._previous)
        if progress is None:
            return
        taken = resume(self.folder, progress, self.selection.sort_column, self._writer)
        self._taken, self.landed, self.rows = taken.parts, taken.landed, taken.rows
        self.pages, self.requests = progress.pages + taken.pages, progress.requests + taken.pages
        self._started = progress.read_started_at
        self._note(taken.landed.items())
        self._save()
        log.info("%s: going on from an earlier try, with %d rows in %d pages", self.folder, self.rows, self.pages)

    def _save(self) -> None:
        self._bookmark.save(
            generation=self._generation,
            previous=self._previous.generation if self._previous else None,
            parts=self._parts,
            pages=self.pages,
            requests=self.requests,
            read_started_at=self._started,
        )

    @property
    def _parts(self) -> list[Part]:
        return [*self._taken, *self._writer.parts]

    def _check_parts(self) -> None:
        """Parts may have been removed, by two other runs of this window or by a pruning, and a page may have failed."""
        gone = {part.name for part in self._parts}.difference(names_in(self.folder))
        if gone:
            raise DSDestinationError(
                f"parts were removed from {self.folder} while this try was reading ({', '.join(sorted(gone))}): "
                "run the task again, it reads them anew"
            )
        if (rows := sum(part.rows for part in self._parts)) != self.rows:
            raise DSDestinationError(
                f"{rows} of {self.rows} rows could be written to {self.folder}: run the task again"
            )

    def _manifest(self) -> Manifest:
        window = self.selection.window
        quarantine = self._write_quarantine()
        return Manifest(
            groupe_instructeur_number=self.selection.groupe_instructeur_number,
            stream=self.selection.stream.name,
            window=window.iso_bounds if window else None,
            window_column=window.column if window else None,
            read_from=window.read_from.isoformat() if window and window.read_from else None,
            selection=dict(self.selection.variants()),
            fingerprint=fingerprint(self.selection),
            rows=self.rows,
            bytes=sum(part.bytes for part in self._parts),
            pages=self.pages,
            requests=self.requests,
            quarantined=quarantine.rows if quarantine else 0,
            parts=self._parts,
            quarantine=quarantine,
            first_date=self.first_date,
            last_date=self.last_date,
            read_started_at=self._started,
            read_finished_at=datetime.now(timezone.utc),
            generation=self._generation,
            supersedes=self._previous.generation if self._previous else None,
        )

    def _write_quarantine(self) -> Part | None:
        """The quarantine part and, for the next run, the registry's entries: both are there before the manifest."""
        if not self._quarantined:
            return None
        for record in self.quarantined:
            add(self._zone, self.selection, record, self._generation)
        path = self.folder / f"{self._generation}-quarantine.jsonl.gz"
        return write_part(path, [msgspec.json.encode(record) for record in self.quarantined])

    def _tidy(self, manifest: Manifest) -> None:
        """A leftover costs space or a request, not truth: it is not worth failing a reading that is published."""
        with contextlib.suppress(Exception):
            for number in self._healed - self._quarantined.keys():
                resolve(self._zone, self.selection, number)
        with contextlib.suppress(Exception):
            remove_orphans(self.folder, manifest, self._previous)

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except DSDestinationError as error:
            raise self._locate(error) from None
        except Exception as error:  # noqa: BLE001 - every storage has errors of its own
            reason = f"{self.folder} cannot be written: {type(error).__name__}: {error}"
            raise self._locate(DSDestinationError(reason)) from None

    def _locate(self, error: DSError) -> DSError:
        selection = self.selection
        return error.locate(groupe_instructeur_number=selection.groupe_instructeur_number, stream=selection.stream.name)
