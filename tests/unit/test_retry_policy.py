"""Errors that only a person can mend end a task at once, with and without a retry policy."""

from __future__ import annotations

import copy
import pickle
import traceback
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException

from ds_provider import exceptions
from ds_provider.exceptions import (
    DSError,
    DSMaintenanceError,
    DSNetworkForbiddenError,
    DSRateLimitedError,
    DSTokenExpiredError,
)
from ds_provider.retry_policy import DS_DEFAULT_ARGS, DS_RETRY_POLICY, PERMANENT_ERRORS, fail_fast

ALL_ERRORS = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, DSError)]
PERMANENT = [kind for kind in ALL_ERRORS if issubclass(kind, PERMANENT_ERRORS)]
OTHERS = [kind for kind in ALL_ERRORS if not issubclass(kind, PERMANENT_ERRORS)]
WAITING = (DSMaintenanceError, DSRateLimitedError)


def name(kind: type[DSError]) -> str:
    return kind.__name__


def raised_by_a_task(error: BaseException) -> Any:
    @fail_fast
    def execute() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        execute()
    return caught.value


@pytest.mark.parametrize("kind", PERMANENT, ids=name)
def test_permanent_error_ends_a_task_without_retries(kind: type[DSError]) -> None:
    error = kind("a person must act")
    raised = raised_by_a_task(error)
    assert raised is error
    assert isinstance(raised, AirflowFailException)
    assert isinstance(raised, kind)


@pytest.mark.parametrize("kind", PERMANENT, ids=name)
def test_permanent_error_keeps_its_name_and_text(kind: type[DSError]) -> None:
    raised = raised_by_a_task(kind("a person must act").add_context(groupe_instructeur_number=12))
    assert type(raised).__name__ == kind.__name__
    assert type(raised).__qualname__ == kind.__qualname__
    assert type(raised).__module__ == kind.__module__
    assert type(raised).__doc__ == kind.__doc__
    text = "a person must act (groupe instructeur number 12)"
    assert str(raised) == text
    assert traceback.format_exception_only(raised) == [f"ds_provider.exceptions.{kind.__name__}: {text}\n"]


@pytest.mark.parametrize("kind", PERMANENT, ids=name)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_permanent_error_survives_a_change_of_process(kind: type[DSError], again: Any) -> None:
    raised = raised_by_a_task(kind("a person must act").add_context(cursor="c"))
    assert type(again(raised)) is kind
    assert str(again(raised)) == str(raised)


def test_permanent_error_keeps_its_facts_and_traceback() -> None:
    error = DSNetworkForbiddenError("refused", ip="203.0.113.7/32", code="forbidden", http_status=403)

    @fail_fast
    def execute() -> None:
        try:
            raise OSError("the cause")
        except OSError as cause:
            raise error from cause

    with pytest.raises(DSNetworkForbiddenError) as caught:
        execute()
    assert (caught.value.ip, caught.value.code, caught.value.http_status) == ("203.0.113.7/32", "forbidden", 403)
    assert isinstance(caught.value.__cause__, OSError)
    assert traceback.extract_tb(caught.tb)[-1].line == "raise error from cause"


def test_permanent_error_is_changed_once() -> None:
    once = raised_by_a_task(DSTokenExpiredError("its end date has passed"))
    kind = type(once)
    assert type(raised_by_a_task(once)) is kind


@pytest.mark.parametrize("kind", OTHERS, ids=name)
def test_other_error_may_be_retried(kind: type[DSError]) -> None:
    raised = raised_by_a_task(kind("may pass"))
    assert type(raised) is kind
    assert not isinstance(raised, AirflowFailException)


def test_a_decorated_task_returns_its_result() -> None:
    @fail_fast
    def execute(number: int, *, step: int) -> int:
        """Add."""
        return number + step

    assert execute(1, step=2) == 3
    assert (execute.__name__, execute.__doc__) == ("execute", "Add.")


def action_on(error: BaseException) -> tuple[RetryAction, timedelta | None]:
    decision = DS_RETRY_POLICY.evaluate(error, try_number=1, max_tries=3)
    return decision.action, decision.retry_delay


@pytest.mark.parametrize("kind", PERMANENT, ids=name)
def test_policy_fails_on_permanent_errors_before_and_after_a_task_raised_them(kind: type[DSError]) -> None:
    error = kind("a person must act")
    assert action_on(error) == (RetryAction.FAIL, None)
    assert action_on(raised_by_a_task(error)) == (RetryAction.FAIL, None)


def test_policy_waits_where_only_time_helps() -> None:
    assert action_on(DSMaintenanceError("closed")) == (RetryAction.RETRY, timedelta(minutes=15))
    assert action_on(DSRateLimitedError("spent")) == (RetryAction.RETRY, timedelta(minutes=2))


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind not in WAITING], ids=name)
def test_policy_leaves_other_errors_to_the_settings_of_the_task(kind: type[DSError]) -> None:
    assert action_on(kind("may pass")) == (RetryAction.DEFAULT, None)


def test_default_args_carry_the_policy() -> None:
    assert DS_DEFAULT_ARGS["retry_policy"] is DS_RETRY_POLICY
