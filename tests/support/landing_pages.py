"""Pages as reading gives them, landed without a service."""

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
from ds_provider.landing.layout import open_destination
from ds_provider.landing.manifest import Manifest, Part, read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.landing.writer import LandingWriter

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)


def date_of(number: int) -> datetime:
    return START + timedelta(seconds=number)


def row(number: int, **more: Any) -> Row:
    date = date_of(number).isoformat()
    raw = msgspec.json.encode({"number": number, "dateDepot": date, "dateDerniereModification": date, **more})
    return Row(raw, msgspec.json.decode(raw, type=RowHead))


def page(*numbers: int, requests: int = 1, **more: Any) -> Page:
    rows = [row(number, **more) for number in numbers]
    return Page(rows, requests, None)


def culprit(number: int, **more: Any) -> Quarantined:
    return Quarantined(number=number, message="Internal Server Error", **more)


def landed(zone: ObjectStoragePath, *pages: Page, groupe: int = 7, **asked: Any) -> LandingWriter:
    """A reading that was published."""
    landing = LandingWriter(zone, select_dossiers(groupe, **asked))
    for one in pages:
        landing.add(one)
    landing.publish()
    return landing


class Kept:
    """A checkpoint in memory, which keeps what JSON keeps."""

    def __init__(self) -> None:
        self.saved: list[str] = []

    def load(self) -> object | None:
        return json.loads(self.saved[-1]) if self.saved else None

    def save(self, value: dict[str, Any]) -> bool:
        self.saved.append(json.dumps(value))
        return True


class Failing(Kept):
    """One whose store fails."""

    def save(self, value: dict[str, Any]) -> bool:
        return False


def begun(zone: ObjectStoragePath, kept: Kept, *pages: Page, **asked: Any) -> LandingWriter:
    """A reading of which some pages are landed."""
    landing = LandingWriter(zone, select_dossiers(7, **asked), kept)
    for one in pages:
        landing.add(one)
    return landing


def finished(zone: ObjectStoragePath, kept: Kept, *pages: Page, **asked: Any) -> tuple[LandingWriter, int]:
    """A reading that was published, and how many of the pages it had to read: those with a row not landed before."""
    landing = begun(zone, kept, **asked)
    missing = [one for one in pages if any(row.head.number not in landing.landed for row in one.rows)]
    for one in missing:
        landing.add(one)
    landing.publish()
    return landing, len(missing)


def zone_at(path: Any) -> ObjectStoragePath:
    return open_destination(f"file://{path}")


def parts_in(folder: ObjectStoragePath) -> list[ObjectStoragePath]:
    """The parts in a folder, listed or not, by name."""
    return sorted((path for path in folder.iterdir() if path.name.endswith(".jsonl.gz")), key=lambda path: path.name)


def whole_parts(url: str) -> Manifest:
    """The manifest, once each file that it lists was found to be what it says."""
    manifest = read_manifest(url)
    for part in [*manifest.parts, *([manifest.quarantine] if manifest.quarantine else [])]:
        assert_whole(part, (ObjectStoragePath(url).parent / part.name).read_bytes())
    return manifest


def rows_of(url: str) -> list[int]:
    """The numbers of the rows that a reader gets, once each part was found to be whole."""
    whole_parts(url)
    return [node["number"] for node in iter_rows(url)]


def assert_whole(part: Part, stored: bytes) -> None:
    assert (len(stored), hashlib.sha256(stored).hexdigest()) == (part.bytes, part.sha256), f"{part.name} is not whole"
