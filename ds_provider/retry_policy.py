"""When a task is worth another try, for a DAG's ``default_args``."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from ds_provider.exceptions import (
    DSAccessError,
    DSConfigurationError,
    DSGroupesRefusedError,
    DSMaintenanceError,
    DSRateLimitedError,
    DSRequestError,
)

DS_RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[DSAccessError, DSConfigurationError, DSGroupesRefusedError, DSRequestError],
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
