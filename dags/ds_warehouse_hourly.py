"""
### A démarche's dossiers in a warehouse, hour by hour

For those who cannot wait for the night: the dossiers last changed in the hour, into the tables of `ds_warehouse_daily`,
which goes on to look after deletions and after what moves no date. One request asks up to a hundred groups whether
anything changed in them, and only those in which something did are read.

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
    schedule=CronDataIntervalTimetable("@hourly", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    # the hours that were missed are in the day's run
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
        "retry_policy": DS_RETRY_POLICY,
        "execution_timeout": timedelta(minutes=50),
    },
    params={
        "demarche": Param(1, type="integer", minimum=1, title="Number of the démarche"),
        "destination": Param("file:///opt/airflow/landing", type="string", title="Landing zone"),
    },
    doc_md=__doc__,
    tags=["ds", "example", "warehouse"],
)
def ds_warehouse_hourly():
    groupes = DSListGroupesOperator(task_id="groupes", demarche_number="{{ params.demarche }}")
    dossiers = DSExtractDossiersOperator(
        task_id="dossiers",
        # all groups in one task: what they share is asked once
        groupe_instructeur_number=groupes.output,
        destination="{{ params.destination }}",
        window="updated",
        **PARTS,
    )
    DSLoadOperator(task_id="load", manifests=dossiers.output, **WAREHOUSE)


ds_warehouse_hourly()
