"""
### All groups of a démarche, several per task

Each run lists the groups, closed ones included: a closed group keeps its dossiers, and they keep changing. Each mapped
task extracts several groups over one connection. A group that fails stops no other group, neither in its own task nor
in others. The run then ends red, and its last task names the missing groups.

**To make it yours**: put the démarche's number in `demarche` and your landing zone in `destination`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, dag, task

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.retry_policy import DS_DEFAULT_ARGS


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    catchup=True,
    max_active_runs=2,
    default_args={
        **DS_DEFAULT_ARGS,
        # over all runs: all jobs that use the token share its 400 requests a minute
        "max_active_tis_per_dag": 4,
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

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
    def summary(ti: Any) -> dict[str, int]:
        expected = {number for batch in ti.xcom_pull(task_ids="groupes") or [] for number in batch}
        totals = {"groupes": len(expected)}
        missing = set()
        for stream in ("dossiers", "deletions"):
            # also from tasks that failed: the summaries of the groups that landed
            batches = ti.xcom_pull(task_ids=[stream], key="landed")
            landed = [group for batch in batches for group in batch or ()]
            totals[stream] = sum(group["rows"] for group in landed)
            missing |= expected - {group["groupe_instructeur_number"] for group in landed if not group["quarantined"]}
        print(", ".join(f"{count} {name}" for name, count in totals.items()))
        # the last task decides the colour of the run, and a run with a missing group must not be green
        if missing or not expected:
            raise RuntimeError(f"groups that were not extracted in full, see their tasks: {sorted(missing) or 'all'}")
        return totals

    [dossiers, deletions] >> summary()


ds_demarche_fan_out()
