"""Landed rows, read back."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import msgspec

from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.manifest import read_manifest


def iter_rows(manifest_url: str) -> Iterator[dict[str, Any]]:
    """Each landed node as the API sent it, decoded, part by part.

    :param manifest_url: a summary's ``manifest``.
    :raises DSDestinationError: if the manifest or a part that it lists is not there, or a part is not whole.
    """
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(manifest_url).parent
    for part in read_manifest(manifest_url).parts:
        rows = 0
        try:
            with (folder / part.name).open("rb") as file, gzip.open(file) as lines:
                for line in lines:
                    yield msgspec.json.decode(line)
                    rows += 1
        except Exception as error:  # noqa: BLE001 - every storage has errors of its own
            raise DSDestinationError(f"part {part.name} of {manifest_url} cannot be read: {error}") from None
        if rows != part.rows:
            raise DSDestinationError(f"part {part.name} of {manifest_url} holds {rows} rows, not {part.rows}")
