"""Operator that ends a pipeline: it fails if a task before it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator, Context, TriggerRule
from airflow.sdk.exceptions import AirflowSkipException

from ds_provider.exceptions import DSTasksFailedError
from ds_provider.retry_policy import fail_fast

FAILED = ("failed", "upstream_failed")


class DSCompleteOperator(BaseOperator):
    """Fail if any task before it failed, once all of them have ended.

    The last tasks of a run decide its colour. Where a load takes what has landed although a group failed, this task is
    the one that must come last: it makes the run red, and names what is missing. It is skipped if the tasks right
    before it were.

    :param trigger_rule: when it runs; by default once all tasks before it have ended, however they did.
    :raises DSTasksFailedError: naming the tasks that failed.
    """

    ui_color = "#cacafb"
    ui_fgcolor = "#000091"

    def __init__(self, *, trigger_rule: str = TriggerRule.ALL_DONE, **kwargs: Any) -> None:
        super().__init__(trigger_rule=trigger_rule, **kwargs)

    @fail_fast
    def execute(self, context: Context) -> None:
        """Raise if a task before this one failed."""
        ti = context["ti"]
        before = sorted(self.get_flat_relative_ids(upstream=True))
        of_run: dict[str, Any] = {"dag_id": self.dag_id, "run_ids": [ti.run_id]}
        # counted, since the keys of the states of mapped tasks may be those of others
        if ti.get_ti_count(**of_run, task_ids=before, states=list(FAILED)):
            raise _error(ti.get_task_states(**of_run, task_ids=before).get(ti.run_id, {}))
        ends = sorted(self.upstream_task_ids)
        if ends and ti.get_ti_count(**of_run, task_ids=ends, states=["skipped"]) == ti.get_ti_count(
            **of_run, task_ids=ends
        ):
            raise AirflowSkipException("the tasks before this one were skipped")
        self.log.info("no task before this one failed, of %d", ti.get_ti_count(**of_run, task_ids=before))


def _error(states: Mapping[str, str | None]) -> DSTasksFailedError:
    failed, not_run = (sorted(name for name, state in states.items() if state == one) for one in FAILED)
    after = f"; not run because of them: {', '.join(not_run)}" if failed and not_run else ""
    return DSTasksFailedError(
        f"tasks that failed: {', '.join(failed or not_run)}{after}. What they were to bring is not in the tables: see "
        "their logs, and clear them once the cause is mended, or let the next run make up for them",
        tasks=[*failed, *not_run],
    )
