"""Retries: how often a request is sent again, and how long the pauses are.

Written once, for the blocking and the asynchronous client.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from ds_provider.api.transport.flows import Flow, Send, Sleep, SubFlow
from ds_provider.api.transport.messages import Exchange, Request
from ds_provider.exceptions import (
    DSError,
    DSMaintenanceError,
    DSProxyUnavailableError,
    DSRateLimitedError,
    DSTransientError,
    DSTransportError,
)

T = TypeVar("T")

ATTEMPTS = 7
# a proxy that cannot reach the service for some seconds will not in the next minute either
PROXY_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
RATE_LIMIT_REFUSALS = 12
RATE_LIMIT_MAX_WAIT_SECONDS = 120.0


class RetryState:
    """Attempts that are left for one request.

    :param attempts: how often the request is sent at most. Rate limits do not count.
    """

    def __init__(self, attempts: int = ATTEMPTS) -> None:
        self.attempts = attempts
        self.failures = 0
        self.refusals = 0

    def pause(self, error: DSError, request: Request) -> Sleep:
        """Return how long to wait before the same request is sent again.

        :raises DSError: the error itself, if sending again is of no use or not safe, or the attempts are spent.
        """
        if not isinstance(error, DSTransientError) or not _may_repeat(error, request):
            raise error
        if isinstance(error, DSRateLimitedError):
            return self._until_reset(error)
        self.failures += 1
        unavailable = isinstance(error, DSProxyUnavailableError)
        if self.failures >= (min(self.attempts, PROXY_ATTEMPTS) if unavailable else self.attempts):
            raise error
        return Sleep(self._backoff(self.failures), error)

    def _until_reset(self, error: DSRateLimitedError) -> Sleep:
        self.refusals += 1
        if self.refusals > RATE_LIMIT_REFUSALS:
            raise error
        # spread what comes back, so that all tasks of a token do not return in the same instant
        reset = min(error.wait_seconds or 0.0, RATE_LIMIT_MAX_WAIT_SECONDS) + random.uniform(0.1, 1.0)
        # after a refusal right after the service's own reset, the pauses grow
        return Sleep(max(reset, self._backoff(self.refusals)), error)

    @staticmethod
    def _backoff(failures: int) -> float:
        longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (failures - 1))
        return longest * random.uniform(0.5, 1.0)


def _may_repeat(error: DSError, request: Request) -> bool:
    """Return true if a request can be sent again: a mutation only if the service cannot have run it."""
    if request.repeatable or isinstance(error, DSRateLimitedError | DSMaintenanceError):
        return True
    return isinstance(error, DSTransportError) and not error.sent


def send_with_retry(
    build: Callable[[], Request],
    read: Callable[[Exchange], T],
    adapt: Callable[[DSError], bool] = lambda error: False,
    attempts: int = ATTEMPTS,
) -> SubFlow[T]:
    """Send a request until its response is whole.

    :param build: builds the request anew for each attempt.
    :param read: returns what the response holds, or raises the error that it is.
    :param adapt: called with each failure; returns true if the next attempt differs enough to be made at once.
    :param attempts: how often it is sent at most; a spent rate limit is waited out all the same.
    :raises DSError: the last failure, once the attempts are spent.
    """
    state = RetryState(attempts)
    while True:
        request = build()
        exchange: Exchange = yield Send(request)
        try:
            return read(exchange)
        except DSError as error:
            error.add_context(**request.context)
            if not adapt(error):
                yield state.pause(error, request)


def once(request: Request, read: Callable[[Exchange], T]) -> Flow[T]:
    """Yield the result of one request."""
    result = yield from send_with_retry(lambda: request, read)
    yield result
