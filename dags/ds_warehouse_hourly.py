"""
### A démarche's dossiers in a warehouse, hour by hour

For teams that cannot wait for the night: reads what changed since each group was loaded, and loads it into the tables
of `ds_warehouse_daily`. That DAG still handles deletions and the changes that move no date. One request finds the
groups without a change, up to a hundred at a time, and only the others are read.

**To make it yours**: as in `ds_warehouse_daily`, with the same warehouse.
"""

import pendulum
from airflow.sdk import Param, dag

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.task_groups import ds_default_args


@dag(
    dag_display_name="Démarche to warehouse, every hour",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    # the next run makes up for a missed one
    catchup=False,
    max_active_runs=1,
    default_args=ds_default_args(
        destination="{{ params.destination }}",
        warehouse_conn_id=None,
        include_messages=True,
        include_avis=True,
        include_labels=True,
        include_corrections=True,
    ),
    params={
        "demarche_number": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Démarche",
            description="Its number, as in the address of its page: …/procedures/12345. All its groups are read.",
        ),
        "destination": Param(
            "file:///opt/airflow/landing",
            type="string",
            title="Landing zone",
            description="Where files are kept that all workers can reach: file:///…, s3://bucket/…, gs://bucket/…",
        ),
    },
    doc_md=__doc__,
    tags=["ds", "example", "warehouse"],
)
def ds_warehouse_hourly():
    groupes = DSListGroupesOperator(
        task_id="groupes", demarche_number="{{ params.demarche_number or '<the number of your démarche, in params>' }}"
    )
    # all groups in one task: one request finds the groups in which nothing changed
    dossiers = DSExtractDossiersOperator(
        task_id="dossiers", groupe_instructeur_number=groupes.output, window="incremental"
    )
    DSLoadOperator(task_id="load", manifests=dossiers.output)


ds_warehouse_hourly()
