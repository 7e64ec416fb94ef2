"""Budget of requests of a token, shared by threads, processes and machines.

The service counts a token's requests in each minute of the epoch and refuses more of them with HTTP 429
(``config/initializers/rack_attack.rb`` of demarches-simplifiees.fr). The counting here is pyrate-limiter's: a log of
the last minute's requests, in a store that all tasks share. A second log holds the service's refusals. After one, all
tasks wait for the service's next minute, and go slower for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import cast

from pyrate_limiter import AbstractBucket, Rate, RateItem

from ds_provider.api.budget.stores import Store
from ds_provider.exceptions import DSBudgetError
from ds_provider.wording import lasted

log = logging.getLogger(__name__)

# a second more than the service's minute, since not all requests take equally long to get there
PERIOD_SECONDS = 61.0
MIN_REFUSAL_SECONDS = 1.0
MAX_REFUSAL_SECONDS = 120.0
# refusals of one minute of the service count once
SAME_REFUSAL_SECONDS = 30.0
# a budget that a refusal has halved is whole again after that time
RECOVERY_SECONDS = 900.0
# refusals for another reason than the rate must not bring everything to a halt: a tenth always stays
MAX_REDUCTION_FACTOR = 10
STORE_PATIENCE_SECONDS = 15.0
STORE_PAUSE_SECONDS = 1.0
MIN_LOGGED_WAIT_SECONDS = 5.0

_ANY_NUMBER = 1_000_000
# a time further in the future than that was recorded before the clock was set back
_CLOCK_TOLERANCE_MS = 1000


def budget_key(token: str, server: str) -> str:
    """Return the key of a token's budget on a server: a hash, since anyone may read the store."""
    return hashlib.sha256(f"{token} {server}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Logs:
    """Logs that all budgets of the token share."""

    spent: AbstractBucket
    refusals: AbstractBucket


@dataclass(frozen=True)
class BudgetUsage:
    """Requests of a token at one moment.

    :param spent: requests of all tasks in the last minute.
    :param limit: requests that may be sent in a minute now; fewer than the budget for a while after a refusal.
    :param refused_seconds: until the service takes requests again; zero if it refuses none.
    """

    spent: int
    limit: int
    refused_seconds: float


class Budget:
    """Limit of requests in any minute, for all budgets of the same key in the same store.

    Threads may share it. The store is opened at the first request.

    :param store: where the requests are counted.
    :param key: the token's, from :func:`budget_key`.
    :param requests_per_minute: the limit.
    :param period: how long a request counts, in seconds.
    """

    def __init__(self, store: Store, key: str, requests_per_minute: int, *, period: float = PERIOD_SECONDS) -> None:
        self.requests_per_minute = requests_per_minute
        self._store = store
        self._key = key
        self._period_ms = int(period * 1000)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._logs: _Logs | None = None
        self._broken_since: float | None = None
        self._logged_until = 0

    @property
    def secrets(self) -> list[str]:
        """Parts of the store's address that no log may show."""
        return self._store.secrets

    @property
    def location(self) -> str:
        """Place where the requests are counted, without user and password."""
        return self._store.location

    def spend(self) -> float:
        """Wait until one more request may go out, and return for how many seconds.

        :raises DSBudgetError: if the store stays out of reach.
        """
        waited = 0.0
        while wait := self._try_spend():
            self._closed.wait(wait)
            waited += wait
        return waited

    async def aspend(self) -> float:
        """Wait as :meth:`spend` does, without blocking the event loop. Stores would block it.

        :raises DSBudgetError: if the store stays out of reach.
        """
        waited = 0.0
        while wait := await asyncio.to_thread(self._try_spend):
            await asyncio.sleep(wait)
            waited += wait
        return waited

    def record_refusal(self, wait_seconds: float | None) -> None:
        """Make all tasks wait, since the service refused a request of the token.

        :param wait_seconds: until the service accepts requests again, if it said so.
        """
        wait = min(max(wait_seconds or 0.0, MIN_REFUSAL_SECONDS), MAX_REFUSAL_SECONDS)
        try:
            with self._lock:
                self._add_refusal(wait, self._open())
        except self._store.errors as error:
            log.warning("the refusal is not shared with other tasks: %s", self._unreachable_error(error))

    def check(self) -> None:
        """Raise if the store is out of reach.

        :raises DSBudgetError: if it is.
        """
        try:
            with self._lock:
                self._open().refusals.peek(0)
        except self._store.errors as error:
            raise self._unreachable_error(error) from None

    def usage(self) -> BudgetUsage:
        """Return what is spent of the budget, without spending any of it.

        :raises DSBudgetError: if the store is out of reach.
        """
        try:
            with self._lock:
                return self._usage(self._open())
        except self._store.errors as error:
            raise self._unreachable_error(error) from None

    def close(self) -> None:
        """Disconnect from the store. Spent requests stay counted. Threads that still wait get an error."""
        self._closed.set()
        with self._lock:
            self._disconnect()

    def _usage(self, logs: _Logs) -> BudgetUsage:
        now = cast("int", logs.spent.now())
        refusal = self._last_refusal(logs, now)
        logs.spent.leak(now)
        refused = max(0, refusal.timestamp - now) / 1000 if refusal else 0.0
        return BudgetUsage(cast("int", logs.spent.count()), self._rate_after(refusal, now), refused)

    def _try_spend(self) -> float:
        """Take a request from the budget and return 0, or return the seconds to wait before the next attempt."""
        try:
            with self._lock:
                wait = self._take(self._open())
                self._broken_since = None
                is_news = self._is_news(wait)
        except self._store.errors as error:
            return self._pause_or_raise(error)
        if is_news:
            log.info("the token's requests for this minute are spent: waiting %s", lasted(round(wait)))
        return wait

    def _is_news(self, wait: float) -> bool:
        """Return true if a wait is worth a line in the log: none of the threads that wait has written it."""
        if wait < MIN_LOGGED_WAIT_SECONDS or self._logs is None:
            return False
        now = cast("int", self._logs.spent.now())
        if now < self._logged_until:
            return False
        self._logged_until = now + int(wait * 1000)
        return True

    def _take(self, logs: _Logs) -> float:
        now = cast("int", logs.spent.now())
        refusal = self._last_refusal(logs, now)
        if seconds := self._seconds_refused(refusal, now):
            return seconds
        logs.spent.rates = [Rate(self._rate_after(refusal, now), self._period_ms)]
        item = RateItem(self._key, now)
        if logs.spent.put(item):
            logs.spent.leak(now)
            return 0.0
        return self._seconds_until_room(logs.spent, item)

    def _seconds_until_room(self, spent: AbstractBucket, item: RateItem) -> float:
        wait = cast("int", spent.waiting(item))
        if wait > self._period_ms + _CLOCK_TOLERANCE_MS:
            spent.flush()
            wait = 0
        return max(0, wait) / 1000 + random.uniform(0.001, 0.25)

    def _last_refusal(self, logs: _Logs, now: int) -> RateItem | None:
        refusal = cast("RateItem | None", logs.refusals.peek(0))
        if refusal is not None and refusal.timestamp - now > MAX_REFUSAL_SECONDS * 1000 + _CLOCK_TOLERANCE_MS:
            logs.refusals.flush()
            return None
        return refusal

    def _seconds_refused(self, refusal: RateItem | None, now: int) -> float:
        """Return the seconds until the service's next minute, spread so that not all come back in the same instant."""
        if refusal is None or refusal.timestamp <= now:
            return 0.0
        return (refusal.timestamp - now) / 1000 + random.uniform(0.1, 1.0)

    def _rate_after(self, refusal: RateItem | None, now: int) -> int:
        """Return the rate that the last refusal left: it doubles with time until the budget is whole again."""
        if refusal is None:
            return self.requests_per_minute
        recovered = max(0, now - refusal.timestamp) / 1000 / RECOVERY_SECONDS
        return min(self.requests_per_minute, int(_rate_in(refusal) * 2.0 ** min(recovered, 64.0)))

    def _add_refusal(self, wait: float, logs: _Logs) -> None:
        now = cast("int", logs.refusals.now())
        last = self._last_refusal(logs, now)
        reopening = now + int(wait * 1000)
        if last is not None and reopening - last.timestamp < SAME_REFUSAL_SECONDS * 1000:
            rate = _rate_in(last)
        else:
            rate = max(self._rate_after(last, now) // 2, self.requests_per_minute // MAX_REDUCTION_FACTOR, 1)
            log.warning(
                "the service refuses the token's requests: other jobs spend it too, or the budget of %d a minute "
                "is more than the service allows; going on with %d a minute for a while",
                self.requests_per_minute,
                rate,
            )
        # the log keeps a name and a time of each item: the name holds the rate
        logs.refusals.put(RateItem(str(rate), reopening))
        logs.refusals.leak(reopening)

    def _open(self) -> _Logs:
        if self._closed.is_set():
            raise RuntimeError("the budget is closed")
        if self._logs is None:
            spent = self._store.bucket(f"ds_{self._key}_spent", Rate(self.requests_per_minute, self._period_ms))
            refusals = self._store.bucket(
                f"ds_{self._key}_refusals", Rate(_ANY_NUMBER, int(MAX_REFUSAL_SECONDS * 1000))
            )
            self._logs = _Logs(spent, refusals)
        return self._logs

    def _disconnect(self) -> None:
        self._logs = None
        self._store.close()

    def _pause_or_raise(self, error: Exception) -> float:
        """Return a pause before the store is opened anew, or raise if it has been out of reach for too long."""
        with self._lock:
            self._disconnect()
        self._broken_since = self._broken_since or time.monotonic()
        if time.monotonic() - self._broken_since > STORE_PATIENCE_SECONDS:
            raise self._unreachable_error(error) from None
        return STORE_PAUSE_SECONDS

    def _unreachable_error(self, error: Exception) -> DSBudgetError:
        reason = " ".join(str(error).split())
        for secret in self.secrets:
            reason = reason.replace(secret, "***")
        return DSBudgetError(
            f"the budget of requests in {self._store.location} is out of reach ({type(error).__name__}: {reason}): "
            "bring the store back, or name another in the extra budget_url of the connection"
        )


def _rate_in(refusal: RateItem) -> int:
    # Redis adds a suffix to the name, to make it unique
    return int(refusal.name.partition(":")[0])
