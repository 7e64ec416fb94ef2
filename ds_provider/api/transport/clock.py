"""Time by the service's clock, which is the same for all workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from ds_provider.wording import lasted

log = logging.getLogger(__name__)

WARN_SECONDS = 60.0
# servers may read the time for a Date once a second only: a clock that is wrong by less cannot be known to be
MIN_ERROR_SECONDS = 2.0
_MICROSECOND = 1e-6


def date_in(headers: Mapping[str, str]) -> float | None:
    """Return the server's time in the headers of an answer, in seconds since the epoch, cut to the second."""
    try:
        date = parsedate_to_datetime(headers["date"])
        # RFC 5322 writes UTC as -0000 too, which Python reads as no zone
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


class ServiceClock:
    """Translates the readings of this worker's clock into the service's time.

    What several workers read is ordered by time, and a worker whose clock is ahead would date what it reads into the
    future. Each answer's ``Date``, cut to the second, says between which bounds the clock is wrong; answers at other
    fractions of a second bring them closer together. A clock that is wrong is corrected to half a second or so. One
    that may be right keeps its own fractions of a second, and so does any clock without a ``Date``.

    :param worker_clock: returns seconds since the epoch; by default the machine's.
    """

    def __init__(self, worker_clock: Callable[[], float] | None = None) -> None:
        self._worker_clock = worker_clock
        self._bounds = float("-inf"), float("inf")
        self._doubted = float("inf"), float("-inf")
        self._last = 0.0, 0.0
        self._warned = False

    @property
    def correction(self) -> float:
        """Seconds to add to a reading."""
        lowest, highest = self._bounds
        if lowest - MIN_ERROR_SECONDS <= 0.0 <= highest + MIN_ERROR_SECONDS:
            return 0.0
        return (lowest + highest) / 2

    def read(self) -> float:
        """Return a reading of this worker's clock, in seconds since the epoch."""
        return self._worker_clock() if self._worker_clock else time.time()

    def observe(self, status: int, headers: Mapping[str, str], sent: float) -> None:
        """Learn from an answer, when its headers are there.

        :param sent: the reading when the request was sent.
        """
        date, received = date_in(headers), self.read()
        # proxies answer on their own, by their own clocks, or with what they keep
        if date is None or status != 200 or "age" in headers or sent > received:
            return
        lowest, highest = date - received, date + 1.0 - sent
        known = _common(self._bounds, (lowest, highest))
        if known is None:
            # either this answer's clock is wrong, or this worker's was set meanwhile: then the next one agrees
            known = _common(self._doubted, (lowest, highest)) or self._bounds
            self._doubted = lowest, highest
        self._bounds = known
        self._warn()

    def at(self, reading: float) -> datetime:
        """Return the service's time at a reading. A later reading is never earlier, though the correction improves."""
        seconds = reading + self.correction
        last_reading, last = self._last
        seconds = max(seconds, last + _MICROSECOND) if reading > last_reading else min(seconds, last)
        self._last = max(self._last, (reading, seconds))
        return datetime.fromtimestamp(seconds, timezone.utc)

    def now(self) -> datetime:
        """Return the service's time now."""
        return self.at(self.read())

    def _warn(self) -> None:
        if abs(self.correction) > WARN_SECONDS and not self._warned:
            self._warned = True
            log.warning(
                "this worker's clock is %s %s the service's (a sandbox has its own): what is read is dated by the "
                "service's; set the clock by NTP, since schedules and windows of runs go by it",
                lasted(abs(self.correction)),
                "before" if self.correction > 0 else "ahead of",
            )


def _common(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float] | None:
    """Return what two ranges have in common, or None."""
    common = max(one[0], other[0]), min(one[1], other[1])
    return common if common[0] <= common[1] else None
