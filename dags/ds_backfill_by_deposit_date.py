"""
### The past, month by month, by date of deposit

Extracts the dossiers deposited in the run's month, Paris time. A dossier is deposited once. A past month can therefore
be extracted at any time, repeatedly and in parallel, and the months neither overlap nor leave a gap. A month holds its
dossiers as they are today: the API keeps no earlier versions and shows no deleted dossier.

Unpause the DAG, then backfill any range of months. Give the offset: Airflow takes a bare date as UTC, and a month
begins in Paris an hour or two earlier.

    airflow backfill create --dag-id ds_backfill_by_deposit_date \\
        --from-date 2026-01-01T00:00:00+01:00 --to-date 2026-06-30 --max-active-runs 4 \\
        --dag-run-conf '{"groupes": [1, 2, 3]}'

Extract a month again with `--reprocess-behavior completed`: the new files replace the old ones.

**To make it yours**: put your group numbers and your landing zone in the defaults of `params`.
"""

from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.task_groups import ds_default_args


@dag(
    dag_display_name="Groups to files, single months",
    schedule=CronDataIntervalTimetable("@monthly", timezone="Europe/Paris"),
    # before the first démarche: any month can be backfilled
    start_date=pendulum.datetime(2015, 1, 1, tz="Europe/Paris"),
    # past months run on demand; the daily DAGs extract what is new
    catchup=False,
    max_active_runs=4,
    default_args=ds_default_args(destination="{{ params.destination }}"),
    params={
        "groupes": Param(
            [],
            type="array",
            items={"type": "integer"},
            title="Groups",
            description="Their numbers, one a line: airflow ds groupes lists those of a démarche.",
        ),
        "destination": Param(
            "file:///opt/airflow/landing",
            type="string",
            title="Landing zone",
            description="Where files are kept that all workers can reach: file:///…, s3://bucket/…, gs://bucket/…",
        ),
    },
    doc_md=__doc__,
    tags=["ds", "example"],
)
def ds_backfill_by_deposit_date():
    @task
    def groupes(params: dict[str, Any]) -> list[Any]:
        return params["groupes"] or ["<the numbers of your groups, in params>"]

    DSExtractDossiersOperator.partial(
        task_id="dossiers",
        created_since="{{ data_interval_start | ts }}",
        created_until="{{ data_interval_end | ts }}",
    ).expand(groupe_instructeur_number=groupes())


ds_backfill_by_deposit_date()
