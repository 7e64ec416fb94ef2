"""Time in the sandbox: microseconds since the epoch, as integers, and the calendar of Paris.

Integers keep what the API's database keeps (six digits of a second) and compare without surprise.
"""

from __future__ import annotations

import threading
import time
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def micros(moment: datetime) -> int:
    """Return the microseconds since the epoch of an aware datetime.

    :raises ValueError: if the datetime has no time zone
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """Return the aware UTC datetime of a number of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=at)


def paris_day(at: int) -> date:
    """Return the day in Paris at an instant in microseconds since the epoch."""
    return moment(at).astimezone(PARIS).date()


def paris_at(day: date, hour: int) -> int:
    """Return the instant at which clocks in Paris show this hour of this day, in microseconds since the epoch."""
    return micros(datetime(day.year, day.month, day.day, hour, tzinfo=PARIS))


def next_paris(at: int, hour: int) -> int:
    """Return the first instant not before `at` when it is this full hour in Paris: the time of a daily job."""
    day = paris_day(at)
    today = paris_at(day, hour)
    return today if today >= at else paris_at(day + timedelta(days=1), hour)


@lru_cache(maxsize=200_000)
def iso_second(at: int) -> str:
    """Return a date as the API writes it in JSON: cut to the second, with the offset of Paris."""
    return moment(at).astimezone(PARIS).replace(microsecond=0).isoformat()


class Clock:
    """The sandbox's own clock. It never goes back.

    :param now: aware datetime at which it stands still; without it, it starts at the real time and runs
    :raises ValueError: if `now` has no time zone
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._base = time.time_ns() // 1000 if now is None else micros(now)
        self._since: float | None = time.monotonic() if now is None else None

    @property
    def now_micros(self) -> int:
        """The present instant, in microseconds since the epoch."""
        with self._lock:
            return self._read()

    @property
    def now(self) -> datetime:
        """The present instant, in UTC."""
        return moment(self.now_micros)

    @property
    def running(self) -> bool:
        """Return whether the clock runs at the pace of real time."""
        return self._since is not None

    def freeze(self) -> None:
        """Stop the clock."""
        with self._lock:
            self._base, self._since = self._read(), None

    def run(self) -> None:
        """Start the clock from its present time, at the pace of real time."""
        with self._lock:
            self._base, self._since = self._read(), time.monotonic()

    def move_to(self, now: datetime) -> None:
        """Move the clock forward to an aware datetime and stop it.

        :raises ValueError: if the datetime lies in the clock's past or has no time zone
        """
        with self._lock:
            present, target = self._read(), micros(now)
            if target < present:
                raise ValueError(f"the clock cannot go back from {moment(present).isoformat()}")
            self._base, self._since = target, None

    def advance(self, seconds: float) -> None:
        """Move the clock forward by a number of seconds; a running clock keeps running.

        :raises ValueError: if the number is negative
        """
        if seconds < 0:
            raise ValueError("the clock cannot go back")
        with self._lock:
            self._base += round(seconds * SECOND)

    def _read(self) -> int:
        elapsed = 0 if self._since is None else round((time.monotonic() - self._since) * SECOND)
        return self._base + elapsed
