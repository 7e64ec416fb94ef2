"""
### The past of a démarche into the warehouse, month by month of deposit

Loads the dossiers deposited in the run's month, Paris time, as they are today. `ds_warehouse_daily` loads the past by
itself, in its first night: this DAG is for the months that you want to read again, or the only ones that you want.
Months can be loaded in any order, in parallel, twice, and next to `ds_warehouse_daily`: a version older than the one in
the tables changes nothing. Months of deposit do not make a group's history full, whatever their number:
`DSFreshnessOperator` then needs `require_full_history=False`.

Unpause the DAG, then backfill any range of months. Give the offset: Airflow takes a bare date as UTC, and a month
begins in Paris an hour or two earlier.

    airflow backfill create --dag-id ds_warehouse_backfill \\
        --from-date 2025-01-01T00:00:00+01:00 --to-date 2026-10-31 --max-active-runs 2 \\
        --dag-run-conf '{"demarche_number": 12345}'

Load failed months again with `--reprocess-behavior failed`, any month with `completed`.

**To make it yours**: as in `ds_warehouse_daily`, with the same warehouse.
"""

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.task_groups import ds_default_args


@dag(
    dag_display_name="Démarche to warehouse, single months",
    schedule=CronDataIntervalTimetable("@monthly", timezone="Europe/Paris"),
    # before the first démarche: any month can be backfilled
    start_date=pendulum.datetime(2015, 1, 1, tz="Europe/Paris"),
    # past months run on demand; the daily DAG loads what is new
    catchup=False,
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
def ds_warehouse_backfill():
    groupes = DSListGroupesOperator(
        task_id="groupes",
        demarche_number="{{ params.demarche_number or '<the number of your démarche, in params>' }}",
        batch_size=10,
    )
    dossiers = DSExtractDossiersOperator.partial(
        task_id="dossiers",
        created_since="{{ data_interval_start | ts }}",
        created_until="{{ data_interval_end | ts }}",
    ).expand(groupe_instructeur_number=groupes.output)
    DSLoadOperator(task_id="load", manifests=dossiers.output, demarche_number="{{ params.demarche_number }}")


ds_warehouse_backfill()
