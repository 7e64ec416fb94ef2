"""
### All groups of a démarche, several per task

Each run lists the groups, closed ones included: a closed group keeps its dossiers, and they keep changing. Each mapped
task extracts several groups over one connection. A group that fails stops no other group, neither in its own task nor
in others. The run then ends red, and its last task names the tasks that failed.

Each run extracts the dossiers last changed in its own day, Paris time. No day holds the dossiers deposited before
`start_date` and unchanged since: extract them once with `ds_backfill_by_deposit_date`.

**To make it yours**: put the démarche's number and your landing zone in the defaults of `params`, the day on which you
begin in `start_date`, and the token in the connection `ds_default`.
"""

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag

from ds_provider.operators.complete import DSCompleteOperator
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from ds_provider.operators.groupes import DSListGroupesOperator
from ds_provider.task_groups import ds_default_args


@dag(
    dag_display_name="Démarche to files, every day",
    schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    catchup=True,
    max_active_runs=2,
    default_args=ds_default_args(destination="{{ params.destination }}"),
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
    tags=["ds", "example"],
)
def ds_demarche_fan_out():
    groupes = DSListGroupesOperator(
        task_id="groupes",
        demarche_number="{{ params.demarche_number or '<the number of your démarche, in params>' }}",
        batch_size=10,
    )

    dossiers = DSExtractDossiersOperator.partial(
        task_id="dossiers",
        window="updated",
    ).expand(groupe_instructeur_number=groupes.output)

    deletions = DSExtractDeletedDossiersOperator.partial(
        task_id="deletions",
    ).expand(groupe_instructeur_number=groupes.output)

    # also if some failed: the last task decides the colour of the run
    [dossiers, deletions] >> DSCompleteOperator(task_id="complete", retries=0)


ds_demarche_fan_out()
