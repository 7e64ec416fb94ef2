"""Where a reading lands: one folder per group, stream, window and, where it differs, way of reading.

``<destination>/groupe-<number>/<stream>/<window>[_<variant>]/``; what is read by dossier numbers has ``numbers`` in the
place of a window. The name depends only on what was asked for, so a second run finds the first and replaces it.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pendulum

from ds_provider.api.query import documents
from ds_provider.api.query.selection import Selection
from ds_provider.api.query.windows import Window
from ds_provider.exceptions import DSConfigurationError, DSDestinationError
from ds_provider.landing.storage import make_folder

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_EXAMPLE = "file:///data/ds or s3://my_conn@bucket/ds"


def open_destination(destination: object) -> ObjectStoragePath:
    """The landing zone behind a URL, proved writable by writing to it.

    :raises DSConfigurationError: if it is no URL that Airflow's object storage knows.
    :raises DSDestinationError: if nothing can be written there.
    """
    from airflow.sdk import ObjectStoragePath

    if not isinstance(destination, str) or not re.match(r"[a-z][a-z0-9+.-]*://|/", destination):
        raise DSConfigurationError(f"destination must be a URL such as {_EXAMPLE}: got {destination!r}")
    if destination.startswith("file://") and not re.match(r"file:///+[^/]", destination):
        raise DSConfigurationError(f"destination needs a whole path, as in file:///data/ds: got {destination!r}")
    try:
        zone = ObjectStoragePath(destination if "://" in destination else f"file://{destination}")
        zone.fs  # noqa: B018 - the file system is found, and its connection asked for, on first use
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        raise DSConfigurationError(f"destination {destination!r} cannot be used: {error}") from None
    _prove_writable(zone)
    return zone


def _prove_writable(zone: ObjectStoragePath) -> None:
    probe = zone / f".writable-{new_generation()}"
    try:
        make_folder(zone)
        with probe.open("wb") as file:
            file.write(b"")
        probe.unlink()
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        raise DSDestinationError(f"destination {zone} cannot be written: {type(error).__name__}: {error}") from None


def folder_of(zone: ObjectStoragePath, selection: Selection) -> ObjectStoragePath:
    """The folder in which a selection lands."""
    return zone / f"groupe-{selection.groupe_instructeur_number}" / selection.stream.name / extract_name(selection)


def extract_name(selection: Selection) -> str:
    """The window and, where it differs, the way of reading: what tells readings of one group's stream apart."""
    window = "numbers" if selection.numbers else _window_name(selection.window)
    return "_".join(part for part in (window, variant_of(selection)) if part)


def variant_of(selection: Selection) -> str:
    """A short name of what differs from a plain reading; empty where nothing does."""
    variants = selection.variants()
    return digest(variants)[:8] if variants else ""


def fingerprint(selection: Selection) -> str:
    """A hash of the query's text and of all that chooses the rows: equal where the same rows of the same shape are."""
    window = selection.window
    asked = {
        "query": documents.load(selection.stream.document),
        "groupe": selection.groupe_instructeur_number,
        "window": _window_name(window),
        "read_from": _stamp(window.read_from if window else None),
        "variants": selection.variants(),
    }
    return digest(asked)


def new_generation() -> str:
    """A name for one reading that no other has and that sorts by time."""
    return f"{pendulum.now('UTC').strftime('%Y%m%dT%H%M%S')}-{uuid4().hex[:8]}"


def _window_name(window: Window | None) -> str:
    if window is None:
        return "whole"
    start, end = (_stamp(bound) for bound in (window.start, window.end))
    return f"{window.column}_{start}_{end}"


def _stamp(bound: pendulum.DateTime | None) -> str:
    if bound is None:
        return "open"
    fraction = f".{bound.microsecond:06d}" if bound.microsecond else ""
    return f"{bound.in_timezone('UTC').strftime('%Y%m%dT%H%M%S')}{fraction}Z"


def digest(value: object) -> str:
    """A hash of plain data, the same for equal data."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
