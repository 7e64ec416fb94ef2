"""
### The past of a démarche into the warehouse, month by month of deposit

Loads the dossiers deposited in the run's month, Paris time, as they are today. Months can be loaded in any order, in
parallel, twice, and next to `ds_warehouse_daily`: a version that is older than the one in the tables changes nothing.

Over any range of months, once the DAG is unpaused (a month begins in Paris an hour or two before it does in UTC, in
which Airflow takes a bare date, so give the offset):

    airflow backfill create --dag-id ds_warehouse_backfill \\
        --from-date 2025-01-01T00:00:00+01:00 --to-date 2026-10-31 --max-active-runs 2 \\
        --dag-run-conf '{"demarche": 12345}'

A month that failed is loaded again with `--reprocess-behavior failed`, any month with `completed`.

**To make it yours**: as in `ds_warehouse_daily`, with the same warehouse.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.retry_policy import DS_RETRY_POLICY

WAREHOUSE = {"warehouse_conn_id": None}
PARTS = {"include_messages": True, "include_avis": True, "include_labels": True, "include_corrections": True}


@dag(
    schedule=CronDataIntervalTimetable("@monthly", timezone="Europe/Paris"),
    # before the first démarche: any month can be asked for
    start_date=pendulum.datetime(2015, 1, 1, tz="Europe/Paris"),
    # the past is loaded on demand; what is new comes by the daily DAG
    catchup=False,
    max_active_runs=2,
    default_args={
        # over all runs: the token's requests, 400 a minute, are shared by all jobs that use it
        "max_active_tis_per_dag": 4,
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": DS_RETRY_POLICY,
        "execution_timeout": timedelta(hours=6),
    },
    params={
        "demarche": Param(1, type="integer", minimum=1, title="Number of the démarche"),
        "groupes_per_task": Param(10, type="integer", minimum=1, title="Groups per mapped task"),
        "destination": Param("file:///opt/airflow/landing", type="string", title="Landing zone"),
    },
    doc_md=__doc__,
    tags=["ds", "example", "warehouse"],
)
def ds_warehouse_backfill():
    groupes = DSListGroupesOperator(
        task_id="groupes",
        demarche_number="{{ params.demarche }}",
        batch_size="{{ params.groupes_per_task }}",
    )
    dossiers = DSExtractDossiersOperator.partial(
        task_id="dossiers",
        destination="{{ params.destination }}",
        created_since="{{ data_interval_start | ts }}",
        created_until="{{ data_interval_end | ts }}",
        **PARTS,
    ).expand(groupe_instructeur_number=groupes.output)
    DSLoadOperator(task_id="load", manifests=dossiers.output, demarche_number="{{ params.demarche }}", **WAREHOUSE)


ds_warehouse_backfill()
