"""What was seen of a list, so that only what is new is told, and in a few bytes, since stores and events are small.

A row is known by its number and its date together. A dossier that changed again, or that was restored and deleted
again, has a new date and is news; one whose deletion the service dates back by weeks has a number not seen before and
is news too. Both hold only as far back as the memory reaches.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pendulum

from ds_provider.exceptions import DSConfigurationError

# number and date, in seconds since the epoch: the API shows no more of a date
RowVersion = tuple[int, int]

BEGINNING = 0
# of dossiers, no more than so many of the newest: a mass import dates thousands in one second
MAX_MARKS = 1_000
_MAX_MEMORY_BYTES = 4_000_000


def mark(number: int, date: datetime) -> RowVersion:
    """The mark of a row."""
    return number, int(date.timestamp())


def moment(seconds: int) -> pendulum.DateTime:
    """The instant of a mark, in UTC.

    :raises DSConfigurationError: if no calendar has it, so that somebody else wrote it.
    """
    try:
        return pendulum.from_timestamp(seconds)
    except (ValueError, OverflowError, OSError):
        raise _foreign() from None


@dataclass(frozen=True)
class SeenRows:
    """The rows of a list that are known.

    :param since: seconds since the epoch; the marks tell which rows from there on are known, and all before are.
    """

    since: int = BEGINNING
    marks: frozenset[RowVersion] = frozenset()

    def merge(self, marks: Iterable[RowVersion]) -> SeenRows:
        """With these rows known too."""
        return SeenRows(self.since, self.marks | frozenset(marks))

    def forget(self, before: int) -> SeenRows:
        """Reaching back no further than that; it never reaches further back than it did."""
        since = max(self.since, before)
        return SeenRows(since, frozenset(one for one in self.marks if one[1] >= since))

    def shorten(self, reach: int) -> SeenRows:
        """Reaching back so many seconds from its newest row, and holding :data:`MAX_MARKS` at most."""
        if not self.marks:
            return self
        dates = sorted((date for _, date in self.marks), reverse=True)
        kept = self.forget(dates[0] - reach)
        # what shares a second with a row that is left out cannot be told from it
        return kept if len(kept.marks) <= MAX_MARKS else kept.forget(dates[MAX_MARKS] + 1)

    def to_json(self) -> dict[str, Any]:
        return {"since": self.since, "marks": pack(self.marks)}

    @classmethod
    def from_json(cls, value: Any) -> SeenRows:
        """
        :raises DSConfigurationError: if somebody else wrote it.
        """
        match value:
            case {"since": int(since), "marks": str(text)}:
                moment(since)
                return cls(since, frozenset(unpack(text)))
        raise _foreign()


def pack(marks: Iterable[RowVersion]) -> str:
    """Marks as text: numbers in order, each with its date, as differences of seven bits a byte."""
    numbers = bytearray()
    dates = bytearray()
    number = date = 0
    for one in sorted(set(marks)):
        numbers += _varint(one[0] - number)
        dates += _varint(_zigzag(one[1] - date))
        number, date = one
    return base64.b64encode(zlib.compress(bytes(numbers + dates), 9)).decode()


def unpack(text: str) -> list[RowVersion]:
    """The marks of :func:`pack`, in order of number.

    :raises DSConfigurationError: if it is no such text.
    """
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MAX_MEMORY_BYTES)
        values = list(_integers(packed))
    except (binascii.Error, zlib.error, ValueError):
        raise _foreign() from None
    if len(values) % 2:
        raise _foreign()
    half = len(values) // 2
    marks: list[RowVersion] = []
    number = date = 0
    for more, later in zip(values[:half], values[half:], strict=True):
        number, date = number + more, date + _unzigzag(later)
        marks.append((number, date))
    for extreme in (min, max):
        moment(extreme((date for _, date in marks), default=BEGINNING))
    return marks


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _unzigzag(value: int) -> int:
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _integers(packed: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
    if shift:
        raise ValueError


def _foreign() -> DSConfigurationError:
    return DSConfigurationError(
        "what is kept in the state store, or came with the trigger's event, is not this provider's: "
        "delete the key in the asset's state store and run again"
    )
