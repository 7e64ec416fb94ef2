"""
### A démarche's dossiers in a warehouse, day by day

Every night: the dossiers last changed in the day, Paris time, all deletions, and a slice of the dossiers that were
read longest ago, since some changes move no date. They land as files, which are loaded into typed tables, in which
each dossier stands once, in its last version. A dossier that is deleted for good is erased from all tables, and from
the files when these are pruned. On Sundays all numbers and dates are held against the service's, and what differs is
mended.

A group that fails does not stop the others: what has landed is loaded, and the run ends red. The union of all days is
the whole, hence `catchup=True`: a day that was missed is made up for.

Dossiers deposited before `start_date` and unchanged since are in none of these days: load them once with
`ds_warehouse_backfill`, by whole months, hence begin on the first of one. The first Sunday would find them too, but
asks for each by its number.

**To make it yours**: put the démarche's number in `demarche`, your landing zone in `destination`, the day on which you
begin in `start_date`; in `WAREHOUSE` the connection of your database, or nothing for a DuckDB file in Airflow's home.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, XComArg, dag, task

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.freshness import DSFreshnessOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.operators.prune import DSPruneLandingOperator
from ds_provider.operators.reconcile import DSReconcileOperator
from ds_provider.operators.refresh import DSRefreshDossiersOperator
from ds_provider.retry_policy import DS_RETRY_POLICY

WAREHOUSE = {"warehouse_conn_id": None}
PARTS = {"include_messages": True, "include_avis": True, "include_labels": True, "include_corrections": True}
LANDING = {"destination": "{{ params.destination }}"}


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    catchup=True,
    # days may be loaded in any order, but their tasks would wait for one another
    max_active_runs=1,
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
    tags=["ds", "example", "warehouse"],
)
def ds_warehouse_daily():
    groupes = DSListGroupesOperator(
        task_id="groupes",
        demarche_number="{{ params.demarche }}",
        batch_size="{{ params.groupes_per_task }}",
    )
    extractions = [
        DSExtractDossiersOperator.partial(task_id="dossiers", window="updated", **LANDING, **PARTS),
        DSExtractDeletedDossiersOperator.partial(task_id="deletions", **LANDING),
        DSRefreshDossiersOperator.partial(task_id="reread", within=timedelta(days=28), **LANDING, **PARTS, **WAREHOUSE),
    ]
    extracted = [extraction.expand(groupe_instructeur_number=groupes.output) for extraction in extractions]

    load = DSLoadOperator(
        task_id="load",
        # of a task of which some groups failed, the others' summaries are under another key
        manifests=[XComArg(each, key=key) for each in extracted for key in ("return_value", "landed")],
        demarche_number="{{ params.demarche }}",
        trigger_rule=TriggerRule.ALL_DONE,
        **WAREHOUSE,
    )

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def sunday(data_interval_end: pendulum.DateTime) -> bool:
        return data_interval_end.in_timezone("Europe/Paris").day_of_week == pendulum.SUNDAY

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

    # a group that fails night after night
    fresh = DSFreshnessOperator(
        task_id="fresh",
        groupe_instructeur_number=groupes.output,
        max_age=timedelta(days=3),
        **WAREHOUSE,
    )

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def failed() -> None:
        # what is last decides the colour of the run: it must not be green where a group is missing
        raise RuntimeError("some tasks failed: what they would have read is not in the tables")

    [load, sunday()] >> reconcile >> prune
    load >> [prune, fresh]
    [groupes, *extracted, load, reconcile, prune, fresh] >> failed()


ds_warehouse_daily()
