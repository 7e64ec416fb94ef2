"""
### All groups of a démarche, several per task

The groups are discovered at each run, closed ones included: a closed group keeps its dossiers, and they keep changing.
Each mapped task reads several groups over one connection. A group that fails does not stop the others, neither in
its task nor in other tasks; the run ends red, and the summary names what is missing.

**To make it yours**: put the démarche's number in `demarche` and your landing zone in `destination`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, dag, task

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.retry_policy import DS_RETRY_POLICY


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    catchup=True,
    max_active_runs=2,
    default_args={
        # over all runs: the token's requests, 400 a minute, are shared by all jobs that use it
        "max_active_tis_per_dag": 4,
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": DS_RETRY_POLICY,
        "execution_timeout": timedelta(hours=4),
    },
    params={
        "demarche": Param(1, type="integer", minimum=1, title="Number of the démarche"),
        "groupes_per_task": Param(10, type="integer", minimum=1, title="Groups per mapped task"),
        "destination": Param("file:///opt/airflow/landing", type="string", title="Landing zone"),
    },
    doc_md=__doc__,
    tags=["ds", "example"],
)
def ds_demarche_fan_out():
    groupes = DSListGroupesOperator(
        task_id="groupes",
        demarche_number="{{ params.demarche }}",
        batch_size="{{ params.groupes_per_task }}",
    )

    dossiers = DSExtractDossiersOperator.partial(
        task_id="dossiers",
        destination="{{ params.destination }}",
        window="updated",
    ).expand(groupe_instructeur_number=groupes.output)

    deletions = DSExtractDeletedDossiersOperator.partial(
        task_id="deletions",
        destination="{{ params.destination }}",
    ).expand(groupe_instructeur_number=groupes.output)

    def flat(pulled: Any) -> Iterator[dict[str, Any]]:
        """The summaries in what was pulled: a list of lists, or one list where a single mapped task has pushed."""
        for item in pulled or ():
            yield from (item if isinstance(item, list) else [item] if item else [])

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
    def summary(ti: Any) -> dict[str, int]:
        expected = {number for batch in ti.xcom_pull(task_ids="groupes") or [] for number in batch}
        totals = {"groupes": len(expected)}
        missing = set()
        for stream in ("dossiers", "deletions"):
            # a task of which some groups failed gives the others' summaries under another key
            pulled = (ti.xcom_pull(task_ids=stream), ti.xcom_pull(task_ids=stream, key="landed"))
            landed = [group for value in pulled for group in flat(value)]
            totals[stream] = sum(group["rows"] for group in landed)
            missing |= expected - {group["groupe_instructeur_number"] for group in landed if not group["quarantined"]}
        print(", ".join(f"{count} {name}" for name, count in totals.items()))
        # the last task decides the colour of the run: it must not be green where a group is missing
        if missing or not expected:
            raise RuntimeError(f"groups of which not all was read, see their tasks: {sorted(missing) or 'all'}")
        return totals

    [dossiers, deletions] >> summary()


ds_demarche_fan_out()
