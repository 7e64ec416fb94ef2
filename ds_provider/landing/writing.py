"""One reading of one stream of one group, from its first page to the moment that readers see it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import msgspec

from ds_provider.api.reading import Page
from ds_provider.api.streams import Selection
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.layout import fingerprint, folder_of, make_folder, new_generation
from ds_provider.landing.manifest import MANIFEST, Manifest, find_manifest
from ds_provider.landing.parts import PartWriter

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# a reading that was killed leaves parts that no manifest lists; none is still being written after so long
ORPHANS_LIVE = timedelta(days=7)

_GENERATION = re.compile(r"\.?(\d{8}T\d{6}-[0-9a-f]{8})-")


class Landing:
    """Collects pages and publishes them at once.

    Every reading writes parts under names of its own. The manifest is replaced in one step, last; the parts of the
    reading that it replaces stay until the next replacement, for those who are still reading them.

    :param zone: the landing zone.
    :param selection: what is being read.
    """

    def __init__(self, zone: ObjectStoragePath, selection: Selection) -> None:
        self.selection = selection
        self.folder = folder_of(zone, selection)
        self.rows = self.pages = self.requests = 0
        self.first_date: datetime | None = None
        self.last_date: datetime | None = None
        self._generation = new_generation()
        self._started = datetime.now(timezone.utc)
        self._writer = PartWriter(self.folder, self._generation)
        with self._storage_errors():
            make_folder(self.folder)
            # before the first page: a storage that will not be read back fails before anything is asked
            self._previous = find_manifest(self.folder)

    def add(self, page: Page) -> None:
        """Write a page's rows.

        :raises DSDestinationError: if the storage refuses them.
        """
        with self._storage_errors():
            self._writer.write(row.raw for row in page.rows)
        self.rows += len(page.rows)
        self.pages += 1
        self.requests += page.requests
        for row in page.rows:
            self._note_date(row.date(self.selection.sort_column))

    def publish(self) -> Manifest:
        """Make the reading the one that readers see, and return its manifest.

        :raises DSDestinationError: if the storage refuses.
        """
        with self._storage_errors():
            self._writer.close()
            manifest = self._manifest()
            self._replace_manifest(manifest)
        # a leftover costs space, not truth: it is not worth failing a reading that is published
        with contextlib.suppress(Exception):
            self._remove_leftovers()
        return manifest

    def abort(self) -> None:
        """Remove what was written of a reading that failed; what readers see stays as it was."""
        # what cannot be removed now is removed as an orphan later
        with contextlib.suppress(Exception):
            self._writer.abort()

    @property
    def manifest_url(self) -> str:
        return str(self.folder / MANIFEST)

    def _note_date(self, date: datetime) -> None:
        self.first_date = min(self.first_date or date, date)
        self.last_date = max(self.last_date or date, date)

    def _manifest(self) -> Manifest:
        window = self.selection.window
        return Manifest(
            groupe_instructeur_number=self.selection.groupe_instructeur_number,
            stream=self.selection.stream.name,
            window=window.iso_bounds if window else None,
            window_column=window.column if window else None,
            read_from=window.read_from.isoformat() if window and window.read_from else None,
            selection=dict(self.selection.variants()),
            fingerprint=fingerprint(self.selection),
            rows=self.rows,
            bytes=sum(part.bytes for part in self._writer.parts),
            pages=self.pages,
            requests=self.requests,
            quarantined=0,
            parts=self._writer.parts,
            first_date=self.first_date,
            last_date=self.last_date,
            read_started_at=self._started,
            read_finished_at=datetime.now(timezone.utc),
            generation=self._generation,
            supersedes=self._previous.generation if self._previous else None,
        )

    def _replace_manifest(self, manifest: Manifest) -> None:
        """In one step: an object store replaces an object whole, a file system renames."""
        target = self.folder / MANIFEST
        local = self.folder.protocol in ("", "file")
        written = self.folder / f".{self._generation}-{MANIFEST}" if local else target
        written.fs.pipe_file(written.path, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        if local:
            written.fs.mv(written.path, target.path)

    def _remove_leftovers(self) -> None:
        """Remove what the last replacement left, and what killed readings left long ago. Never what may be in use."""
        horizon = (self._started - ORPHANS_LIVE).strftime("%Y%m%dT%H%M%S")
        previous = self._previous
        kept = {self._generation, previous.generation if previous else None}
        for path in self.folder.iterdir():
            named = _GENERATION.match(path.name)
            generation = named.group(1) if named else None
            if generation is None or generation in kept:
                continue
            if generation < horizon or (previous and generation == previous.supersedes):
                path.unlink()

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except DSDestinationError:
            raise
        except Exception as error:  # noqa: BLE001 - every storage has errors of its own
            raise DSDestinationError(f"{self.folder} cannot be written: {type(error).__name__}: {error}").locate(
                groupe_instructeur_number=self.selection.groupe_instructeur_number, stream=self.selection.stream.name
            ) from None
