"""
### Dossiers in a warehouse, within a minute of their deposit

A watcher in the triggerer polls the groups every half minute, in one light request for all of them. A dossier that is
deposited, changed or moved into a group starts a run. The run extracts what is new there and loads it into the tables
of `ds_warehouse_daily`. That DAG still handles deletions and the changes that move no date. Without a change, nothing
runs.

The event starts the run but does not say what to extract: the task extracts what changed since each group was loaded. A
lost or doubled event therefore loses nothing: the next run covers it. The first run extracts the groups in full.

**To make it yours**: put your group numbers in `GROUPES`, your landing zone in the default of `destination`, and the
connection of your database in `warehouse_conn_id`. The watcher needs a running triggerer.
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, AssetWatcher, Param, dag

from ds_provider.operators.extract import DSExtractDossiersOperator
from ds_provider.operators.load import DSLoadOperator
from ds_provider.task_groups import ds_default_args
from ds_provider.triggers.dossiers import DSDossierEventTrigger

# not a parameter of the run: the watcher exists before any run
GROUPES = [1, 2, 3]

WATCHER = AssetWatcher(
    name="ds_dossiers",
    trigger=DSDossierEventTrigger(groupe_instructeur_number=GROUPES, on="updated", poll_interval=30),
)
# an asset that no task updates: a run that did would start another run
CHANGES = Asset("ds_dossier_changes", watchers=[WATCHER])


@dag(
    dag_display_name="Groups to warehouse, on each change",
    schedule=[CHANGES],
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Paris"),
    # a change during a run is for the next run
    max_active_runs=1,
    default_args={
        **ds_default_args(
            destination="{{ params.destination }}",
            warehouse_conn_id=None,
            include_messages=True,
            include_avis=True,
            include_labels=True,
            include_corrections=True,
        ),
        "retry_delay": timedelta(seconds=30),
    },
    params={
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
def ds_on_new_dossiers():
    dossiers = DSExtractDossiersOperator(
        task_id="dossiers",
        # all groups in one task: one request finds the groups in which nothing changed
        groupe_instructeur_number=GROUPES,
        window="incremental",
    )
    DSLoadOperator(task_id="load", manifests=dossiers.output)


ds_on_new_dossiers()
