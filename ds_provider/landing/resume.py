"""Resuming: the parts of an earlier try, checked to the byte and kept.

Nothing of the earlier try is changed: its process may still be alive, and a part that it has open is still its own.
So the parts that it closed are listed as they are, and the whole pages of its open part are to be copied.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from ds_provider.api.paging.rows import RowHead
from ds_provider.exceptions import DSMalformedResponseError
from ds_provider.landing.checkpoint import Checkpoint
from ds_provider.landing.gzip_members import Member, whole_members
from ds_provider.landing.layout import is_part_of
from ds_provider.landing.manifest import Part
from ds_provider.landing.storage import names_in
from ds_provider.wording import counted

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

_head_decoder = msgspec.json.Decoder(RowHead)


def closed_parts(
    folder: ObjectStoragePath, checkpoint: Checkpoint, date_column: str
) -> Iterator[tuple[Part, list[RowHead]]]:
    """Yield the parts that the earlier try closed, to be listed as they are, each with the heads of its rows.

    One that is not whole is left out, and its rows are read again.

    :param date_column: the date by which the rows are sorted: ``created``, ``updated`` or ``deleted``.
    """
    for part in checkpoint.parts:
        if (heads := _heads_of_part(folder / part.name, part, date_column)) is None:
            rows = counted(part.rows, "row")
            log.warning("%s of an earlier try is damaged: reading its %s again", folder / part.name, rows)
        else:
            yield part, heads


def open_pages(
    folder: ObjectStoragePath, checkpoint: Checkpoint, date_column: str
) -> Iterator[tuple[Member, list[RowHead]]]:
    """Yield the whole pages of the part that was open, to be copied, each with the heads of its rows.

    So are those of any part that was closed when the checkpoint could not be saved.

    :param date_column: the date by which the rows are sorted: ``created``, ``updated`` or ``deleted``.
    """
    listed = {part.name for part in checkpoint.parts}
    for name in names_in(folder):
        if is_part_of(name, checkpoint.generation) and name not in listed:
            yield from _whole_pages(folder / name, date_column)


def _whole_pages(path: ObjectStoragePath, date_column: str) -> Iterator[tuple[Member, list[RowHead]]]:
    for member in _members(path, len):
        if (heads := _heads(member, date_column)) is None:
            log.warning("a page in %s is damaged: it and those after it are read again", path)
            return
        yield member, heads


def _heads_of_part(path: ObjectStoragePath, part: Part, date_column: str) -> list[RowHead] | None:
    """Return the heads of a closed part's rows, or None if it is not to the byte what was closed."""
    stored, found = hashlib.sha256(), list[RowHead]()
    for member in _members(path, stored.update):
        heads = _heads(member, date_column)
        if heads is None:
            return None
        found += heads
    return found if (stored.hexdigest(), len(found)) == (part.sha256, part.rows) else None


def _members(path: ObjectStoragePath, update: Callable[[bytes], object]) -> Iterator[Member]:
    """Yield a file's whole members, up to where it cannot be read.

    :param update: is called with the bytes as they are read.
    """

    def read(size: int) -> bytes:
        chunk: bytes = file.read(size)
        update(chunk)
        return chunk

    try:
        with path.open("rb") as file:
            yield from whole_members(read)
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        log.warning("%s of an earlier try cannot be read: %s: %s", path, type(error).__name__, error)


def _heads(member: Member, date_column: str) -> list[RowHead] | None:
    """Return the head of each row, or None if a line is no row or has no date."""
    try:
        heads = [_head_decoder.decode(line) for line in member.lines[:-1].split(b"\n")]
        for head in heads:
            head.date(date_column)
    except (msgspec.DecodeError, DSMalformedResponseError):
        return None
    return heads
