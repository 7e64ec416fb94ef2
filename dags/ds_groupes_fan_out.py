"""
### Dossiers and deletions of several groupes instructeurs, day by day

One mapped task per group and stream. Each run extracts the dossiers last changed in its own day, Paris time, and the
deletions; the last task sums up. All days together hold every dossier. A dossier that changes again moves to a later
day: a day that runs late may hold fewer dossiers, and a later day holds them instead. Hence `catchup=True`: Airflow
runs the days that were missed.

No day holds the dossiers deposited before `start_date` and unchanged since: extract them once with
`ds_backfill_by_deposit_date`.

**To make it yours**: put your group numbers in `groupes`, your landing zone in `destination`, the day on which you
begin in `start_date`, and the token in the connection `ds_default`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.retry_policy import DS_DEFAULT_ARGS


@dag(
    # a plain cron schedule gives an empty data interval in Airflow 3: the run would have no window
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    catchup=True,
    max_active_runs=2,
    default_args={
        **DS_DEFAULT_ARGS,
        # over all runs: all jobs that use the token share its 400 requests a minute
        "max_active_tis_per_dag": 4,
        "execution_timeout": timedelta(hours=2),
    },
    params={
        "groupes": Param([1, 2, 3], type="array", items={"type": "integer"}, minItems=1, title="Group numbers"),
        "destination": Param("file:///opt/airflow/landing", type="string", title="Landing zone"),
    },
    doc_md=__doc__,
    tags=["ds", "example"],
)
def ds_groupes_fan_out():
    @task
    def groupes(params: dict[str, Any]) -> list[int]:
        return list(params["groupes"])

    numbers = groupes()

    dossiers = DSExtractDossiersOperator.partial(
        task_id="dossiers",
        destination="{{ params.destination }}",
        window="updated",
        map_index_template="group {{ task.groupe_instructeur_number }}",
    ).expand(groupe_instructeur_number=numbers)

    # the service dates a definitive deletion back by 14 days or more: an overlap of 45 days loses none
    deletions = DSExtractDeletedDossiersOperator.partial(
        task_id="deletions",
        destination="{{ params.destination }}",
        deleted_since="{{ data_interval_start.subtract(days=45) | ts }}",
        map_index_template="group {{ task.groupe_instructeur_number }}",
    ).expand(groupe_instructeur_number=numbers)

    @task
    def summary(dossiers: list[dict[str, Any]], deletions: list[dict[str, Any]]) -> dict[str, int]:
        totals = {
            "groupes": len(dossiers),
            "dossiers": sum(landed["rows"] for landed in dossiers),
            "deletions": sum(landed["rows"] for landed in deletions),
            "pending": sum(landed["rows_pending"] for landed in deletions),
        }
        print(", ".join(f"{count} {name}" for name, count in totals.items()))
        return totals

    summary(dossiers.output, deletions.output)


ds_groupes_fan_out()
