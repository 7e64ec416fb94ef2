"""What passes is asked again, what does not is told at once, and what may have been done is never done twice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.api.transport.messages import Request, TransportFailure
from ds_provider.api.transport.retry import (
    ATTEMPTS,
    MAX_PAUSE_SECONDS,
    RATE_LIMIT_LONGEST_WAIT_SECONDS,
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
    DSMalformedAnswerError,
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
from tests.support.flows import Drive, reply

QUERY = Request("query { __typename }")
MUTATION = Request("mutation { dossierEnvoyerMessage(input: {}) { errors { message } } }")

PASSING = {
    "transport": lambda: DSTransportError("broken", sent=True),
    "not sent": lambda: DSTransportError("refused", sent=False),
    "malformed": lambda: DSMalformedAnswerError("no answer"),
    "timeout": lambda: DSTimeoutError("slow"),
    "server": lambda: DSServerError("failed"),
    "maintenance": lambda: DSMaintenanceError("closed"),
    "incomplete": lambda: DSIncompletePageError("holes"),
}
LASTING = [
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
# what a mutation may be sent again after: the service cannot have run it
UNDONE = {"not sent", "maintenance"}


def drive(request: Request, *errors: DSError) -> Drive:
    """Answers that are these errors in turn, the last one for ever."""
    waiting = list(errors)

    def read(exchange):
        raise waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return Drive(once(request, read), lambda request: reply({}))


def recovering(request: Request, *errors: DSError) -> Drive:
    """These errors in turn, then a whole answer."""
    waiting = list(errors)

    def read(exchange):
        if waiting:
            raise waiting.pop(0)
        return "whole"

    return Drive(once(request, read), lambda request: reply({}))


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
def test_a_query_is_asked_again_until_the_attempts_are_spent(error):
    failure = error()
    driven = drive(QUERY, failure)
    assert driven.error is failure
    assert driven.requests == [QUERY] * ATTEMPTS
    assert len(driven.pauses) == ATTEMPTS - 1
    assert all(pause.because is failure for pause in driven.pauses)


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
def test_a_query_that_fails_until_the_last_attempt_succeeds(error):
    driven = recovering(QUERY, *[error() for _ in range(ATTEMPTS - 1)])
    assert driven.error is None
    assert driven.given == ["whole"]


def test_the_last_failure_is_the_one_that_is_told():
    last = DSServerError("last")
    driven = drive(QUERY, *[DSTimeoutError("slow")] * (ATTEMPTS - 1), last)
    assert driven.error is last


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("request_", [QUERY, MUTATION], ids=["query", "mutation"])
def test_what_lasts_is_told_at_once(kind, request_):
    failure = kind("no")
    driven = drive(request_, failure)
    assert driven.error is failure
    assert len(driven.requests) == 1
    assert driven.pauses == []


@pytest.mark.parametrize("name", PASSING)
def test_a_mutation_is_sent_again_only_if_the_service_cannot_have_run_it(name):
    driven = recovering(MUTATION, PASSING[name]())
    assert len(driven.requests) == (2 if name in UNDONE else 1)
    assert (driven.given == ["whole"]) == (name in UNDONE)


def test_a_mutation_that_was_refused_for_the_rate_is_sent_again():
    assert recovering(MUTATION, DSRateLimitedError("spent", wait_seconds=3)).given == ["whole"]


@pytest.mark.parametrize("wait", [None, 0, 20])
def test_a_mutation_that_may_have_run_after_a_refusal_is_not_sent_again(wait):
    failure = DSServerError("failed")
    driven = drive(MUTATION, DSRateLimitedError("spent", wait_seconds=wait), failure)
    assert driven.error is failure
    assert len(driven.requests) == 2


@pytest.mark.parametrize(
    ("exchange", "times"),
    [
        (TransportFailure("x", sent=True), 1),
        (TransportFailure("x", sent=False), ATTEMPTS),
        (reply(status=500, body=b""), 1),
        (reply(status=502, body=b"<html>"), 1),
        (reply(body=b"{"), 1),
        (reply({"data": None, "errors": [{"message": "Timeout on Mutation.x"}]}), 1),
        (reply({"error": "maintenance"}, status=503), ATTEMPTS),
        (reply(status=429, body=b"Calme toi"), RATE_LIMIT_REFUSALS + 1),
    ],
    ids=["dropped", "refused", "500", "502", "cut", "timeout", "maintenance", "429"],
)
def test_how_often_a_mutation_goes_out_for_an_answer(exchange, times):
    from ds_provider.api.query.lookups import run

    driven = Drive(run(MUTATION), lambda request: exchange)
    assert len(driven.requests) == times
    assert isinstance(driven.error, DSError)


@given(st.integers(1, 40))
def test_pauses_are_bounded_and_their_bounds_grow(runs):
    pauses = [pause.seconds for pause in drive(QUERY, DSServerError("failed")).pauses]
    for failures, seconds in enumerate(pauses):
        longest = min(MAX_PAUSE_SECONDS, 2.0**failures)
        assert longest / 2 <= seconds <= longest


def test_pauses_outlast_a_restart_of_the_service():
    assert sum(pause.seconds for pause in drive(QUERY, DSServerError("failed")).pauses) > 30


def test_two_tasks_do_not_come_back_in_the_same_instant():
    seen = {RetryState().pause(DSServerError("failed"), QUERY).seconds for _ in range(20)}
    assert len(seen) > 1
    seen = {RetryState().pause(DSRateLimitedError("spent", wait_seconds=30), QUERY).seconds for _ in range(20)}
    assert len(seen) > 1


@given(st.floats(0, RATE_LIMIT_LONGEST_WAIT_SECONDS))
def test_a_refusal_for_the_rate_is_waited_out(wait):
    seconds = RetryState().pause(DSRateLimitedError("spent", wait_seconds=wait), QUERY).seconds
    assert wait < seconds <= wait + 1


@pytest.mark.parametrize("wait", [RATE_LIMIT_LONGEST_WAIT_SECONDS + 1, 1e9, math.inf])
def test_no_reset_however_far_blocks_a_task_for_long(wait):
    seconds = RetryState().pause(DSRateLimitedError("spent", wait_seconds=wait), QUERY).seconds
    assert seconds <= RATE_LIMIT_LONGEST_WAIT_SECONDS + 1


def test_refusals_for_the_rate_do_not_use_up_the_attempts():
    spent = [DSRateLimitedError("spent", wait_seconds=10)] * (ATTEMPTS + 2)
    failures = [DSServerError("failed")] * (ATTEMPTS - 1)
    assert recovering(QUERY, *spent, *failures).given == ["whole"]
    assert recovering(QUERY, *failures, *spent).given == ["whole"]


def test_refusals_for_the_rate_end_too():
    driven = drive(QUERY, DSRateLimitedError("spent", wait_seconds=10))
    assert isinstance(driven.error, DSRateLimitedError)
    assert len(driven.requests) == RATE_LIMIT_REFUSALS + 1


@pytest.mark.parametrize("wait", [None, 0.0], ids=["no reset", "reset in the past"])
def test_refusals_are_borne_for_longer_than_the_minute_that_they_are_counted_by(wait):
    pauses = drive(QUERY, DSRateLimitedError("spent", wait_seconds=wait)).pauses
    assert sum(pause.seconds for pause in pauses) > 60


def test_each_request_has_its_own_attempts():
    failures = [DSServerError("failed")] * (ATTEMPTS - 1)
    for _ in range(3):
        assert recovering(QUERY, *failures).given == ["whole"]
