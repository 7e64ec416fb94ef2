"""Transient failures are retried, permanent ones raised at once, and a mutation never runs twice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport.messages import Request, TransportFailure
from ds_provider.api.transport.retry import (
    ATTEMPTS,
    MAX_PAUSE_SECONDS,
    RATE_LIMIT_MAX_WAIT_SECONDS,
    RATE_LIMIT_REFUSALS,
    RetryState,
    once,
)
from ds_provider.exceptions import (
    DSAccessError,
    DSComplexityError,
    DSConfigurationError,
    DSDestinationError,
    DSError,
    DSGroupesFailedError,
    DSIncompletePageError,
    DSMaintenanceError,
    DSMalformedResponseError,
    DSNetworkForbiddenError,
    DSNotFoundError,
    DSRateLimitedError,
    DSRequestError,
    DSServerError,
    DSTimeoutError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSTransportError,
    DSUnauthorizedError,
)
from tests.support.flows import Drive, response

QUERY = Request("query { __typename }")
MUTATION = Request("mutation { dossierEnvoyerMessage(input: {}) { errors { message } } }")

TRANSIENT = {
    "transport": lambda: DSTransportError("broken", sent=True),
    "not sent": lambda: DSTransportError("refused", sent=False),
    "malformed": lambda: DSMalformedResponseError("no response"),
    "timeout": lambda: DSTimeoutError("slow"),
    "server": lambda: DSServerError("failed"),
    "maintenance": lambda: DSMaintenanceError("closed"),
    "incomplete": lambda: DSIncompletePageError("holes"),
}
PERMANENT = [
    DSError,
    DSConfigurationError,
    DSDestinationError,
    DSAccessError,
    DSTokenUnknownError,
    DSTokenExpiredError,
    DSNetworkForbiddenError,
    DSUnauthorizedError,
    DSNotFoundError,
    DSRequestError,
    DSComplexityError,
    DSGroupesFailedError,
]
# after these the service cannot have run a mutation, so it may be sent again
CERTAINLY_NOT_RUN = {"not sent", "maintenance"}


def failing(request: Request, *errors: DSError) -> Drive:
    """Drive a request whose responses are these errors in turn, the last one for ever."""
    waiting = list(errors)

    def read(exchange):
        raise waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return Drive(once(request, read), lambda request: response({}))


def recovering(request: Request, *errors: DSError) -> Drive:
    """Drive a request whose responses are these errors in turn, then a whole one."""
    waiting = list(errors)

    def read(exchange):
        if waiting:
            raise waiting.pop(0)
        return "whole"

    return Drive(once(request, read), lambda request: response({}))


@pytest.mark.parametrize("error", TRANSIENT.values(), ids=TRANSIENT)
def test_query_is_retried_until_the_attempts_are_spent(error):
    failure = error()
    driven = failing(QUERY, failure)
    assert driven.error is failure
    assert driven.requests == [QUERY] * ATTEMPTS
    assert len(driven.pauses) == ATTEMPTS - 1
    assert all(pause.because is failure for pause in driven.pauses)


@pytest.mark.parametrize("error", TRANSIENT.values(), ids=TRANSIENT)
def test_query_succeeds_at_the_last_attempt(error):
    driven = recovering(QUERY, *[error() for _ in range(ATTEMPTS - 1)])
    assert driven.error is None
    assert driven.results == ["whole"]


def test_last_failure_is_raised():
    last = DSServerError("last")
    driven = failing(QUERY, *[DSTimeoutError("slow")] * (ATTEMPTS - 1), last)
    assert driven.error is last


@pytest.mark.parametrize("kind", PERMANENT)
@pytest.mark.parametrize("request_", [QUERY, MUTATION], ids=["query", "mutation"])
def test_permanent_error_is_raised_at_once(kind, request_):
    failure = kind("no")
    driven = failing(request_, failure)
    assert driven.error is failure
    assert len(driven.requests) == 1
    assert driven.pauses == []


@pytest.mark.parametrize("name", TRANSIENT)
def test_mutation_is_retried_only_if_the_service_cannot_have_run_it(name):
    driven = recovering(MUTATION, TRANSIENT[name]())
    assert len(driven.requests) == (2 if name in CERTAINLY_NOT_RUN else 1)
    assert (driven.results == ["whole"]) == (name in CERTAINLY_NOT_RUN)


def test_mutation_is_retried_after_a_rate_limit():
    assert recovering(MUTATION, DSRateLimitedError("spent", wait_seconds=3)).results == ["whole"]


@pytest.mark.parametrize("wait", [None, 0, 20])
def test_mutation_that_may_have_run_after_a_rate_limit_is_not_retried(wait):
    failure = DSServerError("failed")
    driven = failing(MUTATION, DSRateLimitedError("spent", wait_seconds=wait), failure)
    assert driven.error is failure
    assert len(driven.requests) == 2


@pytest.mark.parametrize(
    ("exchange", "times"),
    [
        (TransportFailure("x", sent=True), 1),
        (TransportFailure("x", sent=False), ATTEMPTS),
        (response(status=500, body=b""), 1),
        (response(status=502, body=b"<html>"), 1),
        (response(body=b"{"), 1),
        (response({"data": None, "errors": [{"message": "Timeout on Mutation.x"}]}), 1),
        (response({"error": "maintenance"}, status=503), ATTEMPTS),
        (response(status=429, body=b"Calme toi"), RATE_LIMIT_REFUSALS + 1),
    ],
    ids=["dropped", "refused", "500", "502", "cut", "timeout", "maintenance", "429"],
)
def test_mutation_is_sent_so_often_for_a_response(exchange, times):
    from ds_provider.api.query.lookups import run

    driven = Drive(run(MUTATION), lambda request: exchange)
    assert len(driven.requests) == times
    assert isinstance(driven.error, DSError)


@given(st.integers(1, 40))
def test_pauses_are_bounded_and_their_bounds_grow(runs):
    pauses = [pause.seconds for pause in failing(QUERY, DSServerError("failed")).pauses]
    for failures, seconds in enumerate(pauses):
        longest = min(MAX_PAUSE_SECONDS, 2.0**failures)
        assert longest / 2 <= seconds <= longest


def test_pauses_outlast_a_restart_of_the_service():
    assert sum(pause.seconds for pause in failing(QUERY, DSServerError("failed")).pauses) > 30


def test_pauses_differ_between_tasks():
    seen = {RetryState().pause(DSServerError("failed"), QUERY).seconds for _ in range(20)}
    assert len(seen) > 1
    seen = {RetryState().pause(DSRateLimitedError("spent", wait_seconds=30), QUERY).seconds for _ in range(20)}
    assert len(seen) > 1


@given(st.floats(0, RATE_LIMIT_MAX_WAIT_SECONDS))
def test_rate_limit_pause_reaches_the_reset(wait):
    seconds = RetryState().pause(DSRateLimitedError("spent", wait_seconds=wait), QUERY).seconds
    assert wait < seconds <= wait + 1


@pytest.mark.parametrize("wait", [RATE_LIMIT_MAX_WAIT_SECONDS + 1, 1e9, math.inf])
def test_rate_limit_pause_is_bounded(wait):
    seconds = RetryState().pause(DSRateLimitedError("spent", wait_seconds=wait), QUERY).seconds
    assert seconds <= RATE_LIMIT_MAX_WAIT_SECONDS + 1


def test_rate_limits_do_not_count_as_attempts():
    spent = [DSRateLimitedError("spent", wait_seconds=10)] * (ATTEMPTS + 2)
    failures = [DSServerError("failed")] * (ATTEMPTS - 1)
    assert recovering(QUERY, *spent, *failures).results == ["whole"]
    assert recovering(QUERY, *failures, *spent).results == ["whole"]


def test_rate_limits_are_retried_a_limited_number_of_times():
    driven = failing(QUERY, DSRateLimitedError("spent", wait_seconds=10))
    assert isinstance(driven.error, DSRateLimitedError)
    assert len(driven.requests) == RATE_LIMIT_REFUSALS + 1


@pytest.mark.parametrize("wait", [None, 0.0], ids=["no reset", "reset in the past"])
def test_rate_limit_pauses_last_longer_than_a_minute_together(wait):
    pauses = failing(QUERY, DSRateLimitedError("spent", wait_seconds=wait)).pauses
    assert sum(pause.seconds for pause in pauses) > 60


def test_each_request_has_its_own_attempts():
    failures = [DSServerError("failed")] * (ATTEMPTS - 1)
    for _ in range(3):
        assert recovering(QUERY, *failures).results == ["whole"]
