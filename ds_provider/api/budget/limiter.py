"""One budget of requests for all who spend a token, whichever their thread, process or machine.

The service counts a token's requests in each minute of the epoch and refuses more of them with HTTP 429
(``config/initializers/rack_attack.rb`` of demarches-simplifiees.fr). The counting here is pyrate-limiter's: a log of
the last minute's requests, in a store that all share. A second log holds the service's refusals, so that one of them
makes all wait for the service's next minute, and go slower for a while.
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

log = logging.getLogger(__name__)

# a second more than the service's minute, since not all requests take equally long to get there
PERIOD_SECONDS = 61.0
MIN_CLOSURE_SECONDS = 1.0
MAX_CLOSURE_SECONDS = 120.0
# refusals of one minute of the service count once
SAME_REFUSAL_SECONDS = 30.0
# the time after which a budget that a refusal has halved is whole again
RECOVERY_SECONDS = 900.0
# refusals that are none of the rate's doing must not bring everything to a halt
MIN_SHARE = 10
STORE_PATIENCE_SECONDS = 15.0
STORE_PAUSE_SECONDS = 1.0
WORTH_TELLING_SECONDS = 5.0

_ANY_NUMBER = 1_000_000
# what is further in the future was noted before the clock was set back
_CLOCK_IS_WRONG_MS = 1000


def budget_key(token: str, server: str) -> str:
    """What a token's budget on a server is filed under: a hash, since anyone may read the store."""
    return hashlib.sha256(f"{token} {server}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Logs:
    """What all who spend the token have in common."""

    spent: AbstractBucket
    refusals: AbstractBucket


class Budget:
    """At most so many requests in any minute, for all budgets of the same key in the same store.

    Safe to be shared by threads. Nothing is opened before the first request.

    :param store: where the requests are counted.
    :param key: which token's they are, as :func:`budget_key` has it.
    :param requests_per_minute: how many.
    :param period: seconds that a request counts for.
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

    @property
    def secrets(self) -> list[str]:
        """What in the store's address no log may show."""
        return self._store.secrets

    def spend(self) -> None:
        """Wait until one more request may go out.

        :raises DSBudgetError: if the store stays out of reach.
        """
        while wait := self._ask():
            self._closed.wait(wait)

    async def aspend(self) -> None:
        """The same for an event loop, which stores would block."""
        while wait := await asyncio.to_thread(self._ask):  # noqa: ASYNC110 - an event here says nothing of other processes
            await asyncio.sleep(wait)

    def refused(self, wait_seconds: float | None) -> None:
        """Tell all that the service refuses the token for so long.

        :param wait_seconds: until the service takes requests again, if it said so.
        """
        wait = min(max(wait_seconds or 0.0, MIN_CLOSURE_SECONDS), MAX_CLOSURE_SECONDS)
        try:
            with self._lock:
                self._close_for(wait, self._open())
        except self._store.errors as error:
            log.warning("the refusal is not shared with other tasks: %s", self._unreachable(error))

    def check(self) -> None:
        """Whether the store can be reached.

        :raises DSBudgetError: if not.
        """
        try:
            with self._lock:
                self._open().refusals.peek(0)
        except self._store.errors as error:
            raise self._unreachable(error) from None

    def close(self) -> None:
        """Leave the store. What was spent stays spent; threads that still wait get an error."""
        self._closed.set()
        with self._lock:
            self._leave()

    def _ask(self) -> float:
        """Take a request from the budget: 0, or the seconds until it is worth asking again."""
        try:
            with self._lock:
                wait = self._take(self._open())
                self._broken_since = None
        except self._store.errors as error:
            return self._bear(error)
        if wait >= WORTH_TELLING_SECONDS:
            log.info("the token's requests for this minute are spent: waiting %.0f s", wait)
        return wait

    def _take(self, logs: _Logs) -> float:
        now = cast("int", logs.spent.now())
        refusal = self._last_refusal(logs, now)
        if closed := self._closed_for(refusal, now):
            return closed
        logs.spent.rates = [Rate(self._rate_after(refusal, now), self._period_ms)]
        item = RateItem(self._key, now)
        if logs.spent.put(item):
            logs.spent.leak(now)
            return 0.0
        return self._until_room(logs.spent, item)

    def _until_room(self, spent: AbstractBucket, item: RateItem) -> float:
        wait = cast("int", spent.waiting(item))
        if wait > self._period_ms + _CLOCK_IS_WRONG_MS:
            spent.flush()
            wait = 0
        return max(0, wait) / 1000 + random.uniform(0.001, 0.25)

    def _last_refusal(self, logs: _Logs, now: int) -> RateItem | None:
        refusal = cast("RateItem | None", logs.refusals.peek(0))
        if refusal is not None and refusal.timestamp - now > MAX_CLOSURE_SECONDS * 1000 + _CLOCK_IS_WRONG_MS:
            logs.refusals.flush()
            return None
        return refusal

    def _closed_for(self, refusal: RateItem | None, now: int) -> float:
        """Seconds until the service's next minute, spread so that not all come back in the same instant."""
        if refusal is None or refusal.timestamp <= now:
            return 0.0
        return (refusal.timestamp - now) / 1000 + random.uniform(0.1, 1.0)

    def _rate_after(self, refusal: RateItem | None, now: int) -> int:
        """What the last refusal left of the budget: it doubles with time until it is whole again."""
        if refusal is None:
            return self.requests_per_minute
        recovered = max(0, now - refusal.timestamp) / 1000 / RECOVERY_SECONDS
        return min(self.requests_per_minute, int(_rate_in(refusal) * 2.0 ** min(recovered, 64.0)))

    def _close_for(self, wait: float, logs: _Logs) -> None:
        now = cast("int", logs.refusals.now())
        last = self._last_refusal(logs, now)
        reopening = now + int(wait * 1000)
        if last is not None and reopening - last.timestamp < SAME_REFUSAL_SECONDS * 1000:
            rate = _rate_in(last)
        else:
            rate = max(self._rate_after(last, now) // 2, self.requests_per_minute // MIN_SHARE, 1)
            log.warning(
                "the service refuses the token's requests: other jobs spend it too, or the budget of %d a minute "
                "is more than the service allows; going on with %d a minute for a while",
                self.requests_per_minute,
                rate,
            )
        # the log keeps a name and a time of each item: the rate goes in the name
        logs.refusals.put(RateItem(str(rate), reopening))
        logs.refusals.leak(reopening)

    def _open(self) -> _Logs:
        if self._closed.is_set():
            raise RuntimeError("the budget is closed")
        if self._logs is None:
            spent = self._store.bucket(f"ds_{self._key}_spent", Rate(self.requests_per_minute, self._period_ms))
            refusals = self._store.bucket(
                f"ds_{self._key}_refusals", Rate(_ANY_NUMBER, int(MAX_CLOSURE_SECONDS * 1000))
            )
            self._logs = _Logs(spent, refusals)
        return self._logs

    def _leave(self) -> None:
        self._logs = None
        self._store.close()

    def _bear(self, error: Exception) -> float:
        """A pause before the store is opened anew, as long as it has not been out of reach for too long."""
        with self._lock:
            self._leave()
        self._broken_since = self._broken_since or time.monotonic()
        if time.monotonic() - self._broken_since > STORE_PATIENCE_SECONDS:
            raise self._unreachable(error) from None
        return STORE_PAUSE_SECONDS

    def _unreachable(self, error: Exception) -> DSBudgetError:
        reason = " ".join(str(error).split())
        for secret in self.secrets:
            reason = reason.replace(secret, "***")
        return DSBudgetError(
            f"the budget of requests in {self._store.place} is out of reach ({type(error).__name__}: {reason}): "
            "bring the store back, or name another in the extra budget_url of the connection"
        )


def _rate_in(refusal: RateItem) -> int:
    # Redis adds to the name what makes it unique
    return int(refusal.name.partition(":")[0])
