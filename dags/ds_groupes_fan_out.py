"""
### Dossiers and deletions of several groupes instructeurs, day by day

One mapped task per group and stream. Each run extracts the dossiers last changed in its own day, Paris time, and the
deletions; the last task sums up. All days together hold every dossier. A dossier that changes again moves to a later
day: a day that runs late may hold fewer dossiers, and a later day holds them instead. Hence `catchup=True`: Airflow
runs the days that were missed.

No day holds the dossiers deposited before `start_date` and unchanged since: extract them once with
`ds_backfill_by_deposit_date`.

**To make it yours**: put your group numbers and your landing zone in the defaults of `params`, the day on which you
begin in `start_date`, and the token in the connection `ds_default`.
"""

from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.task_groups import ds_default_args


@dag(
    dag_display_name="Groups to files, every day",
    # a plain cron schedule gives an empty data interval in Airflow 3: the run would have no window
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    catchup=True,
    max_active_runs=2,
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
def ds_groupes_fan_out():
    @task
    def groupes(params: dict[str, Any]) -> list[Any]:
        return params["groupes"] or ["<the numbers of your groups, in params>"]

    numbers = groupes()

    dossiers = DSExtractDossiersOperator.partial(
        task_id="dossiers",
        window="updated",
    ).expand(groupe_instructeur_number=numbers)

    # the service dates a definitive deletion back by 14 days or more: an overlap of 45 days loses none
    deletions = DSExtractDeletedDossiersOperator.partial(
        task_id="deletions",
        deleted_since="{{ data_interval_start.subtract(days=45) | ts }}",
    ).expand(groupe_instructeur_number=numbers)

    @task
    def summary(dossiers: list[dict[str, Any]], deletions: list[dict[str, Any]]) -> dict[str, int]:
        rows = {"dossiers": dossiers, "deletions": deletions}
        return {name: sum(landed["rows"] for landed in each) for name, each in rows.items()}

    summary(dossiers.output, deletions.output)


ds_groupes_fan_out()
