"""How long to try: written once, for the sync and the async client alike.

A *flow* is a generator that yields what it wants done (``Send``, ``Sleep``) and what it has to give, and that is sent
back what came of each ``Send``. A *schedule* is a flow that also has others driven beside itself (``Spawn``, ``Join``).
The clients in :mod:`ds_provider.api.transport.client` drive both; nothing here does any I/O.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.exceptions import (
    DSError,
    DSMaintenanceError,
    DSRateLimitedError,
    DSTransientError,
    DSTransportError,
)

T = TypeVar("T")

ATTEMPTS = 7
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
RATE_LIMIT_REFUSALS = 12
RATE_LIMIT_LONGEST_WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class Send:
    """Send this request and hand back what came of it."""

    request: Request


@dataclass(frozen=True)
class Sleep:
    """Join before going on, because of that error."""

    seconds: float
    because: DSError


# what is sent back depends on the step: an Exchange for a Send, an Joined for a Join, else nothing
Flow = Generator[Send | Sleep | T, Any, None]
SubFlow = Generator[Send | Sleep, Any, T]


@dataclass(frozen=True, eq=False)
class Spawn:
    """Drive this flow beside what goes on."""

    flow: Flow[Any]


@dataclass(frozen=True)
class Join:
    """Join for the next of the started flows to end, and hand back how."""


@dataclass(frozen=True)
class Joined:
    """How a started flow ended.

    :param given: all that it gave.
    :param error: what ended it, if not its own end.
    """

    start: Spawn
    given: list[Any]
    error: BaseException | None = None


ConcurrentFlow = Generator[Send | Sleep | Spawn | Join | T, Any, None]


class RetryState:
    """What is left of the attempts for one request."""

    def __init__(self, attempts: int = ATTEMPTS) -> None:
        self.attempts = attempts
        self.failures = 0
        self.refusals = 0

    def pause(self, error: DSError, request: Request) -> Sleep:
        """How long to wait before the same request is sent again.

        :raises DSError: the error itself, where sending again is of no use, not safe, or has been tried enough.
        """
        if not isinstance(error, DSTransientError) or not _may_repeat(error, request):
            raise error
        if isinstance(error, DSRateLimitedError):
            return self._until_reset(error)
        self.failures += 1
        if self.failures >= self.attempts:
            raise error
        return Sleep(self._backoff(self.failures), error)

    def _until_reset(self, error: DSRateLimitedError) -> Sleep:
        self.refusals += 1
        if self.refusals > RATE_LIMIT_REFUSALS:
            raise error
        # spread what comes back, so that all tasks of a token do not return in the same instant
        reset = min(error.wait_seconds or 0.0, RATE_LIMIT_LONGEST_WAIT_SECONDS) + random.uniform(0.1, 1.0)
        # a service that refuses again right after its own reset is asked ever more seldom
        return Sleep(max(reset, self._backoff(self.refusals)), error)

    @staticmethod
    def _backoff(failures: int) -> float:
        longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (failures - 1))
        return longest * random.uniform(0.5, 1.0)


def _may_repeat(error: DSError, request: Request) -> bool:
    """A query can always be sent again; a mutation only where the service cannot have run it."""
    if request.repeatable or isinstance(error, DSRateLimitedError | DSMaintenanceError):
        return True
    return isinstance(error, DSTransportError) and not error.sent


def send_with_retry(
    build: Callable[[], Request],
    read: Callable[[Exchange], T],
    adapt: Callable[[DSError], bool] = lambda error: False,
    attempts: int = ATTEMPTS,
) -> SubFlow[T]:
    """Send a request until its answer is whole.

    :param build: makes the request anew for each attempt.
    :param read: gives what the answer holds, or raises what it is instead.
    :param adapt: told of each failure; true if the next attempt differs enough to be made at once.
    :param attempts: how often it is sent at most; a spent rate limit is waited out all the same.
    :raises DSError: the last failure, once the attempts are spent.
    """
    patience = RetryState(attempts)
    while True:
        request = build()
        exchange: Exchange = yield Send(request)
        try:
            return read(exchange)
        except DSError as error:
            if not adapt(error):
                yield patience.pause(error, request)


def once(request: Request, read: Callable[[Exchange], T]) -> Flow[T]:
    """A flow that gives one answer."""
    answer = yield from send_with_retry(lambda: request, read)
    yield answer
