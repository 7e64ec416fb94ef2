"""When a task is worth another try, for a DAG's ``default_args``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowFailException

from ds_provider.exceptions import (
    DSAccessError,
    DSConfigurationError,
    DSDestinationRightsError,
    DSError,
    DSGroupesRefusedError,
    DSMaintenanceError,
    DSRateLimitedError,
    DSRequestError,
    DSTasksFailedError,
    DSWarehouseRightsError,
)

P = ParamSpec("P")
R = TypeVar("R")

PERMANENT_ERRORS: tuple[type[DSError], ...] = (
    DSAccessError,
    DSConfigurationError,
    DSDestinationRightsError,
    DSGroupesRefusedError,
    DSRequestError,
    DSTasksFailedError,
    DSWarehouseRightsError,
)
"""Errors that last until a person changes the token, its rights, the warehouse's or a parameter."""

DS_RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=list(PERMANENT_ERRORS),
            action=RetryAction.FAIL,
            reason="a person must change the token, its rights or a parameter first",
        ),
        RetryRule(
            exception=DSMaintenanceError,
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=15),
            reason="the service is closed for maintenance",
        ),
        RetryRule(
            exception=DSRateLimitedError,
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=2),
            reason="other jobs spend the token's requests",
        ),
    ]
)
"""Fail at once where only a person can help, wait where only time can; all else as the task's own settings say."""

DS_DEFAULT_ARGS = {
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(hours=1),
    "retry_policy": DS_RETRY_POLICY,
}
"""Retry settings for the ``default_args`` of a DAG: three retries, after 5, 10 and 20 minutes."""


def fail_fast(execute: Callable[P, R]) -> Callable[P, R]:
    """Decorate a task's ``execute``: an error that only a person can mend ends the task without retries.

    This holds also where the task has no retry policy.
    """

    @wraps(execute)
    def execute_without_useless_retries(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return execute(*args, **kwargs)
        except PERMANENT_ERRORS as error:
            # the error stays the same object: its facts, notes, cause and traceback are for a person to read
            error.__class__ = _failing_task(type(error))
            # a bare raise would have Python before 3.11 look for handlers of the former class
            raise error

    return execute_without_useless_retries


def _failing_task(kind: type[DSError]) -> type[DSError]:
    """Return the subclass of an error that Airflow does not retry. Logs show it under the error's own name."""
    if issubclass(kind, AirflowFailException):
        return kind

    def reduce(error: BaseException) -> tuple[Any, ...]:
        # nobody can import this class: what is pickled or copied is the error itself
        return kind, error.args, error.__dict__

    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind, AirflowFailException), {**names, "__reduce__": reduce})
