"""One poll for all that wait on a connection: each look of it asks for what every one of them waits for.

Airflow runs the shared stream once in a triggerer for all triggers of one key. These register what they watch as long
as they listen, so whichever of them opened the stream asks on behalf of all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, cast

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from ds_provider.api.polling.watch import PollResult, Watch, poll
from ds_provider.exceptions import DSConfigurationError, DSError
from ds_provider.hooks.ds import DSHook

# the service searches for each poll; what is waited for takes people hours
MIN_POLL_INTERVAL_SECONDS = 30.0
POLL_INTERVAL_SECONDS = 60.0
FAILURES_IN_A_ROW = 10
# those that were deferred, or restarted, together have come by then
FIRST_PAUSE_SECONDS = 5.0
JITTER = 0.1

Look = Mapping["WatchingTrigger", PollResult]

_watching: dict[Hashable, set[WatchingTrigger]] = {}


def check_poll_interval(seconds: object, parameter: str) -> float:
    """
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
    """A little longer, so that not all ask in the same instant."""
    return seconds * random.uniform(1.0, 1.0 + JITTER)


class WatchingTrigger(BaseEventTrigger):
    """What all triggers of this provider have in common.

    :param poll_interval: seconds between two looks.
    :param ds_conn_id: the connection, read anew for each look: a token that is replaced meanwhile is used.
    :raises DSConfigurationError: if ``poll_interval`` cannot work.
    """

    # deferred tasks may be bound to a queue, watchers of assets may not
    supports_triggerer_queue = True

    def __init__(self, *, poll_interval: float, ds_conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poll_interval = check_poll_interval(poll_interval, "poll_interval")
        self.ds_conn_id = ds_conn_id
        self._failures = 0

    @property
    def watch(self) -> Watch:
        """What is waited for by now."""
        raise NotImplementedError

    def shared_stream_key(self) -> Hashable:
        return _key(self.poll_interval, self.ds_conn_id)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        """Look again and again, on behalf of all that are registered then."""
        interval, ds_conn_id = float(kwargs["poll_interval"]), str(kwargs["ds_conn_id"])
        await asyncio.sleep(with_jitter(min(FIRST_PAUSE_SECONDS, interval)))
        while True:
            watches = {trigger: trigger.watch for trigger in _watching.get(_key(interval, ds_conn_id), ())}
            if watches:
                yield await _look(ds_conn_id, watches)
            await asyncio.sleep(with_jitter(interval))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same alone, where nobody shares."""
        _, kwargs = self.serialize()
        async with (
            aclosing(self.open_shared_stream(kwargs)) as looks,  # type: ignore[type-var]
            aclosing(self.filter_shared_stream(looks)) as events,  # type: ignore[type-var]
        ):
            async for event in events:
                yield event

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Within it, each look of the poll is also for this trigger."""
        sharing = _watching.setdefault(self.shared_stream_key(), set())
        sharing.add(self)
        try:
            yield
        finally:
            sharing.discard(self)

    def is_enough(self, error: DSError) -> bool:
        """Whether looks failed so often in a row that another one is of no use."""
        self._failures += 1
        self.log.warning("look %d of %d in a row that failed: %s", self._failures, FAILURES_IN_A_ROW, error)
        return self._failures >= FAILURES_IN_A_ROW

    def went_well(self) -> None:
        """Failures are counted from here on."""
        self._failures = 0


def _key(poll_interval: float, ds_conn_id: str) -> Hashable:
    return "ds_provider", ds_conn_id, float(poll_interval)


async def _look(ds_conn_id: str, watches: Mapping[WatchingTrigger, Watch]) -> Look:
    try:
        async with DSHook(ds_conn_id).async_client() as client:
            return await client.result(poll(watches))
    except DSError as error:
        return {trigger: PollResult(errors=dict.fromkeys(watch.groupes, error)) for trigger, watch in watches.items()}
