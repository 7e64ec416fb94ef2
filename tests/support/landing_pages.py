"""Pages as the reader yields them, landed without a service."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from airflow.sdk import ObjectStoragePath

from ds_provider.api.paging.pages import Page
from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import Row, RowHead
from ds_provider.api.query.parameters import select_dossiers
from ds_provider.api.query.selection import Selection
from ds_provider.landing import iter_rows
from ds_provider.landing.checkpoint import CheckpointStore
from ds_provider.landing.layout import LandingTarget
from ds_provider.landing.manifest import Manifest, Part, read_manifest
from ds_provider.landing.quarantine import QuarantineRegistry
from ds_provider.landing.storage import open_destination
from ds_provider.landing.writer import LandingWriter

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)


def date_of(number: int) -> datetime:
    return START + timedelta(seconds=number)


def row(number: int, **more: Any) -> Row:
    date = date_of(number).isoformat()
    raw = msgspec.json.encode({"number": number, "dateDepot": date, "dateDerniereModification": date, **more})
    return Row(raw, msgspec.json.decode(raw, type=RowHead))


def page(*numbers: int, **more: Any) -> Page:
    """Return a page of rows.

    :param more: fields of each row.
    """
    return Page([row(number, **more) for number in numbers])


def poison_page(*numbers: int, **more: Any) -> Page:
    """Return a page without rows, whose dossiers cannot be read.

    :param more: fields of each record.
    """
    return Page([], quarantined=[poison(number, **more) for number in numbers])


def poison(number: int, **more: Any) -> Quarantined:
    return Quarantined(number=number, message="Internal Server Error", **more)


def writer_at(zone: ObjectStoragePath, selection: Selection, *args: Any, **kwargs: Any) -> LandingWriter:
    return LandingWriter(LandingTarget.of(zone, selection), *args, **kwargs)


def land(zone: ObjectStoragePath, *pages: Page, groupe: int = 7, **asked: Any) -> LandingWriter:
    """Return the writer of an extract that was published."""
    writer = writer_at(zone, select_dossiers(groupe, **asked))
    for one in pages:
        writer.add(one)
    writer.publish()
    return writer


class MemoryStore:
    """Store of checkpoints in memory, which keeps what JSON keeps."""

    def __init__(self) -> None:
        self.saved: list[str] = []

    def load(self) -> object | None:
        return json.loads(self.saved[-1]) if self.saved else None

    def save(self, value: dict[str, Any]) -> bool:
        self.saved.append(json.dumps(value))
        return True


class FailingStore(MemoryStore):
    """Store that never saves."""

    def save(self, value: dict[str, Any]) -> bool:
        return False


class SentRequests:
    """Count of the requests that a client has sent, as its driver keeps it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count

    def land(self, writer: LandingWriter, one: Page, requests: int = 1) -> None:
        """Add a page that took some requests."""
        self.count += requests
        writer.add(one)


def begin(zone: ObjectStoragePath, store: CheckpointStore | None, *pages: Page, **asked: Any) -> LandingWriter:
    """Return the writer of an extraction that landed some pages and is not over."""
    writer = writer_at(zone, select_dossiers(7, **asked), store)
    for one in pages:
        writer.add(one)
    return writer


def finish(
    zone: ObjectStoragePath, store: CheckpointStore | None, *pages: Page, **asked: Any
) -> tuple[LandingWriter, int]:
    """Resume and publish an extraction. Return its writer, and how many pages had a row that was not landed before."""
    writer = begin(zone, store, **asked)
    missing = [one for one in pages if any(row.head.number not in writer.landed for row in one.rows)]
    for one in missing:
        writer.add(one)
    writer.publish()
    return writer, len(missing)


def zone_at(path: Any) -> ObjectStoragePath:
    return open_destination(f"file://{path}")


def parts_in(folder: ObjectStoragePath) -> list[ObjectStoragePath]:
    """Return the parts in a folder, listed or not, by name."""
    return sorted((path for path in folder.iterdir() if path.name.endswith(".jsonl.gz")), key=lambda path: path.name)


def checked_manifest(url: str) -> Manifest:
    """Return the manifest, and fail if a file that it lists is not what it says."""
    manifest = read_manifest(url)
    for part in [*manifest.parts, *([manifest.quarantine] if manifest.quarantine else [])]:
        assert_whole(part, (ObjectStoragePath(url).parent / part.name).read_bytes())
    return manifest


def rows_of(url: str) -> list[int]:
    """Return the numbers of the rows that a reader gets, and fail if a part is not whole."""
    checked_manifest(url)
    return [node["number"] for node in iter_rows(url)]


def pending_numbers(zone: ObjectStoragePath, selection: Selection) -> list[int]:
    """Return the dossiers that wait in a selection's quarantine registry."""
    return QuarantineRegistry(LandingTarget.of(zone, selection)).pending_numbers()


def assert_whole(part: Part, stored: bytes) -> None:
    assert (len(stored), hashlib.sha256(stored).hexdigest()) == (part.bytes, part.sha256), f"{part.name} is not whole"
