"""Rows of an extract, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec
from isal import igzip

from ds_provider.api.paging.quarantine import Quarantined
from ds_provider.api.paging.rows import decode_node
from ds_provider.exceptions import DSDestinationError
from ds_provider.landing.manifest import Part, read_manifest
from ds_provider.wording import counted

T = TypeVar("T")

BATCH = 500

# it comes without annotations
gunzip: Any = igzip.open

_quarantined_decoder = msgspec.json.Decoder(Quarantined)


def iter_rows(manifest_url: str) -> Iterator[dict[str, Any]]:
    """Yield each landed node as the API sent it, decoded, part by part.

    :param manifest_url: a summary's ``manifest``.
    :raises DSDestinationError: if the manifest or a part that it lists is not there, or a part is not whole.
    """
    for part in read_manifest(manifest_url).parts:
        yield from _decoded(manifest_url, part, decode_node)


def iter_lines(manifest_url: str, parts: Iterable[Part], size: int = BATCH) -> Iterator[list[bytes]]:
    """Yield lines as landed, undecoded, each without its newline: batch after batch, all full but the last.

    :param parts: those of the manifest, as it was read: one that takes its place meanwhile is of another extraction.
    :param size: how many lines a batch holds.
    :raises DSDestinationError: as for rows. A line that is no JSON shows when it is decoded.
    """
    lines = (line for part in parts for line in lines_of(manifest_url, part))
    while batch := list(islice(lines, size)):
        yield batch


def read_quarantine(manifest_url: str) -> list[Quarantined]:
    """Return the dossiers that the service lists but could not give, by number.

    :param manifest_url: a summary's ``manifest``.
    :raises DSDestinationError: as for rows.
    """
    part = read_manifest(manifest_url).quarantine
    return list(_decoded(manifest_url, part, _quarantined_decoder.decode)) if part else []


def lines_of(manifest_url: str, part: Part) -> Iterator[bytes]:
    """Yield one part's lines, and raise at its end if there were more or fewer than it should hold."""
    from airflow.sdk import ObjectStoragePath

    rows = 0
    try:
        with (ObjectStoragePath(manifest_url).parent / part.name).open("rb") as file, gunzip(file) as lines:
            for line in lines:
                yield line.rstrip(b"\n")
                rows += 1
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        raise _unreadable(manifest_url, part, error) from None
    if rows != part.rows:
        raise DSDestinationError(f"part {part.name} of {manifest_url} holds {counted(rows, 'row')}, not {part.rows}")


def _decoded(manifest_url: str, part: Part, decode: Callable[[bytes], T]) -> Iterator[T]:
    try:
        yield from map(decode, lines_of(manifest_url, part))
    except msgspec.DecodeError as error:
        raise _unreadable(manifest_url, part, error) from None


def _unreadable(manifest_url: str, part: Part, error: Exception) -> DSDestinationError:
    return DSDestinationError(f"part {part.name} of {manifest_url} cannot be read: {error}")
