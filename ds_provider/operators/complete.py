"""Operator that ends a pipeline: it fails if a task before it failed."""

from __future__ import annotations

import re
from typing import Any

from airflow.sdk import BaseOperator, Context, TriggerRule
from airflow.sdk.exceptions import AirflowSkipException

from ds_provider.exceptions import DSTasksFailedError

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

    def execute(self, context: Context) -> None:
        """Raise if a task before this one failed."""
        ti = context["ti"]
        before = sorted(self.get_flat_relative_ids(upstream=True))
        runs = ti.get_task_states(dag_id=self.dag_id, task_ids=before, run_ids=[ti.run_id])
        states: dict[str, str | None] = runs.get(ti.run_id, {})
        failed, not_run = (sorted(name for name in states if states[name] == state) for state in FAILED)
        if failed:
            after = f"; not run because of them: {', '.join(not_run)}" if not_run else ""
            raise DSTasksFailedError(
                f"tasks that failed: {', '.join(failed)}{after}. What they were to bring is not in the tables: see "
                "their logs, and clear them once the cause is mended, or let the next run make up for them",
                tasks=[*failed, *not_run],
            )
        # the key of a mapped task ends with its map index
        before_this = re.compile(rf"({'|'.join(map(re.escape, self.upstream_task_ids))})(_\d+)?")
        ends = [state for key, state in states.items() if before_this.fullmatch(key)]
        if "success" not in ends:
            raise AirflowSkipException("the tasks before this one were skipped")
        self.log.info("no task before this one failed, of %d", len(states))
