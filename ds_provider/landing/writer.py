"""Landing writer: one extraction of one stream of one group, from its first page to the moment that readers see it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import RowHead
from ds_provider.api.transport.clock import ServiceClock
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.checkpoint import Checkpointer, CheckpointStore
from ds_provider.landing.layout import MANIFEST, LandingTarget, new_generation, quarantine_part_name
from ds_provider.landing.manifest import Manifest, Part, find_manifest, replace_manifest
from ds_provider.landing.orphans import remove_orphans
from ds_provider.landing.parts import PartWriter, write_part
from ds_provider.landing.quarantine import QuarantineRegistry
from ds_provider.landing.resume import closed_parts, open_pages
from ds_provider.landing.storage import make_folder, storage_errors
from ds_provider.wording import counted

log = logging.getLogger(__name__)


class LandingWriter:
    """Writes pages and publishes them at once.

    Every extraction writes parts under names of its own. The manifest is replaced in one step, last; the parts of the
    extract that it replaces stay until the next replacement, for readers that have begun on them.

    :ivar groupe_label: the group's label in the service, once anything said it.
    :ivar landed: the rows resumed from an earlier try, each number with its date on the date column.
    :ivar pending: the dossiers that earlier runs could not read and none has read since.
    :ivar not_found: the dossiers asked for by number that the service does not show.
    :ivar unauthorized: those on which the token has no right.
    :param target: where the selection lands.
    :param store: where this extraction saves its checkpoints, and an earlier try may have. Without it, an extraction
        that is interrupted begins anew.
    :param started: the reading of the clock when the service was first asked, if that was before now.
    :param clock: the service's, by which extracts are ordered; without one, this worker's.
    :param requests: returns how many requests the client has sent so far.
    """

    def __init__(
        self,
        target: LandingTarget,
        store: CheckpointStore | None = None,
        *,
        started: float | None = None,
        clock: ServiceClock | None = None,
        requests: Callable[[], int] = lambda: 0,
    ) -> None:
        self.selection = target.selection
        self.folder = target.folder
        self.rows = self.pages = 0
        self.demarche_number: int | None = None
        self.groupe_label: str | None = None
        self.first_date: datetime | None = None
        self.not_found: set[int] = set()
        self.unauthorized: set[int] = set()
        self.landed: dict[int, datetime] = {}
        self._last_date: datetime | None = None
        self._earliest_change: datetime | None = None
        self._generation = new_generation()
        self._clock = clock or ServiceClock()
        self._began = started or self._clock.read()
        self._resumed_start: datetime | None = None
        self._requests = requests
        self._requests_before = requests()
        self._writer = PartWriter(self.folder, self._generation)
        self._resumed: list[Part] = []
        self._registry = QuarantineRegistry(target)
        self._quarantined: dict[int, Quarantined] = {}
        self._healed: set[int] = set()
        self._fingerprint = target.fingerprint
        self._checkpointer = Checkpointer(store, self.folder, self._fingerprint)
        with self._storage_errors():
            make_folder(self.folder)
            # before the first page: a storage that will not be read back fails before anything is asked
            self._previous = find_manifest(self.folder)
            self.pending = frozenset(self._registry.pending_numbers())
            self._resume()

    def add(self, page: Page) -> None:
        """Write a page's rows. Pages may come in any order, but from one thread.

        :raises DSDestinationError: if the storage refuses them.
        """
        for row in page.rows:
            self._note(row.head.number, row.date(self.selection.date_column))
        self.groupe_label = self.groupe_label or page.groupe_label
        if page.rows:
            self._note_names(page.rows[0].head)
        self._earliest_change = min(filter(None, (self._earliest_change, page.earliest_change)), default=None)
        # before the first byte, so that whatever is on the disk can be found
        if page.rows and not self._checkpointer.tried:
            # this page's own requests count once it is resumed: each page takes at least one
            self._save_checkpoint(requests=self.pages)
        closed = len(self._writer.parts)
        with self._storage_errors():
            self._writer.write([row.raw for row in page.rows])
        self.rows += len(page.rows)
        self.pages += 1
        self.not_found.update(page.not_found)
        self.unauthorized.update(page.unauthorized)
        self._quarantined |= {record.number: record for record in page.quarantined}
        if len(self._writer.parts) > closed:
            self._save_checkpoint(self.requests)

    def publish(self) -> Manifest:
        """Make the extract the one that readers see, and return its manifest.

        :raises DSDestinationError: if the storage refuses.
        """
        with self._storage_errors():
            self._writer.close()
            if (rows := sum(part.rows for part in self._parts)) != self.rows:
                raise DSDestinationError(
                    f"{rows} of {counted(self.rows, 'row')} could be written to {self.folder}: run the task again"
                )
            manifest = self._manifest()
            replace_manifest(self.folder, manifest, self._generation)
        self._tidy(manifest)
        return manifest

    def suspend(self) -> None:
        """Keep the rows of an extraction that failed for the next try; remove them if no try can find them.

        What readers see stays as it was.
        """
        # what cannot be closed is found as what a killed extraction left
        with contextlib.suppress(Exception):
            self._writer.close()
        if self.rows:
            self._save_checkpoint(self.requests)
        if not self._checkpointer.kept:
            # what cannot be removed now is removed as an orphan later
            with contextlib.suppress(Exception):
                self._writer.abort()

    @property
    def requests(self) -> int:
        """Count of the requests that all tries have sent, as far as their checkpoints say it."""
        return self._requests() - self._requests_before

    @property
    def last_date(self) -> datetime | None:
        """Date from which the next extraction misses nothing.

        A row that changed while it was read is landed once, as it was first, and is still to be read as it is now.
        """
        return min(filter(None, (self._last_date, self._earliest_change)), default=None)

    @property
    def manifest_url(self) -> str:
        """URL of the manifest."""
        return str(self.folder / MANIFEST)

    @property
    def quarantined(self) -> list[Quarantined]:
        """Dossiers that the service lists but could not give, by number."""
        return [self._quarantined[number] for number in sorted(self._quarantined)]

    @property
    def started(self) -> datetime:
        """Start of the first try, by the service's clock. It is known better once the service has answered."""
        return self._resumed_start or self._clock.at(self._began)

    def _note(self, number: int, date: datetime) -> None:
        if number in self.pending:
            self._healed.add(number)
        # a dossier that an earlier run could not read may lie anywhere: it says nothing of how far this one came
        if self._is_in_window(date):
            self.first_date = min(self.first_date or date, date)
            self._last_date = max(self._last_date or date, date)

    def _is_in_window(self, date: datetime) -> bool:
        window = self.selection.window
        if window is None:
            return True
        begins = window.read_from is None or date >= window.read_from.replace(microsecond=0)
        return begins and (window.end is None or date < window.end)

    def _resume(self) -> None:
        checkpoint = self._checkpointer.find(self._previous)
        if checkpoint is None:
            return
        for part, heads in closed_parts(self.folder, checkpoint, self.selection.date_column):
            self._resumed.append(part)
            self._add_landed(heads)
        copied = 0
        for member, heads in open_pages(self.folder, checkpoint, self.selection.date_column):
            self._writer.append(member)
            self._add_landed(heads)
            copied += 1
        self._writer.close()
        self.pages = checkpoint.pages + copied
        # a page that no checkpoint counted took at least one request
        self._requests_before -= checkpoint.requests + copied
        self._resumed_start = checkpoint.read_started_at
        for number, date in self.landed.items():
            self._note(number, date)
        self._save_checkpoint(self.requests)
        rows, pages = counted(self.rows, "row"), counted(self.pages, "page")
        group = self.selection.groupe_instructeur_number
        log.info("group %d: going on after %s in %s of an earlier try", group, rows, pages)

    def _add_landed(self, heads: list[RowHead]) -> None:
        self.rows += len(heads)
        for head in heads:
            date = head.date(self.selection.date_column)
            # a row that changed between two tries is there twice
            self.landed[head.number] = max(date, self.landed.get(head.number, date))
            self._note_names(head)

    def _note_names(self, head: RowHead) -> None:
        self.demarche_number = self.demarche_number or head.demarche_number
        self.groupe_label = self.groupe_label or head.label_of(self.selection.groupe_instructeur_number)

    def _save_checkpoint(self, requests: int) -> None:
        self._checkpointer.save(
            generation=self._generation,
            previous=self._previous.generation if self._previous else None,
            parts=self._parts,
            pages=self.pages,
            requests=requests,
            read_started_at=self.started,
        )

    @property
    def _parts(self) -> list[Part]:
        return [*self._resumed, *self._writer.parts]

    def _manifest(self) -> Manifest:
        window = self.selection.window
        quarantine = self._write_quarantine()
        return Manifest(
            groupe_instructeur_number=self.selection.groupe_instructeur_number,
            groupe_instructeur_label=self.groupe_label,
            stream=self.selection.stream.name,
            demarche_number=self.demarche_number,
            window=window.iso_bounds if window else None,
            date_column=window.date_column if window else None,
            read_from=window.read_from.isoformat() if window and window.read_from else None,
            selection=self.selection.variants(),
            fingerprint=self._fingerprint,
            rows=self.rows,
            bytes=sum(part.bytes for part in self._parts),
            pages=self.pages,
            requests=self.requests,
            quarantined=quarantine.rows if quarantine else 0,
            parts=self._parts,
            quarantine=quarantine,
            first_date=self.first_date,
            last_date=self.last_date,
            read_started_at=self.started,
            read_finished_at=max(self.started, self._clock.now()),
            clock_correction=self._clock.correction,
            generation=self._generation,
            supersedes=self._previous.generation if self._previous else None,
        )

    def _write_quarantine(self) -> Part | None:
        """Write the quarantine part and the registry's entries for the next run: both are there before the manifest."""
        if not self._quarantined:
            return None
        for record in self.quarantined:
            self._registry.add(record, self._generation)
        path = self.folder / quarantine_part_name(self._generation)
        return write_part(path, [msgspec.json.encode(record) for record in self.quarantined])

    def _tidy(self, manifest: Manifest) -> None:
        """Remove what is no longer needed. It costs space or a request, not truth: it is not worth failing for."""
        with contextlib.suppress(Exception):
            for number in self._healed - self._quarantined.keys():
                self._registry.remove(number)
        with contextlib.suppress(Exception):
            remove_orphans(self.folder, manifest, self._previous)

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            with storage_errors(f"{self.folder} cannot be written"):
                yield
        except DSDestinationError as error:
            raise self.selection.add_context(error) from None
