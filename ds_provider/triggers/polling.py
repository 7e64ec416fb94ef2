"""One poll for all triggers of a connection.

Airflow runs the shared stream once in a triggerer for all triggers of one key. Each trigger registers its watch as long
as it listens, so the trigger that opened the stream asks on behalf of all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from inspect import signature
from typing import Any, cast

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from ds_provider.api.polling.failures import FailedPolls
from ds_provider.api.polling.progress import so_far
from ds_provider.api.polling.watch import PollResult, Watch, poll
from ds_provider.api.query.parameters import parse_conn_id
from ds_provider.exceptions import DSConfigurationError, DSError, DSTransientError
from ds_provider.hooks.ds import DSHook
from ds_provider.parameter_checks import naming_the_line
from ds_provider.triggers.events import failed, found

# the service searches for each poll; what is waited for takes people hours
MIN_POLL_INTERVAL_SECONDS = 30.0
POLL_INTERVAL_SECONDS = 60.0
# triggers that were deferred, or restarted, together have come by then
FIRST_PAUSE_SECONDS = 5.0
JITTER = 0.1

PollResults = Mapping["PollingTrigger", PollResult]

_registered: dict[Hashable, set[PollingTrigger]] = {}


def check_poll_interval(seconds: object, parameter: str) -> float:
    """Return the seconds between two polls.

    :raises DSConfigurationError: if it is no number of seconds, or would ask the service too often.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not MIN_POLL_INTERVAL_SECONDS <= cast("float", seconds) < float("inf"):
        raise DSConfigurationError(
            f"{parameter} must be {MIN_POLL_INTERVAL_SECONDS:.0f} seconds or more, a finite number, since each "
            f"poll makes the service search: got {seconds!r}"
        )
    return cast("float", seconds)


def with_jitter(seconds: float) -> float:
    """Return a little more, so that not all poll in the same instant."""
    return seconds * random.uniform(1.0, 1.0 + JITTER)


class PollingTrigger(BaseEventTrigger):
    """Base of this provider's triggers.

    :param poll_interval: seconds between two polls.
    :param ds_conn_id: the connection, read anew for each poll: a token that is replaced meanwhile is used.
    :raises DSConfigurationError: if ``poll_interval`` cannot work.
    """

    # deferred tasks may be bound to a queue, watchers of assets may not
    supports_triggerer_queue = True

    _watch: Watch

    def __init__(self, *, poll_interval: float, ds_conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        with naming_the_line():
            self.poll_interval = check_poll_interval(poll_interval, "poll_interval")
            self.ds_conn_id = parse_conn_id(ds_conn_id, "ds_conn_id")
        self.failures = FailedPolls()

    @property
    def watch(self) -> Watch:
        """Current watch."""
        return self._watch

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class's path and the arguments, which are kept under their own names."""
        kind = type(self)
        arguments = {name: getattr(self, name) for name in signature(kind).parameters}
        return f"{kind.__module__}.{kind.__qualname__}", arguments

    def shared_stream_key(self) -> Hashable:
        """Return the key that all triggers of one connection and interval share."""
        return _key(self.poll_interval, self.ds_conn_id)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[PollResults]:
        """Poll again and again, on behalf of all triggers that are registered then."""
        interval, ds_conn_id = float(kwargs["poll_interval"]), str(kwargs["ds_conn_id"])
        # one for all polls, so that a wrong clock is one warning; it reads the connection anew for each
        hook = DSHook(ds_conn_id)
        await asyncio.sleep(with_jitter(min(FIRST_PAUSE_SECONDS, interval)))
        while True:
            watches = {trigger: trigger.watch for trigger in _registered.get(_key(interval, ds_conn_id), ())}
            if watches:
                yield await _poll(hook, watches)
            await asyncio.sleep(with_jitter(interval))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll alone, for an Airflow that shares no streams."""
        _, kwargs = self.serialize()
        async with (
            aclosing(self.open_shared_stream(kwargs)) as polls,  # type: ignore[type-var]
            aclosing(self.filter_shared_stream(polls)) as events,  # type: ignore[type-var]
        ):
            async for event in events:
                yield event

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Have each poll also ask for this trigger's watch."""
        sharing = _registered.setdefault(self.shared_stream_key(), set())
        sharing.add(self)
        try:
            yield
        finally:
            sharing.discard(self)


class WaitingTrigger(PollingTrigger):
    """Base of the triggers that wait for one event: the finding, or the error that makes waiting useless.

    It logs how far the wait is whenever that changes. Airflow shows these lines in the log of the task.

    :param so_far: how far the wait was when the task began it and logged it.
    """

    def __init__(self, *, poll_interval: float, ds_conn_id: str, so_far: str | None) -> None:
        super().__init__(poll_interval=poll_interval, ds_conn_id=ds_conn_id)
        self.so_far = so_far
        self._logged = so_far

    async def filter_shared_stream(self, shared_stream: AsyncIterator[PollResults]) -> AsyncIterator[TriggerEvent]:
        """Yield the one event."""
        with self.registered():
            async for results in shared_stream:
                # a trigger that comes during a poll is in the next one
                if self in results and (payload := self._payload(results[self])):
                    yield TriggerEvent(payload)
                    return

    def _payload(self, result: PollResult) -> dict[str, Any] | None:
        outcome = result.outcome
        if isinstance(outcome, DSError):
            waits_on = isinstance(outcome, DSTransientError) and not self.failures.record(outcome, self.log)
            return None if waits_on else failed(outcome)
        self.failures.reset()
        if outcome is None:
            self._log_change(so_far(result.counts, self.watch.min_count))
            return None
        return found(outcome)

    def _log_change(self, now: str) -> None:
        if now != self._logged:
            self._logged = now
            self.log.info("%s", now)


def _key(poll_interval: float, ds_conn_id: str) -> Hashable:
    return "ds_provider", ds_conn_id, float(poll_interval)


async def _poll(hook: DSHook, watches: Mapping[PollingTrigger, Watch]) -> PollResults:
    try:
        async with hook.async_client() as client:
            return await client.result(poll(watches))
    except DSError as error:
        return {trigger: PollResult(errors=dict.fromkeys(watch.groups, error)) for trigger, watch in watches.items()}
