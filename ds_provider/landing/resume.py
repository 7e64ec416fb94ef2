"""What an earlier try landed, checked to the byte and taken over.

Nothing of the earlier try is changed: its process may still be alive, and a part that it has open is still its own.
So the parts that it closed are listed as they are, and the whole pages of its open part are copied.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ds_provider.api.paging.rows import RowHead
from ds_provider.exceptions import DSMalformedAnswerError
from ds_provider.landing.checkpoint import Checkpoint
from ds_provider.landing.gzip_members import Member, whole_members
from ds_provider.landing.manifest import Part
from ds_provider.landing.parts import PartWriter
from ds_provider.landing.storage import names_in

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

Dated = list[tuple[int, datetime]]

_head_decoder = msgspec.json.Decoder(RowHead)


@dataclass
class ResumedParts:
    """What is landed already.

    :param parts: those of earlier tries that are listed as they are.
    :param landed: each number with the latest of its dates on the sort column.
    :param rows: how many rows these are.
    :param pages: how many pages were copied, which no checkpoint counted.
    """

    parts: list[Part] = field(default_factory=list)
    landed: dict[int, datetime] = field(default_factory=dict)
    rows: int = 0
    pages: int = 0

    def note(self, rows: Dated) -> None:
        self.rows += len(rows)
        for number, date in rows:
            self.landed[number] = max(date, self.landed.get(number, date))


def resume(folder: ObjectStoragePath, progress: Checkpoint, column: str, writer: PartWriter) -> ResumedParts:
    """Take over what an earlier try landed. What is not whole is left out, and is read again.

    :param column: the date by which the rows are sorted: ``created``, ``updated`` or ``deleted``.
    :param writer: takes the copies, as parts of their own.
    """
    taken = ResumedParts()
    for part in progress.parts:
        if (rows := _rows_of_part(folder / part.name, part, column)) is None:
            log.warning("%s of an earlier try is damaged: its %d rows are read again", folder / part.name, part.rows)
        else:
            taken.parts.append(part)
            taken.note(rows)
    for name in _unlisted(folder, progress):
        _copy(folder / name, column, writer, taken)
    writer.close()
    return taken


def _unlisted(folder: ObjectStoragePath, progress: Checkpoint) -> list[str]:
    """The part that was open, and any that was closed when the checkpoint could not be saved."""
    listed = {part.name for part in progress.parts}
    named = re.compile(re.escape(progress.generation) + r"-\d+\.jsonl\.gz")
    return [name for name in names_in(folder) if named.fullmatch(name) and name not in listed]


def _copy(path: ObjectStoragePath, column: str, writer: PartWriter, taken: ResumedParts) -> None:
    for member in _members(path, len):
        if (rows := _dated(member, column)) is None:
            log.warning("a page in %s is damaged: it and those behind it are read again", path)
            return
        writer.append(member)
        taken.note(rows)
        taken.pages += 1


def _rows_of_part(path: ObjectStoragePath, part: Part, column: str) -> Dated | None:
    """A closed part's rows; none where it is not to the byte what was closed."""
    stored, dated = hashlib.sha256(), Dated()
    for member in _members(path, stored.update):
        rows = _dated(member, column)
        if rows is None:
            return None
        dated += rows
    return dated if (stored.hexdigest(), len(dated)) == (part.sha256, part.rows) else None


def _members(path: ObjectStoragePath, see: Callable[[bytes], object]) -> Iterator[Member]:
    """A file's whole members, up to where it cannot be read.

    :param see: is shown the bytes as they are read.
    """

    def read(size: int) -> bytes:
        chunk: bytes = file.read(size)
        see(chunk)
        return chunk

    try:
        with path.open("rb") as file:
            yield from whole_members(read)
    except Exception as error:  # noqa: BLE001 - every storage has errors of its own
        log.warning("%s of an earlier try cannot be read: %s: %s", path, type(error).__name__, error)


def _dated(member: Member, column: str) -> Dated | None:
    """The number and date of each row; none where a line is no row."""
    try:
        heads = map(_head_decoder.decode, member.lines[:-1].split(b"\n"))
        return [(head.number, head.date(column)) for head in heads]
    except (msgspec.DecodeError, DSMalformedAnswerError):
        return None
