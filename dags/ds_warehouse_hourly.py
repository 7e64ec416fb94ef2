"""
### A démarche's dossiers in a warehouse, hour by hour

For teams that cannot wait for the night: extracts what changed since each group was loaded, and loads it into the
tables of `ds_warehouse_daily`. That DAG still handles deletions and the changes that move no date. One request finds
the groups without a change, up to a hundred at a time, and only the others are extracted.

**To make it yours**: as in `ds_warehouse_daily`, with the same warehouse.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.retry_policy import DS_DEFAULT_ARGS

WAREHOUSE = {"warehouse_conn_id": None}
PARTS = {"include_messages": True, "include_avis": True, "include_labels": True, "include_corrections": True}


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    # the next run makes up for a missed one
    catchup=False,
    max_active_runs=1,
    default_args={
        **DS_DEFAULT_ARGS,
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
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
        # all groups in one task: one request finds the groups in which nothing changed
        groupe_instructeur_number=groupes.output,
        destination="{{ params.destination }}",
        window="incremental",
        **PARTS,
        **WAREHOUSE,
    )
    DSLoadOperator(task_id="load", manifests=dossiers.output, **WAREHOUSE)


ds_warehouse_hourly()
