"""
### A démarche's dossiers in a warehouse, day by day

Every night extracts from each group what the warehouse lacks (`window="incremental"`): the first night the full group,
then what changed since the group was loaded. A night that failed, a day without a run and a new group need nobody: the
next night makes up for them. It also reads all deletions, and refreshes the dossiers extracted longest ago, a share of
them each night, since some changes move no date. The files are then loaded into typed tables. These hold each dossier
once, in its last version. A dossier that is deleted for good is erased from all tables, and from the files when they
are pruned. Every Sunday compares all numbers and dates with the service's and corrects the differences.

A group that fails stops no other group: the load takes what has landed, and the run ends red. The last check fails too
if a group is not loaded from its first dossier on, or has not been for three days.

**To make it yours**: put the démarche's number in `demarche`, your landing zone in `destination`; in `WAREHOUSE` the
connection of your database, or nothing for a DuckDB file in Airflow's home.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, TriggerRule, XComArg, dag, task

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.retry_policy import DS_DEFAULT_ARGS

WAREHOUSE = {"warehouse_conn_id": None}
PARTS = {"include_messages": True, "include_avis": True, "include_labels": True, "include_corrections": True}
LANDING = {"destination": "{{ params.destination }}"}


@dag(
    schedule="@daily",
    # the schedule's time zone is this one's
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    # the next run makes up for a missed one
    catchup=False,
    # two runs would read the same
    max_active_runs=1,
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
    tags=["ds", "example", "warehouse"],
)
def ds_warehouse_daily():
    groupes = DSListGroupesOperator(
        task_id="groupes",
        demarche_number="{{ params.demarche }}",
        batch_size="{{ params.groupes_per_task }}",
    )
    extractions = [
        DSExtractDossiersOperator.partial(task_id="dossiers", window="incremental", **LANDING, **PARTS, **WAREHOUSE),
        DSExtractDeletedDossiersOperator.partial(task_id="deletions", **LANDING),
        DSRefreshDossiersOperator.partial(
            task_id="refresh", max_age=timedelta(days=28), **LANDING, **PARTS, **WAREHOUSE
        ),
    ]
    extracted = [extraction.expand(groupe_instructeur_number=groupes.output) for extraction in extractions]

    load = DSLoadOperator(
        task_id="load",
        # also from tasks that failed: the summaries of the groups that landed
        manifests=[XComArg(each, key="landed") for each in extracted],
        demarche_number="{{ params.demarche }}",
        trigger_rule=TriggerRule.ALL_DONE,
        **WAREHOUSE,
    )

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def sunday(dag_run: Any) -> bool:
        return pendulum.instance(dag_run.run_after).in_timezone("Europe/Paris").day_of_week == pendulum.SUNDAY

    reconcile = DSReconcileOperator(
        task_id="reconcile",
        groupe_instructeur_number=groupes.output,
        **LANDING,
        **PARTS,
        **WAREHOUSE,
    )
    prune = DSPruneLandingOperator(
        task_id="prune",
        retention=timedelta(days=30),
        trigger_rule=TriggerRule.NONE_FAILED,
        **LANDING,
        **WAREHOUSE,
    )

    # fails if a group has failed night after night, or is not loaded from its first dossier on
    fresh = DSFreshnessOperator(
        task_id="fresh",
        groupe_instructeur_number=groupes.output,
        max_age=timedelta(days=3),
        retries=0,
        **WAREHOUSE,
    )

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def failed() -> None:
        # the last task decides the colour of the run, and a run with a missing group must not be green
        raise RuntimeError("some tasks failed: their rows are not in the tables")

    [load, sunday()] >> reconcile >> prune
    load >> [prune, fresh]
    [groupes, *extracted, load, reconcile, prune, fresh] >> failed()


ds_warehouse_daily()
