"""What landed, read back."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import msgspec

from ds_provider.api.quarantine import Quarantined
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.manifest import Part, read_manifest


def iter_rows(manifest_url: str) -> Iterator[dict[str, Any]]:
    """Each landed node as the API sent it, decoded, part by part.

    :param manifest_url: a summary's ``manifest``.
    :raises DSDestinationError: if the manifest or a part that it lists is not there, or a part is not whole.
    """
    for part in read_manifest(manifest_url).parts:
        yield from _decoded(manifest_url, part, dict[str, Any])


def read_quarantine(manifest_url: str) -> list[Quarantined]:
    """The dossiers that the service lists but could not give, by number.

    :param manifest_url: a summary's ``manifest``.
    :raises DSDestinationError: as for rows.
    """
    part = read_manifest(manifest_url).quarantine
    return list(_decoded(manifest_url, part, Quarantined)) if part else []


def _decoded(manifest_url: str, part: Part, kind: type[Any]) -> Iterator[Any]:
    """A part's lines, and an error at its end if there were more or fewer than it should hold."""
    from airflow.sdk import ObjectStoragePath

    decoder = msgspec.json.Decoder(kind)
    rows = 0
    try:
        with (ObjectStoragePath(manifest_url).parent / part.name).open("rb") as file, gzip.open(file) as lines:
            for line in lines:
                yield decoder.decode(line)
                rows += 1
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        raise DSDestinationError(f"part {part.name} of {manifest_url} cannot be read: {error}") from None
    if rows != part.rows:
        raise DSDestinationError(f"part {part.name} of {manifest_url} holds {rows} rows, not {part.rows}")
