"""Instants as databases count them: microseconds since 1970-01-01, in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """Return the microseconds since the epoch, without the rounding of a floating-point timestamp.

    :param instant: with a time zone, whichever it is.
    """
    return (instant - EPOCH) // _MICROSECOND


def from_microseconds(value: int | None) -> datetime | None:
    """Return the instant in UTC, or null if there is no value.

    :param value: microseconds since the epoch.
    """
    return None if value is None else EPOCH + timedelta(microseconds=value)
