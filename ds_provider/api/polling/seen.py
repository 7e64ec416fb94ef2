"""Rows of a stream that were seen, so that only new ones are reported, in a few bytes: stores and events are small.

A row version is a row's number together with its date. A dossier that changed again, or that was restored and deleted
again, has a new date and is new; one whose deletion the service dates back by weeks has a number not seen before and
is new too. Both hold only as far back as the seen rows reach.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Annotated, Any

import msgspec
import pendulum

from ds_provider.exceptions import DSConfigurationError

# number and date, in seconds since the epoch: the API shows no more of a date
RowVersion = tuple[int, int]

BEGINNING = 0
# of dossiers, only the newest: a mass import dates thousands in one second
MAX_VERSIONS = 1_000
_MAX_UNPACKED_BYTES = 4_000_000
_decoder = msgspec.msgpack.Decoder(tuple[list[Annotated[int, msgspec.Meta(ge=0)]], list[int]])


def row_version(number: int, date: datetime) -> RowVersion:
    """Return the version of a row."""
    return number, int(date.timestamp())


def instant(seconds: int) -> pendulum.DateTime:
    """Return seconds since the epoch as an instant, in UTC.

    :raises DSConfigurationError: if no calendar has it, so that somebody else wrote it.
    """
    try:
        return pendulum.from_timestamp(seconds)
    except (ValueError, OverflowError, OSError):
        raise _not_ours() from None


@dataclass(frozen=True)
class SeenRows:
    """Rows of a stream that were seen.

    :param since: seconds since the epoch; of the rows from there on, ``versions`` were seen, and of those before all.
    """

    since: int = BEGINNING
    versions: frozenset[RowVersion] = frozenset()

    def merge(self, versions: Iterable[RowVersion]) -> SeenRows:
        """Return these and more."""
        return SeenRows(self.since, self.versions | frozenset(versions))

    def forget_before(self, seconds: int) -> SeenRows:
        """Return those from that date on. They never reach further back than before."""
        since = max(self.since, seconds)
        return SeenRows(since, frozenset(version for version in self.versions if version[1] >= since))

    def keep_newest(self, reach: int) -> SeenRows:
        """Return those dated within ``reach`` seconds of the newest, :data:`MAX_VERSIONS` at most."""
        if not self.versions:
            return self
        dates = sorted((date for _, date in self.versions), reverse=True)
        kept = self.forget_before(dates[0] - reach)
        # what shares a second with a row that is left out cannot be distinguished from it
        return kept if len(kept.versions) <= MAX_VERSIONS else kept.forget_before(dates[MAX_VERSIONS] + 1)

    def to_json(self) -> dict[str, Any]:
        """Return them as plain data, for a store or an event."""
        return {"since": self.since, "versions": pack(self.versions)}

    @classmethod
    def from_json(cls, value: Any) -> SeenRows:
        """Return the seen rows of :meth:`to_json`.

        :raises DSConfigurationError: if somebody else wrote it.
        """
        match value:
            case {"since": int(since), "versions": str(text)}:
                instant(since)
                return cls(since, frozenset(unpack(text)))
        raise _not_ours()


def pack(versions: Iterable[RowVersion]) -> str:
    """Return row versions as text: numbers in order and their dates, each as the difference from the one before."""
    ordered = sorted(set(versions))
    steps = [(number - before[0], date - before[1]) for before, (number, date) in pairwise([(0, 0), *ordered])]
    columns = [number for number, _ in steps], [date for _, date in steps]
    return base64.b64encode(zlib.compress(msgspec.msgpack.encode(columns), 9)).decode()


def unpack(text: str) -> list[RowVersion]:
    """Return the row versions of :func:`pack`, in order of number.

    :raises DSConfigurationError: if the text is none of :func:`pack`.
    """
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MAX_UNPACKED_BYTES)
        numbers, dates = _decoder.decode(packed)
        versions = list(zip(accumulate(numbers), accumulate(dates), strict=True))
    except (binascii.Error, zlib.error, ValueError):
        raise _not_ours() from None
    for extreme in (min, max):
        instant(extreme((date for _, date in versions), default=BEGINNING))
    return versions


def _not_ours() -> DSConfigurationError:
    return DSConfigurationError(
        "what the state store keeps, or the trigger's event holds, is not this provider's: "
        "delete the key in the asset's state store and run again"
    )
