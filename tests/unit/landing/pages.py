"""Pages as reading gives them, landed without a service."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from airflow.sdk import ObjectStoragePath

from ds_provider.api.parameters import select_dossiers
from ds_provider.api.reading import Head, Page, Row
from ds_provider.landing.layout import open_destination
from ds_provider.landing.manifest import Manifest, Part, read_manifest
from ds_provider.landing.rows import iter_rows
from ds_provider.landing.writing import Landing

START = datetime(2026, 11, 1, 8, tzinfo=timezone.utc)


def row(number: int, **more: Any) -> Row:
    date = START + timedelta(seconds=number)
    node = {"number": number, "dateDepot": date.isoformat(), "dateDerniereModification": date.isoformat(), **more}
    raw = msgspec.json.encode(node)
    return Row(raw, msgspec.json.decode(raw, type=Head))


def page(*numbers: int, requests: int = 1, **more: Any) -> Page:
    rows = [row(number, **more) for number in numbers]
    return Page(rows, requests, None)


def landed(zone: ObjectStoragePath, *pages: Page, groupe: int = 7, **asked: Any) -> Landing:
    """A reading that was published."""
    landing = Landing(zone, select_dossiers(groupe, **asked))
    for one in pages:
        landing.add(one)
    landing.publish()
    return landing


def zone_at(path: Any) -> ObjectStoragePath:
    return open_destination(f"file://{path}")


def whole_parts(url: str) -> Manifest:
    """The manifest, once each part that it lists was found to be what it says."""
    manifest = read_manifest(url)
    for part in manifest.parts:
        assert_whole(part, (ObjectStoragePath(url).parent / part.name).read_bytes())
    return manifest


def rows_of(url: str) -> list[int]:
    """The numbers of the rows that a reader gets, once each part was found to be whole."""
    whole_parts(url)
    return [node["number"] for node in iter_rows(url)]


def assert_whole(part: Part, stored: bytes) -> None:
    assert (len(stored), hashlib.sha256(stored).hexdigest()) == (part.bytes, part.sha256), f"{part.name} is not whole"
