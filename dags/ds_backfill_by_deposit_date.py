"""
### The past, month by month, by date of deposit

Reads the dossiers deposited in the run's month, Paris time. A dossier is deposited once, so a past month can be read
at any time, any number of times, in parallel, and the months neither overlap nor leave a gap. What a month holds is
the dossiers as they are today: the API keeps no earlier versions, and shows no dossier that is deleted.

Over any range of months, once the DAG is unpaused (a month begins in Paris an hour or two before it does in UTC, in
which Airflow takes a bare date, so give the offset):

    airflow backfill create --dag-id ds_backfill_by_deposit_date \\
        --from-date 2026-01-01T00:00:00+01:00 --to-date 2026-06-30 --max-active-runs 4 \\
        --dag-run-conf '{"groupes": [1, 2, 3]}'

A month can be read again with `--reprocess-behavior completed`: it replaces what was landed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.retry_policy import DS_RETRY_POLICY


@dag(
    schedule=CronDataIntervalTimetable("@monthly", timezone="Europe/Paris"),
    # before the first démarche: any month can be asked for
    start_date=pendulum.datetime(2015, 1, 1, tz="Europe/Paris"),
    # the past is read on demand; what is new comes by the daily DAGs
    catchup=False,
    max_active_runs=4,
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
        "groupes": Param([1, 2, 3], type="array", items={"type": "integer"}, minItems=1, title="Group numbers"),
        "destination": Param("file:///opt/airflow/landing", type="string", title="Landing zone"),
    },
    doc_md=__doc__,
    tags=["ds", "example"],
)
def ds_backfill_by_deposit_date():
    @task
    def groupes(params: dict[str, Any]) -> list[int]:
        return list(params["groupes"])

    DSExtractDossiersOperator.partial(
        task_id="dossiers",
        destination="{{ params.destination }}",
        created_since="{{ data_interval_start | ts }}",
        created_until="{{ data_interval_end | ts }}",
    ).expand(groupe_instructeur_number=groupes())


ds_backfill_by_deposit_date()
